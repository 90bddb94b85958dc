"""What the user may ask of a mesh's file: one checked type."""

from __future__ import annotations

from dataclasses import dataclass

from geco.errors import ConfigError
from geco.mesh.export.images import TextureFormat, texture_format
from geco.mesh.export.sizes import check_size


@dataclass(frozen=True)
class FileOptions:
    """How a mesh is written.

    Attributes:
        texture_format: "jpeg", "png" or "webp" (webp not in USDZ and 3MF); normal maps are PNG always.
        quality: 1 to 100; None is the format's default.
        size: longest side of the bounding box in metres. None: one world unit is a metre; STL and 3MF, which
            count in millimetres and are for printing, are 100 mm then.
        pivot: where the origin is: "center", about the object's middle, as the model has it; or "base": the
            middle of the bounding box from above, at its lowest point.
        compression: of a GLB's geometry: "none" or "draco" (extra ``draco``).

    Raises:
        ConfigError: one of them is out of range.
    """

    texture_format: str = "jpeg"
    quality: int | None = None
    size: float | None = None
    pivot: str = "center"
    compression: str = "none"

    def __post_init__(self) -> None:
        texture_format(self.texture_format)
        check_size(self.size)
        for name, value, known in (
            ("pivot", self.pivot, ("center", "base")),
            ("compression", self.compression, ("none", "draco")),
        ):
            if value not in known:
                raise ConfigError(f"no {name} is called {value!r}", f"Use {' or '.join(known)}.")

    @property
    def kind(self) -> TextureFormat:
        """Of the texture."""
        return texture_format(self.texture_format)
