"""Names for arrays by what they hold; shapes stand in the docstrings."""

from __future__ import annotations

from typing import Any

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
