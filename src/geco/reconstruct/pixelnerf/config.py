"""Sizes of PixelNeRF. No torch here."""

from __future__ import annotations

from dataclasses import dataclass

from geco.checked import Checked, real, whole, wholes
from geco.errors import ConfigError

FORMAT = "geco-pixelnerf-1"
PART = "model"  # of its folder: config.json and model.safetensors


@dataclass(frozen=True)
class PixelNeRFConfig(Checked):
    """Every size of the network; in brackets the paper's, which are for 128 px and a GPU.

    Attributes:
        view_size: side of the pictures in pixels; a multiple of 16.
        widths: channels of the encoder at 1/2, 1/4, 1/8 and 1/16 of the side (ResNet-34's: 64 to 256).
        depths: residual blocks at each of them.
        features: numbers of a place in a picture that points read, beside its colour (512).
        hidden: width of the point network (512).
        blocks: its residual blocks (5). read_blocks: how many of them take the features in, each view on its
            own, before the views are averaged (3).
        frequencies: of the positional encoding (6). frequency: the lowest one, radians a world unit (1.5, as
            in the published code).
        coarse, fine: samples a ray (64 and 32).
        level: density of the surface, a world unit's: where it overlaps best with held-out objects
            (benchmarks.density_level).
        half_extent: the surface is looked for within this cube. World units are those of the picture's own
            camera, in which the object fills its frame; what is longer in depth than it is wide reaches
            beyond 1.
    """

    view_size: int = whole(64, 16, 512)
    widths: tuple[int, int, int, int] = wholes((32, 64, 128, 160), 1, 2048, 4, 4)
    depths: tuple[int, int, int, int] = wholes((1, 1, 2, 2), 0, 32, 4, 4)
    features: int = whole(64, 1, 2048)
    hidden: int = whole(96, 2, 4096)
    blocks: int = whole(5, 1, 64)
    read_blocks: int = whole(3, 1, 64)
    frequencies: int = whole(6, 0, 16)
    frequency: float = real(1.5, 1e-3, 1e3)
    coarse: int = whole(16, 2, 4096)
    fine: int = whole(12, 0, 4096)
    level: float = real(2.0, 1e-3, 1e6)
    half_extent: float = real(1.4, 0.01, 100.0)

    def check(self) -> None:
        """Sizes that halve, groups of the norms, and blocks that are there."""
        if self.view_size % 16:
            raise ConfigError("view_size must be a multiple of 16", "The default is 64.")
        if any(width > 8 and width % 8 for width in self.widths):
            raise ConfigError("widths above 8 must be multiples of 8", "The defaults are 32, 64, 128, 160.")
        if self.view_size == 16 and self.widths[3] <= 8 and self.depths[3]:
            raise ConfigError(
                "pictures of 16 px are one pixel at the last level: a group of its norms needs two channels",
                "Give it a width of 16.",
            )
        if self.read_blocks > self.blocks:
            raise ConfigError(
                f"read_blocks {self.read_blocks} are more than blocks {self.blocks}", "Lower read_blocks."
            )

    @property
    def code(self) -> int:
        """Numbers of an encoded position."""
        return 3 * (1 + 2 * self.frequencies)
