"""Which kernels the full family's networks run on: fused attention everywhere, channels-last on a CPU."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from geco.device import channels_last
from geco.multiview.interface import Condition
from geco.multiview.zero123plus.attention import ReferenceAttention
from tests.multiview import tiny
from tests.reconstruct import tiny as meshes


class Counted(TorchDispatchMode):
    """Operations by name, and the formats that attention was given."""

    def __init__(self) -> None:
        super().__init__()
        self.names: Counter[str] = Counter()
        self.attended: set[torch.dtype] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func._schema.name
        self.names[name.removeprefix("aten::")] += 1
        if "scaled_dot_product" in name:
            self.attended.add(args[0].dtype)
        return func(*args, **(kwargs or {}))

    def attention(self) -> int:
        return sum(count for name, count in self.names.items() if "scaled_dot_product" in name)


def condition() -> Tensor:
    codec = tiny.codec()
    made = codec.condition(torch.rand(1, 3, 64, 64))
    assert made.picture is not None
    return codec.decode(torch.randn(1, *tiny.SHEET))


def views() -> Tensor:
    network = tiny.network()
    state = network.encode_condition(tiny.condition())
    return network.predict(torch.randn(1, *tiny.SHEET), torch.tensor([999]), state, "x0")


def planes() -> Tensor:
    return meshes.model("mesh")(*meshes.views())


@pytest.mark.parametrize(
    ("run", "layers"),
    # the VAE's two middle blocks and CLIP's two layers; both passes of four layers of two attentions each;
    # a ViT of two and a transformer of two with two attentions each
    [(condition, 4), (views, 16), (planes, 6)],
)
def test_attention_is_fused_everywhere(run: Callable[[], Tensor], layers: int) -> None:
    with torch.no_grad(), Counted() as counted:
        run()
    assert counted.attention() == layers
    for unfused in ("_softmax", "softmax", "_safe_softmax", "baddbmm"):
        assert not counted.names[unfused], unfused


@pytest.mark.parametrize(("asked", "format"), [(True, torch.float32), (False, torch.float16)])
def test_scores_that_leave_float16_are_computed_in_float32_where_the_model_says_so(
    asked: bool, format: torch.dtype
) -> None:
    attn = tiny.network().unet.mid_block.attentions[0].transformer_blocks[0].attn1.half()
    attn.upcast_attention = asked
    tokens = torch.full((1, 4, 32), 60.0, dtype=torch.float16)
    with Counted() as counted:
        out = ReferenceAttention("mid_block.attn1")(attn, tokens)
    assert counted.attended == {format} and out.dtype == torch.float16 and torch.isfinite(out).all()


def test_channels_last_is_the_same_picture() -> None:
    torch.manual_seed(0)
    network, codec = tiny.network(), tiny.codec()
    told = Condition(torch.randn(1, 4, 8, 8), torch.randn(1, 7, 24))
    x_t, t = torch.randn(1, *tiny.SHEET), torch.tensor([999])

    def drawn() -> Tensor:
        return codec.decode(network.predict(x_t, t, network.encode_condition(told), "x0"))

    plain = drawn()
    channels_last(network.unet)
    channels_last(codec.vae)
    weight = codec.vae.decoder.conv_in.weight
    assert weight.is_contiguous(memory_format=torch.channels_last) and not weight.is_contiguous()
    torch.testing.assert_close(drawn(), plain, rtol=0, atol=1e-5)
