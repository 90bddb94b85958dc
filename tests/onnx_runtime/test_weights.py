"""The graphs hold no weights: they are given those of the model's own files and nothing else."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load, save

from geco.errors import WeightsError
from geco.foreign import Fields
from geco.loading import EMBEDDED
from geco.model_files.card import MULTIVIEW, ONNX
from geco.onnx_runtime.backend import OnnxBackend
from geco.onnx_runtime.card import HALVES, ExportedModel
from geco.onnx_runtime.graph import wanted_weights
from geco.onnx_runtime.session import open_session
from geco.onnx_runtime.weights import Form
from geco.torch_runtime.folder import load_backend
from tests.damage import signed
from tests.onnx_runtime.conftest import SIZE


def test_the_embedded_graphs_ask_for_every_weight_and_hold_none() -> None:
    """What they hold is indices of gathers, and the coordinates of an axis."""
    model = ExportedModel(EMBEDDED)
    asked: dict[str, set[str]] = {half: set() for half in HALVES.values()}
    for name, half in HALVES.items():
        data = (EMBEDDED / ONNX / f"{name}.onnx").read_bytes()
        asked[half] |= wanted_weights(data).keys()
        held = [
            numpy_helper.to_array(tensor)
            for tensor in onnx.load_model_from_string(data).graph.initializer
            if not tensor.external_data
        ]
        assert sum(values.nbytes for values in held) < 200_000
        assert max(values.size for values in held if values.dtype.kind == "f") <= 8 * 16**2
    for half, names in asked.items():
        assert names == model.model.arrays(half).keys()


def test_a_changed_weight_changes_both_runtimes_alike(exported: Path, tmp_path: Path) -> None:
    """Whatever the graphs made of the weights at export would be left over from the old ones."""
    shutil.copytree(exported, tmp_path / "m")
    for half, file in ((MULTIVIEW, "network"), ("reconstructor", "model")):
        name = f"{file}.safetensors"
        rng = np.random.default_rng(5)
        tensors = load((tmp_path / "m" / half / name).read_bytes())
        changed = {
            key: (value * rng.uniform(0.7, 1.3, value.shape)).astype(value.dtype)
            for key, value in tensors.items()
        }
        signed(tmp_path / "m" / half, name, save(changed))
    picture = np.random.default_rng(0).random((SIZE, SIZE, 3), np.float32)
    before, ours = (OnnxBackend(folder, "m") for folder in (exported, tmp_path / "m"))
    theirs = load_backend(str(tmp_path / "m"), "cpu")
    views = [backend.generate([picture], [0])[0] for backend in (before, ours, theirs)]
    assert np.abs(views[0] - views[1]).max() > 0.01
    np.testing.assert_allclose(views[1], views[2], atol=1e-5)
    points = np.random.default_rng(1).uniform(-0.9, 0.9, (200, 3)).astype(np.float32)
    colors = [each.reconstruct(views[0], picture).color(points) for each in (before, ours, theirs)]
    assert np.abs(colors[0] - colors[1]).max() > 0.01
    np.testing.assert_allclose(colors[1], colors[2], atol=1e-4)


def test_the_weights_live_as_long_as_the_sessions(exported: Path) -> None:
    picture = np.random.default_rng(0).random((SIZE, SIZE, 3), np.float32)
    backends = [OnnxBackend(exported, "m") for _ in range(3)]
    wanted = backends[0].generate([picture], [4])
    del backends[0]
    gc.collect()
    rubbish = [np.full(50_000, 7, np.float32) for _ in range(200)]
    for backend in backends:
        np.testing.assert_array_equal(backend.generate([picture], [4]), wanted)
    assert rubbish[-1][0] == 7


def graph(*tensors: TensorProto, nodes: list[onnx.NodeProto] | None = None) -> bytes:
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [3])
    nodes = nodes or [helper.make_node("Identity", ["w"], ["y"])]
    made = helper.make_graph(nodes, "g", [], [y], list(tensors))
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def outside(name: str = "w", where: str = "../../etc/passwd", kind: int = TensorProto.FLOAT) -> TensorProto:
    tensor = TensorProto(name=name, dims=[3], data_type=kind, data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=where)
    return tensor


def branch(**tensors: TensorProto) -> list[onnx.NodeProto]:
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [3])
    hidden = [helper.make_node("Constant", [], ["w"], value=tensors["node"])] if "node" in tensors else []
    own = [tensors["own"]] if "own" in tensors else []
    then = helper.make_graph([*hidden, helper.make_node("Identity", ["w"], ["y"])], "then", [], [y], own)
    return [
        helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(np.array(True))),
        helper.make_node("If", ["c"], ["y"], then_branch=then, else_branch=then),
    ]


GIVEN = {"w": np.arange(3, dtype=np.float32)}


@pytest.mark.parametrize("where", ["../../etc/passwd", "/dev/zero", ""])
def test_what_is_given_is_used_wherever_the_graph_points(where: str) -> None:
    data = graph(outside(where=where))
    assert wanted_weights(data).keys() == {"w"}
    np.testing.assert_array_equal(open_session(data, GIVEN).run(None, {})[0], GIVEN["w"])


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: graph(outside("v"), nodes=[helper.make_node("Identity", ["v"], ["y"])]), "not there: 'v'"),
        (lambda: graph(outside(), outside()), "asks for 'w' twice"),
        (lambda: graph(outside(kind=TensorProto.FLOAT16)), "wants 'w' as float16"),
        (lambda: graph(outside(kind=TensorProto.INT64)), "a type or shape that no weights have"),
        (lambda: graph(nodes=branch(node=outside())), "keeps numbers in other files"),
        (lambda: graph(nodes=branch(own=outside())), "keeps numbers in other files"),
        (lambda: b"\xff" * 30, "it "),
        (lambda: b"\x3a\xff\xff\x03x", "it is cut off"),
        (lambda: b"\x3a" * 5000, "it "),
    ],
)
def test_what_a_graph_may_not_ask_for(make: Callable[[], bytes], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        open_session(make(), GIVEN)


def test_a_graph_that_needs_nothing_is_given_nothing() -> None:
    data = graph(numpy_helper.from_array(np.ones(3, np.float32), "w"))
    assert not wanted_weights(data)
    np.testing.assert_array_equal(open_session(data, GIVEN).run(None, {})[0], np.ones(3))


@pytest.mark.parametrize("form", [Form(), Form((1, 0)), Form(None, (6,)), Form((1, 0), (2, 3, 1))])
def test_a_form_moves_numbers_as_torch_does_and_comes_back_from_json(form: Form) -> None:
    tensor = np.arange(6, dtype=np.float16).reshape(3, 2)
    wanted = torch.from_numpy(tensor)
    wanted = wanted if form.order is None else wanted.permute(form.order)
    wanted = wanted if form.shape is None else wanted.reshape(form.shape)
    np.testing.assert_array_equal(form.of(tensor), wanted.numpy())
    assert Form.from_fields(Fields(form.to_dict(), "x", WeightsError)) == form
