"""Connected components of a graph: of pixels, faces, vertices. numpy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geco.types import Longs


def connected_components(count: int, a: NDArray[np.integer], b: NDArray[np.integer]) -> Longs:
    """Label of each of ``count`` nodes joined by the undirected links (a[i], b[i]).

    Returns:
        (count,) the smallest node of the component: labels are not consecutive, but label[i] <= i.
    """
    label = np.arange(count)
    a, b = np.asarray(a, np.int64), np.asarray(b, np.int64)
    while a.size:
        # Both ends are roots here (the label array is flat): hang the larger root below the smallest one
        # linked to it,
        low, high = np.minimum(a, b), np.maximum(a, b)
        np.minimum.at(label, high, low)
        while True:  # then flatten the chains by pointer doubling,
            flat = label[label]
            if np.array_equal(flat, label):
                break
            label = flat
        a, b = label[a], label[b]  # and go on with the links that still join two components.
        open_links = a != b
        a, b = a[open_links], b[open_links]
    return label
