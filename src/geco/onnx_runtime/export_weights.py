"""A traced graph without its weights: it asks for them by the names they have in the model's files."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from geco.onnx_runtime.weights import Form, Weights
from geco.types import Array

Forms = dict[str, Form]
OWNER = "model."  # how a traced module names what holds the weights
SMALL = 64  # constants of so many values stay as they are


def ask_for(model: Any, stored: Weights) -> Forms:
    """Make every weight an initializer without numbers, named and typed as in the file, and cast where that
    is not float32; the forms in which the graph wants them.
    """
    casts: list[Any] = []
    own: list[Any] = []
    forms: Forms = {}
    renamed: dict[str, str] = {}
    for tensor in model.graph.initializer:
        name = tensor.name.removeprefix(OWNER)
        if name == tensor.name or name not in stored:
            own.append(tensor)
            continue
        result, form = _form(model, tensor.name, stored[name].shape)
        if form != Form():
            forms[name] = form
        asked = TensorProto(name=name, data_location=TensorProto.EXTERNAL)
        asked.dims.extend(form.of(stored[name]).shape)
        asked.data_type = helper.np_dtype_to_tensor_dtype(stored[name].dtype)
        asked.external_data.add(key="location", value="given from memory")
        own.append(asked)
        if asked.data_type == TensorProto.FLOAT:
            renamed[result] = name
        else:
            casts.append(helper.make_node("Cast", [name], [result], to=TensorProto.FLOAT))
    for node in model.graph.node:
        replace(node.input, [renamed.get(each, each) for each in node.input])
    replace(model.graph.initializer, own)
    replace(model.graph.node, [*casts, *model.graph.node])
    return forms


def shrink(model: Any) -> None:
    """Constants in less room, to be unfolded at loading: one value repeated, whole numbers in few bits."""
    first: list[Any] = []
    own: list[Any] = []
    for tensor in model.graph.initializer:
        values = None if tensor.external_data else numpy_helper.to_array(tensor)
        if values is None or values.size <= SMALL:
            own.append(tensor)
        elif (values == values.flat[0]).all():
            shape, one = f"{tensor.name} shape", numpy_helper.from_array(values.reshape(-1)[:1])
            own.append(numpy_helper.from_array(np.array(values.shape, np.int64), shape))
            first.append(helper.make_node("ConstantOfShape", [shape], [tensor.name], value=one))
        elif values.dtype.kind == "i" and values.min() >= 0 and values.max() < 2**16:
            short = f"{tensor.name} short"
            own.append(numpy_helper.from_array(values.astype(np.uint16), short))
            first.append(helper.make_node("Cast", [short], [tensor.name], to=tensor.data_type))
        else:
            own.append(tensor)
    replace(model.graph.initializer, own)
    replace(model.graph.node, [*first, *model.graph.node])


def shorten_names(model: Any) -> None:
    """Short names for everything but inputs, outputs and weights: a session looks them up all the time."""
    asked = [tensor.name for tensor in model.graph.initializer if tensor.external_data]
    kept = {*asked, *(value.name for value in [*model.graph.input, *model.graph.output])}
    names: dict[str, str] = {}

    def short(name: str) -> str:
        return name if not name or name in kept else names.setdefault(name, f"v{len(names)}")

    for tensor in model.graph.initializer:
        tensor.name = short(tensor.name)
    for index, node in enumerate(model.graph.node):
        node.name = f"n{index}"
        replace(node.input, [short(name) for name in node.input])
        replace(node.output, [short(name) for name in node.output])
    replace(model.graph.value_info, [])


def replace(repeated: Any, values: list[Any]) -> None:
    """Give a repeated field of a message these values, which may be some of its own."""
    kept = list(values)
    del repeated[:]
    repeated.extend(kept)


def _form(model: Any, name: str, shape: tuple[int, ...]) -> tuple[str, Form]:
    """Take out the nodes that move a weight's numbers and do nothing else: the name of their result, and the
    form that has the same effect.
    """
    constants: Mapping[str, Any] = {tensor.name: tensor for tensor in model.graph.initializer}
    numbers: Array = np.arange(int(np.prod(shape))).reshape(shape)
    form, moved = Form(), numbers
    while True:
        users = [node for node in model.graph.node if name in node.input]
        sizes = [numpy_helper.to_array(constants[each]) for each in users[0].input[1:] if each in constants]
        if len(users) != 1 or len(sizes) != len(users[0].input) - 1:
            return name, form
        after = _moved(users[0], moved, sizes)
        found = None if after is None else _as_form(numbers, after)
        if after is None or found is None:
            return name, form
        form, moved, name = found, after, users[0].output[0]
        model.graph.node.remove(users[0])


def _moved(node: Any, x: Array, sizes: list[Array]) -> Array | None:
    """What a node makes of x, if it only moves numbers."""
    match node.op_type:
        case "Transpose":
            return x.transpose(list(node.attribute[0].ints))
        case "Unsqueeze":
            return np.expand_dims(x, tuple(sizes[0].tolist()))
        case "Reshape" if 0 not in sizes[0]:
            return x.reshape(sizes[0])
    return None


def _as_form(numbers: Array, moved: Array) -> Form | None:
    """The form that makes ``moved`` of ``numbers``, if there is one."""
    for order in itertools.permutations(range(numbers.ndim)):
        turned = numbers.transpose(order)
        if np.array_equal(turned.reshape(-1), moved.reshape(-1)):
            kept = order == tuple(range(numbers.ndim))
            return Form(None if kept else order, None if turned.shape == moved.shape else moved.shape)
    return None
