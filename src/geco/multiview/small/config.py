"""Shape of the small multi-view network; config.json of its model folder. No torch here."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from geco.errors import ConfigError

FAMILY = "small-multiview"


@dataclass(frozen=True)
class SmallConfig:
    """Every size of the network; the defaults are the embedded model's.

    Attributes:
        size: pixels of a view's side; a multiple of 2 * patch.
        patch: pixels of a patch's side.
        channels: width at S / patch.
        width: width at S / (2 patch), where attention is.
        stages: residual block + attention pairs at the low resolution.
        fine_down, fine_up: residual blocks at the high resolution before and after.
        heads: of the attention.
        mlp_ratio: hidden width of the MLP over ``width``.
        embedding: width of the timestep and camera embedding.
        volume: voxels a side of the volume that the views share (geco.multiview.small.bridge); 0 = none.
        volume_width: its channels.
        rig: the six cameras.
        foreground_ratio: how the condition picture must be framed: longer side of the object's box over the frame.
        schedule: of the noise; twice the cosine schedule's noise, because neighbouring pixels tell the same (arXiv 2301.11093).
    """

    size: int = 64
    patch: int = 4
    channels: int = 64
    width: int = 192
    stages: int = 3
    fine_down: int = 1
    fine_up: int = 2
    heads: int = 3
    mlp_ratio: int = 2
    embedding: int = 256
    volume: int = 0
    volume_width: int = 48
    rig: str = "zero123plus-v1.2"
    foreground_ratio: float = 0.85
    schedule: dict[str, Any] = field(default_factory=lambda: {"kind": "cosine", "noise_shift": 2.0})

    def __post_init__(self) -> None:
        if self.size % (2 * self.patch) or self.channels % 8 or self.width % 8 or self.width % self.heads:
            raise ConfigError(
                "size must be a multiple of 2 * patch, channels of 8, width of 8 and of heads",
                "The defaults are 64, 4, 64, 192, 3.",
            )

    def to_dict(self) -> dict[str, Any]:
        """For config.json."""
        return {"family": FAMILY, **asdict(self)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> SmallConfig:
        """From config.json; unknown keys or another family raise :class:`ConfigError`."""
        settings = dict(values)
        if settings.pop("family", FAMILY) != FAMILY:
            raise ConfigError(f"a model of the family {values['family']!r} is not a small multi-view network", "Check the folder.")
        try:
            return cls(**settings)
        except TypeError as error:
            raise ConfigError(
                f"the multi-view network's settings do not fit this version: {error}", "Export the model again."
            ) from error
