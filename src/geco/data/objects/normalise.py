"""From a file's own coordinates into the one frame: z up, front on +x, centred, farthest vertex
at ``BOUNDING_RADIUS``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from geco.data.objects.limits import Limits
from geco.data.objects.refusal import ObjectError, Reason
from geco.data.objects.soup import Soup, SoupPart, Up
from geco.data.objects.types import BOUNDING_RADIUS, TexturedObject
from geco.data.objects.visible import CutoutTexture
from geco.render.shade_numpy import CLAY
from geco.types import Doubles, Floats, Ints

# File axes to world axes, the inverse of what geco.mesh.export writes. A y-up file faces +z, a z-up file +x.
AXES: dict[Up, Doubles] = {"y": np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]]), "z": np.eye(3)}
BLACK = 2 / 255  # an object without a channel brighter than this shows nothing but its outline
SMALLEST_RADIUS = 1e-12  # file units; below, all vertices are one point


def normalise(
    soup: Soup, name: str, limits: Limits, up: Up | None = None, tick: Callable[[], None] = lambda: None
) -> TexturedObject:
    """One object of all parts; vertices that no face uses are dropped.

    Args:
        up: overrides the axis that the file's format points upwards.
        tick: called now and then; see :meth:`geco.data.objects.folder.Folder.tick`.

    Raises:
        ObjectError: empty, invisible, not-finite, no-extent or untextured.
    """
    if not any(len(part.faces) for part in soup.parts):
        raise ObjectError(Reason.EMPTY, f"{name}: no triangles")
    if not soup.colored and not limits.allow_untextured:
        raise ObjectError(
            Reason.UNTEXTURED,
            f"{name}: neither a texture nor vertex colours nor a material colour",
            "Limits can allow it.",
        )
    parts = _seen(soup, name, tick)
    positions, faces, uvs, colors = _joined(parts)
    for values, what in ((positions, "vertices"), (uvs, "texture coordinates"), (colors, "colours")):
        if not np.isfinite(values).all():
            raise ObjectError(Reason.NOT_FINITE, f"{name}: {what} that are not finite")
    brightest = {id(texture): float(texture[..., :3].max()) / 255 for texture in soup.textures}
    if max(float(part.colors.max()) * brightest[id(soup.textures[part.material])] for part in parts) < BLACK:
        soup.notes["black"] = 1
    vertices, center, scale = _centred(positions @ AXES[up or soup.up].T, name)
    return TexturedObject(
        vertices=vertices,
        faces=np.ascontiguousarray(faces, np.int32),
        uvs=np.ascontiguousarray(uvs),
        colors=np.ascontiguousarray(colors)
        if soup.colored
        else np.tile(np.array(CLAY, np.float32), (len(vertices), 1)),
        materials=np.concatenate([np.full(len(part.faces), part.material, np.int32) for part in parts]),
        textures=soup.textures,
        cutoffs=np.array(soup.cutoffs, np.float32),
        center=center.astype(np.float32),
        scale=scale,
        transform=_transform(AXES[up or soup.up], center, scale),
        notes=dict(soup.notes),
    )


def _seen(soup: Soup, name: str, tick: Callable[[], None]) -> list[SoupPart]:
    """The parts without what is wholly transparent, which would only shrink and hide the rest."""
    parts = []
    surfaces: dict[tuple[int, float], CutoutTexture] = {}  # many materials may share a picture
    for part in soup.parts:
        tick()
        texture, cutoff = soup.textures[part.material], soup.cutoffs[part.material]
        if (id(texture), cutoff) not in surfaces:
            surfaces[id(texture), cutoff] = CutoutTexture(texture, cutoff)
        seen = surfaces[id(texture), cutoff].visible(part)
        if seen is not None:
            soup.notes["invisible-faces"] += int(len(seen) - seen.sum())
            part = replace(part, faces=part.faces[seen])
        if len(part.faces):
            parts.append(part)
    if not parts:
        raise ObjectError(
            Reason.INVISIBLE, f"{name}: all of its {soup.notes['invisible-faces']} triangles are transparent"
        )
    return parts


def _joined(parts: list[SoupPart]) -> tuple[Doubles, Ints, Floats, Floats]:
    """Positions, faces, texture coordinates and colours of all parts, without vertices that no face uses."""
    offsets = np.cumsum([0] + [len(part.positions) for part in parts])
    positions = np.concatenate([part.positions for part in parts]).astype(np.float64, copy=False)
    faces = np.concatenate(
        [part.faces.astype(np.int32, copy=False) + np.int32(offset) for part, offset in zip(parts, offsets)]
    )
    uvs = np.concatenate([part.uvs for part in parts]).astype(np.float32, copy=False)
    colors = np.concatenate([part.colors for part in parts]).astype(np.float32, copy=False)
    used = np.zeros(len(positions), bool)
    used[faces] = True
    if not used.all():
        faces = (np.cumsum(used, dtype=np.int32) - 1)[faces]
        positions, uvs, colors = positions[used], uvs[used], colors[used]
    return positions, faces, uvs, colors


def _centred(world: Doubles, name: str) -> tuple[np.ndarray, Doubles, float]:
    """world (V, 3) -> vertices (V, 3) float32, centre (3,), scale."""
    low, high = world.min(axis=0), world.max(axis=0)
    center = low / 2 + high / 2
    world -= center  # a copy of its own: in place, as it may be the largest array of all
    radius = float(np.sqrt(np.einsum("ij,ij->i", world, world).max()))
    if not np.isfinite(radius):
        raise ObjectError(
            Reason.NOT_FINITE, f"{name}: coordinates of up to {np.abs([low, high]).max():.1e} overflow"
        )
    if radius < SMALLEST_RADIUS:
        raise ObjectError(Reason.NO_EXTENT, f"{name}: all vertices in one point")
    scale = BOUNDING_RADIUS / radius
    world *= scale
    return world.astype(np.float32), center, scale


def _transform(axes: Doubles, center: Doubles, scale: float) -> Doubles:
    transform = np.eye(4)
    transform[:3, :3] = axes * scale
    transform[:3, 3] = -center * scale
    return transform
