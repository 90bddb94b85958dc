"""An exported model by hand: five small ONNX graphs with the inputs and outputs of the real ones."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE = 16
FLOAT = TensorProto.FLOAT


def write(folder: Path) -> None:
    """The folder: graphs and card. The model's object is a ball, whatever the picture."""
    files = {}
    for name, graph in _graphs().items():
        data = graph.SerializeToString()
        (folder / f"{name}.onnx").write_bytes(data)
        files[f"{name}.onnx"] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    card = {
        "format": "geco-onnx-1",
        "family": "small",
        "version": "0.1.0",
        "licence": "CC0-1.0",
        "view_size": SIDE,
        "foreground_ratio": 0.85,
        "rig": "zero123plus-v1.2",
        "schedule": {
            "kind": "cosine",
            "noise_shift": 2.0,
            "alphas_cumprod": np.linspace(0.999, 0.001, 1000).round(6).tolist(),
        },
        "reconstructor": {
            "view_size": SIDE,
            "volume_size": 8,
            "half_extent": 1.07,
            "rig": "zero123plus-v1.2",
        },
        "parameters": {"multiview": 1, "reconstructor": 1},
        "facts": {
            "distilled": True,
            "resolution": 16,
            "texture_size": 64,
            "sampling": {"kind": "ddim", "steps": 2, "guidance_scale": 1.5, "eta": 1.0, "clip": 1.0},
        },
        "files": files,
    }
    (folder / "config.json").write_text(json.dumps(card, indent=1))


def _graphs() -> dict[str, Any]:
    picture, views = [SIDE, SIDE, 3], [6, SIDE, SIDE, 3]
    axis = (np.arange(8) + 0.5) / 8 * 2 - 1
    ball = np.linalg.norm(np.stack(np.meshgrid(axis, axis, axis), -1), axis=-1).astype(np.float32) - 0.6
    table, volume = np.zeros((1, 4), np.float32), np.zeros((1, 4, 8, 8, 8), np.float32)
    pair = {"table": [1, 4], "volume": [1, 4, 8, 8, 8], "points": ["n", 3]}
    return {
        "condition": _model(
            {"picture": ["b", 3, SIDE, SIDE]},
            {"stored": ["b", 3, SIDE, SIDE]},
            [("Tanh", ["picture"], "stored", {})],
        ),
        "generate": _model(
            {"x_t": ["n", 6, 3, SIDE, SIDE], "t": ["n"], "stored": ["n", 3, SIDE, SIDE]},
            {"x0": ["n", 6, 3, SIDE, SIDE]},
            [
                ("Unsqueeze", ["stored", "one"], "wide", {}),
                ("Add", ["x_t", "wide"], "sum", {}),
                ("Tanh", ["sum"], "x0", {}),
            ],
            {"one": np.array([1], np.int64)},
        ),
        "reconstruct": _model(
            {"views": views, "picture": picture},
            {"table": [1, 4], "volume": [1, 4, 8, 8, 8], "coarse": [8, 8, 8]},
            [
                ("ReduceMean", ["views"], "mean", {"keepdims": 0}),
                ("Mul", ["mean", "nothing"], "little", {}),
                *[("Add", [f"{name}_0", "little"], name, {}) for name in ("table", "volume", "coarse")],
            ],
            {"nothing": np.array(0, np.float32), "table_0": table, "volume_0": volume, "coarse_0": ball},
        ),
        "shape": _model(
            pair,
            {"distance": ["n"]},
            [
                ("ReduceL2", ["points"], "length", {"axes": [1], "keepdims": 0}),
                ("Sub", ["length", "radius"], "distance", {}),
            ],
            {"radius": np.array(0.6, np.float32)},
        ),
        "color": _model(pair, {"color": ["n", 3]}, [("Sigmoid", ["points"], "color", {})]),
    }


def _model(
    inputs: dict[str, Any], outputs: dict[str, Any], nodes: list[Any], constants: dict[str, Any] | None = None
) -> Any:
    graph = helper.make_graph(
        [helper.make_node(kind, of, [to], **options) for kind, of, to, options in nodes],
        "graph",
        [helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in (constants or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def load(data: bytes) -> Any:
    """The graph of a file."""
    return onnx.load_model_from_string(data)
