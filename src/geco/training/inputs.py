"""What every stage is built from beside its own numbers: one value instead of a dozen handed through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from geco.data.shards import HELD_OUT
from geco.errors import ConfigError, WeightsError
from geco.metrics.features.config import AutoencoderConfig
from geco.multiview.small.config import SmallConfig
from geco.reconstruct.pixelnerf.config import PixelNeRFConfig
from geco.reconstruct.small.config import SmallReconstructorConfig
from geco.training.machine import Machine


@dataclass(frozen=True)
class Sizes:
    """Of the small networks, where a stage starts from nothing."""

    multiview: SmallConfig = field(default_factory=SmallConfig)
    reconstructor: SmallReconstructorConfig = field(default_factory=SmallReconstructorConfig)
    regressor: SmallReconstructorConfig = field(
        default_factory=lambda: SmallReconstructorConfig(rig="input", own_color=1.0)
    )
    autoencoder: AutoencoderConfig = field(default_factory=AutoencoderConfig)
    pixelnerf: PixelNeRFConfig = field(default_factory=PixelNeRFConfig)


@dataclass(frozen=True)
class Inputs:
    """Data, starting weights, machine and seed of a stage; every builder is ``stage(options, inputs)``.

    Attributes:
        machine: it computes on.
        data: folder of finished shards.
        init: model folder that it starts from.
        pairs: folder of the teacher's pairs, or several.
        perceptual: an autoencoder's run, or "pyramid"; None takes the family's own distance.
        lpips: folder of VGG16's weights, for LPIPS instead.
        generator: Stage I's run, whose samples pairs are made of. true_views: of the data's own views.
        latents: of the condition pictures, made by ``geco data encode``; None encodes them at every step.
        second_teacher: a model that scores single views, for Stage I's second term.
        seed: of first weights, order, noise and augmentations.
        resolution: cubes a side of the surfaces that are made and trained on.
        facts: for the model's card.
        sizes: of networks from nothing.
    """

    machine: Machine
    data: Path | None = None
    init: Path | None = None
    pairs: Path | Sequence[Path] | None = None
    perceptual: Path | str | None = None
    lpips: Path | None = None
    generator: Path | None = None
    true_views: bool = False
    latents: Path | None = None
    second_teacher: Path | None = None
    seed: int = 0
    resolution: int = 64
    facts: Mapping[str, Any] = field(default_factory=dict)
    sizes: Sizes = field(default_factory=Sizes)

    @property
    def shards(self) -> Path:
        """``data``; raises ConfigError where a stage needs it and it was not given."""
        if self.data is None:
            raise ConfigError(
                "no data", "Give --data SHARDS; make some with: geco data render OBJECTS -o SHARDS."
            )
        return self.data

    @property
    def held_out(self) -> Path | None:
        """Shards beside the training shards, never trained on; None where there are none."""
        folder = self.shards / HELD_OUT
        return folder if folder.exists() else None

    @property
    def start(self) -> Path:
        """``init``; raises WeightsError where a stage needs it and it was not given."""
        if self.init is None:
            raise WeightsError("no weights to start from", "Give a model folder as --init DIR.")
        return self.init
