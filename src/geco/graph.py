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
    own = np.arange(count)
    a, b = np.asarray(a, np.int64), np.asarray(b, np.int64)
    if not a.size:
        return own
    # Hang every node below the smallest one linked to it,
    label = own.copy()
    np.minimum.at(label, np.maximum(a, b), np.minimum(a, b))
    while True:  # flatten the chains by pointer doubling,
        flat = label.take(label)
        if np.array_equal(flat, label):
            break
        label = flat
    a, b = (
        label.take(a),
        label.take(b),
    )  # and go on with the links that still join two roots: a smaller graph.
    open_links = np.flatnonzero(a != b)
    if not open_links.size:
        return label
    roots = np.flatnonzero(label == own)
    number = np.empty(count, np.int64)
    number[roots] = np.arange(len(roots))
    joined = connected_components(
        len(roots), number.take(a.take(open_links)), number.take(b.take(open_links))
    )
    return roots.take(joined).take(number.take(label))
