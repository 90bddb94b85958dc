"""What a user may ask of the mesh: one checked type."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import get_args

import numpy as np

from geco.errors import ConfigError, MissingExtraError
from geco.photo.mirrored import Symmetry

MOST_LEVELS = 8  # of detail; own choice: Unity and Unreal take eight
_FALLING = "Let them fall: 10000,2500,600."


@dataclass(frozen=True)
class AssetOptions:
    """What the user may ask of the mesh; None takes the model's default.

    Attributes:
        faces: most faces of the mesh, 100 to 2,000,000; None keeps what the surface gives.
        texture_size: side of the texture, 64 to 4096.
        resolution: cubes a side of the surface grid, 16 to 512; None: the model's, and up to 2.5 times as
            many where the picture's outline is thin (of models that keep to it).
        watertight: guarantee a closed manifold (for printing).
        projection: lay the input picture onto the visible side where the silhouettes agree.
        outline: make the surface keep to the input picture's outline (models whose fields are sampled
            densely: the small one).
        uv_method: "charts" (ours) or "xatlas" (extra ``mesh``).
        vertex_colors: colours at the vertices in place of UVs and a texture, which takes less time and shows
            as much as the surface has vertices; there is no texture size then.
        normal_map: of decimated meshes, their undecimated surface as a tangent-space normal map.
        lods: most faces of each level of detail, the finest first, falling; in place of ``faces``.
        collision: a convex hull of few corners as a mesh of its own.
        on_device: make the mesh where the fields live, in torch, or on the host; None: on the device where
            that is CUDA. Not for fields that answer in numpy alone (the small model's).
        best_of: seeds that are drawn for a mesh, 1 to 16; the one that agrees best with the picture becomes
            it (:meth:`geco.pipeline.GecoPipeline.best`).
        symmetry: "on" makes the far half of the object the mirror image of the one that the picture shows,
            and lays the picture on it; "auto" where measures of volume and picture say so; "off". Of models
            whose fields are sampled densely.
    """

    faces: int | None = None
    texture_size: int | None = None
    resolution: int | None = None
    watertight: bool = False
    projection: bool = True
    outline: bool = True
    uv_method: str = "charts"
    vertex_colors: bool = False
    normal_map: bool = False
    lods: tuple[int, ...] | None = None
    collision: bool = False
    on_device: bool | None = None
    best_of: int = 1
    symmetry: Symmetry = "off"

    def __post_init__(self) -> None:
        _within("faces", self.faces, 100, 2_000_000)
        _within("texture size", self.texture_size, 64, 4096)
        _within("resolution", self.resolution, 16, 512)
        _within("best of", self.best_of, 1, 16)
        if self.symmetry not in get_args(Symmetry):
            raise ConfigError(f"no symmetry is called {self.symmetry!r}", "Use off, on or auto.")
        if self.uv_method not in ("charts", "xatlas"):
            raise ConfigError(f"no unwrapping method is called {self.uv_method!r}", "Use charts or xatlas.")
        if self.vertex_colors and (self.texture_size is not None or self.uv_method != "charts"):
            asked = "a texture size" if self.texture_size is not None else "a way of unwrapping"
            raise ConfigError(
                f"{asked} is for a texture, and colours at the vertices need none", "Leave one out."
            )
        self._check_levels()

    @property
    def counts(self) -> tuple[int | None, ...]:
        """Most faces of each level, the finest first; None keeps what the surface gives."""
        return self.lods or (self.faces,)

    @property
    def beside(self) -> list[str]:
        """The keys of :attr:`geco.mesh.types.Mesh.beside`."""
        levels = [f"_LOD{level}" for level in range(1, len(self.counts))]
        return [*levels, "_collision"] if self.collision else levels

    def _check_levels(self) -> None:
        if self.lods is not None:
            if not 2 <= len(self.lods) <= MOST_LEVELS:
                raise ConfigError(
                    f"{len(self.lods)} levels of detail are out of range", f"Give 2 to {MOST_LEVELS} counts."
                )
            for count in self.lods:
                _within("faces of a level", count, 100, 2_000_000)
            if any(finer <= coarser for finer, coarser in zip(self.lods, self.lods[1:])):
                raise ConfigError("each level of detail needs fewer faces than the one before", _FALLING)
            if self.faces is not None:
                raise ConfigError("levels of detail and a number of faces are asked for", "Leave faces out.")
        if self.normal_map and self.vertex_colors:
            raise ConfigError("a normal map needs a texture, not colours at the vertices", "Leave one out.")
        if self.normal_map and self.faces is None and not self.lods:
            raise ConfigError(
                "a normal map shows what decimation takes away, and nothing is decimated",
                "Say how many faces there may be: faces 2000, or lods 10000,2500,600.",
            )


def check_format(format: str, options: AssetOptions, compression: str) -> None:
    """Raise ConfigError where a file format (without its dot) has no room for what is asked for,
    MissingExtraError where it needs what is not installed.
    """
    if options.normal_map and format not in ("glb", "obj", "usdz"):
        raise ConfigError(f"{format.upper()} holds no normal map", "Write glb, obj or usdz, or leave it out.")
    if compression != "none":
        if format != "glb":
            raise ConfigError(f"{format.upper()} holds no compressed geometry", "Write glb, or leave it out.")
        if find_spec("DracoPy") is None:
            raise MissingExtraError("dracopy", "draco", "compression by Draco")


def _within(name: str, value: int | None, low: int, high: int) -> None:
    if value is None:
        return
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or not low <= value <= high:
        raise ConfigError(f"{name} {value!r} is out of range", f"Choose a whole number from {low} to {high}.")
