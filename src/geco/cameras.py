"""Cameras: poses, intrinsics, the six-view rigs of Zero123++, orbits and random viewpoints. numpy only.

Conventions (docs/conventions.md): world z up; a camera at azimuth 0 stands on +x, at 90 on +y; camera axes
x right, y up, looking along -z (OpenGL); angles in degrees; intrinsics normalised by the image size; pixel
(0, 0) is the top-left corner of the image, v grows downwards.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from geco.errors import ConfigError
from geco.types import Doubles, Floats

# InstantMesh's reconstructor looks at its six views from this distance with this field of view (its inference
# code).
INPUT_RADIUS = 4.0
INPUT_FOV = 30.0
NEAR, FAR = 0.1, 1000.0  # clip planes of InstantMesh's mesh renderer


@dataclass(frozen=True)
class Lens:
    """Of a camera that looks at the origin: field of view in degrees, and distance in world units."""

    fov: float = INPUT_FOV
    radius: float = INPUT_RADIUS


INPUT_LENS = Lens()


def look_at(position: ArrayLike, target: ArrayLike = (0.0, 0.0, 0.0)) -> Floats:
    """Camera-to-world matrices that look from ``position`` at ``target`` with world z up.

    Args:
        position: (..., 3) world units.
        target: (3,) world units.

    Returns:
        (..., 4, 4) float32. Straight above or below, the image's up is taken as world -x or +x.
    """
    eye = np.asarray(position, np.float64)
    backward = _unit(eye - np.asarray(target, np.float64))
    up = np.zeros_like(backward)
    up[..., 2] = 1.0
    poles = np.abs(backward[..., 2]) > 1 - 1e-9
    up[poles] = np.where(backward[poles][:, 2:] > 0, [-1.0, 0.0, 0.0], [1.0, 0.0, 0.0])
    right = _unit(np.cross(up, backward))
    c2w = np.zeros((*eye.shape[:-1], 4, 4))
    c2w[..., :3, 0] = right
    c2w[..., :3, 1] = np.cross(backward, right)
    c2w[..., :3, 2] = backward
    c2w[..., :3, 3] = eye
    c2w[..., 3, 3] = 1.0
    return c2w.astype(np.float32)


def orbit_poses(azimuths: ArrayLike, elevations: ArrayLike, radius: ArrayLike) -> Floats:
    """Camera-to-world matrices on spheres about the origin; arguments broadcast, degrees and
    world units; (..., 4, 4).
    """
    azimuth, elevation, distance = np.broadcast_arrays(
        np.radians(np.asarray(azimuths, np.float64)),
        np.radians(np.asarray(elevations, np.float64)),
        np.asarray(radius, np.float64),
    )
    planar = distance * np.cos(elevation)
    eye = np.stack(
        [planar * np.cos(azimuth), planar * np.sin(azimuth), distance * np.sin(elevation)], axis=-1
    )
    return look_at(eye)


def circular_poses(count: int, radius: float, elevation: float) -> Floats:
    """``count`` poses at azimuths 360 i / count, starting at 0: InstantMesh's turntable; (count, 4, 4)."""
    return orbit_poses(np.arange(count) * (360.0 / count), elevation, radius)


def random_poses(
    count: int,
    rng: np.random.Generator,
    elevation: tuple[float, float] = (-90.0, 90.0),
    radius: tuple[float, float] = (INPUT_RADIUS, INPUT_RADIUS),
) -> Floats:
    """Viewpoints uniform over the band of the sphere between two elevations (degrees); (count, 4, 4)."""
    low, high = np.sin(np.radians(elevation))
    elevations = np.degrees(np.arcsin(rng.uniform(low, high, count)))
    return orbit_poses(rng.uniform(0.0, 360.0, count), elevations, rng.uniform(*radius, count))


def intrinsics(fov: float) -> Doubles:
    """3x3 pinhole matrix normalised by the image size, for a square image of ``fov`` degrees,
    centre (0.5, 0.5).
    """
    if not 0.0 < fov < 180.0:
        raise ConfigError(f"field of view {fov} is not between 0 and 180 degrees", "Zero123++ v1.2 uses 30.")
    focal = 0.5 / np.tan(np.radians(fov) / 2)
    return np.array([[focal, 0.0, 0.5], [0.0, focal, 0.5], [0.0, 0.0, 1.0]])


def invert(c2w: ArrayLike) -> Floats:
    """World-to-camera matrices of rigid camera-to-world ones; (..., 4, 4)."""
    return np.linalg.inv(np.asarray(c2w, np.float64)).astype(np.float32)


def camera_vectors(c2w: ArrayLike, fov: float) -> Floats:
    """InstantMesh's 16 numbers a camera: 12 row-major entries of c2w, then fx, fy, cx, cy
    (normalised); (..., 16).
    """
    poses = np.asarray(c2w, np.float32)
    k = intrinsics(fov).astype(np.float32)
    flat = poses.reshape(*poses.shape[:-2], 16)[..., :12]
    lens = np.broadcast_to(np.array([k[0, 0], k[1, 1], k[0, 2], k[1, 2]], np.float32), (*flat.shape[:-1], 4))
    return np.concatenate([flat, lens], axis=-1)


def render_vectors(c2w: ArrayLike, fov: float) -> Floats:
    """InstantMesh's 25 numbers of a NeRF render camera (parity, see
    :mod:`geco.reconstruct.instantmesh.nerf`): c2w row-major, then normalised intrinsics row-major; (..., 25).
    """
    poses = np.asarray(c2w, np.float32)
    lens = np.broadcast_to(intrinsics(fov).astype(np.float32).reshape(9), (*poses.shape[:-2], 9))
    return np.concatenate([poses.reshape(*poses.shape[:-2], 16), lens], axis=-1)


def clip_matrix(fov: float, near: float = NEAR, far: float = FAR) -> Floats:
    """OpenGL perspective projection (y up in clip space) for a square image; (4, 4)."""
    focal = 1.0 / np.tan(np.radians(fov) / 2)
    return np.array(
        [
            [focal, 0, 0, 0],
            [0, focal, 0, 0],
            [0, 0, -(far + near) / (far - near), -2 * far * near / (far - near)],
            [0, 0, -1, 0],
        ],
        np.float32,
    )


def project_points(points: ArrayLike, c2w: ArrayLike, fov: float) -> tuple[Floats, Floats]:
    """Pinhole projection of world points.

    Args:
        points: (N, 3) world units.
        c2w: (..., 4, 4).
        fov: degrees.

    Returns:
        Image positions (..., N, 2) as (u, v) in [0, 1] of the image size, v downwards; depth along the
        viewing axis (..., N), positive in front of the camera.
    """
    w2c = invert(c2w)
    local = (
        np.einsum("...ij,nj->...ni", w2c[..., :3, :3], np.asarray(points, np.float32)) + w2c[..., None, :3, 3]
    )
    depth = -local[..., 2]
    focal = intrinsics(fov)[0, 0]
    u = focal * local[..., 0] / depth + 0.5
    v = 0.5 - focal * local[..., 1] / depth
    return np.stack([u, v], axis=-1).astype(np.float32), depth.astype(np.float32)


@dataclass(frozen=True)
class Rig:
    """A named set of views: azimuths relative to the input picture, absolute elevations
    (degrees), lens and distance.
    """

    name: str
    azimuths: tuple[float, ...]
    elevations: tuple[float, ...]
    fov: float
    radius: float = INPUT_RADIUS

    def poses(self, radius: float | None = None) -> Floats:
        """(V, 4, 4) camera-to-world."""
        return orbit_poses(self.azimuths, self.elevations, self.radius if radius is None else radius)

    def vectors(self) -> Floats:
        """(V, 16) conditioning cameras of InstantMesh."""
        return camera_vectors(self.poses(), self.fov)


_AZIMUTHS = (30.0, 90.0, 150.0, 210.0, 270.0, 330.0)  # Zero123++ README, both versions
# v1.2: elevations 20/-10 and FOV 30 (README). v1.1: 30/-20; its lens is 2 atan(16/35) = 49.13 degrees
# (zero123plus#68).
ZERO123PLUS_V12 = Rig("zero123plus-v1.2", _AZIMUTHS, (20.0, -10.0) * 3, fov=30.0)
ZERO123PLUS_V11 = Rig("zero123plus-v1.1", _AZIMUTHS, (30.0, -20.0) * 3, fov=49.13)
# The input camera alone, at the middle of the elevations that the small recipe trains with: what a regressor
# sees.
INPUT_ONLY = Rig("input", (0.0,), (10.0,), fov=INPUT_FOV)
RIGS = {rig.name: rig for rig in (ZERO123PLUS_V12, ZERO123PLUS_V11, INPUT_ONLY)}


def rig(name: str) -> Rig:
    """The rig of that name; raises :class:`ConfigError` naming the known ones."""
    if name not in RIGS:
        raise ConfigError(f"no camera rig is called {name!r}", f"Known rigs: {', '.join(RIGS)}.")
    return RIGS[name]


def _unit(vectors: Doubles) -> Doubles:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
