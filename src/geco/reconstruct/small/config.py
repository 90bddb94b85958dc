"""Sizes of the small reconstructor."""

from __future__ import annotations

from dataclasses import dataclass

from geco.cameras import RIGS, rig
from geco.checked import Checked, choice, real, whole, wholes
from geco.errors import ConfigError

FORMAT = "geco-small-reconstructor-1"
PART = "model"  # of its folder: config.json and model.safetensors


@dataclass(frozen=True)
class SmallReconstructorConfig(Checked):
    """Every size of the network. A model's own stand in its config.json, and a recipe says them all; the
    defaults are an early model's.

    Attributes:
        view_size: side of the six views and of the clean input picture, pixels; a multiple of 8.
        widths: channels of the picture encoder at 1/2, 1/4 and 1/8 of the view size.
        depths: residual blocks at each of those levels, on the way down and (but for the last) on the way up.
        lift_channels: channels of the half-size feature maps that are lifted into the volume.
        map_channels: channels of the full-size feature maps that points read, RGB included.
        volume_size: voxels a side of the volume; a multiple of 4.
        volume_widths: channels of the volume network at 1, 1/2 and 1/4 of the volume size.
        volume_channels: channels of the volume that points read; the first is a coarse signed distance.
        view_hidden: width of the layer that every view shares.
        point_hidden: width of the point network.
        color_hidden: width of the colour head.
        rig: the cameras of the views: six, or "input" for a single-view regressor, whose one view is the
            picture itself.
        picture_elevation: assumed elevation of the input camera in degrees (middle of the training range; the
            true one is unknown).
        half_extent: the surface lies within this cube, world units.
        own_color: size of the colour that does not come from the views: a correction of 0.1 where six views
            see everything, 1 for a regressor, which must invent the far side.
    """

    view_size: int = whole(64, 8, 512)
    widths: tuple[int, int, int] = wholes((32, 64, 128), 1, 2048, 3, 3)
    depths: tuple[int, int, int] = wholes((1, 1, 2), 0, 32, 3, 3)
    lift_channels: int = whole(16, 1, 512)
    map_channels: int = whole(16, 4, 512)
    volume_size: int = whole(24, 4, 64)
    volume_widths: tuple[int, int, int] = wholes((32, 64, 128), 1, 1024, 3, 3)
    volume_channels: int = whole(16, 1, 512)
    view_hidden: int = whole(24, 1, 1024)
    point_hidden: int = whole(64, 1, 4096)
    color_hidden: int = whole(48, 1, 4096)
    rig: str = choice("zero123plus-v1.2", RIGS)
    picture_elevation: float = real(10.0, -90.0, 90.0)
    half_extent: float = real(1.0, 0.01, 100.0)
    own_color: float = real(0.1, 0.0, 10.0)

    def check(self) -> None:
        """Sizes that halve, and widths that fall into groups for normalisation."""
        if self.view_size % 8 or self.volume_size % 4:
            raise ConfigError(
                "view_size must be a multiple of 8 and volume_size of 4", "The defaults are 64 and 24."
            )
        if any(width > 8 and width % 8 for width in (*self.widths, *self.volume_widths)):
            raise ConfigError(
                "widths and volume_widths above 8 must be multiples of 8", "The defaults are 32, 64, 128."
            )

    @property
    def views(self) -> int:
        """How many views are read, beside the clean picture."""
        return len(rig(self.rig).azimuths)
