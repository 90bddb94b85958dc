"""What hangs together in the picture hangs together in the surface: rods between parts that touch each other
in the picture and not in depth. numpy only.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from geco.mesh.components import component_labels
from geco.mesh.types import Mesh
from geco.photo.input_camera import InputCamera
from geco.render.fragments import Fragments
from geco.types import Bools, Doubles, Floats

FARTHEST = 0.6  # own choice, world units (the object is 1.9 across): parts further apart are two things
THICKNESS = 1.0  # cells: half of a rod's; what is thinner than 0.8 falls through the grid
BESIDE = 4  # pixels: parts so near each other touch, with a line of the outline between that was lost
SMALLEST = 4  # pixels: parts that show less are left to the cleaning


class Rod(NamedTuple):
    """A round piece of material between two world points (3,)."""

    start: Doubles
    end: Doubles


def bridges(mesh: Mesh, seen: Fragments, camera: InputCamera, wanted: Bools, deep: float) -> list[Rod]:
    """The rods that join every part of the mesh that the picture shows to the others beside it, each where
    they come nearest in depth, as few as that takes.

    Args:
        seen: the mesh through the camera, (S, S).
        wanted: (S, S) where the picture shows the object.
        deep: world units behind the surface that the rods end.
    """
    label = component_labels(mesh)
    size = len(wanted)
    part = np.where(seen.mask & wanted, label.take(np.maximum(seen.face_ids, 0)), -1)
    shown = np.bincount(part[part >= 0], minlength=int(label.max(initial=0)) + 1) >= SMALLEST
    if np.count_nonzero(shown) < 2:
        return []
    part = np.where(shown.take(np.maximum(part, 0)) & (part >= 0), part, -1).reshape(-1)
    number = np.arange(size * size).reshape(size, size)
    steps = range(1, BESIDE + 1)
    one, two = (
        np.concatenate([ends.reshape(-1) for ends in sides])
        for sides in (
            [number[:, :-k] for k in steps] + [number[:-k] for k in steps],
            [number[:, k:] for k in steps] + [number[k:] for k in steps],
        )
    )
    meet = (part[one] != part[two]) & (part[one] >= 0) & (part[two] >= 0)
    one, two = one[meet], two[meet]
    depth = seen.depth.reshape(-1)
    gap = np.abs(depth[one] - depth[two])
    root = {int(name): int(name) for name in np.flatnonzero(shown)}
    found: list[Rod] = []
    for pair in np.argsort(gap, kind="stable"):
        if gap[pair] > FARTHEST:
            break
        ends = [_root(root, int(part[at[pair]])) for at in (one, two)]
        if ends[0] != ends[1]:
            root[ends[0]] = ends[1]
            places = [_place(camera, int(at[pair]), float(depth[at[pair]]) + deep, size) for at in (one, two)]
            found.append(Rod(*places))
    return found


def with_rods(volume: Floats, half_extent: float, rods: list[Rod]) -> Floats:
    """A copy of the signed distance (R + 1, R + 1, R + 1) with the rods."""
    volume, count = volume.copy(), len(volume)
    axis = np.linspace(-half_extent, half_extent, count)
    cell = 2 * half_extent / (count - 1)
    for rod in rods:
        low, high = np.minimum(rod.start, rod.end) - 3 * cell, np.maximum(rod.start, rod.end) + 3 * cell
        spans = [slice(*np.searchsorted(axis, (a, b))) for a, b in zip(low, high)]
        places = np.stack(np.meshgrid(*(axis[span] for span in spans), indexing="ij"), axis=-1)
        along = rod.end - rod.start
        share = np.clip(((places - rod.start) @ along) / max(float(along @ along), 1e-12), 0, 1)
        away = np.linalg.norm(places - rod.start - share[..., None] * along, axis=-1)
        part = volume[tuple(spans)]
        np.minimum(part, (away - THICKNESS * cell).astype(np.float32), out=part)
    return volume


def _root(root: dict[int, int], name: int) -> int:
    while root[name] != name:
        name = root[name]
    return name


def _place(camera: InputCamera, pixel: int, depth: float, size: int) -> Doubles:
    """(3,) the world point in the middle of a pixel of (size, size), so far along the viewing axis."""
    row, column = divmod(pixel, size)
    half = np.tan(np.radians(camera.fov / 2)) * depth
    right = ((column + 0.5) / size - 0.5 - camera.offset[0]) / camera.scale * 2 * half
    down = ((row + 0.5) / size - 0.5 - camera.offset[1]) / camera.scale * 2 * half
    pose = np.asarray(camera.c2w, np.float64)
    return np.asarray(pose[:3, :3] @ np.array([right, -down, -depth]) + pose[:3, 3])
