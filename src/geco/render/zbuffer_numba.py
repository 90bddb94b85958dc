"""The z-buffer of `rasterize_numpy`, compiled by numba: the same arithmetic triangle by triangle,
the same picture.
"""

from __future__ import annotations

from functools import cache
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from geco.errors import MissingExtraError
from geco.render.fragments import Fragments
from geco.types import Doubles


def fill(pixels: Doubles, inverse_depth: Doubles, faces: NDArray[np.integer], size: int) -> Fragments:
    """As the numpy twin's: pixels (2, V), inverse_depth (V,), faces (F, 3); raises
    MissingExtraError without numba.
    """
    face_ids = np.full((size, size), -1, np.int32)
    barycentrics = np.zeros((size, size, 3), np.float32)
    depth = np.full((size, size), np.inf, np.float32)
    kernels, corners = _compiled(), faces.astype(np.int32)
    kernels.fill(pixels, inverse_depth, corners, np.zeros((size, size)), face_ids)
    kernels.weigh(pixels, inverse_depth, corners, face_ids, barycentrics, depth)
    return Fragments(face_ids, barycentrics, depth)


@cache
def _compiled() -> ModuleType:
    # A module of plain kernels: numba's disk cache does not serve functions that close over others, and
    # compiling takes seconds.
    try:
        from geco.render import zbuffer_kernels
    except ImportError as error:
        raise MissingExtraError("numba", "mesh", "the compiled rasteriser") from error
    return zbuffer_kernels
