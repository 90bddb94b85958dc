"""An exported model by hand: four small ONNX graphs like the real ones, and the weights they ask for."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save

from geco.multiview.small import config as multiview
from geco.reconstruct.small import config as reconstructor

SIDE = 16
FLOAT = TensorProto.FLOAT
AXIS = (np.arange(8) + 0.5) / 8 * 2 - 1
BALL = np.linalg.norm(np.stack(np.meshgrid(AXIS, AXIS, AXIS), -1), axis=-1).astype(np.float32) - 0.6
# half -> its tensors as stored; forms in which graphs want them are in FORMS
WEIGHTS: dict[str, dict[str, Any]] = {
    "multiview": {"tint": np.ones(3, np.float32), "mix": np.full((2, 3), 0.5, np.float16)},
    "reconstructor": {"ball": BALL, "radius": np.full((1, 1), 0.6, np.float16)},
}
FORMS: dict[str, Any] = {
    "views": {"tint": {"shape": [3, 1, 1]}, "mix": {"order": [1, 0]}},
    "reconstruct": {"ball": {"order": [2, 1, 0]}},
    "shape": {"radius": {"shape": [1]}},
    "color": {},
}


def write(folder: Path) -> None:
    """The folder: both halves, graphs and cards. The model's object is a ball, whatever the picture."""
    views = multiview.SmallConfig(size=SIDE, patch=2, channels=8, width=16, heads=2)
    surface = reconstructor.SmallReconstructorConfig(view_size=SIDE, volume_size=8, half_extent=1.07)
    sampling = {"kind": "ddim", "steps": 2, "guidance_scale": 1.5, "eta": 1.0, "clip": 1.0}
    facts = {"distilled": True, "resolution": 16, "texture_size": 64, "sampling": sampling}
    cards = {
        "multiview": (multiview.FORMAT, multiview.PART, {"config": views.to_dict()}),
        "reconstructor": (reconstructor.FORMAT, reconstructor.PART, {"config": surface.to_dict()}),
    }
    for half, (kind, stem, settings) in cards.items():
        _part(folder / half, {"format": kind, **settings}, {f"{stem}.safetensors": save(WEIGHTS[half])})
    graphs = {f"{name}.onnx": graph.SerializeToString() for name, graph in _graphs().items()}
    _part(folder / "onnx", {"format": "geco-onnx-3", "version": "0.1.0", "forms": FORMS}, graphs)
    card = {"format": "geco-model-1", "family": "small", "licence": "CC0-1.0", "facts": facts}
    (folder / "config.json").write_text(json.dumps(card, indent=1))


def _part(folder: Path, card: dict[str, Any], files: dict[str, bytes]) -> None:
    folder.mkdir()
    listed = {}
    for name, data in files.items():
        (folder / name).write_bytes(data)
        listed[name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (folder / "config.json").write_text(json.dumps({**card, "files": listed}, indent=1))


def _graphs() -> dict[str, Any]:
    picture, six = ["n", 3, SIDE, SIDE], [6, 3, SIDE, SIDE]
    table, volume = np.zeros((1, 4), np.float32), np.zeros((1, 4, 8, 8, 8), np.float32)
    pair = {"table": [1, 4], "volume": [1, 4, 8, 8, 8], "points": ["n", 3]}
    return {
        "views": _model(
            {"picture": picture, "x_t": ["n", *six], "t": [1]},
            {"x0": ["n", *six]},
            [
                ("Cast", ["mix"], "mix_float", {"to": FLOAT}),
                ("ReduceMean", ["mix_float"], "half", {"keepdims": 0}),
                ("Unsqueeze", ["picture", "axes"], "wide", {}),
                ("Mul", ["wide", "half"], "shown", {}),
                ("Add", ["x_t", "shown"], "sum", {}),
                ("Mul", ["sum", "tint"], "tinted", {}),
                ("Tanh", ["tinted"], "each", {}),
                ("Reshape", ["each", "sizes"], "x0", {}),
            ],
            {"axes": np.array([1], np.int64), "sizes": np.array([-1, *six], np.int64)},
            {"mix": (np.float16, [3, 2]), "tint": (np.float32, [3, 1, 1])},
        ),
        "reconstruct": _model(
            {"views": [6, SIDE, SIDE, 3], "picture": [SIDE, SIDE, 3]},
            {"table": [1, 4], "volume": [1, 4, 8, 8, 8], "coarse": [8, 8, 8]},
            [
                ("ReduceMean", ["views"], "mean", {"keepdims": 0}),
                ("Mul", ["mean", "nothing"], "little", {}),
                ("Add", ["table_0", "little"], "table", {}),
                ("Add", ["volume_0", "little"], "volume", {}),
                ("Add", ["ball", "little"], "coarse", {}),
            ],
            {"nothing": np.array(0, np.float32), "table_0": table, "volume_0": volume},
            {"ball": (np.float32, [8, 8, 8])},
        ),
        "shape": _model(
            pair,
            {"distance": ["n"]},
            [
                ("Cast", ["radius"], "radius_float", {"to": FLOAT}),
                ("ReduceL2", ["points"], "length", {"axes": [1], "keepdims": 0}),
                ("Sub", ["length", "radius_float"], "distance", {}),
            ],
            {},
            {"radius": (np.float16, [1])},
        ),
        "color": _model(pair, {"color": ["n", 3]}, [("Sigmoid", ["points"], "color", {})]),
    }


def _model(
    inputs: dict[str, Any],
    outputs: dict[str, Any],
    nodes: list[Any],
    constants: dict[str, Any] | None = None,
    asked: dict[str, Any] | None = None,
) -> Any:
    """A graph. asked: name -> type and shape of the weights that it wants to be given."""
    wanted = []
    for name, (kind, shape) in (asked or {}).items():
        tensor = TensorProto(name=name, dims=shape, data_location=TensorProto.EXTERNAL)
        tensor.data_type = helper.np_dtype_to_tensor_dtype(np.dtype(kind))
        tensor.external_data.add(key="location", value="given from memory")
        wanted.append(tensor)
    graph = helper.make_graph(
        [helper.make_node(kind, of, [to], **options) for kind, of, to, options in nodes],
        "graph",
        [helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in outputs.items()],
        [*(numpy_helper.from_array(value, name) for name, value in (constants or {}).items()), *wanted],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def load(data: bytes) -> Any:
    """The graph of a file."""
    return onnx.load_model_from_string(data)
