"""Passes that are recorded and replayed, or compiled, give what they gave when they were called."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from geco.errors import ConfigError
from geco.multiview.generate import generate_views
from geco.passes import Pass
from geco.sampling import Sampling
from geco.torch_runtime.captured import MOST_SHAPES, Captured, Compiled, Graphs, Outputs
from tests.multiview import tiny
from tests.reconstruct import tiny as meshes

PICTURE = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
META = torch.device("meta")


class Repeated:
    """A recorder without a GPU: to replay is to compute again from the same memory into the same memory."""

    def __init__(self) -> None:
        self.recorded = self.replayed = 0

    def record(self, run: Pass, inputs: Sequence[Tensor]) -> tuple[Outputs, Callable[[], object]]:
        self.recorded += 1
        outputs = run(*inputs)

        def replay() -> None:
            self.replayed += 1
            again = run(*inputs)
            for old, new in zip(tree_iter(outputs), tree_iter(again), strict=True):
                old.copy_(new)

        return outputs, replay


def test_a_recording_is_made_once_a_shape_and_what_it_gives_is_the_callers_own() -> None:
    recorder = Repeated()
    captured = Captured(lambda a, b: (a + b, a * b), recorder)
    one, two, three = (torch.full((3,), float(n)) for n in (1, 2, 3))
    total, product = captured(one, two)
    later = captured(two, three)
    assert recorder.recorded == 1 and recorder.replayed == 2
    assert total.tolist() == [3] * 3 and product.tolist() == [2] * 3  # not written over by the second
    assert [x[0].item() for x in later] == [5, 6] and one.tolist() == [1] * 3
    for size in range(4, 4 + MOST_SHAPES):
        captured(torch.ones(size), torch.ones(size).double())
    captured(one.clone(), two)  # the first shape was let go
    assert recorder.recorded == 2 + MOST_SHAPES
    captured(torch.ones(2, 2, 3).transpose(0, 2), two[:, None, None].expand(3, 2, 2))
    assert recorder.recorded == 3 + MOST_SHAPES


def test_a_copy_of_a_network_has_no_recordings() -> None:
    network, recorder = tiny.network(), Repeated()
    network.through(Graphs(recorder))
    state = network.encode_condition(tiny.condition())
    copied = copy.deepcopy(network)
    for weight in network.parameters():
        weight.zero_()
    again = copied.encode_condition(tiny.condition())
    assert recorder.recorded == 1 and all(
        torch.allclose(again.tensors[n], x) for n, x in state.tensors.items()
    )


@pytest.mark.parametrize("sampling", [Sampling(), Sampling("euler-ancestral", 3, 4.0)])
def test_views_from_recordings_are_the_views(sampling: Sampling) -> None:
    network, codec = tiny.network(noised_reference=sampling.kind != "one-step"), tiny.codec()
    plain = [generate_views(network, codec, PICTURE, seeds, sampling) for seeds in ([1, 2], [3, 4])]
    recorder = Repeated()
    for part in (network, codec):
        part.through(Graphs(recorder))
    again = [generate_views(network, codec, PICTURE, seeds, sampling) for seeds in ([1, 2], [3, 4])]
    for a, b in zip(again, plain):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-5)
    # picture, embedding, write, read, decode, and the grey picture, which is smaller here
    assert recorder.recorded <= 6
    assert recorder.replayed >= 2 * (3 + 2 * sampling.steps)


def test_a_compiled_reconstructor_makes_the_same_planes_and_a_pass_that_cannot_be_compiled_says_so() -> None:
    model, inputs = meshes.model("mesh").requires_grad_(False), meshes.views()
    expected = model(*inputs)
    recorder = Repeated()
    model.through(Compiled("eager", then=Graphs(recorder)))
    torch.testing.assert_close(model(*inputs), expected, rtol=0, atol=1e-5)
    assert recorder.replayed == 1
    looking = Compiled("eager")([], lambda x: x if x.sum() > 0 else -x)
    with pytest.raises(ConfigError, match=r"torch\.compile cannot"):
        looking(torch.ones(3))


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["eager", "inductor"])
def test_compiled_views_are_the_views(backend: str) -> None:
    network, codec = tiny.network(), tiny.codec()
    plain = generate_views(network, codec, PICTURE, [1], Sampling())
    for part in (network, codec):
        part.through(Compiled(backend))
    again = generate_views(network, codec, PICTURE, [1], Sampling())
    torch.testing.assert_close(again, plain, rtol=0, atol=1e-4)


class _OnDevice(TorchDispatchMode):
    """Every operation's tensors are on the meta device: none comes from the host, none goes there."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in tree_iter((args, kwargs, result)):
            if isinstance(tensor, Tensor):
                assert tensor.device == META, func
        assert func.overloadpacket is not torch.ops.aten._local_scalar_dense
        return result


class _Checked:
    """A wrap that runs each pass under :class:`_OnDevice`."""

    def __init__(self) -> None:
        self.ran = 0

    def __call__(self, parts: Sequence[torch.nn.Module], run: Pass) -> Pass:
        def checked(*tensors: Tensor) -> Outputs:
            self.ran += 1
            with _OnDevice():
                made: Outputs = run(*tensors)
            return made

        return checked


def test_no_pass_touches_the_host_so_that_a_graph_can_hold_it() -> None:
    network, codec = tiny.network().to(META), tiny.codec().to(META)
    model, (views, cameras) = meshes.model("mesh").requires_grad_(False).to(META), meshes.views()
    wrap = _Checked()
    for part in (network, codec, model):
        part.through(wrap)
    generate_views(network, codec, PICTURE, [1, 2], Sampling("ddim", 2, 4.0))
    model(views.to(META), cameras.to(META))
    # the sheets of two seeds are decoded one by one
    assert wrap.ran == 3 + 1 + 2 + 2 + 1
