"""Shape of the small multi-view network; config.json of its model folder. No torch here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from geco.cameras import RIGS
from geco.checked import Checked, choice, flag, real, table, whole
from geco.errors import ConfigError
from geco.multiview.schedule_settings import check_schedule

FORMAT = "geco-small-multiview-1"
PART = "network"  # of its folder: config.json and network.safetensors
SIX_VIEWS = tuple(name for name, rig in RIGS.items() if len(rig.azimuths) == 6)


@dataclass(frozen=True)
class SmallConfig(Checked):
    """Every size of the network. A model's own stand in its config.json, and a recipe says them all; the
    defaults are an early model's.

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
        apart: every view sees the condition picture and itself, and no other: a teacher of single views for
            Stage I's second term, without volume.
        rig: the six cameras.
        foreground_ratio: how the condition picture must be framed: longer side of the object's box over the
            frame.
        schedule: of the noise; twice the cosine schedule's noise, because neighbouring pixels tell the same
            (arXiv 2301.11093).
    """

    size: int = whole(64, 8, 1024)
    patch: int = whole(4, 1, 16)
    channels: int = whole(64, 8, 2048)
    width: int = whole(192, 8, 4096)
    stages: int = whole(3, 0, 32)
    fine_down: int = whole(1, 0, 32)
    fine_up: int = whole(2, 0, 32)
    heads: int = whole(3, 1, 64)
    mlp_ratio: int = whole(2, 1, 8)
    embedding: int = whole(256, 8, 4096)
    volume: int = whole(0, 0, 64)
    volume_width: int = whole(48, 8, 512)
    apart: bool = flag(False)
    rig: str = choice("zero123plus-v1.2", SIX_VIEWS)
    foreground_ratio: float = real(0.85, 0.1, 1.0)
    schedule: dict[str, Any] = table({"kind": "cosine", "noise_shift": 2.0}, check_schedule)

    def check(self) -> None:
        """Sizes that divide each other."""
        if self.size % (2 * self.patch) or self.channels % 8 or self.width % 8 or self.width % self.heads:
            raise ConfigError(
                "size must be a multiple of 2 * patch, channels of 8, width of 8 and of heads",
                "The defaults are 64, 4, 64, 192, 3.",
            )
        if self.apart and self.volume:
            raise ConfigError("views that do not see each other share no volume", "Set volume to 0.")
        if self.size // self.patch > 128 or self.volume % 4 or self.volume_width % 8:
            raise ConfigError(
                "patches are too small for the size, or volume is no multiple of 4 or its width of 8"
            )
