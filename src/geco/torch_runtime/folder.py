"""The model folder of the torch runtime: a card, the multi-view half and the reconstructor half, each in its
own folder.

``config.json`` says which family; ``multiview/`` and ``reconstructor/`` are folders of the family's own
loaders.
"""

from __future__ import annotations

import os
from pathlib import Path

from geco.device import choose
from geco.errors import WeightsError
from geco.model_files.card import AUTOENCODER, CARD, read_model_card, shown_name
from geco.model_files.hub import INSTANTMESH, PINNED, ZERO123PLUS, is_hub_id
from geco.torch_runtime.backend import TorchBackend
from geco.torch_runtime.convert import convert_public, usual_unet
from geco.torch_runtime.full import full_backend
from geco.torch_runtime.small import small_backend


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
    build = {"full": full_backend, "small": small_backend}.get(card["family"])
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
