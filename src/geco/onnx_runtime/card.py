"""The card of an exported model: every number and name in it by type and range, once, before
anything is used.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from geco.backend import ModelCard
from geco.cameras import RIGS
from geco.errors import WeightsError
from geco.foreign import Fields, read_fields
from geco.model_files.card import Usage, check_facts
from geco.model_files.manifest import Manifest
from geco.multiview.schedule_settings import check_alphas
from geco.sampling import Sampling
from geco.types import Doubles

FORMAT = "geco-onnx-1"
CARD = "config.json"
REMEDY = "Install geco3d again, or export the model again."


@dataclass(frozen=True)
class ExportedCard:
    """What an exported folder's config.json says.

    Attributes:
        model: what the pipeline asks.
        view_size: pixels of a view's side.
        sampling: how views are drawn where nobody says otherwise.
        alphas_cumprod: (1000,) alpha_bar.
        half_extent: of the reconstructor's volume, world units.
        manifest: of the folder's files.
    """

    model: ModelCard
    view_size: int
    sampling: Sampling
    alphas_cumprod: Doubles
    half_extent: float
    manifest: Manifest


def read_card(folder: Path) -> dict[str, Any]:
    """The exported model's config.json as it stands; WeightsError if it is missing, damaged or
    something else.
    """
    return _fields(folder).values


def exported_card(folder: Path, name: str = "model") -> ExportedCard:
    """The exported model's card, checked; ``name`` is what it shall be called.

    Raises:
        WeightsError: missing, damaged, of another format, or a field is missing or out of its range.
    """
    card = _fields(folder)
    size = card.integer("view_size", 8, 1024)
    facts = card.fields("facts")
    check_facts(facts)
    usage = Usage.from_fields(facts)
    model = ModelCard(
        name=name,
        picture_size=size,
        foreground_ratio=card.number("foreground_ratio", 0.1, 1.0),
        resolution=usage.resolution,
        texture_size=usage.texture_size,
        licence=card.text("licence", 10_000),
        facts={"rig": card.choice("rig", RIGS, None), **facts.values},
    )
    return ExportedCard(
        model=model,
        view_size=size,
        sampling=usage.drawing(f"{folder / CARD}: facts"),
        alphas_cumprod=np.asarray(check_alphas(card.fields("schedule")), np.float64),
        half_extent=card.fields("reconstructor").number("half_extent", 0.01, 100.0),
        manifest=Manifest(card),
    )


def _fields(folder: Path) -> Fields:
    path = folder / CARD
    if not os.path.lexists(path):
        raise WeightsError(f"{path} does not exist", "Give a folder written by the exporter.")
    card = read_fields(path, WeightsError, REMEDY)
    if card.text("format", default="") != FORMAT:
        raise WeightsError(
            f"{path} does not describe an exported model", "Give a folder written by the exporter."
        )
    return card
