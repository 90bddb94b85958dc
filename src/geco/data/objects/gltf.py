"""A glTF 2.0 document to triangles: the scene graph node by node, each primitive with its own base colour.

Read: triangles, strips and fans; quantised and sparse accessors; texture transforms; skins and morph targets in the pose that
the file stands in. Refused: compressed geometry (Draco, meshopt), Basis textures, GPU instances. Dropped: points, lines,
cameras, lamps, animations, normals, every map but the base colour, sampler wrapping (always repeat).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from geco.data.objects.gltf_accessors import Buffers, item
from geco.data.objects.gltf_materials import Materials, to_srgb
from geco.data.objects.gltf_nodes import Placed, Scene
from geco.data.objects.limits import Limits
from geco.data.objects.refusal import ObjectError, Reason
from geco.data.objects.soup import Part, Soup
from geco.data.objects.types import Doubles

TRIANGLES, STRIP, FAN = 4, 5, 6
# Extensions that change nothing which is read here, or that are read; all KHR_materials_* only change how light is reflected.
KNOWN = {"KHR_texture_transform", "KHR_mesh_quantization", "EXT_texture_webp", "KHR_lights_punctual", "KHR_xmp_json_ld"}


def read_document(document: dict[str, Any], buffers: Buffers, limits: Limits) -> Soup:
    """All triangles of the document's scene.

    Raises:
        ObjectError: with the reason; KeyError, IndexError, TypeError, ValueError and the like mean a broken document.
    """
    name = buffers.name
    unknown = {e for e in document.get("extensionsRequired", []) if e not in KNOWN and not e.startswith("KHR_materials_")}
    if unknown:
        raise ObjectError(Reason.UNSUPPORTED, f"{name}: needs {', '.join(sorted(unknown))}, which this reader does not know")
    scene = Scene(document, name, limits)
    faces = sum(_triangle_count(placed.primitive, buffers) for placed in scene.placed)
    if faces > limits.faces:
        raise ObjectError(Reason.TOO_MANY_FACES, f"{name}: {faces} faces, more than {limits.faces}")
    soup = Soup(up="y")
    materials = Materials(buffers, soup)
    for placed in scene.placed:
        part = _part(placed, scene, buffers, materials)
        if part is not None:
            soup.parts.append(part)
    return soup


def _triangle_count(primitive: dict[str, Any], buffers: Buffers) -> int:
    """Triangles of a primitive by its accessors' counts alone."""
    if "KHR_draco_mesh_compression" in primitive.get("extensions", {}):
        position = item(buffers.document, "accessors", primitive["attributes"]["POSITION"])
        if "bufferView" not in position:
            raise ObjectError(Reason.UNSUPPORTED, f"{buffers.name}: KHR_draco_mesh_compression is not read")
    mode = primitive.get("mode", TRIANGLES)
    if mode not in (TRIANGLES, STRIP, FAN) or "POSITION" not in primitive["attributes"]:
        return 0
    corners = buffers.count(primitive.get("indices", primitive["attributes"]["POSITION"]))
    return corners // 3 if mode == TRIANGLES else max(corners - 2, 0)


def _part(placed: Placed, scene: Scene, buffers: Buffers, materials: Materials) -> Part | None:
    primitive, attributes = placed.primitive, placed.primitive["attributes"]
    if _triangle_count(primitive, buffers) == 0:
        return None  # points and lines carry no area
    count = buffers.count(attributes["POSITION"])
    faces = _faces(primitive, buffers, count)
    if not len(faces):
        return None
    rows = None
    if count > faces.size:  # many primitives may share one large set of vertices
        rows, inverse = np.unique(faces, return_inverse=True)
        faces = inverse.reshape(-1, 3)
    positions = buffers.read(attributes["POSITION"], rows).astype(np.float64)
    if positions.shape[1] != 3:
        raise ValueError("positions that are not vectors of three")
    positions, flipped = _place(placed, positions, rows, scene, buffers)
    material = materials[primitive.get("material")]
    uvs = np.zeros((len(positions), 2))
    if material.texcoord in attributes:
        uvs = _same(buffers.read(attributes[material.texcoord], rows), positions)[:, :2].astype(np.float64)
        if material.placement is not None:
            uvs = uvs @ material.placement[:, :2].T + material.placement[:, 2]
    colors = np.broadcast_to(material.factor, (len(positions), 3))
    if "COLOR_0" in attributes:
        colors = colors * _unit(_same(buffers.read(attributes["COLOR_0"], rows), positions)[:, :3])
        materials.soup.colored = True
    if flipped:
        faces = faces[:, ::-1]
    return Part(positions, faces, uvs.astype(np.float32), to_srgb(colors).astype(np.float32), material.slot)


def _faces(primitive: dict[str, Any], buffers: Buffers, count: int) -> NDArray[Any]:
    """(F, 3) vertex indices, all below ``count``."""
    if "indices" in primitive:
        indices = buffers.read(primitive["indices"])
        if indices.dtype.kind != "u" or indices.shape[1] != 1:
            raise ValueError("indices that are not unsigned whole numbers")
        if indices.max() >= count:
            raise ObjectError(Reason.BROKEN, f"{buffers.name}: face indices beyond the vertices")
        indices = indices[:, 0].astype(np.int32)
    else:
        indices = np.arange(count, dtype=np.int32)
    mode = primitive.get("mode", TRIANGLES)
    if mode == TRIANGLES:
        return indices[: len(indices) // 3 * 3].reshape(-1, 3)
    if mode == FAN:
        return np.stack([indices[1:-1], indices[2:], np.full(len(indices) - 2, indices[0])], axis=1)
    faces = np.stack([indices[:-2], indices[1:-1], indices[2:]], axis=1)
    faces[1::2] = faces[1::2, [0, 2, 1]]  # every other triangle of a strip turns the other way
    return faces


def _place(placed: Placed, positions: Doubles, rows: NDArray[Any] | None, scene: Scene, buffers: Buffers) -> tuple[Doubles, bool]:
    """Positions in the scene, and whether the placement mirrors."""
    attributes = placed.primitive["attributes"]
    for weight, target in zip(placed.weights, placed.primitive.get("targets", [])):
        if weight and "POSITION" in target:
            positions = positions + float(weight) * _same(buffers.read(target["POSITION"], rows), positions)
    if placed.skin is None or "JOINTS_0" not in attributes:
        matrix = placed.matrix
        return positions @ matrix[:3, :3].T + matrix[:3, 3], bool(np.linalg.det(matrix[:3, :3]) < 0)
    matrices = scene.joints(placed.skin, buffers)  # (J, 4, 4)
    joints = _same(buffers.read(attributes["JOINTS_0"], rows), positions)
    weights = _unit(_same(buffers.read(attributes["WEIGHTS_0"], rows), positions)).astype(np.float64)
    if joints.dtype.kind != "u" or joints.max() >= len(matrices):
        raise ObjectError(Reason.BROKEN, f"{buffers.name}: vertices bound to joints that are not there")
    total = weights.sum(axis=1, keepdims=True)
    weights = np.where(total > 0, weights / np.where(total > 0, total, 1), [1.0, 0, 0, 0])
    moved = np.zeros_like(positions)
    for joint, weight in zip(joints.T, weights.T):
        matrix = matrices[joint]
        moved += weight[:, None] * (np.einsum("vij,vj->vi", matrix[:, :3, :3], positions) + matrix[:, :3, 3])
    return moved, bool(np.linalg.det(matrices[int(joints[0, 0])][:3, :3]) < 0)


def _same(values: NDArray[Any], positions: Doubles) -> NDArray[Any]:
    if len(values) != len(positions):
        raise ValueError("attributes of different lengths")
    return values


def _unit(values: NDArray[Any]) -> NDArray[Any]:
    """Colours and weights in [0, 1]; integers are fractions of their largest value, flagged as such or not."""
    return values / np.float32(np.iinfo(values.dtype).max) if values.dtype.kind in "iu" else values
