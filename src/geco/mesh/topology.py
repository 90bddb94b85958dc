"""What cleaning, checking and normals share: exact welding, compaction. numpy only."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from geco.mesh.types import Mesh
from geco.types import Bools, Doubles, Floats, Index, Longs


def weld_groups(vertices: Floats) -> Longs:
    """(V, 3) positions -> (V,) the smallest index with exactly the same position (-0.0 equals
    0.0; NaNs never match).
    """
    count = len(vertices)
    position = np.ascontiguousarray(vertices, np.float32) + np.float32(0.0)  # -0.0 becomes 0.0
    words = position.view(np.uint32).astype(np.uint64)
    # Odd 64-bit multipliers of splitmix64 and of xxHash64: a mixing key, so that one sort of integers
    # replaces one of rows.
    key = words[:, 0] * np.uint64(0x9E3779B97F4A7C15)
    key = (key ^ (key >> np.uint64(29))) + words[:, 1] * np.uint64(0xC2B2AE3D27D4EB4F)
    key = (key ^ (key >> np.uint64(32))) * np.uint64(0x165667B19E3779F9) + words[:, 2] * np.uint64(
        0xBF58476D1CE4E5B9
    )
    representative = first_of_group(key)
    same = np.all(position[representative] == position, axis=1)
    if same.all():
        return representative
    # NaN rows differ from themselves; anything else here would be a collision of keys, and is kept apart:
    # safe, only unwelded.
    return np.where(same, representative, np.arange(count))


def first_of_group(keys: NDArray[np.generic]) -> Longs:
    """(N,) keys -> (N,) index of the first element with the same key."""
    order = np.argsort(keys)
    firsts, counts = runs(keys.take(order))
    result = np.empty(len(keys), np.int64)
    if len(keys):
        result[order] = np.minimum.reduceat(order, firsts).take(expand(counts)[0])
    return result


def runs(ordered: NDArray[np.generic]) -> tuple[Longs, Longs]:
    """First index and length of each run of equal values."""
    starts = np.ones(len(ordered), bool)
    starts[1:] = ordered[1:] != ordered[:-1]
    firsts = np.flatnonzero(starts)
    return firsts, np.diff(firsts, append=len(ordered))


Real = TypeVar("Real", Floats, Doubles)

# Columns, (3, N): x, y and z apart, which numpy computes with several times faster than (N, 3).


def corners(vertices: Floats, faces: NDArray[np.integer]) -> tuple[Doubles, Doubles, Doubles]:
    """The positions of the three corners of each face, (3, F) each, float64."""
    columns = np.ascontiguousarray(vertices.T, np.float64)
    a, b, c = (columns.take(corner, axis=1) for corner in np.ascontiguousarray(faces.T, np.intp))
    return a, b, c


def sorted_with_order(keys: Longs) -> tuple[Longs, Index]:
    """Sorted keys and their stable order; keys are not negative.

    The order rides in the low bits where it fits, since one plain sort is several times faster than an
    argsort.
    """
    bits = len(keys).bit_length()
    if len(keys) and int(keys.max()) < 1 << (62 - bits):
        packed = np.sort((keys << bits) | np.arange(len(keys)))
        return packed >> bits, (packed & ((1 << bits) - 1)).astype(np.intp)
    order = np.argsort(keys, kind="stable")
    return keys[order], order


def chosen(mask: Bools, yes: NDArray[Any], no: NDArray[Any]) -> NDArray[Any]:
    """``np.where`` along the last axis for masks without a pattern, which it takes five times as long for."""
    both = np.concatenate([no, yes], axis=-1)
    return both.take(mask * np.intp(len(mask)) + np.arange(len(mask)), axis=-1)


def expand(counts: NDArray[Any]) -> tuple[Index, Index]:
    """Owner and position of every item when owner i holds ``counts[i]`` items: two arrays of
    length ``counts.sum()``.
    """
    ends = np.cumsum(counts, dtype=np.intp)
    total = int(ends[-1]) if len(ends) else 0
    # Where an owner's items end the next one's begin: counting ends is several times faster than np.repeat.
    owners = np.cumsum(np.bincount(ends[:-1], minlength=total + 1)[:total], dtype=np.intp)
    return owners, np.arange(total) - (ends - counts).take(owners)


def cross(a: Real, b: Real) -> Real:
    """Cross products of columns."""
    result = np.empty((3, *np.broadcast_shapes(a[0].shape, b[0].shape)), a.dtype)
    for k, i, j in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        np.multiply(a[i], b[j], out=result[k])
        result[k] -= a[j] * b[i]
    return result


def dot(a: Real, b: Real) -> Real:
    """(N,) dot products of columns."""
    product = a[0] * b[0]
    product += a[1] * b[1]
    product += a[2] * b[2]
    return product


def areas(vertices: Floats, faces: NDArray[np.integer]) -> Doubles:
    """(F,) areas of the faces."""
    a, b, c = corners(vertices, faces)
    normal = cross(b - a, c - a)
    return np.sqrt(dot(normal, normal)) / 2


def take(mesh: Mesh, kept: NDArray[np.integer], faces: NDArray[np.integer]) -> Mesh:
    """``mesh`` with the vertices ``kept`` (indices, in that order; attributes follow them) and
    these new faces.
    """

    def pick(values: Floats | None) -> Floats | None:
        return None if values is None else values.take(kept, axis=0)

    return mesh.with_(
        vertices=mesh.vertices.take(kept, axis=0),
        faces=faces,
        normals=pick(mesh.normals),
        uvs=pick(mesh.uvs),
        colors=pick(mesh.colors),
    )


def compact(mesh: Mesh, faces: NDArray[np.integer] | None = None) -> Mesh:
    """``mesh`` with these faces (default its own), without the vertices that no face uses; order is kept."""
    faces = mesh.faces if faces is None else faces
    used = np.zeros(len(mesh.vertices), bool)
    used[faces.ravel()] = True
    if used.all():
        return mesh if faces is mesh.faces else mesh.with_(faces=faces)
    renumber = np.cumsum(used) - 1
    return take(mesh, np.flatnonzero(used), renumber.take(faces))


def merge(mesh: Mesh, representative: Longs) -> Mesh:
    """Join each vertex into its representative, which keeps its attributes; faces that lose a
    corner are dropped.
    """
    faces = representative.take(mesh.faces)
    a, b, c = faces.T
    return compact(mesh, faces.compress((a != b) & (b != c) & (c != a), axis=0))


def append_vertices(mesh: Mesh, groups: Longs, members: Longs, count: int) -> Mesh:
    """``mesh`` with ``count`` more vertices; number g is the mean of the vertices
    ``members[groups == g]`` in every attribute.
    """
    weight = 1.0 / np.bincount(groups, minlength=count)[:, None]

    def mean(values: Floats) -> Floats:
        columns = [np.bincount(groups, values[members, axis], count) for axis in range(values.shape[1])]
        return (np.stack(columns, axis=1) * weight).astype(np.float32)

    def extend(values: Floats | None) -> Floats | None:
        return None if values is None else np.concatenate([values, mean(values)])

    normals = mesh.normals
    if normals is not None:
        added = mean(normals)
        length = np.linalg.norm(added, axis=1, keepdims=True)
        normals = np.concatenate(
            [normals, np.where(length > 0, added / np.where(length > 0, length, 1.0), [[0.0, 0.0, 1.0]])]
        )
        normals = normals.astype(np.float32)
    vertices = np.concatenate([mesh.vertices, mean(mesh.vertices)])
    return mesh.with_(vertices=vertices, normals=normals, uvs=extend(mesh.uvs), colors=extend(mesh.colors))
