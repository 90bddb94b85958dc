"""Faces as good as flat: their heights, and flips into the neighbour. numpy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geco.mesh.half_edges import edge_keys, half_edges
from geco.mesh.topology import corners, cross, dot
from geco.types import Doubles, Floats, Ints

_FLIP_ROUNDS = 8  # each round flips every flat triangle that does not touch another one being flipped


def flip_flat(faces: Ints, vertices: Floats, limit: float) -> Ints:
    """Faces lower than ``limit`` joined with the face across their longest edge and cut again along the other
    diagonal.

    Nothing is opened: the same edges stay closed. A flat face at a border, or one whose flip would double an
    edge, stays.
    """
    return flipped(faces, vertices, limit)[0]


def flipped(faces: Ints, vertices: Floats, limit: float) -> tuple[Ints, Doubles]:
    """:func:`flip_flat`, and the heights of all faces."""
    faces, heights = faces.copy(), sizes(vertices, faces)[1]
    for _ in range(_FLIP_ROUNDS):
        flat = np.flatnonzero(heights <= limit)
        if not flat.size:
            break
        start, end = half_edges(faces)
        keys = edge_keys(start, end, len(vertices))
        present = np.sort(keys)
        lengths = np.linalg.norm(vertices[faces[flat][:, [1, 2, 0]]] - vertices[faces[flat]], axis=2)
        longest = 3 * flat + np.argmax(lengths, axis=1)
        touched: set[int] = set()
        added: set[int] = set()
        for h in longest.tolist():
            partners = np.flatnonzero(keys == keys[h])
            if len(partners) != 2:
                continue
            t = int(partners[0] if partners[1] == h else partners[1])
            p, q, r, s = (
                int(v) for v in (start[h], end[h], faces[h // 3, (h + 2) % 3], faces[t // 3, (t + 2) % 3])
            )
            key = min(r, s) * len(vertices) + max(r, s)
            place = int(np.searchsorted(present, key))
            known = key in added or (place < len(present) and present[place] == key)
            if start[t] != q or r == s or known or {h // 3, t // 3} & touched:
                continue
            faces[h // 3], faces[t // 3] = (p, s, r), (s, q, r)
            touched |= {h // 3, t // 3}
            added.add(key)
        if not touched:
            break
        changed = np.array(sorted(touched))
        heights[changed] = sizes(vertices, faces[changed])[1]
    return faces, heights


def sizes(vertices: Floats, faces: NDArray[np.integer]) -> tuple[Doubles, Doubles]:
    """(3, F) squared lengths of the edges, each from its corner to the next, and (F,) height over the longest
    edge; 0 for a point.
    """
    a, b, c = corners(vertices, faces)
    ab, bc, ca = b - a, c - b, a - c
    squares = np.stack([dot(ab, ab), dot(bc, bc), dot(ca, ca)])
    longest = np.sqrt(np.maximum(np.maximum(squares[0], squares[1]), squares[2]))
    normal = cross(ab, bc)
    return squares, np.sqrt(dot(normal, normal)) / np.where(longest > 0, longest, 1.0)
