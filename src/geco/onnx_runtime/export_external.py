"""One module to one ONNX graph whose weights are external data in a safetensors file of the model's.

Traced without its weights, so that neither their memory nor the two gigabytes of a protobuf are a limit.
"""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import onnx
import torch
from onnx import TensorProto, helper

from geco.onnx_runtime.export_trace import OPSET, Graph, optimized
from geco.onnx_runtime.export_weights import OWNER, shorten_names, shrink
from geco.onnx_runtime.export_weights import replace as put
from geco.onnx_runtime.weights import Weights


def places(path: Path, folder: str) -> dict[str, dict[str, str]]:
    """Where in a weights file each tensor's numbers are, as ONNX's external data says it."""
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        header = json.loads(stream.read(length))
    found = {}
    for name, about in header.items():
        if name != "__metadata__":
            begin, end = about["data_offsets"]
            place = {"location": f"{folder}/{path.name}", "offset": str(8 + length + begin)}
            found[name] = place | {"length": str(end - begin)}
    return found


def traced(graph: Graph, stored: Weights, where: Mapping[str, Mapping[str, str]]) -> bytes:
    """The graph, asking for those tensors of ``stored`` (name -> as the file has it) that it needs, which are
    ``where`` the graph's own folder has them.
    """
    stream = io.BytesIO()
    axes = graph.axes or {name: {0: axis} for name, axis in graph.free.items()}
    with warnings.catch_warnings(), torch.no_grad():
        # tracing warns of every Python number taken from a shape; the comparison with torch decides
        warnings.simplefilter("ignore")
        torch.onnx.export(
            graph.module.eval(),
            tuple(graph.examples[0].values()),
            cast(Any, stream),
            opset_version=OPSET,
            dynamo=False,
            do_constant_folding=False,
            export_params=False,
            input_names=list(graph.examples[0]),
            output_names=graph.outputs,
            dynamic_axes=axes,
            custom_opsets={"com.microsoft": 1},
        )
    model = optimized(onnx.load_model_from_string(stream.getvalue()), set())
    buffers = {f"{OWNER}{name}": value for name, value in graph.module.get_submodule("model").named_buffers()}
    asked, casts, inputs = list(model.graph.initializer), [], []
    for told in model.graph.input:
        name = told.name.removeprefix(OWNER)
        if name == told.name:
            inputs.append(told)
        elif name in stored:
            asked.append(_asked(name, stored[name], where[name]))
            kind = "Identity" if stored[name].dtype == "float32" else "Cast"
            more: dict[str, Any] = {} if kind == "Identity" else {"to": TensorProto.FLOAT}
            casts.append(helper.make_node(kind, [name], [told.name], **more))
        else:  # what the network computes of its settings
            asked.append(onnx.numpy_helper.from_array(buffers[told.name].numpy(), told.name))
    put(model.graph.input, inputs)
    put(model.graph.initializer, asked)
    put(model.graph.node, [*casts, *model.graph.node])
    shrink(model)
    shorten_names(model)
    return bytes(model.SerializeToString())


def _asked(name: str, tensor: Any, where: Mapping[str, str]) -> Any:
    """An initializer without numbers."""
    found = TensorProto(name=name, data_location=TensorProto.EXTERNAL)
    found.dims.extend(tensor.shape)
    found.data_type = helper.np_dtype_to_tensor_dtype(tensor.dtype)
    for key, value in where.items():
        found.external_data.add(key=key, value=value)
    return found
