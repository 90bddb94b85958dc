"""A mesh made watertight: each edge between two faces that agree, each vertex with one fan. numpy only."""

from __future__ import annotations

import numpy as np

from geco.errors import MeshError
from geco.graph import connected_components
from geco.mesh.clean import SMALLEST, close_groups, diagonal, drop_degenerate, merge_close
from geco.mesh.components import component_boxes, component_labels, component_volumes
from geco.mesh.flips import flip_flat
from geco.mesh.half_edges import edge_groups, edge_keys, fan_labels, half_edges, pair_half_edges
from geco.mesh.holes import border_loops, fill_loops
from geco.mesh.manifold import manifold_report
from geco.mesh.topology import append_vertices, areas, compact, corners, cross, dot, first_of_group, take
from geco.mesh.types import Mesh
from geco.types import Bools, Doubles, Floats, Longs

_APART_ROUNDS = 8  # one is nearly always enough


def make_watertight(mesh: Mesh) -> Mesh:
    """The border of a solid: welded, taken apart where parts touch, every hole closed, faces outwards.

    The report of the result is manifold: this is checked, not hoped for. Parts that touch along an edge or at
    a vertex get vertices of their own, moved apart by a hair so that a reader that welds does not join them
    again. Components without volume are dropped. Colours are kept; normals, UVs and texture are not (unwrap
    afterwards).

    Raises:
        MeshError: nothing with a volume is left.
    """
    mesh = drop_degenerate(merge_close(mesh.with_(normals=None, uvs=None, texture=None)))
    if not manifold_report(mesh).manifold:
        mesh = _agree(_without_folds(mesh))
        mesh = _take_apart(mesh)
        twin = pair_half_edges(mesh.faces, mesh.vertices)
        mesh = _without_coincidences(fill_loops(mesh, border_loops(mesh.faces, twin, len(mesh.vertices))))
        mesh = mesh.with_(faces=flip_flat(mesh.faces, mesh.vertices, SMALLEST * diagonal(mesh.vertices)))
    mesh = _outwards(mesh)
    report = manifold_report(mesh)
    if not report.manifold:
        raise MeshError(
            f"the mesh cannot be made watertight ({report})", "Export it without the watertight option."
        )
    return mesh


def _without_folds(mesh: Mesh) -> Mesh:
    """Without pairs of faces on the same three vertices that look opposite ways: they bound nothing."""
    corners = np.sort(mesh.faces.astype(np.int64), axis=1)
    count = len(mesh.vertices)
    first = first_of_group(first_of_group(corners[:, 0] * count + corners[:, 1]) * count + corners[:, 2])
    sizes = np.bincount(first, minlength=len(first))
    # Copies of the same turn are gone already (drop_degenerate), so a group of two is one of each turn.
    return compact(mesh, mesh.faces[sizes[first] == 1])


def _agree(mesh: Mesh) -> Mesh:
    """Faces turned so that neighbours agree; of the two ways for a component, the one that turns less area.

    Each face is two nodes, as it is and turned; neighbours that agree join like with like, others crosswise.
    A component that holds both nodes of a face has one side only (a Moebius band) and is left as it is: it
    gets cut where faces disagree.
    """
    start, end = half_edges(mesh.faces)
    order, firsts, counts = edge_groups(start, end, len(mesh.vertices))
    a, b = order[firsts[counts == 2]], order[firsts[counts == 2] + 1]
    crossed = start[a] == start[b]
    if not crossed.any():
        return mesh
    count = len(mesh.faces)
    f, g = a // 3, b // 3
    near = np.concatenate([f, f + count])
    far = np.concatenate([np.where(crossed, g + count, g), np.where(crossed, g, g + count)])
    label = connected_components(2 * count, near, far)
    kept, turned = label[:count], label[count:]
    area = areas(mesh.vertices, mesh.faces)
    # Sheet L of the double cover turns the faces whose second node is in it; its mirror image turns the
    # others.
    cost = np.bincount(turned, area, 2 * count)
    flip = (cost[turned] < cost[kept]) | ((cost[turned] == cost[kept]) & (turned < kept))
    flip &= kept != turned
    faces = mesh.faces.copy()
    faces[flip] = faces[flip][:, [0, 2, 1]]
    return mesh.with_(faces=faces)


def _take_apart(mesh: Mesh) -> Mesh:
    """One vertex a fan, and no two edges between the same two vertices; copies move a hair
    towards their own faces.
    """
    twin = pair_half_edges(mesh.faces, mesh.vertices)
    fans = fan_labels(mesh.faces, twin, len(mesh.vertices))
    owners, corner = np.unique(fans, return_inverse=True)
    original = mesh.faces.ravel()[owners]  # (new vertices,) where each comes from
    moved = np.bincount(original, minlength=len(mesh.vertices))[original] > 1
    mesh = take(mesh, original, corner.reshape(-1, 3))

    # Two fans of the same sheet may still share two vertices, twice: such an edge, but for its first copy,
    # gets a middle vertex.
    start, end = half_edges(mesh.faces)
    first = first_of_group(edge_keys(start, end, len(mesh.vertices)))
    extra = np.flatnonzero((first != np.arange(len(first))) & (twin != first))
    extra = extra[(twin[extra] < 0) | (twin[extra] > extra)]
    for half_edge in extra.tolist():
        mesh, twin = _halve(mesh, twin, half_edge)
    moved = np.concatenate([moved, np.ones(len(mesh.vertices) - len(moved), bool)])
    return mesh.with_(vertices=_apart(mesh, moved))


def _halve(mesh: Mesh, twin: Longs, half_edge: int) -> tuple[Mesh, Longs]:
    """A new vertex in the middle of an edge, and its one or two faces cut in two there."""
    both = [half_edge] + ([int(twin[half_edge])] if twin[half_edge] >= 0 else [])
    ends = np.array(
        [mesh.faces[half_edge // 3, half_edge % 3], mesh.faces[half_edge // 3, (half_edge + 1) % 3]]
    )
    middle, count = len(mesh.vertices), len(mesh.faces)
    mesh = append_vertices(mesh, np.zeros(2, np.int64), ends, 1)
    faces = np.concatenate([mesh.faces, mesh.faces[[h // 3 for h in both]]])
    # The old face keeps its numbers up to the middle, the copy at the end takes the rest: twins of other
    # edges move with it.
    twin = np.concatenate([twin, np.full(3 * len(both), -1, np.int64)])
    for place, h in enumerate(both):
        old, new = h // 3, count + place
        far = (h + 1) % 3
        faces[old, far] = middle
        faces[new, h % 3] = middle
        moved, inner_old, inner_new = 3 * old + far, 3 * old + far, 3 * new + (h + 2) % 3
        outside = twin[moved]
        twin[3 * new + far] = outside
        if outside >= 0:
            twin[outside] = 3 * new + far
        twin[inner_old], twin[inner_new] = inner_new, inner_old
    if len(both) == 2:
        h, t = both
        h_rest, t_rest = 3 * count + h % 3, 3 * (count + 1) + t % 3
        twin[h], twin[t_rest], twin[t], twin[h_rest] = t_rest, h, h_rest, t
    else:
        twin[3 * count + half_edge % 3] = -1
    return mesh.with_(faces=faces), twin


def _apart(mesh: Mesh, moved: Bools) -> Floats:
    """Positions with the ``moved`` vertices drawn towards the middle of their faces, by 20 times what welding
    joins.

    At most by a tenth of the way, so that no face turns over; each a little off the straight way, so that two
    copies with the same middle part as well.
    """
    if not moved.any():
        return mesh.vertices
    corner = mesh.faces.ravel()
    middles = np.repeat(mesh.triangles.mean(axis=1).astype(np.float64), 3, axis=0)
    number = np.maximum(np.bincount(corner, minlength=len(mesh.vertices)), 1)[:, None]
    target = (
        np.stack([np.bincount(corner, middles[:, axis], len(mesh.vertices)) for axis in range(3)], axis=1)
        / number
    )
    way = target - mesh.vertices
    length = np.linalg.norm(way, axis=1, keepdims=True)
    way += 0.2 * length * np.random.default_rng(0).uniform(-1, 1, way.shape)
    fraction = np.minimum(20 * SMALLEST * diagonal(mesh.vertices) / np.where(length > 0, length, 1.0), 0.1)
    return np.where(moved[:, None], mesh.vertices + fraction * way, mesh.vertices).astype(np.float32)


def _without_coincidences(mesh: Mesh) -> Mesh:
    """Vertices that welding would still join (the middles of two holes, say) moved apart too."""
    for _ in range(_APART_ROUNDS):
        group = close_groups(mesh.vertices, SMALLEST * diagonal(mesh.vertices))
        double = group != np.arange(len(group))
        if not double.any():
            break
        mesh = mesh.with_(vertices=_apart(mesh, double))
    return mesh


def _outwards(mesh: Mesh) -> Mesh:
    """Closed components turned so that they enclose matter; those without volume dropped;
    cavities within others kept.
    """
    if not len(mesh.faces):
        raise MeshError("the mesh has no faces left to make watertight", "The surface has no area.")
    label = component_labels(mesh)
    count = int(label.max()) + 1
    volume = component_volumes(mesh, label, count)
    area = np.bincount(label, areas(mesh.vertices, mesh.faces), count)
    solid = np.abs(volume) > 1e-6 * area * diagonal(mesh.vertices)
    if not solid.any():
        raise MeshError(
            "nothing in the mesh encloses a volume",
            "The surface is flat or open: export it without the watertight option.",
        )
    if volume[solid].sum() < 0:  # inside out as a whole, cavities included
        mesh, volume = mesh.with_(faces=mesh.faces[:, [0, 2, 1]]), -volume
    turn = volume < 0
    for part in np.flatnonzero(turn & solid):
        if _encloses(mesh, label, volume, int(part), solid):
            turn[part] = False
    faces = np.where(turn[label][:, None], mesh.faces[:, [0, 2, 1]], mesh.faces)[solid[label]]
    return compact(mesh.with_(faces=faces))


def _encloses(mesh: Mesh, label: Longs, volume: Doubles, part: int, solid: Bools) -> bool:
    """Whether a component lies within another one: the solid angle of the others, as seen from
    it, is not 0.
    """
    low, high = component_boxes(mesh, label, len(volume))
    around = solid & (low < low[part]).all(axis=1) & (high > high[part]).all(axis=1)
    if not around.any():
        return False
    eye = mesh.vertices[mesh.faces[np.flatnonzero(label == part)[0], 0]].astype(np.float64)
    chosen = around[label]
    a, b, c = (corner - eye[:, None] for corner in corners(mesh.vertices, mesh.faces[chosen]))
    la, lb, lc = (np.sqrt(dot(v, v)) for v in (a, b, c))
    # van Oosterom and Strackee 1983
    above = dot(a, cross(b, c))
    below = la * lb * lc + dot(a, b) * lc + dot(b, c) * la + dot(c, a) * lb
    turns = np.bincount(label[chosen], np.arctan2(above, below), len(volume)) / (2 * np.pi)
    return bool(round(float(np.abs(turns).sum())) % 2)
