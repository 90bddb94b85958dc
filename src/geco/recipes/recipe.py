"""What a recipe holds: every number of every stage, typed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from geco.checked import MOST, Checked, amount, count, share
from geco.errors import ConfigError
from geco.foreign import Fields
from geco.metrics.features.config import AutoencoderConfig
from geco.model_files.card import RESOLUTIONS, TEXTURE_SIZES
from geco.multiview.small.config import SmallConfig
from geco.reconstruct.pixelnerf.config import PixelNeRFConfig
from geco.reconstruct.small.config import SmallReconstructorConfig
from geco.sampling import Sampling
from geco.training.autoencoder import AutoencoderOptions
from geco.training.machine import Precision
from geco.training.pairs import PairOptions
from geco.training.pixelnerf_options import PixelNeRFOptions
from geco.training.reconstructor_options import ReconstructorOptions
from geco.training.stage1_options import Stage1Options
from geco.training.stage2 import Stage2Options
from geco.training.teacher import TeacherOptions

Stage = Literal["teacher", "reconstructor", "regressor", "pixelnerf", "autoencoder", "stage1", "stage2"]


@dataclass(frozen=True)
class Length(Checked):
    """How long a stage trains and how its rates run.

    Attributes:
        budget_minutes, steps: one of them; the command line may give others.
        decay_part: last part over which the rates fall to 0; 0 keeps them constant, as the paper does.
        warmup_steps: of growing rates.
        accumulate: micro-batches a step, shared out over the processes.
        checkpoint_minutes: how often the state is written: by arithmetic 24 GB in the full family's Stage I.
    """

    budget_minutes: float | None = amount(None)
    steps: int | None = count(None)
    decay_part: float = share(1 / 3)
    warmup_steps: int = count(50)
    accumulate: int = count(1)
    checkpoint_minutes: float = amount(3.0)


@dataclass(frozen=True)
class Recipe:
    """One whole training of GECO.

    Attributes:
        name: for the log and the model card.
        precision: of matrix products and convolutions.
        multiview, reconstructor, regressor: sizes of the small networks (a folder given with --init takes
            precedence).
        pixelnerf: sizes of the other deterministic network; radiance: its training's numbers.
        autoencoder: sizes of the network of Stage II's perceptual distance; autoencoding: its training's
            numbers.
        teacher ... stage2: the stages' own numbers; lengths: how long each trains.
        pairs: of the pseudo ground truth; pair_count: how many; resolution: cubes a side of the surfaces that
            are made and trained on, and of the model's own.
        texture_size: texels a side of the model's textures.
        sampling: how the teacher draws views outside of training, in its model folder.
    """

    name: str
    precision: Precision = "bf16"
    multiview: SmallConfig = field(default_factory=SmallConfig)
    reconstructor: SmallReconstructorConfig = field(default_factory=SmallReconstructorConfig)
    regressor: SmallReconstructorConfig = field(
        default_factory=lambda: SmallReconstructorConfig(rig="input", own_color=1.0)
    )
    teacher: TeacherOptions = field(default_factory=TeacherOptions)
    reconstruction: ReconstructorOptions = field(default_factory=ReconstructorOptions)
    regression: ReconstructorOptions = field(default_factory=lambda: ReconstructorOptions(worsen=0.0))
    pixelnerf: PixelNeRFConfig = field(default_factory=PixelNeRFConfig)
    radiance: PixelNeRFOptions = field(default_factory=PixelNeRFOptions)
    autoencoder: AutoencoderConfig = field(default_factory=AutoencoderConfig)
    autoencoding: AutoencoderOptions = field(default_factory=AutoencoderOptions)
    stage1: Stage1Options = field(default_factory=Stage1Options)
    pairs: PairOptions = field(default_factory=PairOptions)
    pair_count: int = 1000
    resolution: int = 64
    texture_size: int = 512
    stage2: Stage2Options = field(default_factory=Stage2Options)
    lengths: dict[Stage, Length] = field(default_factory=dict)
    sampling: Sampling = field(default_factory=lambda: Sampling("ddim", steps=75, guidance_scale=4.0))

    def __post_init__(self) -> None:
        """Its own numbers in their ranges; the stages' options check themselves."""
        own = Fields(vars(self), "Recipe", ConfigError)
        own.choice("precision", get_args(Precision))
        own.integer("pair_count", 1, MOST)
        own.integer("resolution", *RESOLUTIONS)
        own.integer("texture_size", *TEXTURE_SIZES)

    def length(self, stage: Stage) -> Length:
        """Of a stage; raises ConfigError where the recipe does not train it."""
        if stage not in self.lengths:
            raise ConfigError(
                f"the recipe {self.name!r} has no stage {stage!r}", f"It has: {', '.join(self.lengths)}."
            )
        return self.lengths[stage]
