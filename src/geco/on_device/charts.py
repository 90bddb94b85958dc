"""Cut a surface into charts on a device, as `mesh.uv_charts` does: connected patches that all face one
direction, few of them small.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from geco.mesh.uv_charts import BLUR_ROUNDS, MAJORITY_ROUNDS, MERGE_ROUNDS, SMALL_SHARE, STEEPEST
from geco.on_device import waits
from geco.on_device.clean import edge_runs
from geco.on_device.groups import Summands, connected_neighbours, group_counts, numbered, sorted_runs
from geco.on_device.types import DeviceMesh

_TRIES = 2  # own choice: neighbours that a small chart asks in a round, the one with most border first


@dataclass
class Charts:
    """A partition of the faces.

    Attributes:
        of_face: (F,) chart number 0..C-1.
        directions: (C, 3) unit vectors to project along.
    """

    of_face: Tensor
    directions: Tensor


@dataclass
class Surface:
    """What cutting asks of a mesh, in the device's widest float.

    Attributes:
        normals: (F, 3) unit vectors, 0 for faces without area. areas: (F,).
        steepest: (F,) cosine above which a face fits a direction; without area it fits any.
        neighbours: (F, 3) the face across each edge; a border gives the face itself.
        summands: areas and normals times areas, (F, 4).
    """

    normals: Tensor
    steepest: Tensor
    areas: Tensor
    neighbours: Tensor
    summands: Summands

    @classmethod
    def of(cls, mesh: DeviceMesh) -> Surface:
        a, b, c = mesh.corners()
        normals = torch.linalg.cross(b - a, c - a)
        double = torch.linalg.vector_norm(normals, dim=1)
        extent = (mesh.vertices.amax(dim=0) - mesh.vertices.amin(dim=0)).amax().to(double.dtype)
        solid = double > 1e-14 * extent.square()  # thinner faces have only rounding for a normal
        normals = torch.where(solid[:, None], normals / torch.where(solid, double, 1)[:, None], 0)
        areas = torch.where(solid, double / 2, 0)
        summands = Summands.of(torch.cat([areas[:, None], normals * areas[:, None]], dim=1))
        steepest = torch.where(solid, STEEPEST, -torch.inf)
        return cls(normals, steepest, areas, neighbours_of(mesh.faces, len(mesh.vertices)), summands)


def neighbours_of(faces: Tensor, count: int) -> Tensor:
    """(F, 3) the face across each edge that exactly two faces use, in opposite directions; else itself."""
    order, run, rising = edge_runs(faces, count)
    place = torch.arange(len(order), device=faces.device)
    first = torch.full_like(run, len(order)).scatter_reduce(0, run, place, "amin")[run]
    falls = torch.zeros_like(run).index_add_(0, run, (~rising[order]).long())[run]
    paired = (group_counts(run, len(run))[run] == 2) & (falls == 1)
    partner = order[torch.where(paired, 2 * first + 1 - place, place)]
    across = torch.empty_like(order)
    across[order] = torch.div(partner, 3, rounding_mode="floor")
    return across.reshape(-1, 3)


def segment(surface: Surface) -> Charts:
    """Charts of a surface."""
    labels = _majority(_axis_labels(surface), surface)
    charts = joined(labels[surface.neighbours] == labels[:, None], surface, "charts")
    first = torch.full((charts.count,), len(labels), dtype=torch.long, device=labels.device)
    faces = torch.arange(len(labels), device=labels.device)
    first = first.scatter_reduce(0, charts.of_face, faces, "amin")
    aimed = _aimed(Charts(charts.of_face, _axes(surface.normals)[labels[first]]), surface)
    return _merge_small(aimed, surface)


@dataclass
class Parts:
    """Numbers 0..count-1 of connected faces (F,)."""

    of_face: Tensor
    count: int


def joined(same: Tensor, surface: Surface, name: str) -> Parts:
    """Parts of the surface: faces joined over the edges where ``same`` (F, 3) holds on both sides."""
    own = torch.arange(len(same), device=same.device)[:, None]
    label = connected_neighbours(torch.where(same, surface.neighbours, own), name)
    of_face, count = numbered(label)
    return Parts(of_face, waits.number(count, f"number of {name}"))


def _axes(like: Tensor) -> Tensor:
    """(6, 3) x, y, z and their opposites."""
    axes = torch.eye(3, dtype=like.dtype, device=like.device)
    return torch.cat([axes, -axes])


def _axis_labels(surface: Surface) -> Tensor:
    """The axis nearest to each face's blurred normal, or to its own normal where that axis would be too
    steep.
    """
    blurred = surface.normals * surface.areas[:, None]
    for _ in range(BLUR_ROUNDS):
        blurred = blurred + blurred[surface.neighbours].sum(dim=1)
    labels = _nearest_axis(blurred)
    fits = _fits(surface, _axes(blurred)[labels])
    return torch.where(fits, labels, _nearest_axis(surface.normals))


def _nearest_axis(vectors: Tensor) -> Tensor:
    axis = vectors.abs().argmax(dim=1, keepdim=True)
    return (axis + 3 * (vectors.gather(1, axis) < 0))[:, 0]


def _majority(labels: Tensor, surface: Surface) -> Tensor:
    """Faces with two neighbours of one other label join them, where that does not make them too steep."""
    axes = _axes(surface.normals)
    for _ in range(MAJORITY_ROUNDS):
        a, b, c = labels[surface.neighbours].unbind(dim=1)
        winner = torch.where((a == b) | (a == c), a, torch.where(b == c, b, labels))
        labels = torch.where(_fits(surface, axes[winner]), winner, labels)
    return labels


def _fits(surface: Surface, directions: Tensor) -> Tensor:
    return (surface.normals * directions).sum(dim=1) > surface.steepest


def _aimed(charts: Charts, surface: Surface) -> Charts:
    """Charts turned to their mean normal, where no face of theirs becomes too steep by that."""
    count = len(charts.directions)
    mean = surface.summands.sums(charts.of_face, count)[:, 1:]
    length = torch.linalg.vector_norm(mean, dim=1, keepdim=True)
    mean = torch.where(length > 0, mean / torch.where(length > 0, length, 1), charts.directions)
    spoiled = _any_face(~_fits(surface, mean[charts.of_face]), charts.of_face, count)
    return Charts(charts.of_face, torch.where(spoiled[:, None], charts.directions, mean))


def _any_face(marked: Tensor, of_face: Tensor, count: int) -> Tensor:
    """(C,) charts with a marked face; the unmarked write to a place of their own that nobody reads."""
    found = torch.zeros(count + 1, dtype=torch.bool, device=marked.device)
    return found.index_fill_(0, torch.where(marked, of_face, count), True)[:-1]


def _merge_small(charts: Charts, surface: Surface) -> Charts:
    """Small charts join the neighbour that they share most border with, of those whose direction fits all of
    their faces.
    """
    for _ in range(MERGE_ROUNDS):
        target = _targets(charts, surface)
        own = torch.arange(len(target), device=target.device)
        # Who joins one that moves itself waits a round.
        target = torch.where(target[target] == target, target, own)
        if not waits.number((target != own).any(), "whether charts merge"):
            break
        charts = _aimed(Charts(target[charts.of_face], charts.directions), surface)
    used = group_counts(charts.of_face, len(charts.directions)) > 0
    kept = waits.places(used, "charts that are left")
    return Charts((torch.cumsum(used, dim=0) - 1)[charts.of_face], charts.directions[kept])


def _targets(charts: Charts, surface: Surface) -> Tensor:
    """(C,) the chart that each wants to join, itself for most."""
    of_face, count = charts.of_face, len(charts.directions)
    own = torch.arange(count, device=of_face.device)
    sizes = surface.summands.sums(of_face, count)[:, 0]
    one = of_face[:, None].expand(-1, 3).reshape(-1)
    two = of_face[surface.neighbours].reshape(-1)
    # The larger takes the smaller; equal sizes go by number, so that no two charts take each other.
    smaller = (sizes[one] < sizes[two]) | ((sizes[one] == sizes[two]) & (one > two))
    useful = (one != two) & smaller & (sizes[one] < SMALL_SHARE * sizes.sum())
    # Edges within charts get keys and places of their own: many writes to one would wait for each other.
    apart = torch.arange(len(one), device=one.device)
    order, run = sorted_runs(torch.where(useful, one * count + two, count * count + apart))
    # A border of two charts is a run of its edges; what counts is its length, then the larger chart's number.
    edges = group_counts(run, len(run))[run]
    small = torch.where(useful, one, count + apart)[order]
    value = torch.where(useful[order], edges * count + two[order], -1)
    target = own
    for _ in range(_TRIES):
        best = torch.full((count + len(one),), -1, dtype=torch.long, device=own.device)
        best = best.scatter_reduce(0, small, value, "amax")
        wanted = torch.where(best[:count] >= 0, best[:count] % count, own)
        fits = ~_any_face(~_fits(surface, charts.directions[wanted[of_face]]), of_face, count)
        target = torch.where((target == own) & fits, wanted, target)
        value = torch.where(value == best[small], -1, value)
    return target
