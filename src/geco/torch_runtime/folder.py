"""The model folder of the torch runtime: a card, the multi-view half and the reconstructor half, each in its
own folder.

``config.json`` says which family; ``multiview/`` and ``reconstructor/`` are folders of the family's own
loaders.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from geco.backend import ModelCard
from geco.cameras import camera_vectors, rig
from geco.device import Placement, choose
from geco.errors import OutputError, WeightsError
from geco.model_files.card import (
    AUTOENCODER,
    CARD,
    MULTIVIEW,
    RECONSTRUCTOR,
    Usage,
    read_model_card,
    shown_name,
    usage_of,
    write_model_card,
)
from geco.model_files.hub import INSTANTMESH, PINNED, ZERO123PLUS, is_hub_id
from geco.outputs import check_folder
from geco.reconstruct.fields import SurfaceFields
from geco.small_model import read_small_model
from geco.torch_runtime.backend import TorchBackend

# Cubes a side and texture of the full model: InstantMesh's released grid (its configs), and a texture its 320
# px views can fill.
FULL_RESOLUTION, FULL_TEXTURE_SIZE, FULL_PICTURE_SIZE, FULL_VIEW_SIZE = 128, 1024, 512, 320


def convert_public(
    multiview: str | os.PathLike[str],
    reconstructor: str | os.PathLike[str],
    output: str | os.PathLike[str],
    unet: str | os.PathLike[str] | None = None,
    rig_name: str | None = None,
    revision: str | None = None,
) -> dict[str, Any]:
    """Public Zero123++ and InstantMesh weights as one model folder; returns its card.

    Args:
        revision: commit of ``multiview``'s repository instead of the pinned one.

    Raises:
        WeightsError: a source is missing, damaged or of another model. OutputError: the folder cannot be
            written, holds something else's config.json, or one of the sources.
    """
    from geco.public_weights import instantmesh
    from geco.public_weights.zero123plus import TEACHER, convert_zero123plus

    folder = Path(output)
    check_folder(folder, [CARD], _is_model)
    for source in (multiview, reconstructor, unet):
        _check_apart(source, folder)
    views = convert_zero123plus(multiview, folder / MULTIVIEW, unet, rig_name, revision)
    instantmesh.convert(str(reconstructor), folder / RECONSTRUCTOR)
    licence = instantmesh.licence_of(reconstructor)
    usage = Usage(FULL_RESOLUTION, FULL_TEXTURE_SIZE, TEACHER)
    return write_model_card(
        folder, "full", f"views: {views['licence']}; reconstructor: {licence}", usage.to_dict()
    )


def usual_unet(multiview: str | os.PathLike[str]) -> str | None:
    """What InstantMesh and GECO put in place of Zero123++ v1.2's own UNet, which paints on grey:
    InstantMesh's reconstructors were trained on views over white. None for v1.1, for which there is none.
    """
    return None if "v1.1" in os.fspath(multiview) else INSTANTMESH


def _check_apart(source: str | os.PathLike[str] | None, folder: Path) -> None:
    """Refuse a source that the converted model would be written over."""
    if source is None or not os.path.exists(source):
        return
    real = Path(os.path.realpath(source))
    if real == folder.resolve() or any(
        real.is_relative_to((folder / half).resolve()) for half in (MULTIVIEW, RECONSTRUCTOR)
    ):
        raise OutputError(f"{os.fspath(source)} is an input of this run", "Choose another folder with -o.")


def _is_model(folder: Path) -> bool:
    try:
        read_model_card(folder)
    except WeightsError:
        return False
    return True


def local_folder(source: str | os.PathLike[str]) -> Path:
    """The model folder that ``source`` means: a folder as it is; a hub id fetched and converted once, and
    kept.

    A hub id of Zero123++ is joined with InstantMesh's large reconstructor (and, for v1.2, InstantMesh's
    white-background UNet, as InstantMesh and GECO use it), in the user's cache folder.

    Raises:
        WeightsError: the hub cannot be reached, or has no such model.
    """
    return _cached(os.fspath(source)) if is_hub_id(source) else Path(source)


def load_backend(source: str, device: str | None = None) -> TorchBackend:
    """A model folder, or public weights by hub id (see :func:`local_folder`), ready to run.

    Raises:
        WeightsError: it is not a model folder, a part is missing or damaged, or the hub cannot be reached.
    """
    folder = local_folder(source)
    card = read_model_card(folder)
    placement = choose(device)
    if card["family"] == AUTOENCODER:
        raise WeightsError(
            f"{folder} holds an autoencoder, a perceptual distance: there is no generator in it",
            "Give the run of another stage; this one is for: geco distill stage2 --perceptual.",
        )
    build = {"full": _full, "small": _small}.get(card["family"])
    if build is None:
        raise WeightsError(
            f"{folder / CARD} names the family {card['family']!r}", "Known are full and small."
        )
    return build(folder, card, placement, source if is_hub_id(source) else shown_name(folder))


def _cached(hub_id: str) -> Path:
    """The converted folder of a hub id, made at first use; at another revision it is another folder."""
    if hub_id == INSTANTMESH:
        raise WeightsError(
            f"{INSTANTMESH} reconstructs views, it makes none",
            f"Give a Zero123++ id, which is joined with it: {ZERO123PLUS}.",
        )
    pin = PINNED.get(hub_id)
    name = hub_id.replace("/", "--") + (f"-{pin.revision[:12]}" if pin else "")
    folder = _cache() / "geco" / name
    if not (folder / CARD).is_file():
        convert_public(hub_id, "instant-mesh-large", folder, usual_unet(hub_id))
    return folder


def _cache() -> Path:
    """The user's cache; raises WeightsError where there is no home to have one."""
    if named := os.environ.get("XDG_CACHE_HOME"):
        return Path(named)
    try:
        return Path.home() / ".cache"
    except RuntimeError as error:
        raise WeightsError(
            "there is no home folder to keep a converted model in",
            "Set XDG_CACHE_HOME, or convert it yourself: geco convert -o DIR.",
        ) from error


def _full(folder: Path, card: dict[str, Any], placement: Placement, name: str) -> TorchBackend:
    """Zero123++ in the placement's format and InstantMesh in float32 (a twentieth of the work)."""
    from geco.public_weights import instantmesh
    from geco.public_weights.zero123plus_folder import load_zero123plus

    usage, device = usage_of(card, folder), placement.device
    views = load_zero123plus(folder / MULTIVIEW, device, placement.dtype)
    model = instantmesh.load(folder / RECONSTRUCTOR, device)
    cameras = rig(views.card["rig"])
    vectors = torch.from_numpy(camera_vectors(cameras.poses(), cameras.fov))[None].to(device)

    def reconstruct(pictures: Tensor, _: Tensor) -> SurfaceFields:
        return model.surfaces(pictures, vectors)[0]

    facts = {"rig": cameras.name, **card["facts"]}
    described = ModelCard(
        name,
        FULL_PICTURE_SIZE,
        views.card["foreground_ratio"],
        usage.resolution,
        usage.texture_size,
        card["licence"],
        facts,
        views.codec.background,
        FULL_VIEW_SIZE,
    )
    sampling = usage.drawing(f"{folder / CARD}: facts")
    return TorchBackend(described, views.network, views.codec, sampling, reconstruct, device)


def _small(folder: Path, _: dict[str, Any], placement: Placement, name: str) -> TorchBackend:
    """The small family, straight from training: float32 weights, computed in bfloat16 where that
    is asked for.
    """
    from geco.multiview.small.codec import PixelCodec
    from geco.multiview.small.weights import load_small
    from geco.reconstruct.small.model import SmallReconstructor
    from geco.reconstruct.small.surface import fields_of

    about, device = read_small_model(folder), placement.device
    model = SmallReconstructor.load(folder / RECONSTRUCTOR).to(device)
    network = load_small(folder / MULTIVIEW, device) if about.views else None

    def reconstruct(pictures: Tensor, picture: Tensor) -> SurfaceFields:
        return fields_of(model, model.encode(pictures, picture))

    return TorchBackend(
        about.described(name),
        network,
        PixelCodec(model.config.view_size),
        about.usage.drawing(f"{folder / CARD}: facts") if network is not None else None,
        reconstruct,
        device,
        mixed=placement.dtype == torch.bfloat16,
    )
