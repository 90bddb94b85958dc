"""Binary glTF 2.0 (Khronos specification, sections in the comments): one mesh, one primitive, one
texture, y up, metres.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from geco.mesh.export.axes import srgb_to_linear, y_up
from geco.mesh.export.glb_binary import ARRAY_BUFFER, ELEMENT_ARRAY_BUFFER, Binary, container
from geco.mesh.export.images import TextureFormat, encode_texture
from geco.mesh.export.metadata import GENERATOR, About, plain, to_json
from geco.mesh.normals import vertex_normals
from geco.mesh.types import Mesh
from geco.types import Floats

_LINEAR, _LINEAR_MIPMAP_LINEAR, _CLAMP = 9729, 9987, 33071  # 5.26 sampler
_ROUGHNESS = 0.8  # our choice: colours are baked with their shading, so no highlight is added


def encode_glb(mesh: Mesh, about: About, kind: TextureFormat, quality: int | None) -> bytes:
    """The bytes of the file; the mark and the facts are its ``asset.extras``."""
    name = plain(about.name)
    binary = Binary()
    normals = mesh.normals if mesh.normals is not None else vertex_normals(mesh.vertices, mesh.faces)
    # 3.7.2.1: the largest value of an index type is a restart marker and may not be used.
    index_type = np.uint16 if len(mesh.vertices) <= 0xFFFF else np.uint32
    attributes = {
        "POSITION": binary.accessor(y_up(mesh.vertices), ARRAY_BUFFER, bounds=True),
        "NORMAL": binary.accessor(y_up(normals), ARRAY_BUFFER),
    }
    if mesh.uvs is not None:
        attributes["TEXCOORD_0"] = binary.accessor(mesh.uvs.astype(np.float32), ARRAY_BUFFER)
    if mesh.texture is None and mesh.colors is not None:
        attributes["COLOR_0"] = binary.accessor(_linear_rgba(mesh.colors), ARRAY_BUFFER, normalized=True)
    indices = binary.accessor(mesh.faces.astype(index_type).reshape(-1, 1), ELEMENT_ARRAY_BUFFER)

    surface: dict[str, Any] = {"metallicFactor": 0.0, "roughnessFactor": _ROUGHNESS}
    primitive = {"attributes": attributes, "indices": indices, "material": 0, "mode": 4}
    extras = {"mark": about.mark(), **plain(about.extras)}
    document: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": GENERATOR, "extras": extras},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": name}],
        "meshes": [{"name": name, "primitives": [primitive]}],
        "materials": [{"name": name, "doubleSided": False, "pbrMetallicRoughness": surface}],
        "accessors": binary.accessors,
        "bufferViews": binary.views,
    }
    if mesh.texture is not None:
        view = binary.view(encode_texture(mesh.texture, kind, quality))
        surface["baseColorTexture"] = {"index": 0}
        document["images"] = [{"bufferView": view, "mimeType": kind.media_type, "name": name}]
        document["samplers"] = [
            {"magFilter": _LINEAR, "minFilter": _LINEAR_MIPMAP_LINEAR, "wrapS": _CLAMP, "wrapT": _CLAMP}
        ]
        document["textures"] = [{"name": name, **_texture(document, kind)}]
    document["buffers"] = [{"byteLength": binary.size}]
    return container(to_json(document).encode(), binary.chunks)


def _texture(document: dict[str, Any], kind: TextureFormat) -> dict[str, Any]:
    if kind.name != "webp":
        return {"sampler": 0, "source": 0}
    # No core fallback picture: the extension is required then (EXT_texture_webp, "Using without a fallback").
    document["extensionsUsed"] = document["extensionsRequired"] = ["EXT_texture_webp"]
    return {"sampler": 0, "extensions": {"EXT_texture_webp": {"source": 0}}}


def _linear_rgba(colors: Floats) -> NDArray[np.uint16]:
    """3.7.2.1: COLOR_0 is linear. 16 bits keep dark tones, and four of them keep the element a
    multiple of 4 bytes.
    """
    rgba = np.full((len(colors), 4), 0xFFFF, np.uint16)
    rgba[:, :3] = np.rint(srgb_to_linear(np.clip(colors, 0.0, 1.0)) * 0xFFFF)
    return rgba
