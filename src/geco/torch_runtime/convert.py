"""Public weights of both halves as one model folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from geco.errors import OutputError, WeightsError
from geco.model_files.card import CARD, MULTIVIEW, RECONSTRUCTOR, Usage, read_model_card, write_model_card
from geco.model_files.hub import INSTANTMESH
from geco.outputs import check_folder
from geco.torch_runtime.full import FULL_RESOLUTION, FULL_TEXTURE_SIZE


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
