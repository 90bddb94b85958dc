"""Is a mesh watertight: each edge between two faces that agree, each vertex with one fan? numpy only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geco.graph import connected_components
from geco.mesh.half_edges import edge_groups, edge_keys, fan_labels, half_edges, pair_groups
from geco.mesh.topology import corners, cross, dot, first_of_group, weld_groups
from geco.mesh.types import Mesh
from geco.types import Longs


@dataclass(frozen=True)
class ManifoldReport:
    """What keeps a mesh from being the border of a solid.

    Attributes:
        boundary_edges: edges with one face.
        nonmanifold_edges: edges with more than two faces.
        inconsistent_edges: edges whose two faces disagree about the outside.
        nonmanifold_vertices: vertices whose faces form more than one fan.
        euler: V - E + F over the vertices in use (2 for a sphere, 0 for a torus).
        volume: signed, world units cubed; only meaningful when watertight, positive when faces look outwards.
        faces: how many there are.
    """

    boundary_edges: int
    nonmanifold_edges: int
    inconsistent_edges: int
    nonmanifold_vertices: int
    euler: int
    volume: float
    faces: int

    @property
    def watertight(self) -> bool:
        """Every edge lies between exactly two faces that agree about the outside (and there are faces)."""
        return self.faces > 0 and not (
            self.boundary_edges or self.nonmanifold_edges or self.inconsistent_edges
        )

    @property
    def manifold(self) -> bool:
        """Watertight, and no two parts share a lone vertex."""
        return self.watertight and not self.nonmanifold_vertices


def manifold_report(mesh: Mesh, weld: bool = False) -> ManifoldReport:
    """Counts of everything that is wrong.

    Args:
        mesh: faces that repeat a corner count as they are: their edges are not between two faces.
        weld: look at positions instead of indices, for a mesh that is split along UV seams.
    """
    faces = weld_groups(mesh.vertices)[mesh.faces] if weld else mesh.faces.astype(np.int64)
    count = len(mesh.vertices)
    start, end = half_edges(faces)
    order, firsts, lengths = edge_groups(start, end, count)
    pairs = firsts[lengths == 2]
    inconsistent = int(np.count_nonzero(start[order[pairs]] == start[order[pairs + 1]]))
    if inconsistent:
        fans = _undirected_fans(start, end, count)
    else:
        fans = fan_labels(faces, pair_groups(start, end, order, firsts, lengths, faces, mesh.vertices), count)
    owners = start[fans == np.arange(len(fans))]  # the vertex of each fan: its label is one of its corners
    used = np.bincount(faces.ravel(), minlength=count) > 0
    a, b, c = corners(mesh.vertices, faces)
    return ManifoldReport(
        boundary_edges=int(np.count_nonzero(lengths == 1)),
        nonmanifold_edges=int(np.count_nonzero(lengths > 2)),
        inconsistent_edges=inconsistent,
        nonmanifold_vertices=int(np.count_nonzero(np.bincount(owners) > 1)),
        euler=int(used.sum()) - len(firsts) + len(faces),
        volume=float(dot(a, cross(b, c)).sum() / 6),
        faces=len(faces),
    )


def _undirected_fans(start: Longs, end: Longs, count: int) -> Longs:
    """Fans where only being neighbours counts: for surfaces whose faces disagree, which
    :func:`fan_labels` would cut there.
    """
    first = first_of_group(edge_keys(start, end, count))
    here = np.arange(len(first))
    after = here + 1 - 3 * (here % 3 == 2)
    same = start == start[first]
    tail, head = np.where(same, first, after[first]), np.where(same, after[first], first)
    return connected_components(len(first), np.concatenate([here, after]), np.concatenate([tail, head]))
