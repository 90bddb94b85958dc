"""Binary glTF 2.0 (Khronos specification, sections in the comments): one mesh, one primitive, one
texture, y up, metres.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from geco.mesh.export.axes import srgb_to_linear, y_up
from geco.mesh.export.glb_binary import ARRAY_BUFFER, ELEMENT_ARRAY_BUFFER, Binary, container
from geco.mesh.export.images import TextureFormat, encode_texture, texture_format
from geco.mesh.export.metadata import GENERATOR, About, plain, to_json
from geco.mesh.normal_map import tangents
from geco.mesh.normals import vertex_normals
from geco.mesh.types import Mesh
from geco.types import Floats

_LINEAR, _LINEAR_MIPMAP_LINEAR, _CLAMP = 9729, 9987, 33071  # 5.26 sampler
_ROUGHNESS = 0.8  # our choice: colours are baked with their shading, so no highlight is added


def encode_glb(
    mesh: Mesh, about: About, kind: TextureFormat, quality: int | None, draco: bool = False
) -> bytes:
    """The bytes of the file; the mark and the facts are its ``asset.extras``.

    Raises:
        MissingExtraError: ``draco`` and dracopy is not installed.
    """
    name = plain(about.name)
    binary = Binary()
    attributes = _attributes(mesh)
    if draco:
        from geco.mesh.export.glb_draco import compressed

        shape, extensions = compressed(binary, attributes, mesh.faces), ["KHR_draco_mesh_compression"]
    else:
        shape, extensions = _stored(binary, attributes, mesh), []
    surface: dict[str, Any] = {"metallicFactor": 0.0, "roughnessFactor": _ROUGHNESS}
    material = {"name": name, "doubleSided": False, "pbrMetallicRoughness": surface}
    extras = {"mark": about.mark(), **plain(about.extras)}
    document: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": GENERATOR, "extras": extras},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": name}],
        "meshes": [{"name": name, "primitives": [{**shape, "material": 0, "mode": 4}]}],
        "materials": [material],
        "accessors": binary.accessors,
        "bufferViews": binary.views,
    }
    pictures = []
    if mesh.texture is not None:
        pictures.append((name, kind, encode_texture(mesh.texture, kind, quality)))
        surface["baseColorTexture"] = {"index": 0}
    if mesh.normal_map is not None:
        lossless = texture_format("png")
        pictures.append((f"{name}_normal", lossless, encode_texture(mesh.normal_map, lossless)))
        material["normalTexture"] = {"index": len(pictures) - 1}
    # No core fallback picture: the extension is required then (EXT_texture_webp, "Using without a fallback").
    extensions += ["EXT_texture_webp"] if any(kind.name == "webp" for _, kind, _ in pictures) else []
    shown = _pictures(binary, pictures)
    textures = {key: shown.pop(key) for key in list(shown) if key == "textures"}
    document |= shown
    if extensions:
        document["extensionsUsed"] = document["extensionsRequired"] = extensions
    document |= textures
    document["buffers"] = [{"byteLength": binary.size}]
    return container(to_json(document).encode(), binary.chunks)


def _attributes(mesh: Mesh) -> dict[str, NDArray[Any]]:
    """The vertices' arrays by glTF's names (3.7.2.1)."""
    normals = mesh.normals if mesh.normals is not None else vertex_normals(mesh.vertices, mesh.faces)
    found: dict[str, NDArray[Any]] = {"POSITION": y_up(mesh.vertices), "NORMAL": y_up(normals)}
    if mesh.uvs is not None:
        found["TEXCOORD_0"] = mesh.uvs.astype(np.float32)
    if mesh.texture is None and mesh.colors is not None:
        found["COLOR_0"] = _linear_rgba(mesh.colors)
    if mesh.normal_map is not None:
        along = tangents(mesh.with_(normals=normals))
        found["TANGENT"] = np.concatenate([y_up(along[:, :3]), along[:, 3:]], axis=1)
    return found


def _stored(binary: Binary, attributes: dict[str, NDArray[Any]], mesh: Mesh) -> dict[str, Any]:
    """A primitive's attributes and indices, as they are."""
    # 3.7.2.1: the largest value of an index type is a restart marker and may not be used.
    index_type = np.uint16 if len(mesh.vertices) <= 0xFFFF else np.uint32
    numbers = {
        key: binary.accessor(values, ARRAY_BUFFER, key == "POSITION", key == "COLOR_0")
        for key, values in attributes.items()
    }
    indices = binary.accessor(mesh.faces.astype(index_type).reshape(-1, 1), ELEMENT_ARRAY_BUFFER)
    return {"attributes": numbers, "indices": indices}


def _pictures(binary: Binary, pictures: list[tuple[str, TextureFormat, bytes]]) -> dict[str, Any]:
    """Images, their sampler and textures, by number in the order given."""
    if not pictures:
        return {}
    sampler = {"magFilter": _LINEAR, "minFilter": _LINEAR_MIPMAP_LINEAR, "wrapS": _CLAMP, "wrapT": _CLAMP}
    return {
        "images": [
            {"bufferView": binary.view(data), "mimeType": kind.media_type, "name": name}
            for name, kind, data in pictures
        ],
        "samplers": [sampler],
        "textures": [
            {"name": name, **_texture(number, kind)} for number, (name, kind, _) in enumerate(pictures)
        ],
    }


def _texture(number: int, kind: TextureFormat) -> dict[str, Any]:
    if kind.name != "webp":
        return {"sampler": 0, "source": number}
    return {"sampler": 0, "extensions": {"EXT_texture_webp": {"source": number}}}


def _linear_rgba(colors: Floats) -> NDArray[np.uint16]:
    """3.7.2.1: COLOR_0 is linear. 16 bits keep dark tones, and four of them keep the element a
    multiple of 4 bytes.
    """
    rgba = np.full((len(colors), 4), 0xFFFF, np.uint16)
    rgba[:, :3] = np.rint(srgb_to_linear(np.clip(colors, 0.0, 1.0)) * 0xFFFF)
    return rgba
