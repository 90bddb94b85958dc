"""What a reconstructor gives, whatever network or runtime stands behind it. No torch here: both
runtimes import this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from geco.cameras import INPUT_LENS, Lens
from geco.errors import MeshError
from geco.isosurface.flexi_grid import FlexiGrid
from geco.types import Floats

if TYPE_CHECKING:
    import torch

    from geco.isosurface.tensor_grid import TensorGrid

_REMEDY = "Check the picture's cut-out, or try another seed."


def no_object() -> MeshError:
    """What is raised where fields hold no surface."""
    return MeshError("the model saw no object in the picture", _REMEDY)


def nothing_left() -> MeshError:
    """What is raised where cleaning leaves no face."""
    return MeshError("nothing is left of the surface once it is cleaned", _REMEDY)


class SurfaceFields(Protocol):
    """Answers "what is at this point" in numpy, for one object."""

    @property
    def half_extent(self) -> float:
        """The surface lies within [-half_extent, half_extent]^3, world units."""

    def grid(self, resolution: int) -> FlexiGrid:
        """The surface on a grid of ``resolution`` cubes a side (only the cubes near the surface need be
        there).

        Raises MeshError when nothing is inside.
        """

    def color(self, points: Floats) -> Floats:
        """(N, 3) world points -> (N, 3) sRGB in [0, 1]."""


@runtime_checkable
class DenseFields(SurfaceFields, Protocol):
    """Fields that are a plain signed distance, without deformation or weights, so that they can
    be edited on a grid.
    """

    def dense(self, resolution: int, near: Floats | None = None) -> Floats:
        """(R + 1, R + 1, R + 1) signed distance on the grid's vertices, indexed [x, y, z],
        positive all over the border.

        Args:
            near: what this gave for another resolution, so that only its surface need be asked again.
        """


@runtime_checkable
class PicturedFields(SurfaceFields, Protocol):
    """Fields of a network that sees its picture through another lens than the input camera of this project
    (:data:`geco.cameras.INPUT_LENS`); from azimuth 0 too.
    """

    @property
    def lens(self) -> Lens:
        """Of the camera that takes the picture, in the fields' world units."""


def lens_of(fields: SurfaceFields) -> Lens:
    """The lens that the picture of these fields was seen through."""
    return fields.lens if isinstance(fields, PicturedFields) else INPUT_LENS


@runtime_checkable
class TensorFields(SurfaceFields, Protocol):
    """Fields that also answer in tensors where they live, so that a surface can be made there."""

    @property
    def device(self) -> torch.device:
        """Where they live."""

    def tensor_grid(self, resolution: int) -> TensorGrid:
        """:meth:`grid` on the device."""

    def tensor_color(self, points: torch.Tensor) -> torch.Tensor:
        """:meth:`color` on the device: (N, 3) float32 -> (N, 3) float32 in [0, 1]."""
