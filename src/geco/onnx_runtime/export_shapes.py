"""A traced graph with fewer nodes: sizes that tracing left to be computed, as constants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
from torch import Tensor

from geco.onnx_runtime.export_weights import replace


def plain_shapes(model: Any, examples: Sequence[Mapping[str, Tensor]]) -> None:
    """Make constants of shapes and places on which all examples agree.

    A third of the nodes of a traced graph ask for sizes and do arithmetic with them, and a session takes a
    tenth of a millisecond to open for each. In the shape of a Reshape one size may differ: it is what is left
    over.
    """
    makers = {name: node for node in model.graph.node for name in node.output}
    reshapes = [node for node in model.graph.node if node.op_type == "Reshape"]
    computed = {name for node in model.graph.node for name in _sizes_of(node, makers)}
    runs = _values(model, [*computed, *(node.output[0] for node in reshapes)], examples)
    constants: list[Any] = []

    def constant(name: str, found: Sequence[Any], may_differ: int) -> str:
        """The name of a constant instead of ``name``."""
        differs = np.any([np.asarray(each) != found[0] for each in found], axis=0)
        if differs.sum() > may_differ:
            return name
        plain = np.where(differs, -1, found[0]).astype(np.int64)
        constants.append(onnx.numpy_helper.from_array(plain, f"{name} {len(constants)}"))
        return str(constants[-1].name)

    for node in model.graph.node:
        if node.op_type == "Reshape":
            node.input[1] = constant(node.input[1], [run[node.output[0]].shape for run in runs], 1)
        for index, name in enumerate(node.input):
            if name in computed:
                node.input[index] = constant(name, [run[name] for run in runs], 0)
    model.graph.initializer.extend(constants)
    _prune(model)


def _sizes_of(node: Any, makers: Mapping[str, Any]) -> list[str]:
    """What is sizes, or places along axes, among a node's inputs and outputs, and made by other nodes. Not
    the shape of a Reshape.
    """
    match node.op_type:
        case "Expand" | "Slice":
            return [name for name in node.input[1:] if name in makers]
        case "Gather" if node.input[0] in makers and makers[node.input[0]].op_type == "Shape":
            return list(node.output)
    return []


def _values(
    model: Any, names: Sequence[str], examples: Sequence[Mapping[str, Tensor]]
) -> list[dict[str, Any]]:
    """Name -> value inside the graph, an example each."""
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    wanted = list(dict.fromkeys(names))
    probe.graph.output.extend(onnx.ValueInfoProto(name=name) for name in wanted)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3  # it warns of what tracing left
    session = onnxruntime.InferenceSession(
        probe.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    inputs = [{key: value.numpy() for key, value in each.items()} for each in examples]
    return [dict(zip(wanted, session.run(wanted, each))) for each in inputs]


def _prune(model: Any) -> None:
    """Take out the nodes whose results nothing asks for."""
    wanted, kept = {value.name for value in model.graph.output}, []
    for node in reversed(model.graph.node):
        if wanted & set(node.output):
            wanted |= set(node.input)
            kept.append(node)
    replace(model.graph.node, kept[::-1])
