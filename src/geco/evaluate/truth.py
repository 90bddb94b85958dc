"""What an evaluated object really looks like: its input picture, its views and its surface."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geco.cameras import INPUT_FOV, INPUT_RADIUS, ZERO123PLUS_V12, Rig, circular_poses, orbit_poses
from geco.data.objects import Limits, ObjectSource, TexturedObject
from geco.data.render import lens, render_views
from geco.images.color import over_white
from geco.types import Bytes, Floats, Ints

INPUT_SIZE = 512  # paper.md, evaluation protocol: input of 512 px at elevation 0, azimuth 0
SET_B = 15  # even azimuths at elevation 0: the paper's set B


@dataclass(frozen=True)
class CameraSet:
    """The poses (N, 4, 4) and the field of view of one set."""

    poses: Floats
    fov: float


def camera_sets() -> dict[str, CameraSet]:
    """``input``: the input's own camera; ``A``: the six poses of Zero123++ v1.2; ``B``: 15 even
    azimuths at elevation 0.
    """
    return {
        "input": CameraSet(orbit_poses([0.0], 0.0, INPUT_RADIUS), INPUT_FOV),
        "A": CameraSet(ZERO123PLUS_V12.poses(), ZERO123PLUS_V12.fov),
        "B": CameraSet(circular_poses(SET_B, INPUT_RADIUS, 0.0), INPUT_FOV),
    }


@dataclass
class Truth:
    """One object, rendered.

    Attributes:
        key: its name in rows and files.
        names: what a mesh made of it elsewhere may be called, see :class:`geco.data.objects.ObjectSource`.
        object: normalised, world space.
        input: (512, 512, 4) uint8, straight alpha.
        views: by set, (N, S, S, 4) uint8 at the evaluation's size.
    """

    key: str
    names: tuple[str, ...]
    object: TexturedObject
    input: Bytes
    views: dict[str, Bytes]

    @property
    def mesh(self) -> tuple[Floats, Ints]:
        """(vertices (V, 3), faces (F, 3))."""
        return self.object.vertices, self.object.faces

    def rig_views(self, rig: Rig, size: int) -> Bytes:
        """A rig's six views at another size, (6, size, size, 4) uint8."""
        return render_views(self.object, rig.poses(), lens(rig.fov, len(rig.azimuths)), size).rgba


def make_truth(source: ObjectSource, size: int, sets: tuple[str, ...], limits: Limits | None = None) -> Truth:
    """Load and render, with the light of the training targets.

    Args:
        sets: which of :func:`camera_sets` at ``size`` pixels.
        limits: of the object.

    Raises:
        ObjectError: the object cannot be used.
    """
    obj = source.load(limits)
    cameras = camera_sets()
    shot = render_views(obj, cameras["input"].poses, lens(INPUT_FOV, 1), INPUT_SIZE).rgba[0]
    poses = np.concatenate([cameras[name].poses for name in sets])
    lenses = np.concatenate([lens(cameras[name].fov, len(cameras[name].poses)) for name in sets])
    rendered = render_views(obj, poses, lenses, size).rgba
    ends = np.cumsum([len(cameras[name].poses) for name in sets])
    return Truth(
        source.key, source.names or (source.key,), obj, shot, dict(zip(sets, np.split(rendered, ends[:-1])))
    )


def on_white(rgba: Bytes | Floats) -> tuple[Floats, Floats]:
    """Straight RGBA (..., H, W, 4) -> colours over white (..., H, W, 3) and coverage (..., H, W),
    float32 in [0, 1].
    """
    coverage = rgba[..., 3].astype(np.float32)
    return over_white(rgba), coverage / np.float32(255) if rgba.dtype == np.uint8 else coverage
