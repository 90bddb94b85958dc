"""A glTF 2.0 document to triangles: the scene graph node by node, each primitive with its own base colour.

Read: triangles, strips and fans; quantised and sparse accessors; texture transforms; skins and morph targets
in the pose that the file stands in. Refused: compressed geometry (Draco, meshopt), Basis textures, GPU
instances. Dropped: points, lines, cameras, lamps, animations, normals, every map but the base colour, sampler
wrapping (always repeat).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geco.data.objects.gltf_accessors import Buffers, item
from geco.data.objects.gltf_materials import Materials, to_srgb
from geco.data.objects.gltf_nodes import Placed, Scene
from geco.data.objects.refusal import ObjectError, Reason
from geco.data.objects.soup import Soup, SoupPart
from geco.types import Doubles

TRIANGLES, STRIP, FAN = 4, 5, 6
_BLOCK = 1 << 16  # vertices that are skinned at a time
# Extensions that change nothing which is read here, or that are read; all KHR_materials_* only change how
# light is reflected.
KNOWN = {
    "KHR_texture_transform",
    "KHR_mesh_quantization",
    "EXT_texture_webp",
    "KHR_lights_punctual",
    "KHR_xmp_json_ld",
}


def read_document(document: dict[str, Any], buffers: Buffers) -> Soup:
    """All triangles of the document's scene.

    Raises:
        ObjectError: with the reason; KeyError, IndexError, TypeError, ValueError and the like mean a broken
            document.
    """
    name, limits = buffers.name, buffers.limits
    unknown = {
        e
        for e in document.get("extensionsRequired", [])
        if e not in KNOWN and not e.startswith("KHR_materials_")
    }
    if unknown:
        raise ObjectError(
            Reason.UNSUPPORTED, f"{name}: needs {', '.join(sorted(unknown))}, which this reader does not know"
        )
    scene = Scene(document, name, limits)
    faces = sum(_triangle_count(placed.primitive, buffers) for placed in scene.placed)
    if faces > limits.faces:
        raise ObjectError(Reason.TOO_MANY_FACES, f"{name}: {faces} faces, more than {limits.faces}")
    soup = Soup(up="y")
    materials = Materials(buffers, soup)
    read: dict[int, _Local | None] = {}
    for placed in scene.placed:
        buffers.folder.tick()
        if id(placed.primitive) not in read:  # instances share all but their place
            read[id(placed.primitive)] = _local(placed.primitive, buffers, materials)
        local = read[id(placed.primitive)]
        if local is not None:
            soup.parts.append(_part(local, placed, scene, buffers))
    return soup


@dataclass
class _Local:
    """A primitive before it is placed.

    Attributes:
        part: in the primitive's own frame, without its morph targets.
        rows: (V,) which rows of its accessors are the part's vertices; None: all.
        morphed: positions by the identity of the weights: instances mostly share these too.
    """

    part: SoupPart
    rows: NDArray[Any] | None
    morphed: dict[int, Doubles] = field(default_factory=dict)


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


def _local(primitive: dict[str, Any], buffers: Buffers, materials: Materials) -> _Local | None:
    attributes = primitive["attributes"]
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
    positions = buffers.read(attributes["POSITION"], rows)
    if positions.shape[1] != 3:
        raise ValueError("positions that are not vectors of three")
    material = materials[primitive.get("material")]
    uvs: NDArray[Any] = np.zeros((len(positions), 2), np.float32)
    if material.texcoord in attributes:
        uvs = _same(buffers.read(attributes[material.texcoord], rows), positions)[:, :2]
        if material.placement is not None:
            uvs = uvs.astype(np.float64) @ material.placement[:, :2].T + material.placement[:, 2]
    colors, alphas = np.broadcast_to(to_srgb(material.factor).astype(np.float32), (len(positions), 3)), None
    if "COLOR_0" in attributes:
        shades = _unit(_same(buffers.read(attributes["COLOR_0"], rows), positions))
        colors = to_srgb(material.factor * shades[:, :3]).astype(np.float32)
        alphas = shades[:, 3].astype(np.float32) if shades.shape[1] > 3 else None
        materials.soup.colored = True
    return _Local(SoupPart(positions, faces, uvs.astype(np.float32), colors, material.slot, alphas), rows)


def _part(local: _Local, placed: Placed, scene: Scene, buffers: Buffers) -> SoupPart:
    if id(placed.weights) not in local.morphed:
        local.morphed[id(placed.weights)] = _morphed(local, placed, buffers)
    positions, flipped = _place(placed, local.morphed[id(placed.weights)], local.rows, scene, buffers)
    faces = local.part.faces
    return replace(local.part, positions=positions, faces=faces[:, ::-1] if flipped else faces)


def _morphed(local: _Local, placed: Placed, buffers: Buffers) -> Doubles:
    """(V, 3) positions with the morph targets as the file's weights have them."""
    positions: Doubles = local.part.positions.astype(np.float64)
    for weight, target in zip(placed.weights, placed.primitive.get("targets", [])):
        buffers.folder.tick()
        if weight and "POSITION" in target:
            positions = positions + float(weight) * _same(
                buffers.read(target["POSITION"], local.rows), positions
            )
    return positions


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


def _place(
    placed: Placed, positions: Doubles, rows: NDArray[Any] | None, scene: Scene, buffers: Buffers
) -> tuple[Doubles, bool]:
    """Positions in the scene, and whether the placement mirrors."""
    attributes = placed.primitive["attributes"]
    if placed.skin is None or "JOINTS_0" not in attributes:
        matrix = placed.matrix
        return positions @ matrix[:3, :3].T + matrix[:3, 3], bool(np.linalg.det(matrix[:3, :3]) < 0)
    matrices = scene.joints(placed.skin, buffers)  # (J, 4, 4)
    joints = _same(buffers.read(attributes["JOINTS_0"], rows), positions)
    weights = _unit(_same(buffers.read(attributes["WEIGHTS_0"], rows), positions)).astype(np.float64)
    if joints.dtype.kind != "u" or joints.max() >= len(matrices):
        raise ObjectError(Reason.BROKEN, f"{buffers.name}: vertices bound to joints that are not there")
    total = weights.sum(axis=1, keepdims=True)
    weights = np.where(total > 0, weights / np.where(total > 0, total, 1), np.eye(1, weights.shape[1]))
    moved = np.zeros_like(positions)
    for start in range(0, len(positions), _BLOCK):  # a matrix a vertex is 128 bytes
        buffers.folder.tick()
        rows_of = slice(start, start + _BLOCK)
        for joint, weight in zip(joints[rows_of].T, weights[rows_of].T):
            matrix = matrices[joint]
            turned = np.einsum("vij,vj->vi", matrix[:, :3, :3], positions[rows_of])
            moved[rows_of] += weight[:, None] * (turned + matrix[:, :3, 3])
    return moved, bool(np.linalg.det(matrices[int(joints[0, 0])][:3, :3]) < 0)


def _same(values: NDArray[Any], positions: Doubles) -> NDArray[Any]:
    if len(values) != len(positions):
        raise ValueError("attributes of different lengths")
    return values


def _unit(values: NDArray[Any]) -> NDArray[Any]:
    """Colours and weights in [0, 1]; integers are fractions of their largest value, flagged as
    such or not.
    """
    return values / np.float32(np.iinfo(values.dtype).max) if values.dtype.kind in "iu" else values
