"""Exact overlap tests in the plane: which triangles of one group lie on one another, and a cheap way to know
that none do.

A connected patch whose triangles all keep their orientation is one-to-one exactly when its border does not
meet itself and no corner is wound around more than once (the turning numbers of the border loops sum to the
Euler number, which leaves one outer loop). So only borders are tested, and triangles only where a border
gives cause.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from geco.mesh.topology import expand, sorted_with_order
from geco.types import Array, Bools, Index

_PAIRS_AT_ONCE = 2_000_000  # bounds the memory of dense cells


def overlapping_triangles(triangles: Array, groups: Index, tolerance: float) -> Index:
    """Pairs of triangles of the same group that share more than ``tolerance`` of interior.

    Args:
        triangles: (N, 3, 2) float64, any orientation; triangles thinner than the tolerance overlap nothing.
        groups: (N,) numbers; only triangles of the same group are compared.
        tolerance: how far two triangles must reach into one another, in units of the plane.

    Returns:
        (P, 2) indices, each pair once.
    """
    twice_area = _cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    longest = np.sqrt(((triangles - np.roll(triangles, 1, axis=1)) ** 2).sum(axis=2).max(axis=1, initial=0))
    solid = np.flatnonzero(np.abs(twice_area) > tolerance * longest)
    corners = np.where((twice_area[solid] < 0)[:, None, None], triangles[solid][:, ::-1], triangles[solid])
    x, y = (np.ascontiguousarray(corners[:, :, axis].T) for axis in (0, 1))  # (3, N) each
    low, high = (np.stack([extreme.reduce(x), extreme.reduce(y)]) for extreme in (np.minimum, np.maximum))
    pairs = box_pairs(low, high, groups[solid], tolerance)
    reach = [tolerance * np.hypot(x[k - 2] - x[k], y[k - 2] - y[k]) for k in range(3)]
    for k in range(3):
        for one, two in ((0, 1), (1, 0)):
            pairs = pairs.compress(~_beyond_edge(k, x, y, reach[k], pairs[one], pairs[two]), axis=1)
    return np.ascontiguousarray(solid.take(pairs).T)


def _beyond_edge(k: int, x: Array, y: Array, reach: Array, fixed: Index, other: Index) -> Bools:
    """Whether the line of edge k of the counter-clockwise triangle ``fixed`` has all of ``other``
    on its outer side; (P,).
    """
    start_x, start_y = x[k].take(fixed), y[k].take(fixed)
    edge_x, edge_y = x[k - 2].take(fixed) - start_x, y[k - 2].take(fixed) - start_y
    inside = [edge_x * (y[j].take(other) - start_y) - edge_y * (x[j].take(other) - start_x) for j in range(3)]
    return np.maximum(np.maximum(inside[0], inside[1]), inside[2]) <= reach.take(fixed)


def suspect_groups(starts: Array, ends: Array, ids: Index, groups: Index, group_count: int) -> Bools:
    """Groups whose border meets itself away from shared corners; (group_count,) bool.

    Args:
        starts, ends: (2, B) border edges.
        ids: (2, B) corner numbers of their ends; edges that share a corner are not compared.
        groups: (B,).
    """
    pairs = box_pairs(np.minimum(starts, ends), np.maximum(starts, ends), groups, 0.0)
    (one, other), (two, another) = ((ids[0].take(side), ids[1].take(side)) for side in pairs)
    apart = (one != two) & (one != another) & (other != two) & (other != another)
    one, two = pairs.compress(apart, axis=1)
    mine, theirs = ([end.take(edge, axis=1) for end in (starts, ends)] for edge in (one, two))
    meets = _meets(*mine, *theirs) & _meets(*theirs, *mine)
    suspect = np.zeros(group_count, bool)
    suspect[groups[one[meets]]] = True
    return suspect


def _meets(start: Array, end: Array, a: Array, b: Array) -> Bools:
    """Whether a and b lie on both sides of the line start-end, or nearly on it."""
    edge = end - start
    # float64 cross products are exact to far less
    slack = 1e-9 * (np.abs(edge).sum(axis=0) + np.abs(b - a).sum(axis=0)) ** 2
    side_a, side_b = (edge[0] * (p[1] - start[1]) - edge[1] * (p[0] - start[0]) for p in (a, b))
    return ~(((side_a > slack) & (side_b > slack)) | ((side_a < -slack) & (side_b < -slack)))


def box_pairs(low: Array, high: Array, groups: Index, tolerance: float) -> Index:
    """Pairs of the same group whose boxes share ``tolerance`` or more along both axes (touching counts at 0).

    Args:
        low, high: (2, N) corners of the boxes.
        groups: (N,) numbers not below 0.

    Returns:
        (2, P) indices, each pair once.
    """
    count = low.shape[1]
    if count < 2:
        return np.zeros((2, 0), np.intp)
    cell = 2.0 * float((high - low).max(axis=0).mean()) or 1.0
    origin = low.min(axis=1, keepdims=True)
    while True:
        first = ((low - origin) / cell).astype(np.int64)
        spans = ((high - origin) / cell).astype(np.int64) - first + 1
        if (spans[0] * spans[1]).sum() <= 8 * count + 64:
            break
        cell *= 2.0  # a few huge boxes among small ones would fill too many cells
    owners, place = expand(spans[0] * spans[1])
    down, across = np.divmod(place, spans[0].take(owners))
    x, y = first[0].take(owners) + across, first[1].take(owners) + down
    width, height = (first + spans).max(axis=1)
    keys, order = sorted_with_order((groups.astype(np.int64).take(owners) * width + x) * height + y)
    run_ends = np.append(np.flatnonzero(keys[1:] != keys[:-1]) + 1, len(keys))
    run = np.cumsum(np.bincount(run_ends[:-1], minlength=len(keys)))
    partners = run_ends.take(run) - np.arange(len(keys)) - 1
    owners, x, y = owners.take(order), x.take(order), y.take(order)
    sides = (low[0], high[0], low[1], high[1])
    found = []
    for part in _chunks(partners):
        one, step = expand(partners[part])
        one += part.start
        i, j, lower, entry = _sharing(sides, owners.take(one), owners.take(one + 1 + step), one, tolerance)
        # a pair counts in the one cell that holds the lower corner of what its boxes share
        column, line = ((lower - origin) / cell).astype(np.int64)
        here = np.flatnonzero((column == x.take(entry)) & (line == y.take(entry)))
        found.append(np.stack([i.take(here), j.take(here)]))
    return np.concatenate(found, axis=1)


def _sharing(
    sides: Sequence[Array], i: Index, j: Index, entry: Index, tolerance: float
) -> tuple[Index, Index, Array, Index]:
    """Those of the pairs (i, j) whose boxes overlap along both axes, the (2, P) lower corner of what they
    share, and their entries.
    """
    corners: list[Array] = []
    for lower, upper in (sides[:2], sides[2:]):
        start = np.maximum(lower.take(i), lower.take(j))
        near = np.flatnonzero(np.minimum(upper.take(i), upper.take(j)) - start >= tolerance)
        i, j, entry = i.take(near), j.take(near), entry.take(near)
        corners = [*(corner.take(near) for corner in corners), start.take(near)]
    return i, j, np.stack(corners), entry


def _chunks(counts: Index) -> list[slice]:
    """Slices of consecutive entries that hold about ``_PAIRS_AT_ONCE`` items each."""
    bins = np.cumsum(counts) // _PAIRS_AT_ONCE
    cuts = np.flatnonzero(bins[1:] != bins[:-1]) + 1
    return [slice(int(a), int(b)) for a, b in zip([0, *cuts], [*cuts, len(counts)])]


def _cross(a: Array, b: Array) -> Array:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
