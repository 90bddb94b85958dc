"""Wavefront OBJ with its MTL and texture beside it: y up, v upwards, seams only in the texture coordinates."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from geco.errors import OutputError
from geco.files import atomic_path
from geco.mesh.export.axes import flip_v, y_up
from geco.mesh.export.images import TextureFormat, encode_texture
from geco.mesh.export.metadata import to_ascii_json
from geco.mesh.normals import vertex_normals
from geco.mesh.topology import weld_groups
from geco.mesh.types import Mesh
from geco.version import __version__


def write_obj(mesh: Mesh, path: Path, extras: Mapping[str, Any], kind: TextureFormat, quality: int | None, name: str) -> list[Path]:
    """Write the OBJ and, where there is a texture, its MTL and picture; all of them or none. Returns the files written.

    Without a texture there is no MTL either: most readers show vertex colours only on what has no material.
    """
    if mesh.texture is None:
        contents = {path: encode_obj(mesh, extras, None, name)}
    else:
        # The statements mtllib and map_Kd end a name at the first space in most readers.
        stem = re.sub(r"\s+", "_", path.stem)
        material, picture = path.with_name(f"{stem}.mtl"), path.with_name(f"{stem}{kind.suffix}")
        contents = {path: encode_obj(mesh, extras, material.name, name), material: encode_mtl(picture.name, name)}
        contents[picture] = encode_texture(mesh.texture, kind, quality)
    _write_together(contents)
    return list(contents)


def encode_obj(mesh: Mesh, extras: Mapping[str, Any], library: str | None, name: str) -> bytes:
    """The text of the OBJ; vertex colours follow the position (an extension that most readers know)."""
    group = weld_groups(mesh.vertices)
    kept, member = np.unique(group, return_inverse=True)
    normals = mesh.normals if mesh.normals is not None else vertex_normals(mesh.vertices, mesh.faces)
    rows = y_up(mesh.vertices)[kept]
    if mesh.texture is None and mesh.colors is not None:
        rows = np.concatenate([rows, np.clip(mesh.colors[kept], 0.0, 1.0)], axis=1)
    text = [f"# GECO {__version__}\n", *(f"# {to_ascii_json({key: value})}\n" for key, value in extras.items())]
    text += [f"mtllib {library}\n"] if library else []
    text += [f"o {_token(name)}\n", _lines("v" + " %.7g" * rows.shape[1], rows)]
    position = member[mesh.faces] + 1  # OBJ counts from 1
    corner = mesh.faces.astype(np.int64) + 1
    if mesh.uvs is not None:
        text += [_lines("vt %.7g %.7g", flip_v(mesh.uvs))]
    text += [_lines("vn %.4f %.4f %.4f", y_up(normals)), f"usemtl {_token(name)}\n" if library else "", "s 1\n"]
    if mesh.uvs is not None:
        text += [_lines("f" + " %d/%d/%d" * 3, np.stack([position, corner, corner], axis=2).reshape(-1, 9))]
    else:
        text += [_lines("f" + " %d//%d" * 3, np.stack([position, corner], axis=2).reshape(-1, 6))]
    return "".join(text).encode()


def encode_mtl(picture: str, name: str) -> bytes:
    """The text of the material: the texture, no highlight."""
    lines = [
        f"# GECO {__version__}",
        f"newmtl {_token(name)}",
        "Ka 0 0 0",
        "Kd 1 1 1",
        "Ks 0 0 0",
        "d 1",
        "illum 1",
        f"map_Kd {picture}",
    ]
    return ("\n".join(lines) + "\n").encode()


def _lines(form: str, rows: np.ndarray) -> str:
    """One formatted line a row; one call of the formatter for all of them is several times faster than a loop."""
    return (form + "\n") * len(rows) % tuple(rows.ravel().tolist())


def _token(name: str) -> str:
    return re.sub(r"\s+", "_", name) or "geco"


def _write_together(contents: Mapping[Path, bytes]) -> None:
    """Every file is written under a temporary name before the first is renamed; what still fails then is taken back."""
    for path in contents:
        if path.is_dir():
            raise OutputError(f"cannot write {path}: it is a folder", "Choose another output path.")
    new = [path for path in contents if path.parent.is_dir() and not path.exists()]
    try:
        # Renamed in reverse: the OBJ, entered first, appears last, when what it names is there.
        with contextlib.ExitStack() as stack:
            for path, data in contents.items():
                stack.enter_context(atomic_path(path)).write_bytes(data)
    except OutputError:
        for path in new:
            path.unlink(missing_ok=True)
        raise
