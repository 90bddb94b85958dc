"""Zero123++ v1.1 / v1.2 from the hub or a diffusers folder, optionally with InstantMesh's white-background
UNet.

:func:`open_zero123plus` finds and fetches the sources; :func:`write_zero123plus` writes one folder of ours:
UNet, VAE, CLIP vision tower, and the text states of the empty prompt, made once with the text encoder, which
is not needed afterwards. :func:`load_zero123plus` reads it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from geco.errors import WeightsError
from geco.model_files.hub import fetch, is_hub_id
from geco.model_files.products import INSTANTMESH_UNET, PIPELINE_FILES
from geco.multiview.zero123plus.codec import GREY, WHITE, Zero123PlusCodec
from geco.multiview.zero123plus.network import Zero123PlusNetwork
from geco.public_weights.diffusers_folder import read_diffusers_folder, weights_file
from geco.public_weights.library_models import in_half
from geco.public_weights.licences import LICENCES
from geco.public_weights.zero123plus_folder import Zero123Plus, save_zero123plus
from geco.sampling import Sampling

SHEET = (960, 640)  # height, width of the public pipeline's output
# As InstantMesh runs it: Euler ancestral, 75 steps, guidance 4.
TEACHER = Sampling("euler-ancestral", 75, 4.0)


@dataclass(frozen=True)
class Sources:
    """Where a model's parts lie on this machine, and what its card shall say of them.

    Attributes:
        folder: of the diffusers pipeline.
        unet: weights that take the place of its own UNet's, or None.
        facts: licence, source, revision and the same of the UNet, for the card.
    """

    folder: Path
    unet: Path | None
    facts: dict[str, Any]


def open_zero123plus(
    source: str | os.PathLike[str],
    unet: str | os.PathLike[str] | None = None,
    revision: str | None = None,
) -> Sources:
    """Find the sources, and fetch those that are on the hub; nothing is read yet.

    Args:
        source: a hub id (``sudo-ai/zero123plus-v1.2``) or a diffusers folder.
        unet: another UNet: ``TencentARC/InstantMesh`` (fetched), its diffusion_pytorch_model.bin, a folder
            with that, or a .safetensors file; it is taken to paint a white background, as InstantMesh's does.
        revision: of the hub's repository, where it shall not be the pinned one.

    Raises:
        WeightsError: one is not there, or cannot be fetched.
    """
    name, folder, found = str(source), Path(source), ""
    if not is_hub_id(name) and not folder.is_dir():
        raise WeightsError(
            f"{name} is neither a folder nor a hub id",
            "Give a diffusers folder, or a hub id such as sudo-ai/zero123plus-v1.2.",
        )
    if unet is not None and not is_hub_id(unet) and not os.path.lexists(unet):
        raise WeightsError(
            f"the UNet {unet} does not exist", "Give TencentARC/InstantMesh, its .bin file, or own."
        )
    licence = LICENCES.get(name, "that of the source folder (as released, Zero123++ is CC-BY-NC-4.0)")
    if is_hub_id(name):
        patterns = [*PIPELINE_FILES, *([] if unet is not None else ["unet/*"])]
        fetched = fetch(name, patterns, licence, revision)
        folder, found = fetched.folder, fetched.revision
    facts = {"source": _origin(source), "unet_source": None, "licence": licence}
    facts |= {"revision": found, "unet_revision": ""}
    if unet is None:
        return Sources(folder, None, facts)
    path, unet_licence, unet_revision = _open_unet(unet)
    facts |= {"unet_source": _origin(unet), "unet_revision": unet_revision}
    return Sources(folder, path, facts | {"licence": f"{licence}; UNet: {unet_licence}"})


def _open_unet(source: str | os.PathLike[str]) -> tuple[Path, str, str]:
    """Another UNet's file, the licence that applies to it, and the hub's commit."""
    name, path, revision = str(source), Path(source), ""
    licence = LICENCES.get(name, "that of the file (as released, a derivative of Zero123++, CC-BY-NC-4.0)")
    if is_hub_id(name):
        fetched = fetch(name, [INSTANTMESH_UNET], licence)
        path, revision = fetched.folder / INSTANTMESH_UNET, fetched.revision
    return (weights_file(path) if path.is_dir() else path), licence, revision


def write_zero123plus(
    sources: Sources,
    output: str | os.PathLike[str],
    rig: str | None = None,
    precision: torch.dtype | None = None,
) -> dict[str, Any]:
    """Write a public model as one folder of ours; nothing is left behind that loads if anything is wrong.

    Args:
        output: the folder to write.
        rig: name of the camera rig; None reads v1.1 off the source's name and takes v1.2 otherwise.
        precision: torch.float16 for UNet, VAE and CLIP as the public pipelines run them; None keeps each
            file's own.

    Returns:
        The card.

    Raises:
        WeightsError: a part is missing, damaged or of another model. OutputError: the folder cannot be
            written.
    """
    found = read_diffusers_folder(sources.folder, sources.unet)
    if precision is not None:
        for module in (found.unet, found.vae, found.vision):
            in_half(module, precision, sources.folder)
    reduction = 2 ** (len(found.vae.config["block_out_channels"]) - 1)
    shape = (found.vae.config["latent_channels"], SHEET[0] // reduction, SHEET[1] // reduction)
    network = Zero123PlusNetwork(found.unet, found.schedule, shape)
    background = GREY if sources.unet is None else WHITE
    codec = Zero123PlusCodec(
        found.vae, found.vision, found.text_states, found.ramp, found.for_vae, found.for_vision, background
    )
    rig = rig or ("zero123plus-v1.1" if "v1.1" in sources.facts["source"] else "zero123plus-v1.2")
    return save_zero123plus(output, Zero123Plus(network, codec, {**sources.facts, "rig": rig}))


def convert_zero123plus(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    unet: str | os.PathLike[str] | None = None,
    rig: str | None = None,
    revision: str | None = None,
) -> dict[str, Any]:
    """:func:`open_zero123plus` and :func:`write_zero123plus` in one, each file in its own precision."""
    return write_zero123plus(open_zero123plus(source, unet, revision), output, rig)


def _origin(source: str | os.PathLike[str]) -> str:
    """A hub id, or the name of the local folder or file: where that lies is no business of a card
    that travels.
    """
    return str(source) if is_hub_id(source) else Path(source).name
