"""The small recipe's cameras: inputs on a grid of 30 degrees, so that 24 targets serve the six views of every
input.

12 x 2 targets (elevations 20 and -10), 12 further views from where the targets never look, and two input
pictures an azimuth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from geco.cameras import INPUT_FOV, INPUT_RADIUS, orbit_poses
from geco.data.objects import TexturedObject
from geco.data.render import Light, frame_to_fill, lens
from geco.types import Doubles, Floats

# azimuths, elevations, distances
Angles = tuple[Doubles, Doubles, Doubles]
Made = tuple[Angles, Floats, Floats, list[Light]]  # angles, c2w, lenses, lights

AZIMUTHS = 12  # every 30 degrees
TARGET_ELEVATIONS = (20.0, -10.0)  # rig zero123plus-v1.2
# (elevation, azimuth) in degrees: where the twelve rings of targets never look; supervision of the
# reconstructor
EXTRA_CAMERAS = (
    *((60.0, azimuth) for azimuth in (0.0, 90.0, 180.0, 270.0)),
    *((-50.0, azimuth) for azimuth in (45.0, 135.0, 225.0, 315.0)),
    (89.9, 0.0),
    (-89.9, 0.0),
    (5.0, 15.0),
    (5.0, 195.0),
)
INPUT_ELEVATIONS = (-10.0, 30.0)
INPUT_DISTANCES = (2.5, 6.0)  # perspective of real photos varies; framing does not, see FOREGROUND_RATIO
INPUTS_PER_AZIMUTH = 2
# longer side of the object's box in the condition picture; pictures must be prepared with the same
FOREGROUND_RATIO = 0.85


@dataclass(frozen=True)
class GridSet:
    """A set of the small recipe; ``make(obj, rng)`` gives its cameras."""

    count: int
    fixed: bool
    make: Callable[[TexturedObject, np.random.Generator], Made]


def target_cameras() -> Made:
    """24 views: twelve azimuths at elevation 20, then twelve at -10."""
    azimuths = np.tile(_azimuths(), len(TARGET_ELEVATIONS))
    return _plain(azimuths, np.repeat(TARGET_ELEVATIONS, AZIMUTHS))


def extra_cameras() -> Made:
    """12 views from above, below and between."""
    elevations, azimuths = np.array(EXTRA_CAMERAS).T
    return _plain(azimuths, elevations)


def input_cameras(obj: TexturedObject, rng: np.random.Generator) -> Made:
    """24 condition pictures, two an azimuth, framed as prepared photos are.

    Order of the draws: all elevations, all distances, then light by light.
    """
    azimuths = np.repeat(_azimuths(), INPUTS_PER_AZIMUTH)
    elevations, distances = (
        rng.uniform(*bounds, len(azimuths)) for bounds in (INPUT_ELEVATIONS, INPUT_DISTANCES)
    )
    lights = [random_light(rng) for _ in azimuths]
    poses = orbit_poses(azimuths, elevations, distances)
    return (azimuths, elevations, distances), poses, frame_to_fill(obj, poses, FOREGROUND_RATIO), lights


def random_light(rng: np.random.Generator) -> Light:
    """Ambient plus one lamp from the upper hemisphere; total strength around 1, so that pictures
    neither drown nor burn.
    """
    direction = rng.normal(size=3)
    direction[2] = abs(direction[2]) + 0.2
    direction /= np.linalg.norm(direction)
    diffuse = rng.uniform(0.0, 0.6)
    ambient = rng.uniform(0.85, 1.05) - 0.55 * diffuse
    return Light(
        ambient,
        rng.uniform(0.0, 0.2),
        diffuse,
        (float(direction[0]), float(direction[1]), float(direction[2])),
    )


def _azimuths() -> Doubles:
    return np.arange(AZIMUTHS, dtype=np.float64) * (360.0 / AZIMUTHS)


def _plain(azimuths: Doubles, elevations: Doubles) -> Made:
    distances = np.full(len(azimuths), INPUT_RADIUS)
    poses = orbit_poses(azimuths, elevations, distances)
    return (azimuths, elevations, distances), poses, lens(INPUT_FOV, len(poses)), [Light()] * len(poses)


SETS = {
    "grid-targets": GridSet(AZIMUTHS * len(TARGET_ELEVATIONS), True, lambda obj, rng: target_cameras()),
    "grid-extra": GridSet(len(EXTRA_CAMERAS), True, lambda obj, rng: extra_cameras()),
    "grid-inputs": GridSet(AZIMUTHS * INPUTS_PER_AZIMUTH, False, input_cameras),
}
