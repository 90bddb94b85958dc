"""Cleaning a surface on a device: the twin of `mesh.clean`.

Most surfaces have no flaw but floaters and a few short edges, which the device mends. Flat faces and holes
are rare and go to the host, whose code mends them; each is a wait with its name.
"""

from __future__ import annotations

import torch
from torch import Tensor

from geco.mesh.clean import SMALLEST
from geco.mesh.clean import fill_holes as fill_holes_on_host
from geco.mesh.flips import flip_flat
from geco.on_device import waits
from geco.on_device.groups import connected_components, first_of_group, group_sums, sorted_runs
from geco.on_device.types import DeviceMesh, exact

# Bits of the number that says what is wrong with a mesh.
_SMALL, _COPIED, _UNUSED, _OPEN = 1, 2, 4, 8


def clean(mesh: DeviceMesh) -> DeviceMesh:
    """Floaters and degenerate faces removed, holes of at most 64 edges closed."""
    mesh, flaws = drop_degenerate(mesh)
    mesh = remove_floaters(mesh)
    if flaws & _OPEN:
        host = mesh.on_host("a surface with holes, which the host closes")
        mesh = DeviceMesh.of(fill_holes_on_host(host), mesh.device)
    return mesh


def drop_degenerate(mesh: DeviceMesh) -> tuple[DeviceMesh, int]:
    """The mesh without what no renderer or unwrapper can use (see `mesh.clean.drop_degenerate`), and the
    flaws that it still has.
    """
    if not len(mesh.faces):
        return mesh, 0
    flaws = waits.number(_flaws(mesh), "flaws of the surface")
    if flaws & _SMALL:
        mesh = _without_small(mesh)
        if not len(mesh.faces):
            return mesh, 0
        flaws = waits.number(_flaws(mesh), "flaws left")
    if flaws & _COPIED:
        kept = waits.places(~_copies(mesh), "faces that repeat no other")
        mesh, flaws = mesh.with_(faces=mesh.faces[kept]), flaws | _UNUSED
        flaws |= waits.number(_flaws(mesh) & _OPEN, "holes that copies leave")
    return (compact(mesh) if flaws & _UNUSED else mesh), flaws


def remove_floaters(mesh: DeviceMesh, min_fraction: float = 0.02) -> DeviceMesh:
    """The parts whose area is at least ``min_fraction`` of the largest one's, without cavities: closed shells
    turned inside out within the largest part's box.
    """
    count = len(mesh.vertices)
    if not len(mesh.faces):
        return mesh
    a, b, c = mesh.faces.unbind(dim=1)
    label = connected_components(count, torch.cat([a, b]), torch.cat([b, c]), "parts of the surface")
    of_face = label[a]
    # Volumes are measured from a vertex of each part, so that no open one is at the mercy of the origin.
    origin = mesh.vertices.to(exact(mesh.device))[of_face]
    p, q, r = (corner - origin for corner in mesh.corners())
    vectors = torch.linalg.cross(q - p, r - p)
    length = torch.linalg.vector_norm(vectors, dim=1, keepdim=True)
    solid = (p * torch.linalg.cross(q, r)).sum(dim=1, keepdim=True)
    sums = group_sums(torch.cat([length, vectors], dim=1), of_face, count)
    area, flow = sums[:, 0], sums[:, 1:]
    volume = group_sums(solid, of_face, count)[:, 0]
    largest = area.argmax(dim=0, keepdim=True)
    closed = (
        torch.linalg.vector_norm(flow, dim=1) <= 1e-3 * area
    )  # the normals of a closed surface cancel out
    within = _within(mesh, label, largest)
    cavity = closed & within & (volume * torch.sign(volume[largest]) < 0)
    keep = (area >= min_fraction * area[largest]) & ~cavity
    kept = waits.places(keep[of_face], "faces of the parts that stay")
    if len(kept) == len(mesh.faces):
        return mesh
    return compact(mesh.with_(faces=mesh.faces[kept]))


def compact(mesh: DeviceMesh) -> DeviceMesh:
    """The mesh without the vertices that no face uses; order is kept, attributes are dropped."""
    used = torch.zeros(len(mesh.vertices), dtype=torch.bool, device=mesh.device)
    used.index_fill_(0, mesh.faces.reshape(-1), True)
    kept = waits.places(used, "vertices in use")
    return DeviceMesh(mesh.vertices[kept], (torch.cumsum(used, dim=0) - 1)[mesh.faces])


def edge_runs(faces: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """The half-edges 3 f + k put in order by their undirected edge, the number of the edge at each place, and
    whether each half-edge (3F,) runs from the lower to the higher vertex.
    """
    start, end = faces.reshape(-1), faces.roll(-1, dims=1).reshape(-1)
    order, run = sorted_runs(torch.minimum(start, end) * count + torch.maximum(start, end))
    return order, run, start < end


def _flaws(mesh: DeviceMesh) -> Tensor:
    """What is wrong with a mesh, as bits of one number."""
    shortest, lowest = _sizes(mesh)
    # Vertices that are not finite make the limit so too, and nothing is above it.
    fine = torch.minimum(shortest, lowest) > SMALLEST * _diagonal(*mesh.vertices.aminmax(dim=0))
    unused = torch.ones(len(mesh.vertices), dtype=torch.bool, device=mesh.device)
    unused.index_fill_(0, mesh.faces.reshape(-1), False)
    order, run, rising = edge_runs(mesh.faces, len(mesh.vertices))
    balance = torch.zeros_like(run).index_add_(0, run, torch.where(rising[order], 1, -1))
    flaws = torch.stack([~fine.all(), _copies(mesh).any(), unused.any(), balance.any()])
    return (flaws.long() << torch.arange(4, device=flaws.device)).sum()


def _copies(mesh: DeviceMesh) -> Tensor:
    """(F,) faces that repeat an earlier one, the same corners in the same turn."""
    a, b, c = mesh.faces.unbind(dim=1)
    lowest, count = mesh.faces.amin(dim=1), len(mesh.vertices)
    after = torch.where(a == lowest, b, torch.where(b == lowest, c, a))
    before = torch.where(a == lowest, c, torch.where(b == lowest, a, b))
    first = first_of_group(first_of_group(lowest * count + after) * count + before)
    return first != torch.arange(len(first), device=first.device)


def _without_small(mesh: DeviceMesh) -> DeviceMesh:
    """Edges up to the limit collapsed, flat faces flipped on the host or, where they cannot be, dropped."""
    finite = mesh.vertices.isfinite().all(dim=1, keepdim=True)
    whole = finite[:, 0][mesh.faces].all(dim=1)
    low = torch.where(finite, mesh.vertices, torch.inf).amin(dim=0)
    limit = SMALLEST * _diagonal(low, torch.where(finite, mesh.vertices, -torch.inf).amax(dim=0))
    start, end = mesh.faces.reshape(-1), mesh.faces.roll(-1, dims=1).reshape(-1)
    wide = torch.where(finite, mesh.vertices, 0).to(exact(mesh.device))
    squares = (wide[start] - wide[end]).square().sum(dim=1)
    short = waits.places((squares <= limit * limit) & whole.repeat_interleave(3), "short edges")
    group = connected_components(len(mesh.vertices), start[short], end[short], "chains of short edges")
    faces = group[mesh.faces]
    a, b, c = faces.unbind(dim=1)
    kept = waits.places(whole & (a != b) & (b != c) & (c != a), "faces that keep three corners")
    mesh = mesh.with_(faces=faces[kept])
    flat = _sizes(mesh)[1] <= limit
    if not waits.number(flat.any(), "whether faces are flat"):
        return compact(mesh)
    host = mesh.on_host("flat faces, which the host flips")
    height = float(waits.array(limit, "the height of flat faces"))
    faces = waits.sent(flip_flat(host.faces, host.vertices, height), mesh.device).long()
    mesh = mesh.with_(faces=faces)
    return compact(mesh.with_(faces=faces[waits.places(_sizes(mesh)[1] > limit, "faces with a height")]))


def _diagonal(low: Tensor, high: Tensor) -> Tensor:
    """Length of a box's diagonal."""
    wide = exact(low.device)
    return torch.linalg.vector_norm(high.to(wide) - low.to(wide))


def _sizes(mesh: DeviceMesh) -> tuple[Tensor, Tensor]:
    """(F,) shortest edge and (F,) height over the longest edge; 0 for a point."""
    a, b, c = mesh.corners()
    squares = torch.stack([(b - a).square().sum(1), (c - b).square().sum(1), (a - c).square().sum(1)])
    longest, normal = squares.amax(dim=0).sqrt(), torch.linalg.cross(b - a, c - b)
    height = torch.linalg.vector_norm(normal, dim=1) / torch.where(longest > 0, longest, 1)
    return squares.amin(dim=0).sqrt(), height


def _within(mesh: DeviceMesh, label: Tensor, largest: Tensor) -> Tensor:
    """(V,) by label: whether a part's box lies within that of the part ``largest``."""
    its = (label == largest)[:, None]
    low = torch.where(its, mesh.vertices, torch.inf).amin(dim=0)
    high = torch.where(its, mesh.vertices, -torch.inf).amax(dim=0)
    inside = ((mesh.vertices >= low) & (mesh.vertices <= high)).all(dim=1).long()
    # The largest part's own vertices are left out: so many writes to one place would wait for each other.
    where = torch.where(its[:, 0], torch.arange(len(label), device=label.device), label)
    return torch.ones_like(label).scatter_reduce(0, where, inside, "amin") > 0
