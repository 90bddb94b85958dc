"""Products by oneDNN: the same numbers as torch's, in float32 to its rounding, in bfloat16 to that."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from geco.reconstruct import packed
from geco.reconstruct.packed import PackedLinear, attend, pack
from tests.reconstruct import tiny

TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 2e-2}


@pytest.fixture(params=[True, False], ids=["oneDNN", "without"])
def operators(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """With the operators, and as on a torch that lacks them."""
    if not request.param:
        monkeypatch.setattr(packed, "can_pack", lambda: False)
    elif not packed.can_pack():
        pytest.skip("this torch has no such operators")
    return bool(request.param)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("post", ["none", "gelu"])
def test_a_packed_layer_is_the_layer(dtype: torch.dtype, post: packed.Post, operators: bool) -> None:
    torch.manual_seed(0)
    linear, x = nn.Linear(96, 160), torch.randn(2, 50, 96)
    with torch.no_grad():
        expected = linear(x) if post == "none" else F.gelu(linear(x))
        ours = PackedLinear(linear, dtype, 50, post)(x)
    assert ours.dtype == dtype
    torch.testing.assert_close(ours.float(), expected, atol=TOLERANCE[dtype], rtol=TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("keys", [1100, 700])
def test_attention_by_rows_is_attention(dtype: torch.dtype, keys: int, operators: bool) -> None:
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 3, n, 16).to(dtype) for n in (1100, keys, keys))
    q *= 8  # sharp: rounded scores would show
    expected = F.scaled_dot_product_attention(q.double(), k.double(), v.double())
    with torch.no_grad():
        ours = attend(q, k, v)
    assert ours.dtype == dtype
    torch.testing.assert_close(ours.double(), expected, atol=TOLERANCE[dtype], rtol=TOLERANCE[dtype])


def test_attention_keeps_its_gradient() -> None:
    q, k, v = (torch.randn(1, 1, 600, 8, requires_grad=True) for _ in range(3))
    attend(q, k, v).sum().backward()
    assert q.grad is not None and q.grad.abs().sum() > 0


def test_only_large_layers_are_packed() -> None:
    model = nn.Sequential(nn.Linear(256, 256), nn.Sequential(nn.Linear(8, 8), nn.Linear(512, 128)))
    pack(model)
    kinds = [type(m).__name__ for m in model.modules() if not isinstance(m, nn.Sequential)]
    assert kinds == ["PackedLinear", "Linear", "PackedLinear"]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_packed_triposr_makes_the_same_planes(
    dtype: torch.dtype, operators: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed, "LEAST", 1)
    monkeypatch.setattr(packed, "FEW", 1)
    model, picture = tiny.triposr(), torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        expected = model(picture)
        ours = model.pack(dtype)(picture)
    spread = float(expected.std())
    assert ours.dtype == torch.float32
    assert float((ours - expected).abs().max()) < {torch.float32: 2e-5, torch.bfloat16: 0.2}[dtype] * spread
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert not [m for m in model.backbone.modules() if isinstance(m, nn.Linear)]
    assert [m for m in model.decoder.modules() if isinstance(m, nn.Linear)]
