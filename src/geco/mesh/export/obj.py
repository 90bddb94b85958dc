"""Wavefront OBJ with its MTL and texture: y up, v upwards, seams only in the texture coordinates."""

from __future__ import annotations

import numpy as np

from geco.mesh.export.axes import flip_v, y_up
from geco.mesh.export.images import TextureFormat, encode_texture, texture_format
from geco.mesh.export.metadata import About
from geco.mesh.export.names import ascii_name, name_of_content
from geco.mesh.normals import vertex_normals
from geco.mesh.topology import weld_groups
from geco.mesh.types import Mesh


def encode_obj(
    mesh: Mesh, about: About, kind: TextureFormat, quality: int | None, digits: int = 8
) -> dict[str, bytes]:
    """The bytes of the OBJ and, where there is a texture, of its MTL and pictures, by file name; the OBJ
    first.

    Material and picture are named after their content (``digits`` hex digits of it): they never change, so an
    OBJ becomes new in one step, and the old one keeps its own. Without a texture there is no MTL: most
    readers show vertex colours only on what has no material.
    """
    stem = ascii_name(about.name)
    if mesh.texture is None:
        return {f"{stem}.obj": _geometry(mesh, about, stem, None)}
    mark = about.mark("texture")
    picture = encode_texture(mesh.texture, kind, quality, mark)
    picture_name = name_of_content(stem, picture, kind.suffix, digits)
    pictures = {picture_name: picture}
    normals_name = None
    if mesh.normal_map is not None:
        normals = encode_texture(mesh.normal_map, texture_format("png"), None, mark)
        normals_name = name_of_content(stem, normals, ".png", digits)
        pictures[normals_name] = normals
    material = _material(about, stem, picture_name, normals_name)
    material_name = name_of_content(stem, material, ".mtl", digits)
    geometry = _geometry(mesh, about, stem, material_name)
    return {f"{stem}.obj": geometry, material_name: material, **pictures}


def _geometry(mesh: Mesh, about: About, stem: str, library: str | None) -> bytes:
    """The text of the OBJ; vertex colours follow the position (an extension that most readers know)."""
    group = weld_groups(mesh.vertices)
    kept, member = np.unique(group, return_inverse=True)
    normals = mesh.normals if mesh.normals is not None else vertex_normals(mesh.vertices, mesh.faces)
    rows = y_up(mesh.vertices)[kept]
    if mesh.texture is None and mesh.colors is not None:
        rows = np.concatenate([rows, np.clip(mesh.colors[kept], 0.0, 1.0)], axis=1)
    text = [f"# {line}\n" for line in about.lines()]
    text += [f"mtllib {library}\n"] if library else []
    text += [f"o {stem}\n", lines_of("v" + " %.7g" * rows.shape[1], rows)]
    position = member[mesh.faces] + 1  # OBJ counts from 1
    corner = mesh.faces.astype(np.int64) + 1
    if mesh.uvs is not None:
        text += [lines_of("vt %.7g %.7g", flip_v(mesh.uvs))]
    text += [lines_of("vn %.4f %.4f %.4f", y_up(normals)), f"usemtl {stem}\n" if library else "", "s 1\n"]
    if mesh.uvs is not None:
        text += [lines_of("f" + " %d/%d/%d" * 3, np.stack([position, corner, corner], axis=2).reshape(-1, 9))]
    else:
        text += [lines_of("f" + " %d//%d" * 3, np.stack([position, corner], axis=2).reshape(-1, 6))]
    return "".join(text).encode()


def _material(about: About, stem: str, picture: str, normals: str | None) -> bytes:
    """The text of the material: the texture, no highlight; and the normal map."""
    lines = [
        f"# {about.mark('material')}",
        f"newmtl {stem}",
        "Ka 0 0 0",
        "Kd 1 1 1",
        "Ks 0 0 0",
        "d 1",
        "illum 1",
        f"map_Kd {picture}",
        # Blender and Unity read the second, which was for heights once; who knows both takes the first.
        *([f"norm {normals}", f"map_Bump {normals}"] if normals else []),
    ]
    return ("\n".join(lines) + "\n").encode()


def lines_of(form: str, rows: np.ndarray) -> str:
    """One formatted line a row; one call of the formatter is several times faster than a loop."""
    return (form + "\n") * len(rows) % tuple(rows.ravel().tolist())
