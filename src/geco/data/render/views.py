"""All views of one object: our own renderer, the default."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from geco.data.objects import TexturedObject
from geco.data.render.framing import to_camera
from geco.data.render.kernels import SUPERSAMPLE, kernel
from geco.data.render.near import cut
from geco.data.render.occlusion import AmbientOcclusion, OcclusionMaps, darken
from geco.data.render.textures import mipmaps
from geco.data.render.types import CHANNELS, Light, Views
from geco.errors import ConfigError, MeshError
from geco.types import Floats

NEAR_PLANE = 0.01  # world units; everything closer to the camera's plane, or behind it, is cut off


def render_views(
    obj: TexturedObject,
    c2w: Floats,
    lenses: Floats,
    size: int,
    lights: list[Light] | Light | None = None,
    channels: Sequence[str] = ("rgba", "depth"),
    occlusion: AmbientOcclusion | None = None,
) -> Views:
    """Render the object from every camera.

    Args:
        obj: the object. What lies behind a camera or closer than ``NEAR_PLANE`` is cut off.
        c2w: (N, 4, 4) camera-to-world.
        lenses: (N, 3) focal length, cx, cy, normalised by the image size (see :func:`lens`).
        size: pixels of a side.
        lights: one for all views, or one a view.
        channels: which of ``CHANNELS``; rgba and depth are always made, the others are None unless named.
        occlusion: darken crevices (see :class:`AmbientOcclusion`); None, the default, leaves the colours
            alone.

    Raises:
        ConfigError: arguments of the wrong number or kind.
        MeshError: vertices that are not finite.
    """
    c2w, lenses, each = checked(c2w, lenses, size, lights, channels)
    if not np.isfinite(obj.vertices).all():
        raise MeshError("vertices that are not finite", "Load it with geco.data.objects.load_object.")
    surface = "normal" in channels or "position" in channels or occlusion is not None
    maps = OcclusionMaps(obj, occlusion) if occlusion else None
    shape = (len(c2w), size, size)
    views = Views(np.zeros((*shape, 4), np.uint8), np.zeros(shape, np.float32))
    if surface:
        views.normal, views.position = (np.zeros((*shape, 3), np.float32) for _ in range(2))
    draw = _Draw(obj, size * SUPERSAMPLE, surface)
    local = to_camera(obj.vertices, c2w)
    for index in range(len(c2w)):
        lens = lenses[index] * draw.size
        color, nearest, facing = draw(local[index], c2w[index], lens, each[index])
        kernel("resolve")(color, nearest, views.rgba[index], views.depth[index], SUPERSAMPLE)
        if views.normal is not None and views.position is not None:
            normal, position = views.normal[index], views.position[index]
            kernel("locate")(nearest, draw.ids, facing, c2w[index, :3].copy(), lens, normal, position)
            if maps:
                darken(views.rgba[index], maps.visibility(position, normal), maps.settings.strength)
    if "normal" not in channels:
        views.normal = None
    if "position" not in channels:
        views.position = None
    return views


class _Draw:
    """What all views of an object share; a call scan-converts one of ``size`` samples a side."""

    def __init__(self, obj: TexturedObject, size: int, surface: bool) -> None:
        self.obj, self.size = obj, size
        self.normals, self.pictures = face_normals(obj), mipmaps(obj.textures)
        # the face of every sample, where anybody asks for the surface
        self.ids = np.empty((size, size) if surface else (0, 0), np.int32)

    def __call__(
        self, local: Floats, c2w: Floats, lens: Floats, light: Light
    ) -> tuple[Floats, Floats, Floats]:
        """Colours (size, size, 3) and 1 / distance (size, size) of the samples; (F, 3) normals of the faces,
        on the camera's side.

        Args:
            local: (V, 3) vertices in the camera's frame.
            c2w: (4, 4).
            lens: (3,) focal length, cx, cy in samples.
        """
        facing = _toward_camera(self.obj, self.normals, c2w)
        shade = _shade(light, facing)
        soup, materials = cut(self.obj, local, NEAR_PLANE), self.obj.materials
        if soup.source is not None:
            facing, shade, materials = facing[soup.source], shade[soup.source], materials[soup.source]
        focal, cx, cy = lens
        distance = -soup.local[:, 2]
        across, down = soup.local[:, 0] / distance * focal + cx, cy - soup.local[:, 1] / distance * focal
        screen = np.stack([across, down, 1 / distance], axis=1).astype(np.float32)
        corners = (screen, soup.faces, soup.uvs, soup.colors)
        finish = (materials, self.obj.cutoffs, shade)
        color, nearest = kernel("draw")(corners, finish, self.pictures, self.size, self.ids)
        return color, nearest, facing


def face_normals(obj: TexturedObject) -> Floats:
    """(F, 3) unit normals by the right-hand rule; 0 for a triangle without area."""
    a, b, c = (obj.vertices[obj.faces[:, corner]] for corner in range(3))
    normal = np.cross(b - a, c - a)
    return (normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-20)).astype(np.float32)


def _toward_camera(obj: TexturedObject, normals: Floats, c2w: Floats) -> Floats:
    """Free models are full of inverted faces: light the side that is seen."""
    view = c2w[:3, 3] - obj.vertices[obj.faces[:, 0]]
    return np.where((normals * view).sum(axis=1, keepdims=True) < 0, -normals, normals)


def _shade(light: Light, facing: Floats) -> Floats:
    direction = np.asarray(light.direction, np.float32)
    shade = (
        light.ambient + light.hemisphere * facing[:, 2] + light.diffuse * np.maximum(facing @ direction, 0)
    )
    return shade.astype(np.float32)


def checked(
    c2w: Floats, lenses: Floats, size: int, lights: list[Light] | Light | None, channels: Sequence[str]
) -> tuple[Floats, Floats, list[Light]]:
    """Poses, lenses and one light a camera, or a :class:`ConfigError` that says which argument is wrong."""
    c2w, lenses = np.asarray(c2w, np.float32), np.asarray(lenses, np.float32)
    if c2w.ndim != 3 or c2w.shape[1:] != (4, 4) or lenses.shape != (len(c2w), 3):
        raise ConfigError(
            f"cameras of shapes {c2w.shape} and {lenses.shape}", "Give poses (N, 4, 4) and lenses (N, 3)."
        )
    if not (np.isfinite(c2w).all() and np.isfinite(lenses).all() and (lenses[:, 0] > 0).all()):
        raise ConfigError(
            "cameras that are not finite, or a focal length of 0", "Make them with geco.cameras and lens()."
        )
    if size < 1:
        raise ConfigError(f"pictures of {size} pixels", "Choose a size of at least 1.")
    if unknown := sorted(set(channels) - set(CHANNELS)):
        raise ConfigError(
            f"no channel is called {', '.join(unknown)}", f"Known channels: {', '.join(CHANNELS)}."
        )
    each = lights if isinstance(lights, list) else [lights or Light()] * len(c2w)
    if len(each) != len(c2w):
        raise ConfigError(f"{len(each)} lights for {len(c2w)} cameras", "Give one light, or one a camera.")
    return c2w, lenses, each
