"""Vectorised graph pieces that unwrapping stands on: links across edges, connected components, ranges."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from geco.graph import connected_components
from geco.mesh.topology import sorted_with_order
from geco.types import Index, Ints


def face_links(faces: Ints, vertex_count: int) -> Index:
    """Pairs of half-edges that join two faces.

    An edge counts when exactly two faces use it, in opposite directions; edges of one face, of three or more,
    or of two faces that disagree about their orientation are borders.

    Args:
        faces: (F, 3) vertex indices.
        vertex_count: V.

    Returns:
        (2, E) half-edge numbers: half-edge ``3 f + k`` runs from corner k to corner k + 1 of face f.
    """
    starts = faces.reshape(-1).astype(np.int64)
    ends = faces[:, [1, 2, 0]].reshape(-1).astype(np.int64)
    keys, order = sorted_with_order(np.minimum(starts, ends) * vertex_count + np.maximum(starts, ends))
    same = np.zeros(len(keys) + 1, bool)
    np.equal(keys[1:], keys[:-1], out=same[1:-1])
    first = np.flatnonzero(same[1:] & ~same[:-1])  # opens a run of at least two
    first = first[~same[first + 2]] if len(first) else first  # runs of exactly two
    pairs = np.stack([order.take(first), order.take(first + 1)])
    return pairs.take(np.flatnonzero(starts.take(pairs[0]) == ends.take(pairs[1])), axis=1)


def components(count: int, a: NDArray[Any], b: NDArray[Any]) -> Index:
    """Connected components: (count,) numbers 0..C-1, in the order of each component's lowest member.

    Args:
        count: number of nodes.
        a, b: (E,) nodes that are linked.
    """
    return compact(connected_components(count, a, b), count)[0]


def compact(labels: NDArray[Any], bound: int) -> tuple[Index, Index]:
    """Labels below ``bound`` renumbered without gaps: (N,) new labels, and (C,) the old label of
    each new one.
    """
    used = np.zeros(bound, bool)
    used[labels] = True
    return (np.cumsum(used) - 1).take(labels), np.flatnonzero(used)
