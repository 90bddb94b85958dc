"""Names for arrays by what they hold; shapes stand in the docstrings."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
Index = NDArray[np.intp]
Bytes = NDArray[np.uint8]
Bools = NDArray[np.bool_]
Array = NDArray[Any]


class Pictures(Protocol):
    """Pictures (..., H, W, 3), float32 in [0, 1], wherever a runtime keeps them. ``numpy.asarray`` brings
    them here; a numpy array is there already.
    """

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Pictures: ...

    def __array__(self, dtype: Any = None, /) -> Array: ...
