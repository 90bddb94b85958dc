"""numpy's files (.npy, .npz) that another run, machine or a damaged disk wrote: read only if they
hold what they should.
"""

from __future__ import annotations

import io
import math
import os
import zipfile
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from geco.errors import GecoError
from geco.reading import regular_size

MOST_BYTES = 2**32  # of an archive's arrays; a chunk of pairs has 55 MB


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


def read_archive(
    path: str | os.PathLike[str], names: Sequence[str] | None, error: type[GecoError], remedy: str = ""
) -> dict[str, NDArray[Any]]:
    """The arrays of a .npz file, or those called ``names``; errors as :func:`open_array`, also
    for more than 4 GiB.
    """
    regular_size(path, error)
    try:
        with zipfile.ZipFile(path) as archive:
            entries = {name.removesuffix(".npy"): archive.getinfo(name) for name in archive.namelist()}
            wanted = list(entries) if names is None else list(names)
            if sum(entries[name].file_size for name in wanted) > MOST_BYTES:
                raise ValueError("its arrays are too large")
            return {name: _array(archive, entries[name]) for name in wanted}
    except Exception as failure:
        raise error(f"cannot read {os.fspath(path)}: {_first(failure)}", remedy) from failure


def _array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(entry) as stream:
        version = np.lib.format.read_magic(stream)
        read = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = read(stream)
        left = entry.file_size - stream.tell()
        # Before it is read: numpy allocates what the header says.
        if dtype.hasobject or math.prod(shape) * dtype.itemsize != left:
            raise ValueError(f"{entry.filename} does not hold the {dtype} {shape} that its header says")
    stream = io.BytesIO(archive.read(entry))
    return np.lib.format.read_array(stream, allow_pickle=False)  # type: ignore[no-any-return]


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
