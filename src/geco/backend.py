"""The face behind which a runtime stands: picture in, views out; views in, surface fields out.

Two runtimes have it: ``onnx_runtime`` (the embedded model, no torch) and ``torch_runtime`` (every model).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from geco.errors import ConfigError
from geco.reconstruct.fields import SurfaceFields
from geco.types import Floats


@dataclass(frozen=True)
class Sampling:
    """How views are drawn from a network of noise levels, where the model's own way is not wanted.

    The sampler is DDIM (arXiv 2010.02502) on trailing timesteps.

    Attributes:
        steps: passes, 1 to 1000; 1 is x0 from noise at the last timestep.
        guidance_scale: 1 is none.
        eta: 0 is deterministic, 1 renews as much noise as DDPM.
        truncation: factor of a single step's noise, 0 to 1: less keeps samples near the likeliest one.
    """

    steps: int
    guidance_scale: float
    eta: float = 0.0
    truncation: float = 1.0

    def __post_init__(self) -> None:
        if not 1 <= self.steps <= 1000:
            raise ConfigError(f"{self.steps} sampling steps are out of range", "Choose 1 to 1000.")
        if not 0 <= self.eta <= 1:
            raise ConfigError(f"eta {self.eta} is out of range", "Choose 0 to 1.")
        if not 0 <= self.truncation <= 1:
            raise ConfigError(f"truncation {self.truncation} is out of range", "Choose 0 to 1.")
        if self.truncation < 1 < self.steps:
            raise ConfigError(
                f"truncation is for one step, not for {self.steps}",
                "Leave it out, or ask for a one-step generator.",
            )


@dataclass(frozen=True)
class ModelCard:
    """What the pipeline must know of a model.

    Attributes:
        name: "small", or the folder or hub id it came from.
        picture_size: side of the condition picture in pixels.
        foreground_ratio: share of the picture's side that the object's longer side fills (as in training).
        resolution: default cubes a side of the surface grid.
        texture_size: default texture side in texels.
        licence: of the weights.
        background: grey level in [0, 1] that the condition picture stands on.
        facts: anything else worth printing (parameters, training, sampler).
        view_size: side of the views in pixels; 0: that of the condition picture.
    """

    name: str
    picture_size: int
    foreground_ratio: float
    resolution: int
    texture_size: int
    licence: str
    facts: dict[str, Any]
    background: float = 1.0
    view_size: int = 0


class Backend(Protocol):
    """One loaded model in one runtime."""

    card: ModelCard

    @property
    def sampling(self) -> Sampling:
        """How :meth:`generate` draws views when nothing else is asked for."""

    @property
    def distilled(self) -> bool:
        """Whether the network was trained to make views in one pass, so that it is nobody's teacher."""

    def generate(self, picture: Floats, seeds: Sequence[int], sampling: Sampling | None = None) -> Floats:
        """Condition picture (S, S, 3) in [0, 1], white background -> views (len(seeds), 6, H, W, 3) in [0,
        1].

        ``sampling`` takes the place of the model's own.
        """

    def reconstruct(self, views: Floats, picture: Floats) -> SurfaceFields:
        """One sample's views (6, H, W, 3) and the condition picture (S, S, 3) -> the surface's fields."""
