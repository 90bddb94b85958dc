"""One door to every format: the suffix decides."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from geco.errors import MeshError, OutputError
from geco.mesh.export import glb, images, obj, ply, stl, usdz
from geco.mesh.types import Mesh

FORMATS = (".glb", ".obj", ".ply", ".stl", ".usdz")


def save(
    mesh: Mesh,
    path: str | os.PathLike[str],
    *,
    extras: Mapping[str, Any] | None = None,
    texture_format: str = "jpeg",
    quality: int | None = None,
    name: str = "object",
) -> list[Path]:
    """Write ``mesh`` in the format of the suffix, whole or not at all; folders are made as needed.

    Args:
        mesh: in world axes (z up, input side towards +x); the formats' own axes are described in docs/conventions.md.
        path: ends in one of :data:`FORMATS`.
        extras: facts to keep in the file (seed, model, timings): ``asset.extras`` of GLB, comments of OBJ and PLY,
            ``customLayerData`` of USDZ; STL has no room for them.
        texture_format: "jpeg", "png" or "webp" (webp not in USDZ).
        quality: 1 to 100; None is the format's default.
        name: of the object and its material in the file.

    Returns:
        The files written, the asked one first (OBJ has an MTL and a picture beside it).

    Raises:
        OutputError: an unknown suffix, or a place that cannot be written.
        MeshError: no faces, indices out of range, values that are not finite, or a texture without UVs.
        ConfigError: an unknown texture format or quality.
        MissingExtraError: USDZ without usd-core.
    """
    target = Path(path)
    facts: Mapping[str, Any] = extras or {}
    suffix = target.suffix.lower()
    if suffix not in FORMATS:
        raise OutputError(f"no mesh format has the suffix {suffix!r} ({target})", f"Use one of {' '.join(FORMATS)}.")
    kind = images.texture_format(texture_format)
    _check(mesh)
    if suffix == ".glb":
        return glb.write_glb(mesh, target, facts, kind, quality, name)
    if suffix == ".obj":
        return obj.write_obj(mesh, target, facts, kind, quality, name)
    if suffix == ".ply":
        return ply.write_ply(mesh, target, facts)
    if suffix == ".stl":
        return stl.write_stl(mesh, target)
    return usdz.write_usdz(mesh, target, facts, kind, quality, name)


def _check(mesh: Mesh) -> None:
    if not len(mesh.faces):
        raise MeshError(
            "the mesh has no faces, nothing to write", "The reconstruction found no surface: try another seed or picture."
        )
    if mesh.faces.min() < 0 or mesh.faces.max() >= len(mesh.vertices):
        raise MeshError("the mesh has faces that name vertices which do not exist")
    for label, values, width in (
        ("vertices", mesh.vertices, 3),
        ("normals", mesh.normals, 3),
        ("uvs", mesh.uvs, 2),
        ("colors", mesh.colors, 3),
    ):
        if values is None:
            continue
        if values.shape != (len(mesh.vertices), width):
            raise MeshError(f"the mesh's {label} have the shape {values.shape}, not {(len(mesh.vertices), width)}")
        if not np.isfinite(values).all():
            raise MeshError(f"the mesh's {label} are not all finite", "Clean it first: geco.mesh.clean.drop_degenerate.")
    if mesh.texture is not None:
        if mesh.uvs is None:
            raise MeshError("the mesh has a texture but no UVs", "Unwrap it first: geco.mesh.uv.unwrap.")
        if mesh.texture.dtype != np.uint8 or mesh.texture.ndim != 3 or mesh.texture.shape[2] != 3 or 0 in mesh.texture.shape:
            raise MeshError(f"the mesh's texture is {mesh.texture.dtype} {mesh.texture.shape}, not uint8 (H, W, 3)")
