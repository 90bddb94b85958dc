"""Cut a surface into charts: connected patches that all face one direction, few of them small.

A chart is projected along its direction, so no face may turn away from it: every face of a chart keeps
``normal . direction > STEEPEST`` (faces without area have no normal and fit anywhere).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geco.mesh.topology import dot, expand, runs, sorted_with_order
from geco.mesh.uv_graph import compact, components
from geco.types import Array, Bools, Index

# own choice: cosine of 72.5 degrees; a face at the limit is stretched 3.3 times along one direction
STEEPEST = 0.3
BLUR_ROUNDS = 4  # own choice: neighbours averaged before a face takes its axis, so noise does not cut charts
MAJORITY_ROUNDS = 4
MERGE_ROUNDS = 6
# own choice: charts below this share of the surface are merged where a neighbour can take them
SMALL_SHARE = 0.004
_AXES = np.concatenate([np.eye(3), -np.eye(3)], axis=1)  # (3, 6)


@dataclass
class Charts:
    """A partition of the faces.

    Attributes:
        of_face: (F,) chart number 0..C-1.
        directions: (3, C) unit vectors to project along.
    """

    of_face: Index
    directions: Array


def segment(normals: Array, areas: Array, links: Index) -> Charts:
    """Charts of a surface.

    Args:
        normals: (3, F) unit vectors, zero for faces without area.
        areas: (F,).
        links: (2, E) half-edge pairs of :func:`geco.mesh.uv_graph.face_links`.
    """
    neighbours = _neighbours(len(areas), links)
    one, two = links // 3
    labels = _majority(_axis_labels(normals, areas, neighbours), normals, neighbours)
    alike = np.flatnonzero(labels.take(one) == labels.take(two))
    of_face = components(len(areas), one.take(alike), two.take(alike))
    charts = _aimed(Charts(of_face, _AXES.take(labels.take(firsts(of_face)), axis=1)), normals, areas)
    return _merge_small(charts, normals, areas, one, two)


def _neighbours(count: int, links: Index) -> Index:
    """(3, F) face across each edge; a border gives the face itself."""
    across = np.repeat(np.arange(count), 3)
    across[links[0]] = links[1] // 3
    across[links[1]] = links[0] // 3
    return np.ascontiguousarray(across.reshape(-1, 3).T)


def _axis_labels(normals: Array, areas: Array, neighbours: Index) -> Index:
    """The axis nearest to each face's blurred normal, or to its own normal where that axis would
    be too steep.
    """
    blurred = normals * areas
    for _ in range(BLUR_ROUNDS):
        total = blurred.copy()
        for across in neighbours:
            total += blurred.take(across, axis=1)
        blurred = total
    labels = _nearest_axis(blurred)
    steep = np.flatnonzero(_along(normals, labels) <= STEEPEST)
    own = normals.take(steep, axis=1)
    some = np.flatnonzero(own.any(axis=0))
    labels[steep.take(some)] = _nearest_axis(own.take(some, axis=1))
    return labels


def _nearest_axis(vectors: Array) -> Index:
    x, y, z = np.abs(vectors)
    axis = (y > x).astype(np.intp)
    axis += (z > np.maximum(x, y)) * (2 - axis)
    return axis + 3 * (_component(vectors, axis) < 0)


def _component(vectors: Array, axis: Index) -> Array:
    """(N,) the components of (3, N) vectors along one of x, y and z each."""
    count = vectors.shape[1]
    return vectors.reshape(-1).take(axis * count + np.arange(count))


def _along(vectors: Array, labels: Index) -> Array:
    """(N,) the components of (3, N) vectors along one of the six axes each."""
    turned = labels >= 3
    return _component(vectors, labels - 3 * turned) * (1 - 2 * turned)


def _majority(labels: Index, normals: Array, neighbours: Index) -> Index:
    """Faces with two neighbours of one other label join them, where that does not make them too steep."""
    labels = labels.copy()
    for _ in range(MAJORITY_ROUNDS):
        a, b, c = (labels.take(across) for across in neighbours)
        first = (a == b) | (a == c)
        moved = np.flatnonzero((first & (a != labels)) | (~first & (b == c) & (b != labels)))
        winner = np.where(first.take(moved), a.take(moved), b.take(moved))
        there = normals.take(moved, axis=1)
        fits = np.flatnonzero((_along(there, winner) > STEEPEST) | ~there.any(axis=0))
        if not len(fits):
            break
        labels[moved.take(fits)] = winner.take(fits)
    return labels


def _misfits(normals: Array, directions: Array) -> Index:
    """Which normals (3, N) are too steep for the directions (3, N); those without length never are."""
    steep = np.flatnonzero(~(dot(normals, directions) > STEEPEST))
    return steep.compress(normals.take(steep, axis=1).any(axis=0))


def firsts(of: Index) -> Index:
    """(C,) the first place of each of the numbers 0..C-1."""
    first = np.zeros(int(of.max(initial=-1)) + 1, np.intp)
    first[of[::-1]] = np.arange(len(of))[::-1]
    return first


def _aimed(charts: Charts, normals: Array, areas: Array) -> Charts:
    """Charts turned to their mean normal, where no face of theirs becomes too steep by that."""
    count = charts.directions.shape[1]
    mean = chart_sums(charts.of_face, normals * areas, count)
    length = np.sqrt(dot(mean, mean))
    mean = np.where(length > 0, mean / np.where(length > 0, length, 1), charts.directions)
    spoiled = np.zeros(count, bool)
    spoiled[charts.of_face.take(_misfits(normals, mean.take(charts.of_face, axis=1)))] = True
    return Charts(charts.of_face, np.where(spoiled, charts.directions, mean))


def chart_sums(of_face: Index, values: Array, count: int) -> Array:
    """(K, C) sums over the faces of each chart of (K, F) values."""
    return np.stack([np.bincount(of_face, row, count) for row in values])


def _merge_small(charts: Charts, normals: Array, areas: Array, first: Index, second: Index) -> Charts:
    """Small charts join the neighbour that they share most border with, where all of their faces
    fit its direction; (E,) first and second face of each inner edge.
    """
    for _ in range(MERGE_ROUNDS):
        of_face, count = charts.of_face, charts.directions.shape[1]
        sizes = np.bincount(of_face, areas, count)
        one, two = of_face.take(first), of_face.take(second)
        border = np.flatnonzero(one != two)
        first, second = first.take(border), second.take(border)  # what is joined once stays so
        one, two = one.take(border), two.take(border)
        one, two = np.concatenate([one, two]), np.concatenate([two, one])
        # the larger takes the smaller; equal sizes go by number, so that no two charts take each other
        mine, theirs = sizes.take(one), sizes.take(two)
        smaller = (mine < theirs) | ((mine == theirs) & (one > two))
        useful = np.flatnonzero(smaller & (mine < SMALL_SHARE * sizes.sum()))
        ordered = np.sort(one.take(useful) * count + two.take(useful))
        begins, edges = runs(ordered)
        small, large = np.divmod(ordered.take(begins), count)
        fit = np.flatnonzero(_whole_fit(charts, normals, small, large))
        small, large, edges = small.take(fit), large.take(fit), edges.take(fit)
        if not len(small):
            break
        order = np.lexsort((edges, small))
        last = np.flatnonzero(np.append(small[order][1:] != small[order][:-1], True))
        target = np.arange(count)
        target[small[order[last]]] = large[order[last]]
        # who joins one that moves itself waits a round
        target = np.where(target[target] == target, target, np.arange(count))
        number, kept = compact(target, count)
        charts = _aimed(Charts(number.take(of_face), charts.directions.take(kept, axis=1)), normals, areas)
    return charts


def _whole_fit(charts: Charts, normals: Array, small: Index, large: Index) -> Bools:
    """(P,) whether every face of chart ``small`` fits the direction of chart ``large``."""
    count = charts.directions.shape[1]
    asked = np.zeros(count, bool)
    asked[small] = True
    faces = np.flatnonzero(asked.take(charts.of_face))
    faces = faces.take(sorted_with_order(charts.of_face.take(faces))[1])
    sizes = np.bincount(charts.of_face.take(faces), minlength=count)
    begins = np.cumsum(sizes) - sizes
    owners, place = expand(sizes.take(small))
    tried = faces.take(begins.take(small).take(owners) + place)
    fit = np.ones(len(small), bool)
    directions = charts.directions.take(large.take(owners), axis=1)
    fit[owners.take(_misfits(normals.take(tried, axis=1), directions))] = False
    return fit
