"""One door to every format: :func:`encode` makes the files in memory, :func:`save` writes them."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from geco.errors import MeshError, OutputError
from geco.files import atomic_write, sweep
from geco.mesh.export import glb, images, obj, ply, stl, threemf, usdz
from geco.mesh.export.metadata import About
from geco.mesh.export.names import ascii_name
from geco.mesh.export.obj_files import write_set
from geco.mesh.export.sizes import to_size
from geco.mesh.types import Mesh
from geco.outputs import MESH_SUFFIXES

FORMATS = MESH_SUFFIXES
# Entries of a folder that a writing looks through for what killed runs left. All of them would make the cost
# of many results grow with their square; `geco run` looks through all, once.
LOOKED_AT = 1000
# those with a picture in the file itself
_PICTURED = {".glb": glb.encode_glb, ".3mf": threemf.encode_3mf, ".usdz": usdz.encode_usdz}


def encode(
    mesh: Mesh,
    format: str,
    *,
    about: About | None = None,
    texture_format: str = "jpeg",
    quality: int | None = None,
    size: float | None = None,
    digits: int = 8,
) -> dict[str, bytes]:
    """The files of a mesh in memory: name -> bytes, the mesh first (OBJ has an MTL and a picture beside it).

    The same arguments give the same bytes. No file is written, but one for USDZ, a temporary one.

    Args:
        mesh: in world axes (z up, input side towards +x); the formats' own axes are described in
            docs/conventions.md.
        format: one of :data:`FORMATS`, with or without the dot.
        about: name, source and facts; the size is added to these. Facts are ``asset.extras`` of GLB, comments
            of OBJ and PLY, ``customLayerData`` of USDZ, the description of 3MF; STL has no room for them.
        texture_format: "jpeg", "png" or "webp" (webp not in USDZ and 3MF).
        quality: 1 to 100; None is the format's default.
        size: longest side of the bounding box in metres. None: one world unit is a metre; STL and 3MF, which
            count in millimetres and are for printing, are 100 mm then.
        digits: of the content's hash in the names of an OBJ's material and picture.

    Raises:
        OutputError: an unknown format; for USDZ, no folder for temporary files.
        MeshError: no faces, indices out of range, values that are not finite, or a texture without UVs.
        ConfigError: an unknown texture format, a quality or size out of range.
        MissingExtraError: USDZ without usd-core.
    """
    suffix = f".{format.lower().removeprefix('.')}"
    if suffix not in FORMATS:
        raise OutputError(f"no mesh format is called {format!r}", f"Use one of {' '.join(FORMATS)}.")
    kind = images.texture_format(texture_format)
    _check(mesh)
    mesh, measured = to_size(mesh, suffix, size)
    about = about or About()
    about = replace(about, extras={**about.extras, **measured})
    if suffix == ".obj":
        return obj.encode_obj(mesh, about, kind, quality, digits)
    if suffix in (".ply", ".stl"):
        data = ply.encode_ply(mesh, about) if suffix == ".ply" else stl.encode_stl(mesh, about)
    else:
        data = _PICTURED[suffix](mesh, about, kind, quality)
    return {f"{ascii_name(about.name)}{suffix}": data}


def save(
    mesh: Mesh,
    path: str | os.PathLike[str],
    *,
    about: About | None = None,
    texture_format: str = "jpeg",
    quality: int | None = None,
    size: float | None = None,
) -> list[Path]:
    """Write ``mesh`` in the format of the suffix, whole or not at all; folders are made as needed.

    What stands at ``path`` is replaced. The MTL and the picture of an OBJ are named after the object and
    their content and replace nothing; those of the OBJ that was replaced go when no other file of the folder
    names them.

    Args:
        path: ends in one of :data:`FORMATS`.
        mesh, about, texture_format, quality, size: see :func:`encode`.

    Returns:
        The files written, the asked one first.

    Raises:
        OutputError: an unknown suffix, or a place that cannot be written. The others as :func:`encode`.
    """
    target = Path(path)
    suffix = target.suffix.lower()
    if suffix not in FORMATS:
        raise OutputError(
            f"no mesh format has the suffix {suffix!r} ({target})", f"Use one of {' '.join(FORMATS)}."
        )
    sweep(target.parent, LOOKED_AT)
    order: dict[str, Any] = {
        "about": about,
        "texture_format": texture_format,
        "quality": quality,
        "size": size,
    }
    if suffix == ".obj":
        return write_set(target, lambda digits: encode(mesh, suffix, digits=digits, **order))
    (data,) = encode(mesh, suffix, **order).values()
    atomic_write(target, data)
    return [target]


def _check(mesh: Mesh) -> None:
    if not len(mesh.faces):
        raise MeshError(
            "the mesh has no faces, nothing to write",
            "The reconstruction found no surface: try another seed or picture.",
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
            raise MeshError(
                f"the mesh's {label} have the shape {values.shape}, not {(len(mesh.vertices), width)}"
            )
        if not np.isfinite(values).all():
            raise MeshError(
                f"the mesh's {label} are not all finite", "Clean it first: geco.mesh.clean.drop_degenerate."
            )
    if mesh.texture is not None:
        if mesh.uvs is None:
            raise MeshError("the mesh has a texture but no UVs", "Unwrap it first: geco.mesh.uv.unwrap.")
        if (
            mesh.texture.dtype != np.uint8
            or mesh.texture.ndim != 3
            or mesh.texture.shape[2] != 3
            or 0 in mesh.texture.shape
        ):
            raise MeshError(
                f"the mesh's texture is {mesh.texture.dtype} {mesh.texture.shape}, not uint8 (H, W, 3)"
            )
