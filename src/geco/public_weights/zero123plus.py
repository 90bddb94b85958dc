"""Zero123++ v1.1 / v1.2 from the hub or a diffusers folder, optionally with InstantMesh's white-background
UNet.

:func:`convert_zero123plus` writes one folder of ours: UNet, VAE, CLIP vision tower, and the text states of
the empty prompt, made once with the text encoder, which is not needed afterwards. :func:`load_zero123plus`
reads it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

from geco.errors import WeightsError
from geco.model_files.hub import fetch, is_hub_id
from geco.model_files.state import check_state
from geco.multiview.zero123plus.codec import GREY, WHITE, Zero123PlusCodec
from geco.multiview.zero123plus.network import Zero123PlusNetwork
from geco.public_weights.diffusers_folder import read_diffusers_folder, read_state, weights_file
from geco.public_weights.licences import LICENCES
from geco.public_weights.zero123plus_folder import Zero123Plus, save_zero123plus
from geco.sampling import Sampling

INSTANTMESH_UNET = "diffusion_pytorch_model.bin"
SHEET = (960, 640)  # height, width of the public pipeline's output
# As InstantMesh runs it: Euler ancestral, 75 steps, guidance 4.
TEACHER = Sampling("euler-ancestral", 75, 4.0)
_PATTERNS = ["model_index.json"] + [
    f"{part}/*"
    for part in (
        "unet",
        "vae",
        "vision_encoder",
        "text_encoder",
        "tokenizer",
        "scheduler",
        "feature_extractor_*",
    )
]


def convert_zero123plus(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    unet: str | os.PathLike[str] | None = None,
    rig: str | None = None,
    revision: str | None = None,
) -> dict[str, Any]:
    """Write a public model as one folder of ours; nothing is left behind that loads if anything is wrong.

    Args:
        source: a hub id (``sudo-ai/zero123plus-v1.2``) or a diffusers folder.
        output: the folder to write.
        unet: another UNet: ``TencentARC/InstantMesh`` (fetched), or its diffusion_pytorch_model.bin, or a
            .safetensors file; it is taken to paint a white background, as InstantMesh's does.
        rig: name of the camera rig; None reads v1.1 off the source's name and takes v1.2 otherwise.
        revision: of the hub's repository, where it shall not be the pinned one.

    Returns:
        The card.

    Raises:
        WeightsError: a part is missing, damaged or of another model. OutputError: the folder cannot be
            written.
    """
    name = str(source)
    licence = LICENCES.get(name, "that of the source folder (as released, Zero123++ is CC-BY-NC-4.0)")
    fetched = fetch(name, _PATTERNS, licence, revision) if is_hub_id(name) else None
    folder = fetched.folder if fetched else Path(source)
    if not folder.is_dir():
        raise WeightsError(
            f"{name} is neither a folder nor a hub id",
            "Give a diffusers folder, or a hub id such as sudo-ai/zero123plus-v1.2.",
        )
    found = read_diffusers_folder(folder)
    background, unet_revision = GREY, ""
    if unet is not None:
        unet_licence, unet_revision = _replace_unet(found.unet, unet)
        licence = f"{licence}; UNet: {unet_licence}"
        background = WHITE
    reduction = 2 ** (len(found.vae.config["block_out_channels"]) - 1)
    shape = (found.vae.config["latent_channels"], SHEET[0] // reduction, SHEET[1] // reduction)
    network = Zero123PlusNetwork(found.unet, found.schedule, shape)
    codec = Zero123PlusCodec(
        found.vae, found.vision, found.text_states, found.ramp, found.for_vae, found.for_vision, background
    )
    rig = rig or ("zero123plus-v1.1" if "v1.1" in name else "zero123plus-v1.2")
    card = {
        "source": _origin(source),
        "unet_source": None if unet is None else _origin(unet),
        "licence": licence,
    }
    card |= {"rig": rig, "revision": fetched.revision if fetched else "", "unet_revision": unet_revision}
    return save_zero123plus(output, Zero123Plus(network, codec, card))


def _replace_unet(unet: UNet2DConditionModel, source: str | os.PathLike[str]) -> tuple[str, str]:
    """Load another UNet's weights into ``unet``, strictly; the licence that applies to it, and
    the hub's commit.
    """
    name, revision = str(source), ""
    licence = LICENCES.get(name, "that of the file (as released, a derivative of Zero123++, CC-BY-NC-4.0)")
    path = Path(source)
    if is_hub_id(name):
        fetched = fetch(name, [INSTANTMESH_UNET], licence)
        path, revision = fetched.folder / INSTANTMESH_UNET, fetched.revision
    if path.is_dir():
        path = weights_file(path)
    state = read_state(path)
    check_state(state, unet.state_dict(), path)
    unet.load_state_dict(state, strict=True, assign=True)
    return licence, revision


def _origin(source: str | os.PathLike[str]) -> str:
    """A hub id, or the name of the local folder or file: where that lies is no business of a card
    that travels.
    """
    return str(source) if is_hub_id(source) else Path(source).name
