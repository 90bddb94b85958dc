"""Geometry compressed by Draco inside a GLB (KHR_draco_mesh_compression), through dracopy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from geco.errors import MissingExtraError
from geco.mesh.export.glb_binary import Binary
from geco.types import Ints

# Bits of positions, normals and texture coordinates: the defaults of Google's own encoder are 11, 8 and 10.
# Own choice: a position is right to a 16,000th of the size, a coordinate to a quarter of a texel of 1024.
_POSITION, _NORMAL, _UV = 14, 10, 12
_LEVEL = 7  # of 10: the encoder's default speed
_KINDS = {0: "POSITION", 1: "NORMAL", 3: "TEXCOORD_0"}  # Draco's types of attributes
_GENERIC = {8: "COLOR_0", 9: "TANGENT"}  # own numbers of those that it knows no type for, stored as they are


def compressed(binary: Binary, attributes: dict[str, NDArray[Any]], faces: Ints) -> dict[str, Any]:
    """A primitive's attributes, indices and extension; the bytes go into ``binary``.

    Raises:
        MissingExtraError: dracopy is not installed.
    """
    try:
        import DracoPy
    except ImportError as error:
        raise MissingExtraError("dracopy", "draco", "compression by Draco") from error
    uvs = attributes.get("TEXCOORD_0")
    more = {number: attributes[key] for number, key in _GENERIC.items() if key in attributes}
    data = DracoPy.encode(
        attributes["POSITION"],
        faces,
        quantization_bits=_POSITION,
        compression_level=_LEVEL,
        normals=attributes["NORMAL"].astype(np.float64),
        normal_quantization_bits=_NORMAL,
        tex_coord=None if uvs is None else uvs.astype(np.float64),
        tex_coord_quantization_bits=None if uvs is None else _UV,
        generic_attributes=more or None,
    )
    # The encoder drops faces and vertices that become the same, so what is in there is asked of the decoder.
    decoded = DracoPy.decode(data)
    found = [(each["unique_id"], each["attribute_type"]) for each in decoded.attributes]
    numbers = {_KINDS.get(kind) or _GENERIC[number]: number for number, kind in found}
    count = len(decoded.points)
    accessors = {
        key: binary.described(count, attributes[key], normalized=key == "COLOR_0") for key in numbers
    }
    bounds = binary.accessors[accessors["POSITION"]]
    points = np.asarray(decoded.points, np.float32)
    bounds["min"], bounds["max"] = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    indices = binary.described(3 * len(decoded.faces), np.zeros((0, 1), np.uint32))
    extension = {"bufferView": binary.view(data), "attributes": numbers}
    return {
        "attributes": accessors,
        "indices": indices,
        "extensions": {"KHR_draco_mesh_compression": extension},
    }
