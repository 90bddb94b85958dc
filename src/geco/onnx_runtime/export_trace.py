"""One module to one ONNX graph without weights: it asks for them by their names in the model's files.

A graph is traced with random numbers in place of the weights, so nothing that depends on them can be folded
into it unseen: run on the model's own weights it would differ from torch, and :func:`compare` finds that.
"""

from __future__ import annotations

import copy
import io
import tempfile
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn

from geco.errors import WeightsError
from geco.files import writing
from geco.onnx_runtime.export_shapes import plain_shapes
from geco.onnx_runtime.export_weights import OWNER, Forms, ask_for, replace, shorten_names, shrink
from geco.onnx_runtime.session import open_session
from geco.onnx_runtime.weights import Weights

OPSET = 18
# largest allowed difference between ONNX Runtime and torch, relative to the output's largest value (or 1)
TOLERANCE = 2e-4


@dataclass
class Graph:
    """One graph to export.

    Attributes:
        module: with the model that holds the weights as its attribute ``model`` (:data:`OWNER`).
        examples: inputs by name; the first is traced, all are compared. Where first axes are free, of
            different lengths.
        outputs: names.
        unfolded: buffers of the module that are kept, since what the graph makes of them is larger.
        free: names of inputs and outputs, each with a name for its first axis, which may be of any length.
        axes: the same of other axes too, in place of ``free``.
    """

    module: nn.Module
    examples: list[dict[str, Tensor]]
    outputs: list[str]
    unfolded: tuple[str, ...] = ()
    free: dict[str, str] = field(default_factory=dict)
    axes: dict[str, dict[int, str]] | None = None


def traced(graph: Graph, stored: Weights) -> tuple[bytes, Forms]:
    """The graph, asking for those tensors of ``stored`` (name -> as the file has it) that it needs, and the
    forms in which it wants them.
    """
    module = copy.deepcopy(graph.module).eval()
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.rand(parameter.shape, generator=rng))
    for path in graph.unfolded:  # only tensors of a state have names in a traced graph
        *owner, name = path.split(".")
        part = module.get_submodule(".".join(owner))
        buffer = getattr(part, name)
        delattr(part, name)
        part.register_buffer(name, buffer)
    stream = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        # tracing warns of every Python number taken from a shape; the comparison with torch decides
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            tuple(graph.examples[0].values()),
            cast(Any, stream),
            opset_version=OPSET,
            dynamo=False,
            do_constant_folding=False,
            input_names=list(graph.examples[0]),
            output_names=graph.outputs,
            dynamic_axes={name: {0: axis} for name, axis in graph.free.items()},
        )
    model = onnx.load_model_from_string(stream.getvalue())
    plain_shapes(model, graph.examples)
    model = optimized(model, {*graph.unfolded, *(f"{OWNER}{name}" for name in stored)})
    forms = ask_for(model, stored)
    shrink(model)
    shorten_names(model)
    return bytes(model.SerializeToString()), forms


def compare(data: bytes, graph: Graph, weights: Weights, name: str) -> float:
    """Largest relative difference between ONNX Runtime and torch on the example inputs.

    Raises WeightsError above the tolerance or where shapes differ.
    """
    session, worst = open_session(data, weights), 0.0
    for inputs in graph.examples:
        with torch.no_grad():
            expected = graph.module.eval()(*inputs.values())
        expected = [expected] if isinstance(expected, Tensor) else list(expected)
        results = session.run(None, {key: value.numpy() for key, value in inputs.items()})
        for key, result, tensor in zip(graph.outputs, results, expected):
            reference = tensor.numpy()
            if result.shape != reference.shape:
                raise WeightsError(
                    f"{name}.onnx gives {key} of shape {result.shape}, torch {reference.shape}",
                    "This is a bug: report it.",
                )
            worst = max(worst, float(np.abs(result - reference).max() / max(np.abs(reference).max(), 1.0)))
    if not worst <= TOLERANCE:
        raise WeightsError(f"{name}.onnx differs from torch by {worst:.2g}", "This is a bug: report it.")
    return worst


def optimized(model: Any, kept: set[str]) -> Any:
    """ONNX Runtime's portable optimisations (constants folded, shapes simplified) done now instead of at
    every start, but for what comes of the tensors ``kept``.
    """
    model.graph.input.extend(  # as an input that may be overridden, a constant is not folded
        onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
        for tensor in model.graph.initializer
        if tensor.name in kept
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "optimized.onnx"
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(path)
        options.log_severity_level = 3  # it warns of exactly what is done here on purpose
        with writing(path):
            onnxruntime.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        model = onnx.load(path)
    replace(model.graph.input, [entry for entry in model.graph.input if entry.name not in kept])
    used = {node.domain for node in model.graph.node}
    replace(model.opset_import, [entry for entry in model.opset_import if entry.domain in used])
    return model
