"""numpy's files (.npy) that another run, machine or a damaged disk wrote: read only if they
hold what they should.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from geco.errors import GecoError
from geco.reading import regular_size


def open_array(
    path: str | os.PathLike[str],
    shape: Sequence[int | None] | None,
    dtype: DTypeLike,
    error: type[GecoError],
    remedy: str = "",
) -> NDArray[Any]:
    """The array of a .npy file, memory-mapped: what its header says must be in the file, and nothing is
    allocated.

    Args:
        shape: what it must be; None stands for any length, or for any shape.

    Raises:
        error: no regular file, no array (pickled objects are none), or one of another shape or type.
    """
    regular_size(path, error)
    try:
        found: Any = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as failure:
        # numpy evaluates the header, which fails in as many ways as it can be damaged
        raise error(f"{os.fspath(path)} is no array: {_first(failure)}", remedy) from failure
    if not isinstance(found, np.ndarray) or not _fits(found, shape, dtype):
        content = f"{found.dtype} {found.shape}" if isinstance(found, np.ndarray) else "an archive"
        raise error(f"{os.fspath(path)} holds {content}, not {np.dtype(dtype)} {_dimensions(shape)}", remedy)
    return found


def _fits(found: NDArray[Any], shape: Sequence[int | None] | None, dtype: DTypeLike) -> bool:
    if shape is None:
        return found.dtype == np.dtype(dtype)
    same = all(wanted in (None, length) for wanted, length in zip(shape, found.shape))
    return len(shape) == found.ndim and same and found.dtype == np.dtype(dtype)


def _dimensions(shape: Sequence[int | None] | None) -> str:
    if shape is None:
        return "of any shape"
    return "(" + ", ".join("any" if length is None else str(length) for length in shape) + ")"


def _first(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]
