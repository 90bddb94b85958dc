"""The scene graph of a glTF document: where each primitive stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from geco.data.objects.gltf_accessors import Buffers, item, whole
from geco.data.objects.limits import Limits
from geco.data.objects.refusal import ObjectError, Reason
from geco.types import Doubles

NO_WEIGHTS: tuple[float, ...] = ()


@dataclass
class Placed:
    """One primitive at one node.

    Attributes:
        matrix: (4, 4) its mesh to the scene.
        skin: index of its skin, or None.
        weights: of its morph targets.
    """

    primitive: dict[str, Any]
    matrix: Doubles
    skin: int | None
    weights: Sequence[float]


class Scene:
    """The default scene, walked once.

    Attributes:
        placed: the primitives in the order of the graph.
        world: node to its (4, 4) matrix.

    Raises:
        ObjectError: broken (a node below two parents or below itself), too-large, not-finite or unsupported.
    """

    def __init__(self, document: dict[str, Any], name: str, limits: Limits) -> None:
        self.document, self.name, self.limits = document, name, limits
        self.placed: list[Placed] = []
        self.world: dict[int, Doubles] = {}
        self._joints: dict[int, Doubles] = {}
        stack = [(index, np.eye(4), 1) for index in reversed(self._roots())]
        while stack:
            index, parent, depth = stack.pop()
            if index in self.world:
                raise ObjectError(
                    Reason.BROKEN, f"{name}: node {index} has two parents, or is part of a cycle"
                )
            if depth > limits.depth or len(self.world) >= limits.nodes:
                raise ObjectError(
                    Reason.TOO_LARGE,
                    f"{name}: a scene graph of more than {limits.depth} levels or {limits.nodes} nodes",
                )
            node = item(document, "nodes", index)
            if "EXT_mesh_gpu_instancing" in node.get("extensions", {}):
                raise ObjectError(Reason.UNSUPPORTED, f"{name}: EXT_mesh_gpu_instancing is not read")
            matrix = parent @ _node_matrix(node)
            if not np.isfinite(matrix).all():
                raise ObjectError(Reason.NOT_FINITE, f"{name}: the placement of node {index} is not finite")
            self.world[index] = matrix
            if "mesh" in node:
                self._place(node, matrix)
            stack.extend((whole(child), matrix, depth + 1) for child in reversed(node.get("children", [])))

    def joints(self, skin: int, buffers: Buffers) -> Doubles:
        """(J, 4, 4) the mesh to the scene, a joint each, in the pose that the nodes stand in."""
        if skin not in self._joints:
            self._joints[skin] = self._read_joints(skin, buffers)
        return self._joints[skin]

    def _read_joints(self, skin: int, buffers: Buffers) -> Doubles:
        entry = item(self.document, "skins", skin)
        nodes = [whole(joint) for joint in entry["joints"]]
        if any(node not in self.world for node in nodes):
            raise ObjectError(Reason.BROKEN, f"{self.name}: a skin with joints outside the scene")
        world = np.stack([self.world[node] for node in nodes])
        if "inverseBindMatrices" not in entry:
            return world
        inverse = buffers.read(entry["inverseBindMatrices"])
        return world @ inverse[: len(nodes)].reshape(len(nodes), 4, 4).transpose(0, 2, 1).astype(np.float64)

    def _roots(self) -> list[int]:
        scenes = self.document.get("scenes")
        if scenes:
            return [
                whole(index)
                for index in item(self.document, "scenes", self.document.get("scene", 0)).get("nodes", [])
            ]
        nodes = self.document.get("nodes", [])
        children = {child for node in nodes for child in node.get("children", [])}
        return [index for index in range(len(nodes)) if index not in children]

    def _place(self, node: dict[str, Any], matrix: Doubles) -> None:
        mesh = item(self.document, "meshes", node["mesh"])
        skin = whole(node["skin"]) if "skin" in node else None
        weights = node.get("weights", mesh.get("weights", NO_WEIGHTS))
        if len(self.placed) + len(mesh["primitives"]) > self.limits.nodes:
            raise ObjectError(Reason.TOO_LARGE, f"{self.name}: more than {self.limits.nodes} primitives")
        self.placed.extend(Placed(primitive, matrix, skin, weights) for primitive in mesh["primitives"])


def _node_matrix(node: dict[str, Any]) -> Doubles:
    if "matrix" in node:
        return np.asarray(node["matrix"], np.float64).reshape(4, 4).T
    x, y, z, w = node.get("rotation", (0, 0, 0, 1))
    rotation = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    matrix = np.eye(4)
    matrix[:3, :3] = rotation * np.asarray(node.get("scale", (1, 1, 1)), np.float64)
    matrix[:3, 3] = node.get("translation", (0, 0, 0))
    return matrix
