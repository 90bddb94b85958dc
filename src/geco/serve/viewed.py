"""A mesh file as the GLB that the page's viewer shows: itself, or made from another format."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geco.errors import MeshError
from geco.reading import read_regular

if TYPE_CHECKING:
    from geco.data.objects import TexturedObject
    from geco.mesh.export.glb_binary import Binary

MOST = 512 * 2**20  # bytes: more than browsers show at ease
OTHERS = (".gltf", ".obj", ".ply", ".stl", ".zip")
# The viewer would fetch their decoders from another host, which the page's policy forbids.
UNREADABLE = ("KHR_draco_mesh_compression", "EXT_meshopt_compression", "KHR_texture_basisu")


def as_glb(path: Path) -> bytes:
    """The file's own bytes where it is a GLB, else a GLB of what it holds, in the size that objects are
    normalised to.

    Raises:
        MeshError: it cannot be read, or is of a format that is not shown. MissingExtraError: .ply without
            the extra ``data``.
    """
    suffix = path.suffix.lower()
    if suffix == ".glb":
        data = read_regular(path, MOST, MeshError)
        _check(data, path)
        return data
    if suffix not in OTHERS:
        known = ", ".join((".glb", *OTHERS))
        remedy = f"Give one of {known}; of a picture `geco run {path.name}` makes one."
        raise MeshError(f"{path} is of a format that is not shown: {suffix or 'it has no suffix'}", remedy)
    from geco.data.objects import Limits, load_object

    return _glb_of(load_object(path, Limits(allow_untextured=True)), path.stem)


def _check(data: bytes, path: Path) -> None:
    try:
        magic, _, _, length, kind = struct.unpack("<4sIII4s", data[:20])
        needs = json.loads(data[20 : 20 + length]).get("extensionsRequired", [])
        found = [name for name in UNREADABLE if name in needs]
        good = magic == b"glTF" and kind == b"JSON"
    except (struct.error, ValueError, AttributeError, TypeError):
        good, found = False, []
    if not good:
        raise MeshError(f"{path} is no GLB, whatever its name says", "Is it the right file?")
    if found:
        remedy = "Write it without compression, as `geco run` does by itself."
        raise MeshError(f"{path} is compressed ({', '.join(found)}), which the viewer cannot undo", remedy)


def _glb_of(shape: TexturedObject, name: str) -> bytes:
    """One primitive a material; holes and unlit sides stay as the file has them."""
    import numpy as np

    from geco.mesh.export.axes import srgb_to_linear, y_up
    from geco.mesh.export.glb_binary import ARRAY_BUFFER, ELEMENT_ARRAY_BUFFER, Binary, container
    from geco.mesh.normals import vertex_normals

    binary = Binary()
    colors = np.full((len(shape.vertices), 4), 0xFFFF, np.uint16)
    colors[:, :3] = np.rint(srgb_to_linear(np.clip(shape.colors, 0, 1)) * 0xFFFF)
    attributes = {
        "POSITION": binary.accessor(y_up(shape.vertices), ARRAY_BUFFER, bounds=True),
        "NORMAL": binary.accessor(y_up(vertex_normals(shape.vertices, shape.faces)), ARRAY_BUFFER),
        "TEXCOORD_0": binary.accessor(shape.uvs.astype(np.float32), ARRAY_BUFFER),
        "COLOR_0": binary.accessor(colors, ARRAY_BUFFER, normalized=True),
    }
    primitives = []
    for number in range(len(shape.textures)):
        corners = shape.faces[shape.materials == number].astype(np.uint32).reshape(-1, 1)
        if len(corners):
            indices = binary.accessor(corners, ELEMENT_ARRAY_BUFFER)
            primitives.append({"attributes": attributes, "indices": indices, "material": number})
    document = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": name}],
        "meshes": [{"primitives": primitives}],
        "accessors": binary.accessors,
        **_materials(shape, binary),
        "bufferViews": binary.views,
        "buffers": [{"byteLength": binary.size}],
    }
    return container(json.dumps(document).encode(), binary.chunks)


def _materials(shape: TexturedObject, binary: Binary) -> dict[str, Any]:
    """Materials, textures and images; a picture that materials share is there once."""
    from PIL import Image

    sources: dict[int, int] = {}
    images: list[dict[str, Any]] = []
    materials: list[dict[str, Any]] = []
    for texture, cutoff in zip(shape.textures, shape.cutoffs):
        if id(texture) not in sources:
            file = io.BytesIO()
            Image.fromarray(texture).save(file, "PNG", compress_level=1)
            sources[id(texture)] = len(images)
            images.append({"bufferView": binary.view(file.getvalue()), "mimeType": "image/png"})
        base = {"baseColorTexture": {"index": sources[id(texture)]}, "metallicFactor": 0.0}
        material: dict[str, Any] = {"pbrMetallicRoughness": base, "doubleSided": True}
        if cutoff > 0:
            material |= {"alphaMode": "MASK", "alphaCutoff": float(cutoff)}
        materials.append(material)
    textures = [{"source": number} for number in range(len(images))]
    return {"materials": materials, "textures": textures, "images": images}
