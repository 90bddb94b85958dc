"""One door to every format: :func:`encode` makes the files in memory, :func:`save` writes them."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from geco.errors import ConfigError, MeshError, OutputError
from geco.files import atomic_write, sweep
from geco.mesh.export import glb, obj, ply, stl, threemf, usdz
from geco.mesh.export.metadata import About
from geco.mesh.export.names import ascii_name
from geco.mesh.export.obj_files import write_set
from geco.mesh.export.options import FileOptions
from geco.mesh.export.sizes import placed
from geco.mesh.types import Mesh
from geco.outputs import MESH_SUFFIXES, beside

FORMATS = MESH_SUFFIXES
# Entries of a folder that a writing looks through for what killed runs left. All of them would make the cost
# of many results grow with their square; `geco run` looks through all, once.
LOOKED_AT = 1000
# those beside GLB with a picture in the file itself
_PICTURED = {".3mf": threemf.encode_3mf, ".usdz": usdz.encode_usdz}


def encode(
    mesh: Mesh, format: str, *, about: About | None = None, digits: int = 8, **file: Any
) -> dict[str, bytes]:
    """The files of a mesh in memory: name -> bytes, the mesh first (OBJ has an MTL and pictures beside it);
    then those of the meshes beside it.

    The same arguments give the same bytes. No file is written, but one for USDZ, a temporary one.

    Args:
        mesh: in world axes (z up, input side towards +x); the formats' own axes are described in
            docs/conventions.md.
        format: one of :data:`FORMATS`, with or without the dot.
        about: name, source and facts; the size is added to these. Facts are ``asset.extras`` of GLB, comments
            of OBJ and PLY, ``customLayerData`` of USDZ, the description of 3MF; STL has no room for them.
        digits: of the content's hash in the names of an OBJ's material and picture.
        file: see :class:`FileOptions`.

    Raises:
        OutputError: an unknown format; for USDZ, no folder for temporary files.
        MeshError: no faces, indices out of range, values that are not finite, or a texture without UVs.
        ConfigError: an unknown texture format, a quality or size out of range, a compression that the format
            has not. MissingExtraError: USDZ without usd-core, Draco without dracopy.
    """
    suffix = f".{format.lower().removeprefix('.')}"
    if suffix not in FORMATS:
        raise OutputError(f"no mesh format is called {format!r}", f"Use one of {' '.join(FORMATS)}.")
    options, about = FileOptions(**file), about or About()
    files: dict[str, bytes] = {}
    for key, each in {"": mesh, **mesh.beside}.items():
        measured = mesh if key else None
        (_, first), *others = _encoded(each, suffix, named(about, key), options, digits, measured).items()
        files |= {f"{ascii_name(about.name)}{key}{suffix}": first, **dict(others)}
    return files


def named(about: About, key: str) -> About:
    """What the file of a mesh beside another one says: the object's name as engines expect it. ``UCX_`` is
    Unreal's mark of a convex collision shape.
    """
    return replace(about, name=f"UCX_{about.name}" if key == "_collision" else about.name + key)


def _encoded(
    mesh: Mesh,
    suffix: str,
    about: About,
    options: FileOptions,
    digits: int,
    measured: Mesh | None = None,
) -> dict[str, bytes]:
    """The files of one mesh; its size and place are those of ``measured``, where there is such a one."""
    check_mesh(mesh)
    if options.compression != "none" and suffix != ".glb":
        raise ConfigError(f"{suffix[1:].upper()} holds no compressed geometry", "Write a GLB, or none.")
    mesh, facts = placed(mesh, suffix, options.size, options.pivot, measured)
    about = replace(about, extras={**about.extras, **facts})
    if suffix == ".obj":
        return obj.encode_obj(mesh, about, options.kind, options.quality, digits)
    if suffix in (".ply", ".stl"):
        data = ply.encode_ply(mesh, about) if suffix == ".ply" else stl.encode_stl(mesh, about)
    elif suffix == ".glb":
        data = glb.encode_glb(mesh, about, options.kind, options.quality, options.compression == "draco")
    else:
        data = _PICTURED[suffix](mesh, about, options.kind, options.quality)
    return {f"{ascii_name(about.name)}{suffix}": data}


def save(mesh: Mesh, path: str | os.PathLike[str], *, about: About | None = None, **file: Any) -> list[Path]:
    """Write ``mesh`` in the format of the suffix, whole or not at all; folders are made as needed. Meshes
    beside it go to files beside it (``cat_LOD1.glb``).

    What stands at ``path`` is replaced. The MTL and the picture of an OBJ are named after the object and
    their content and replace nothing; those of the OBJ that was replaced go when no other file of the folder
    names them.

    Args:
        path: ends in one of :data:`FORMATS`.
        mesh, about, file: see :func:`encode`.

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
    options, about = FileOptions(**file), about or About()
    written: list[Path] = []
    for key, each in {"": mesh, **mesh.beside}.items():
        place = beside(target, key)
        order = (each, suffix, named(about, key), options)
        measured = mesh if key else None
        if suffix == ".obj":
            written += write_set(place, partial(_encoded, *order, measured=measured))
            continue
        (data,) = _encoded(*order, 8, measured).values()
        atomic_write(place, data)
        written.append(place)
    return written


def check_mesh(mesh: Mesh) -> None:
    """Raise MeshError for a mesh that no file can hold."""
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
    for label, picture in (("texture", mesh.texture), ("normal map", mesh.normal_map)):
        if picture is None:
            continue
        if mesh.uvs is None:
            raise MeshError(f"the mesh has a {label} but no UVs", "Unwrap it first: geco.mesh.uv.unwrap.")
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or 0 in picture.shape:
            raise MeshError(f"the mesh's {label} is {picture.dtype} {picture.shape}, not uint8 (H, W, 3)")
