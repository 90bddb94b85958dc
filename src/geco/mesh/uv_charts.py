"""Cut a surface into charts: connected patches that all face one direction, few of them small.

A chart is projected along its direction, so no face may turn away from it: every face of a chart keeps
``normal . direction > STEEPEST`` (faces without area have no normal and fit anywhere).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geco.mesh.uv_graph import compact, components
from geco.types import Array, Bools, Index

# own choice: cosine of 72.5 degrees; a face at the limit is stretched 3.3 times along one direction
STEEPEST = 0.3
_BLUR_ROUNDS = 4  # own choice: neighbours averaged before a face takes its axis, so noise does not cut charts
_MAJORITY_ROUNDS = 4
_MERGE_ROUNDS = 6
# own choice: charts below this share of the surface are merged where a neighbour can take them
_SMALL_SHARE = 0.004
_AXES = np.concatenate([np.eye(3), -np.eye(3)])


@dataclass
class Charts:
    """A partition of the faces.

    Attributes:
        of_face: (F,) chart number 0..C-1.
        directions: (C, 3) unit vectors to project along.
    """

    of_face: Index
    directions: Array


def segment(normals: Array, areas: Array, links: Index) -> Charts:
    """Charts of a surface.

    Args:
        normals: (F, 3) unit vectors, zero for faces without area.
        areas: (F,).
        links: (E, 2) half-edge pairs of :func:`geco.mesh.uv_graph.face_links`.
    """
    neighbours = _neighbours(len(areas), links)
    pairs = links // 3
    labels = _majority(_axis_labels(normals, areas, neighbours), normals, neighbours)
    of_face = components(len(areas), pairs[labels[pairs[:, 0]] == labels[pairs[:, 1]]])
    charts = _aimed(Charts(of_face, _AXES[labels[_first_faces(of_face)]]), normals, areas)
    return _merge_small(charts, normals, areas, pairs)


def _neighbours(count: int, links: Index) -> Index:
    """(F, 3) face across each edge; a border gives the face itself."""
    across = np.repeat(np.arange(count), 3)
    across[links[:, 0]] = links[:, 1] // 3
    across[links[:, 1]] = links[:, 0] // 3
    return across.reshape(-1, 3)


def _axis_labels(normals: Array, areas: Array, neighbours: Index) -> Index:
    """The axis nearest to each face's blurred normal, or to its own normal where that axis would
    be too steep.
    """
    blurred = normals * areas[:, None]
    one, two, three = neighbours.T
    for _ in range(_BLUR_ROUNDS):
        blurred = blurred + blurred[one] + blurred[two] + blurred[three]
    labels = _nearest_axis(blurred)
    steep = (normals * _AXES[labels]).sum(axis=1) <= STEEPEST
    own = _nearest_axis(normals[steep])
    labels[steep] = np.where(normals[steep].any(axis=1), own, labels[steep])
    return labels


def _nearest_axis(vectors: Array) -> Index:
    axis = np.abs(vectors).argmax(axis=1)
    return np.where(vectors[np.arange(len(vectors)), axis] < 0, axis + 3, axis)


def _majority(labels: Index, normals: Array, neighbours: Index) -> Index:
    """Faces with two neighbours of one other label join them, where that does not make them too steep."""
    one, two, three = neighbours.T
    for _ in range(_MAJORITY_ROUNDS):
        a, b, c = labels[one], labels[two], labels[three]
        winner = np.where((a == b) | (a == c), a, np.where(b == c, b, labels))
        moved = np.flatnonzero(winner != labels)
        fits = _fits(normals[moved], _AXES[winner[moved]])
        if not fits.any():
            break
        labels = labels.copy()
        labels[moved[fits]] = winner[moved[fits]]
    return labels


def _fits(normals: Array, directions: Array) -> Bools:
    return ((normals * directions).sum(axis=1) > STEEPEST) | ~normals.any(axis=1)


def _first_faces(of_face: Index) -> Index:
    first = np.zeros(int(of_face.max(initial=-1)) + 1, np.intp)
    first[of_face[::-1]] = np.arange(len(of_face))[::-1]
    return first


def _aimed(charts: Charts, normals: Array, areas: Array) -> Charts:
    """Charts turned to their mean normal, where no face of theirs becomes too steep by that."""
    count = len(charts.directions)
    mean = chart_sums(charts.of_face, normals * areas[:, None], count)
    length = np.linalg.norm(mean, axis=1, keepdims=True)
    mean = np.where(length > 0, mean / np.where(length > 0, length, 1), charts.directions)
    spoiled = np.zeros(count, bool)
    spoiled[charts.of_face[~_fits(normals, mean[charts.of_face])]] = True
    return Charts(charts.of_face, np.where(spoiled[:, None], charts.directions, mean))


def chart_sums(of_face: Index, values: Array, count: int) -> Array:
    """(C, K) sums over the faces of each chart of (F, K) values."""
    return np.stack([np.bincount(of_face, values[:, k], count) for k in range(values.shape[1])], axis=1)


def _merge_small(charts: Charts, normals: Array, areas: Array, pairs: Index) -> Charts:
    """Small charts join the neighbour that they share most border with, where all of their faces
    fit its direction.
    """
    for _ in range(_MERGE_ROUNDS):
        of_face, count = charts.of_face, len(charts.directions)
        sizes = np.bincount(of_face, areas, count)
        one, two = of_face[pairs[:, 0]], of_face[pairs[:, 1]]
        border = one != two
        one, two = np.concatenate([one[border], two[border]]), np.concatenate([two[border], one[border]])
        # the larger takes the smaller; equal sizes go by number, so that no two charts take each other
        smaller = (sizes[one] < sizes[two]) | ((sizes[one] == sizes[two]) & (one > two))
        useful = smaller & (sizes[one] < _SMALL_SHARE * sizes.sum())
        key, edges = np.unique(one[useful] * count + two[useful], return_counts=True)
        small, large = np.divmod(key, count)
        fit = _whole_fit(charts, normals, small, large)
        small, large, edges = small[fit], large[fit], edges[fit]
        if not len(small):
            break
        order = np.lexsort((edges, small))
        last = np.flatnonzero(np.append(small[order][1:] != small[order][:-1], True))
        target = np.arange(count)
        target[small[order[last]]] = large[order[last]]
        # who joins one that moves itself waits a round
        target = np.where(target[target] == target, target, np.arange(count))
        of_face, kept = compact(target[of_face], count)
        charts = _aimed(Charts(of_face, charts.directions[kept]), normals, areas)
    return charts


def _whole_fit(charts: Charts, normals: Array, small: Index, large: Index) -> Bools:
    """(P,) whether every face of chart ``small`` fits the direction of chart ``large``."""
    order = np.argsort(charts.of_face, kind="stable")
    sizes = np.bincount(charts.of_face, minlength=len(charts.directions))
    firsts = np.cumsum(sizes) - sizes
    owners = np.repeat(np.arange(len(small)), sizes[small])
    starts = np.cumsum(sizes[small]) - sizes[small]
    faces = order[np.arange(len(owners)) - starts[owners] + firsts[small][owners]]
    fit = np.ones(len(small), bool)
    fit[owners[~_fits(normals[faces], charts.directions[large[owners]])]] = False
    return fit
