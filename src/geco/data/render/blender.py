"""The same cameras in Blender's Cycles: photo-realistic light, or our own simple light as an independent
check.

Needs the module ``bpy`` (extra ``blender``) in this very process; Blender keeps one global scene, which every
call replaces.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from geco.data.objects import TexturedObject
from geco.data.render import blender_scene
from geco.data.render.types import Cycles, Light, Views
from geco.data.render.views import NEAR_PLANE, checked
from geco.errors import MissingExtraError
from geco.images.color import to_bytes
from geco.types import Floats


def render_views(
    obj: TexturedObject,
    c2w: Floats,
    lenses: Floats,
    size: int,
    lights: list[Light] | Light | None = None,
    channels: Sequence[str] = ("rgba", "depth"),
    cycles: Cycles | None = None,
) -> Views:
    """As :func:`geco.data.render.render_views`, by Cycles on the CPU; the same arguments give the same
    pictures.

    Colour and coverage are averages of ``cycles.samples`` random samples a pixel; depth, normal and position
    are those of the pixel's centre (our own renderer: of the nearest of four samples). Normals are the
    faces', on the camera's side.

    Args:
        cycles: light, samples and threads; :class:`Cycles` by default.

    Raises:
        ConfigError: arguments of the wrong number or kind.
        MissingExtraError: bpy is not installed.
    """
    try:
        import bpy
    except ImportError as error:
        raise MissingExtraError("bpy", "blender", "rendering with Blender") from error
    c2w, lenses, each = checked(c2w, lenses, size, lights, channels)
    cycles = cycles or Cycles()
    studio, shape = cycles.studio, (len(c2w), size, size)
    views = Views(np.zeros((*shape, 4), np.uint8), np.zeros(shape, np.float32))
    scene = blender_scene.build(bpy, obj, size, cycles.threads, NEAR_PLANE)
    with tempfile.TemporaryDirectory(prefix="geco-blender-") as folder:
        shoot = _Camera(bpy, scene, Path(folder), c2w, lenses)
        if studio is None:
            scene.flat_materials(obj)
        else:
            scene.studio(obj, studio)
        scene.set_sampling(cycles.samples, bounces=0 if studio is None else 4)
        for index, light in enumerate(each):
            if studio is None:
                scene.set_light(light)
            views.rgba[index] = _to_bytes(shoot(index), linear=studio is not None)
        _add_surface(views, scene, obj, shoot, channels)
    return views


def _add_surface(
    views: Views, scene: blender_scene.Scene, obj: TexturedObject, shoot: _Camera, channels: Sequence[str]
) -> None:
    """Depth and, where they are asked for, positions and normals: colours of one sample a pixel."""
    scene.set_sampling(1, bounces=0)
    scene.geometry_materials(obj, "position")
    positions = np.stack([shoot(index) for index in range(len(shoot.c2w))])
    hit = positions[..., 3] > 0.5
    world = blender_scene.decode(positions[..., :3])
    backward, eye = shoot.c2w[:, :3, 2], shoot.c2w[:, :3, 3]
    along = np.einsum("nhwc,nc->nhw", world - eye[:, None, None], -backward)
    views.depth = np.where(hit, along, 0).astype(np.float32)
    if "position" in channels:
        views.position = np.where(hit[..., None], world, 0).astype(np.float32)
    if "normal" in channels:
        scene.geometry_materials(obj, "normal")
        normal = blender_scene.decode(np.stack([shoot(index) for index in range(len(shoot.c2w))])[..., :3])
        normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-12)
        views.normal = np.where(hit[..., None], normal, 0).astype(np.float32)


class _Camera:
    """Renders view by view; a call returns (S, S, 4) float32, top row first, colours multiplied by alpha."""

    def __init__(
        self, bpy: Any, scene: blender_scene.Scene, folder: Path, c2w: Floats, lenses: Floats
    ) -> None:
        self.bpy, self.scene, self.folder, self.c2w, self.lenses = bpy, scene, folder, c2w, lenses

    def __call__(self, index: int) -> Floats:
        self.scene.aim(self.c2w[index], self.lenses[index])
        path = self.folder / "picture.exr"
        self.scene.scene.render.filepath = str(path)
        with _quiet():
            self.bpy.ops.render.render(write_still=True)
        picture = self.bpy.data.images.load(str(path), check_existing=False)
        try:
            size = picture.size[0]
            values = np.empty(size * size * 4, np.float32)
            picture.pixels.foreach_get(values)
        finally:
            self.bpy.data.images.remove(picture)
        return values.reshape(size, size, 4)[::-1]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Blender writes a line a picture to the process's standard output, past Python."""
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        with open(os.devnull, "w") as nothing:
            os.dup2(nothing.fileno(), 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _to_bytes(picture: Floats, linear: bool) -> np.ndarray:
    """(S, S, 4) colours times alpha -> uint8 sRGB with straight alpha."""
    alpha = picture[..., 3:].clip(0, 1)
    color = picture[..., :3] / np.maximum(alpha, 1e-6)
    if linear:
        color = np.where(
            color <= 0.0031308, 12.92 * color, 1.055 * np.maximum(color, 0.0031308) ** (1 / 2.4) - 0.055
        )
    both = np.concatenate([np.where(alpha > 0, color, 0).clip(0, 1), alpha], axis=-1)
    return to_bytes(both)
