"""A diffusers folder of ``geco export`` as a model folder again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from geco.errors import WeightsError
from geco.full_model import FULL_RESOLUTION, FULL_TEXTURE_SIZE
from geco.model_files.card import (
    CARD,
    MULTIVIEW,
    RECONSTRUCTOR,
    Usage,
    is_model,
    read_model_card,
    usage_of,
    write_model_card,
)
from geco.model_files.folder import read_part, write_part
from geco.model_files.manifest import FILES
from geco.model_files.part import read_part_card
from geco.model_files.swap import check_apart, swapped
from geco.multiview.small import config as multiview
from geco.outputs import check_folder
from geco.public_weights import diffusers_full, diffusers_small, instantmesh
from geco.public_weights.diffusers_files import index_of, pipeline_of
from geco.public_weights.library_models import in_half
from geco.public_weights.zero123plus_folder import save_zero123plus
from geco.reconstruct.small.config import PART
from geco.sampling import Sampling
from geco.small_model import read_small_model


def convert_exported(
    pipeline: Path,
    reconstructor: str | os.PathLike[str],
    output: str | os.PathLike[str],
    precision: torch.dtype | None = None,
) -> dict[str, Any]:
    """Write the model folder; returns its card.

    Args:
        pipeline: the exported folder.
        reconstructor: the other half: a model folder of the same family; for the full family also what
            :func:`geco.public_weights.instantmesh.find` takes.
        precision: of the full family's views; None keeps what the files have.

    Raises:
        WeightsError: a part is missing, damaged or of another model. OutputError: the folder cannot be
            written, holds something else's config.json, or one of the sources.
    """
    folder = Path(output)
    check_folder(folder, [CARD], is_model)
    check_apart([pipeline, reconstructor], folder)
    index = index_of(pipeline)
    sampling, licence = Sampling.from_fields(index.fields("sampling")), index.text("licence", 10_000)
    facts = {"sampling": sampling.to_dict(), "distilled": sampling.is_generator}
    if pipeline_of(pipeline) == diffusers_small.KIND:
        return _small(pipeline, Path(reconstructor), folder, licence, facts)
    return _full(pipeline, reconstructor, folder, precision, facts)


def _full(
    pipeline: Path,
    reconstructor: str | os.PathLike[str],
    folder: Path,
    precision: torch.dtype | None,
    facts: dict[str, Any],
) -> dict[str, Any]:
    views = diffusers_full.read(pipeline)
    if precision is not None:
        for module in filter(None, (views.network.unet, views.codec.vae, views.codec.vision)):
            in_half(module, precision, pipeline)
    checkpoint = instantmesh.open_checkpoint(str(reconstructor))
    licence = f"views: {views.card['licence']}; reconstructor: {checkpoint.facts['licence']}"
    usage = Usage(FULL_RESOLUTION, FULL_TEXTURE_SIZE)
    if is_model(Path(reconstructor)):
        usage = usage_of(read_model_card(Path(reconstructor)), Path(reconstructor))
    with swapped(folder) as work:
        save_zero123plus(work / MULTIVIEW, views)
        instantmesh.write(checkpoint, work / RECONSTRUCTOR)
        return write_model_card(work, "full", licence, usage.to_dict() | facts)


def _small(
    pipeline: Path, reconstructor: Path, folder: Path, licence: str, facts: dict[str, Any]
) -> dict[str, Any]:
    if not is_model(reconstructor):
        raise WeightsError(
            f"{pipeline} holds the views of a small model, without a reconstructor",
            "Give a model folder of the small family as --reconstructor.",
        )
    settings, state = diffusers_small.read(pipeline)
    about = read_small_model(reconstructor)
    if (settings.size, settings.rig) != (about.reconstructor.view_size, about.reconstructor.rig):
        raise WeightsError(
            f"{pipeline}: views of {settings.size} px for a reconstructor of "
            f"{about.reconstructor.view_size} px",
            "The two halves are of different models.",
        )
    part = read_part_card(reconstructor / RECONSTRUCTOR)
    own = {name: value for name, value in part.values.items() if name != FILES}
    with swapped(folder) as work:
        card = {"format": multiview.FORMAT, "config": settings.to_dict()}
        write_part(work / MULTIVIEW, multiview.PART, state, card)
        write_part(work / RECONSTRUCTOR, PART, read_part(reconstructor / RECONSTRUCTOR, part, PART), own)
        return write_model_card(work, "small", licence, about.usage.to_dict() | facts)
