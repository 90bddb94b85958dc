"""A model folder of the small family as both runtimes see it: its cards, settings and numbers. No torch
here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geco.backend import ModelCard
from geco.errors import WeightsError
from geco.foreign import Fields
from geco.model_files.card import MULTIVIEW, RECONSTRUCTOR, Usage, read_model_card, usage_of
from geco.model_files.part import read_arrays, read_part_card
from geco.multiview.small import config as multiview
from geco.multiview.small.config import SmallConfig
from geco.reconstruct.small import config as reconstructor
from geco.reconstruct.small.config import SmallReconstructorConfig
from geco.types import Array

_FORMATS = {MULTIVIEW: multiview.FORMAT, RECONSTRUCTOR: reconstructor.FORMAT}
_STEMS = {MULTIVIEW: multiview.PART, RECONSTRUCTOR: reconstructor.PART}


@dataclass(frozen=True)
class SmallModel:
    """What a folder's cards say.

    Attributes:
        folder: as it was given. card: the model's own, as read. usage: how it is used where nobody says
            otherwise.
        views: settings of the multi-view network; None for a regressor, which reads the picture alone.
        reconstructor: settings of the reconstructor.
    """

    folder: Path
    card: dict[str, Any]
    usage: Usage
    views: SmallConfig | None
    reconstructor: SmallReconstructorConfig

    def described(self, name: str) -> ModelCard:
        """What the pipeline asks; ``name`` is what the model shall be called."""
        ratio = self.views.foreground_ratio if self.views else SmallConfig.foreground_ratio
        return ModelCard(
            name=name,
            picture_size=self.reconstructor.view_size,
            foreground_ratio=ratio,
            resolution=self.usage.resolution,
            texture_size=self.usage.texture_size,
            licence=self.card["licence"],
            facts={"rig": self.reconstructor.rig, **self.card["facts"]},
        )

    def arrays(self, half: str) -> dict[str, Array]:
        """Name -> tensor of MULTIVIEW or RECONSTRUCTOR, as stored; raises WeightsError."""
        return read_arrays(self.folder / half, _card_of(self.folder, half), _STEMS[half])


def read_small_model(folder: Path) -> SmallModel:
    """The cards of a model folder of the small family.

    Raises:
        WeightsError: one is missing, damaged or of another model, or the halves do not fit each other.
    """
    card = read_model_card(folder)
    if card["family"] != "small":
        raise WeightsError(
            f"{folder} is of the family {card['family']!r}, not small", "Is it the right folder?"
        )
    views = None
    if card["facts"].get("views", True):
        views = SmallConfig.from_fields(_card_of(folder, MULTIVIEW).fields("config"))
    settings = SmallReconstructorConfig.from_fields(_card_of(folder, RECONSTRUCTOR).fields("config"))
    if views is not None and (views.size, views.rig) != (settings.view_size, settings.rig):
        raise WeightsError(
            f"{folder}: views of {views.size} px ({views.rig}) for a reconstructor of "
            f"{settings.view_size} px ({settings.rig})",
            "The two halves are of different models.",
        )
    return SmallModel(folder, card, usage_of(card, folder), views, settings)


def _card_of(folder: Path, half: str) -> Fields:
    return read_part_card(folder / half, _FORMATS[half])
