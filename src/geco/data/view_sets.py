"""Named sets of views: which cameras and lights an object is rendered with.

| name | views | cameras |
|---|---|---|
| ``condition[-N]`` | N (1) | GECO's Stage I: any viewpoint, FOV 49.1, 1.5 longest sides of the object away |
| ``condition-instantmesh[-N]`` | N (1) | InstantMesh's fine-tune of Zero123++: elevation -20 to 45, distance
2.5 to 5.0 | | ``zero123plus-v1.2``, ``-v1.1`` | 6 | the targets of an input at azimuth 0 (geco.cameras) | |
``pairs-N``, ``pairs-instantmesh-N`` | 7 N | N condition views, each followed by its own six v1.2 targets | |
``random-N`` | N | uniform over the sphere, distance 4.0, FOV 30 | | ``orbit-N`` | N | elevation 0, even
azimuths from 0, distance 4.0, FOV 30; ``orbit-15`` is evaluation set B | | ``grid-targets``, ``grid-extra``,
``grid-inputs`` | 24, 12, 24 | the small recipe's (geco.data.grid_views) |

Objects lie within a sphere of radius 0.95 about the origin, and no set lets the frame cut anything off: a rig
at distance 4.0 with FOV 30 sees a sphere of 1.035, FOV 50 at 2.5 one of 1.057. Only ``condition`` can be too
close (a cube's corners at 1.5 sides need 70.5 degrees): that camera steps back along its axis just until
every vertex is in the frame; the facts hold both distances.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from geco.cameras import INPUT_FOV, INPUT_RADIUS, RIGS, ZERO123PLUS_V12, orbit_poses
from geco.data import grid_views
from geco.data.objects import TexturedObject
from geco.data.render import Light, lens
from geco.errors import ConfigError
from geco.types import Doubles, Floats

CONDITION_FOV = 49.1  # GECO, Stage I data
CONDITION_SIDES = 1.5  # GECO: radius in units of an object of longest side 1
# InstantMesh's authors, github.com/TencentARC/InstantMesh issue 114; azimuth 0 to 360
INSTANTMESH_ELEVATIONS = (-20.0, 45.0)
INSTANTMESH_DISTANCES = (2.5, 5.0)  # the same place
# not stated there; their own renders of objects within [-1, 1] (issue 13). FOV 30 would cut objects at 2.5
INSTANTMESH_FOV = 50.0
FRAME_MARGIN = 0.98  # part of the half frame that a camera which steps back may fill
MOST_VIEWS = 1000


@dataclass(frozen=True)
class Cameras:
    """The cameras of one object.

    Attributes:
        c2w: (N, 4, 4) camera-to-world.
        lenses: (N, 3) focal length, cx, cy, normalised by the image size.
        lights: N.
        facts: N plain dicts: azimuth, elevation, fov (degrees), distance (world units), light; a few sets add
            more.
    """

    c2w: Floats
    lenses: Floats
    lights: list[Light]
    facts: list[dict[str, Any]]


@dataclass(frozen=True)
class ViewSet:
    """A named set.

    Attributes:
        name: as given to :func:`view_set`.
        count: views of an object.
        fixed: the same cameras for every object; neither the object nor the random numbers are used.
    """

    name: str
    count: int
    fixed: bool
    _make: Callable[[TexturedObject, np.random.Generator], Cameras]

    def cameras(self, obj: TexturedObject, rng: np.random.Generator) -> Cameras:
        """The cameras of ``obj``; random sets draw from ``rng`` (see :func:`view_rng`) always in
        the same order.
        """
        return self._make(obj, rng)

    def __reduce__(self) -> tuple[Callable[[str], ViewSet], tuple[str]]:
        """Travels to other processes by name."""
        return view_set, (self.name,)


def view_set(name: str) -> ViewSet:
    """The set of that name; raises :class:`ConfigError` naming the known ones."""
    found = re.fullmatch(
        r"(condition|condition-instantmesh|random|orbit|pairs|pairs-instantmesh)(?:-(\d{1,4}))?", name
    )
    if found:
        kind, number = found[1], found[2]
        count = int(number or 1)
        if (number or kind.startswith("condition")) and 1 <= count <= MOST_VIEWS:
            return _counted(name, kind, count)
    elif name in RIGS:
        rig = RIGS[name]
        return ViewSet(
            name,
            len(rig.azimuths),
            True,
            lambda obj, rng: _around(rig.azimuths, rig.elevations, rig.radius, rig.fov),
        )
    elif name in grid_views.SETS:
        grid = grid_views.SETS[name]
        return ViewSet(name, grid.count, grid.fixed, lambda obj, rng: _from_grid(*grid.make(obj, rng)))
    raise ConfigError(
        f"no view set is called {name!r}",
        "Known sets: condition[-N], condition-instantmesh[-N], pairs-N, pairs-instantmesh-N, random-N, "
        "orbit-N "
        f"(N up to {MOST_VIEWS}), {', '.join([*RIGS, *grid_views.SETS])}.",
    )


def view_rng(seed: int, name: str, set_name: str) -> np.random.Generator:
    """Random numbers of one set of one object, independent of other sets and objects.

    Args:
        name: the object's identity (:class:`geco.data.objects.ObjectSource`): its path below the folder that
            was given, ending included. In a flat folder that is the file's name, which the first training
            data of the small recipe were seeded by, ``grid-inputs`` by (seed, name) alone; so those pictures
            can be made again.
    """
    words = [seed, _hash(name)]
    return np.random.default_rng(words if set_name in grid_views.SETS else [*words, _hash(set_name)])


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "little")


def _counted(name: str, kind: str, count: int) -> ViewSet:
    if kind == "orbit":
        azimuths = np.arange(count) * (360.0 / count)
        return ViewSet(name, count, True, lambda obj, rng: _around(azimuths, 0.0, INPUT_RADIUS, INPUT_FOV))
    if kind == "random":
        return ViewSet(
            name, count, False, lambda obj, rng: _around(*_on_sphere(rng, count), INPUT_RADIUS, INPUT_FOV)
        )
    condition = _instantmesh_condition if kind.endswith("instantmesh") else _geco_condition
    if kind.startswith("pairs"):
        targets = len(ZERO123PLUS_V12.azimuths)
        return ViewSet(
            name, count * (1 + targets), False, lambda obj, rng: _pairs(condition(obj, rng, count))
        )
    return ViewSet(name, count, False, lambda obj, rng: condition(obj, rng, count))


def _geco_condition(obj: TexturedObject, rng: np.random.Generator, count: int) -> Cameras:
    azimuths, elevations = _on_sphere(rng, count)
    lights = [grid_views.random_light(rng) for _ in range(count)]
    used = obj.vertices[np.unique(obj.faces)]
    named = CONDITION_SIDES * float(np.ptp(used, axis=0).max())
    needed = clear_distances(used, orbit_poses(azimuths, elevations, 1.0), CONDITION_FOV)
    cameras = _around(azimuths, elevations, np.maximum(named, needed), CONDITION_FOV, lights)
    for fact in cameras.facts:
        fact["named_distance"] = named
    return cameras


def _instantmesh_condition(obj: TexturedObject, rng: np.random.Generator, count: int) -> Cameras:
    azimuths = rng.uniform(0.0, 360.0, count)
    elevations, distances = (
        rng.uniform(*INSTANTMESH_ELEVATIONS, count),
        rng.uniform(*INSTANTMESH_DISTANCES, count),
    )
    lights = [grid_views.random_light(rng) for _ in range(count)]
    return _around(azimuths, elevations, distances, INSTANTMESH_FOV, lights)


def _pairs(condition: Cameras) -> Cameras:
    """Condition views, each followed by its six targets: relative azimuths, absolute elevations,
    the plain light.
    """
    rig, merged = (
        ZERO123PLUS_V12,
        Cameras(np.zeros((0, 4, 4), np.float32), np.zeros((0, 3), np.float32), [], []),
    )
    for index, fact in enumerate(condition.facts):
        targets = _around(
            (np.array(rig.azimuths) + fact["azimuth"]) % 360, rig.elevations, rig.radius, rig.fov
        )
        merged = Cameras(
            np.concatenate([merged.c2w, condition.c2w[index : index + 1], targets.c2w]),
            np.concatenate([merged.lenses, condition.lenses[index : index + 1], targets.lenses]),
            [*merged.lights, condition.lights[index], *targets.lights],
            [
                *merged.facts,
                {**fact, "pair": index, "role": "condition"},
                *({**target, "pair": index, "role": "target"} for target in targets.facts),
            ],
        )
    return merged


def clear_distances(points: Floats, c2w: Floats, fov: float) -> Doubles:
    """How far from the origin each camera must stand, keeping its orientation, for every point
    (V, 3) to be in the frame; (N,).
    """
    local = points.astype(np.float64) @ c2w[:, :3, :3]  # (N, V, 3): right, up, toward the camera
    half = FRAME_MARGIN * np.tan(np.radians(fov) / 2)
    distances: Doubles = (np.abs(local[..., :2]).max(axis=-1) / half + local[..., 2]).max(axis=1)
    return distances


def _on_sphere(rng: np.random.Generator, count: int) -> tuple[Doubles, Doubles]:
    """Azimuths and elevations of viewpoints uniform over the sphere."""
    return rng.uniform(0.0, 360.0, count), np.degrees(np.arcsin(rng.uniform(-1.0, 1.0, count)))


def _around(
    azimuths: ArrayLike,
    elevations: ArrayLike,
    distances: ArrayLike,
    fov: float,
    lights: list[Light] | None = None,
) -> Cameras:
    """Cameras that look at the origin through a centred lens; the plain light unless others are given."""
    columns = np.broadcast_arrays(
        *(np.asarray(values, np.float64) for values in (azimuths, elevations, distances))
    )
    poses = orbit_poses(*columns)
    lights = lights or [Light()] * len(poses)
    facts = [_fact(angles, fov, light) for angles, light in zip(zip(*columns), lights)]
    return Cameras(poses, lens(fov, len(poses)), lights, facts)


def _from_grid(angles: grid_views.Angles, poses: Floats, lenses: Floats, lights: list[Light]) -> Cameras:
    fovs = np.degrees(2 * np.arctan(0.5 / lenses[:, 0].astype(np.float64)))
    facts = [_fact(each, fov, light) for each, fov, light in zip(zip(*angles), fovs, lights)]
    return Cameras(poses, lenses, lights, facts)


def _fact(angles: tuple[float, ...], fov: float, light: Light) -> dict[str, Any]:
    azimuth, elevation, distance = (float(value) for value in angles)
    strengths = {name: float(getattr(light, name)) for name in ("ambient", "hemisphere", "diffuse")}
    return {
        "azimuth": azimuth,
        "elevation": elevation,
        "distance": distance,
        "fov": round(float(fov), 6),
        "light": {**strengths, "direction": [float(c) for c in light.direction]},
    }
