"""Sizes of the small reconstructor."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from geco.cameras import rig
from geco.errors import ConfigError


@dataclass(frozen=True)
class SmallReconstructorConfig:
    """Every size of the network; the defaults are the embedded model's.

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
        rig: the cameras of the views: six, or "input" for a single-view regressor, whose one view is the picture itself.
        picture_elevation: assumed elevation of the input camera in degrees (middle of the training range; the true one is unknown).
        half_extent: the surface lies within this cube, world units.
        own_color: size of the colour that does not come from the views: a correction of 0.1 where six views see everything, 1 for
            a regressor, which must invent the far side.
    """

    view_size: int = 64
    widths: tuple[int, int, int] = (32, 64, 128)
    depths: tuple[int, int, int] = (1, 1, 2)
    lift_channels: int = 16
    map_channels: int = 16
    volume_size: int = 24
    volume_widths: tuple[int, int, int] = (32, 64, 128)
    volume_channels: int = 16
    view_hidden: int = 24
    point_hidden: int = 64
    color_hidden: int = 48
    rig: str = "zero123plus-v1.2"
    picture_elevation: float = 10.0
    half_extent: float = 1.0
    own_color: float = 0.1

    def __post_init__(self) -> None:
        if self.view_size % 8 or self.volume_size % 4:
            raise ConfigError("view_size must be a multiple of 8 and volume_size of 4", "The defaults are 64 and 24.")
        rig(self.rig)

    @property
    def views(self) -> int:
        """How many views are read, beside the clean picture."""
        return len(rig(self.rig).azimuths)

    def to_dict(self) -> dict[str, Any]:
        """For config.json."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> SmallReconstructorConfig:
        """From config.json; unknown keys raise :class:`ConfigError`."""
        known: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
        try:
            return cls(**known)
        except TypeError as error:
            raise ConfigError(
                f"the reconstructor's settings do not fit this version: {error}", "Export the model again."
            ) from error
