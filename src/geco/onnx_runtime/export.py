"""Export the small model (``geco export``): the folder then runs without torch.

The model's folder holds ``multiview/`` and ``reconstructor/`` as training wrote them. Each graph is run on
ONNX Runtime beside the torch module it came from, and the export fails if they differ. Weights are stored in
float16 and computed in float32.
"""

from __future__ import annotations

import io
import json
import os
import tempfile
import warnings
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from geco.errors import MissingExtraError, WeightsError
from geco.files import atomic_write
from geco.foreign import read_fields
from geco.model_files.card import HALF_ABOVE, Usage, read_card, usage_of
from geco.multiview.small.network import SmallMultiView
from geco.multiview.small.weights import load_small
from geco.onnx_runtime.card import CARD, FORMAT
from geco.onnx_runtime.export_modules import (
    ConditionPass,
    DenoisePass,
    PointPass,
    ReconstructPass,
    stored_names,
)
from geco.outputs import check_folder
from geco.reconstruct.small.model import SmallReconstructor
from geco.version import __version__

OPSET = 18
# largest allowed difference between ONNX Runtime and torch, relative to the output's largest value (or 1)
TOLERANCE = 2e-4
CARRIED = ("stage", "recipe", "distilled")  # facts of the model folder that the exported card repeats
UNFOLDED = ("depth", "position")  # tables of ReconstructPass


@dataclass
class Graph:
    """One graph to export: a module, example inputs by name, names of outputs, and what has a
    first axis of any length.
    """

    module: nn.Module
    inputs: dict[str, Tensor]
    outputs: list[str]
    free: list[str] = field(default_factory=list)


def export_small(
    model_dir: str | os.PathLike[str],
    output_dir: str | os.PathLike[str],
    usage: Usage | None = None,
    facts: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Write the five graphs and the card; returns the card.

    Args:
        model_dir: a model folder of the small family, with both halves.
        usage: in place of what the model's own card says.
        facts: about the training, for ``geco info``.

    Raises:
        WeightsError: a part is missing or broken, or a graph does not give what torch gives.
        OutputError: the folder cannot be written, or holds the model itself or something else's config.json.
    """
    source, target = Path(model_dir), Path(output_dir)
    about = read_card(source)
    usage = usage or usage_of(about, source)
    usage.drawing(str(source / CARD))
    check_folder(target, [CARD], _is_export)
    network = load_small(source / "multiview")
    model = SmallReconstructor.load(source / "reconstructor")
    store_in_half(network)
    store_in_half(model)
    files, errors = {}, {}
    for name, graph in graphs(network, model).items():
        data, errors[name] = export_graph(graph, name)
        atomic_write(target / f"{name}.onnx", data)
        files[f"{name}.onnx"] = {"bytes": len(data), "sha256": sha256(data).hexdigest()}
    config = network.config
    schedule = {
        **config.schedule,
        "alphas_cumprod": [float(f"{a:.9g}") for a in network.schedule.alphas_cumprod],
    }
    trained = read_fields(source / "reconstructor" / "config.json", WeightsError).fields("facts", None)
    card = {
        "format": FORMAT,
        "family": "small",
        "version": __version__,
        "licence": "Apache-2.0",
        "view_size": config.size,
        "foreground_ratio": config.foreground_ratio,
        "rig": config.rig,
        "schedule": schedule,
        "reconstructor": model.config.to_dict(),
        "parameters": {"multiview": count(network), "reconstructor": count(model)},
        "facts": {
            "reconstructor": trained.values if trained else {},
            **{name: about["facts"][name] for name in CARRIED if name in about["facts"]},
            **usage.to_dict(),
            **(facts or {}),
        },
        "export_error": errors,
        "files": files,
    }
    atomic_write(target / CARD, (json.dumps(card) + "\n").encode())
    return card


def _is_export(folder: Path) -> bool:
    """Whether the card there is one of an exported model; the card of the model itself has the same name."""
    try:
        return bool(read_fields(folder / CARD, WeightsError).text("format") == FORMAT)
    except WeightsError:
        return False


def graphs(network: SmallMultiView, model: SmallReconstructor) -> dict[str, Graph]:
    """Every graph of the small model, with example inputs."""
    size, generator = network.config.size, torch.Generator().manual_seed(0)

    def rand(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator)

    write = ConditionPass(network)
    picture = rand(2, 3, size, size) * 2 - 1
    with torch.no_grad():
        stored = write(picture)
    tokens = stored_names(network)
    noisy = {
        "x_t": torch.randn(2, 6, 3, size, size, generator=generator),
        "t": torch.tensor([999.0, 400.0]),
        "patches": stored[0],
    }
    encode = ReconstructPass(model)
    seen = {"views": rand(6, size, size, 3), "picture": rand(size, size, 3)}
    with torch.no_grad():
        table, volume, _ = encode(**seen)
    asked = {"table": table, "volume": volume, "points": rand(301, 3) * 2 - 1}
    return {
        "condition": Graph(
            write, {"picture": picture}, ["patches", *tokens], ["picture", "patches", *tokens]
        ),
        "generate": Graph(
            DenoisePass(network),
            {**noisy, **dict(zip(tokens, stored[1:]))},
            ["x0"],
            ["x_t", "t", "patches", *tokens, "x0"],
        ),
        "reconstruct": Graph(encode, seen, ["table", "volume", "coarse"]),
        "shape": Graph(PointPass(model, "shape"), asked, ["sdf"], ["points", "sdf"]),
        "color": Graph(PointPass(model, "color"), asked, ["color"], ["points", "color"]),
    }


def export_graph(graph: Graph, name: str) -> tuple[bytes, float]:
    """The graph's bytes, weights in float16, and its largest difference to torch on the example inputs."""
    buffer = io.BytesIO()
    axes = {key: {0: "n"} for key in graph.free}
    with warnings.catch_warnings(), torch.no_grad():
        # tracing warns of every Python number taken from a shape; the comparison below decides
        warnings.simplefilter("ignore")
        torch.onnx.export(
            graph.module.eval(),
            tuple(graph.inputs.values()),
            cast(Any, buffer),
            opset_version=OPSET,
            dynamo=False,
            do_constant_folding=False,
            input_names=list(graph.inputs),
            output_names=graph.outputs,
            dynamic_axes=axes,
        )
        expected = graph.module(*graph.inputs.values())
    data = halve(optimize(buffer.getvalue()))
    return data, compare(data, graph, [expected] if isinstance(expected, Tensor) else list(expected), name)


def compare(data: bytes, graph: Graph, expected: list[Tensor], name: str) -> float:
    """Largest relative difference between ONNX Runtime and torch; WeightsError above the
    tolerance or where shapes differ.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    results = session.run(None, {key: value.numpy() for key, value in graph.inputs.items()})
    worst = 0.0
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


def store_in_half(module: nn.Module) -> None:
    """Round large parameters to float16, in place, so that torch computes with what will be stored."""
    for parameter in module.parameters():
        if parameter.numel() > HALF_ABOVE:
            parameter.data = parameter.data.half().float()


def optimize(data: bytes) -> bytes:
    """ONNX Runtime's portable optimisations (constants folded, shapes simplified) done now instead of at
    every start.

    What the tables UNFOLDED give is not folded: it would be ten times their size, and takes a few
    milliseconds at loading.
    """
    import onnxruntime

    onnx = _onnx()
    model = onnx.load_model_from_string(data)
    kept = [tensor for tensor in model.graph.initializer if tensor.name in UNFOLDED]
    given = [
        onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
        for tensor in kept
    ]
    model.graph.input.extend(given)  # as an input that may be overridden, a constant is not folded
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "optimized.onnx"
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(path)
        options.log_severity_level = 3  # it warns of exactly what is done here on purpose
        onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        model = onnx.load(path)
    inputs = [entry for entry in model.graph.input if entry.name not in UNFOLDED]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    used = {node.domain for node in model.graph.node}
    opsets = [entry for entry in model.opset_import if entry.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(opsets)
    return bytes(model.SerializeToString())


def halve(data: bytes) -> bytes:
    """Large float32 constants that float16 holds exactly, stored so, each followed by a cast that
    ONNX Runtime folds at loading.
    """
    onnx = _onnx()
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    model = onnx.load_model_from_string(data)
    casts = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if (
            values.dtype != np.float32
            or values.size <= HALF_ABOVE
            or not np.array_equal(values.astype(np.float16), values)
        ):
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return bytes(model.SerializeToString())


def _onnx() -> Any:
    try:
        import onnx
    except ImportError as error:
        raise MissingExtraError("onnx", "torch", "exporting a model") from error
    return onnx


def count(module: nn.Module) -> int:
    """Parameters of a module."""
    return sum(parameter.numel() for parameter in module.parameters())
