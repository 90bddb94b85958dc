"""A normalised object as a small GLB: 16-bit coordinates (KHR_mesh_quantization), textures as
WebP (EXT_texture_webp).
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

from geco.data.objects import TexturedObject
from geco.mesh.export.axes import srgb_to_linear, y_up
from geco.mesh.export.glb_binary import ARRAY_BUFFER, ELEMENT_ARRAY_BUFFER, Binary, container
from geco.mesh.export.metadata import to_json
from geco.types import Bytes, Floats
from geco.version import __version__

TEXTURE_SIDE = 256  # pixels: views of 96 and 128 px show no more of one texture
QUALITY = 85  # of WebP, where differences to the original are hard to see
STEPS = 32767  # of a normalised 16-bit coordinate in [0, 1]: 0.00003 of the object's radius


def encode_packed(
    thing: TexturedObject, name: str, side: int = TEXTURE_SIDE, quality: int = QUALITY
) -> bytes:
    """A normalised object as a GLB of KHR_mesh_quantization: int16 positions, uint16 coordinates and colours,
    WebP.

    Args:
        thing: as :func:`geco.data.objects.load_object` gives it; it comes back the same but for the rounding.
        name: of the node and the mesh.
        side: pixels of the longer side that textures keep.
        quality: of WebP.
    """
    binary = Binary()
    pictures = _Pictures(binary, side, quality)
    parts = [_part(binary, thing, int(slot), pictures) for slot in np.unique(thing.materials)]
    primitives = [{**primitive, "material": number} for number, (primitive, _) in enumerate(parts)]
    images = pictures.images
    required = ["KHR_mesh_quantization", *(["EXT_texture_webp", "KHR_texture_transform"] if images else [])]
    document = {
        "asset": {"version": "2.0", "generator": f"GECO {__version__}"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": name}],
        "meshes": [{"name": name, "primitives": primitives}],
        "materials": [material for _, material in parts],
        "accessors": binary.accessors,
        "bufferViews": binary.views,
        "buffers": [{"byteLength": binary.size}],
        "extensionsUsed": required,
        "extensionsRequired": required,
    }
    if images:
        document["images"] = images
        document["textures"] = [
            {"extensions": {"EXT_texture_webp": {"source": n}}} for n in range(len(images))
        ]
    return container(to_json(document).encode(), binary.chunks)


class _Pictures:
    """The textures of a file, each once."""

    def __init__(self, binary: Binary, side: int, quality: int) -> None:
        self.binary, self.side, self.quality = binary, side, quality
        self.images: list[Any] = []
        self._numbers: dict[int, int] = {}

    def number(self, texture: Bytes) -> int:
        """Which of the images a texture is; it is added where it is new."""
        if id(texture) not in self._numbers:
            self._numbers[id(texture)] = len(self.images)
            view = self.binary.view(_webp(texture, self.side, self.quality))
            self.images.append({"bufferView": view, "mimeType": "image/webp"})
        return self._numbers[id(texture)]


def _part(
    binary: Binary, thing: TexturedObject, slot: int, pictures: _Pictures
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The primitive and the material of the faces of one slot."""
    texture = thing.textures[slot]
    used, corners = np.unique(thing.faces[thing.materials == slot], return_inverse=True)
    attributes = {"POSITION": _positions(binary, y_up(thing.vertices[used]))}
    surface: dict[str, Any] = {"metallicFactor": 0.0}
    material: dict[str, Any] = {"pbrMetallicRoughness": surface}
    colors = np.rint(srgb_to_linear(thing.colors[used].clip(0, 1)) * 0xFFFF).astype(np.uint16)
    if (colors == colors[0]).all():
        surface["baseColorFactor"] = [*(colors[0] / 0xFFFF).round(5).tolist(), 1.0]
    else:
        attributes["COLOR_0"] = binary.accessor(colors, ARRAY_BUFFER, normalized=True)
    if thing.cutoffs[slot] > 0:
        material |= {"alphaMode": "MASK", "alphaCutoff": float(thing.cutoffs[slot])}
    if (texture != 255).any():
        number = pictures.number(texture)
        attributes["TEXCOORD_0"], placement = _coordinates(binary, thing.uvs[used])
        extensions = {"extensions": {"KHR_texture_transform": placement}} if placement else {}
        surface["baseColorTexture"] = {"index": number, **extensions}
    kind = np.uint16 if len(used) <= 0xFFFF else np.uint32
    indices = binary.accessor(corners.reshape(-1, 1).astype(kind), ELEMENT_ARRAY_BUFFER)
    return {"attributes": attributes, "indices": indices}, material


def _positions(binary: Binary, positions: Floats) -> int:
    return binary.accessor(
        np.rint(positions * STEPS).astype(np.int16), ARRAY_BUFFER, bounds=True, normalized=True
    )


def _coordinates(binary: Binary, uvs: Floats) -> tuple[int, dict[str, Any]]:
    """Texture coordinates in 16 bits of their own range, and the transform that gives the range
    back, if any.
    """
    low, high = uvs.min(axis=0).astype(np.float64), uvs.max(axis=0).astype(np.float64)
    inside = bool((low >= 0).all() and (high <= 1).all())
    start, span = (np.zeros(2), np.ones(2)) if inside else (low, np.maximum(high - low, 1e-9))
    whole = np.rint((uvs - start) / span * 0xFFFF).clip(0, 0xFFFF).astype(np.uint16)
    accessor = binary.accessor(whole, ARRAY_BUFFER, normalized=True)
    return accessor, {} if inside else {"offset": start.tolist(), "scale": span.tolist()}


def _webp(texture: Bytes, side: int, quality: int) -> bytes:
    """A picture of at most ``side`` pixels; without loss where it has few colours, as palettes do."""
    image = Image.fromarray(texture)
    if texture.shape[2] == 4 and (texture[..., 3] == 255).all():
        image = image.convert("RGB")
    colors = image.convert("RGB").getcolors(256)
    if max(image.size) > side:
        scale = side / max(image.size)
        image = image.resize(
            (max(round(image.width * scale), 1), max(round(image.height * scale), 1)), reducing_gap=3
        )
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=quality, lossless=colors is not None, method=6)
    return buffer.getvalue()
