"""The write and read passes against a second, plainly written attention, and against what must
hold of any.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from geco.errors import ConfigError
from geco.multiview.interface import Condition
from geco.multiview.zero123plus.network import TEXT, Zero123PlusNetwork
from tests.multiview import tiny


class PlainAttention:
    """Softmax attention head by head; ``store`` collects tokens while writing and serves them
    while reading.
    """

    def __init__(self, store: dict[int, Tensor], writing: bool) -> None:
        self.store, self.writing = store, writing

    def __call__(
        self, attn: Any, hidden_states: Tensor, encoder_hidden_states: Tensor | None = None, **_: Any
    ) -> Tensor:
        context = hidden_states
        if encoder_hidden_states is not None:
            context = encoder_hidden_states
        elif self.writing:
            self.store[id(attn)] = hidden_states
        else:
            context = torch.cat([hidden_states, self.store[id(attn)]], dim=1)
        q, k, v = attn.to_q(hidden_states), attn.to_k(context), attn.to_v(context)
        width = q.shape[-1] // attn.heads
        heads = []
        for head in range(attn.heads):
            part = slice(head * width, (head + 1) * width)
            scores = torch.einsum("bqc,bkc->bqk", q[..., part], k[..., part]) / width**0.5
            heads.append(torch.einsum("bqk,bkc->bqc", scores.softmax(-1), v[..., part]))
        return attn.to_out[0](torch.cat(heads, dim=-1))


def _plainly(
    network: Zero123PlusNetwork, x_t: Tensor, t: Tensor, written: Tensor, t_written: Tensor, text: Tensor
) -> Tensor:
    unet, store = network.unet, dict[int, Tensor]()
    unet.set_attn_processor(PlainAttention(store, writing=True))
    unet(written, t_written, encoder_hidden_states=text)
    unet.set_attn_processor(PlainAttention(store, writing=False))
    return unet(x_t, t, encoder_hidden_states=text).sample


def _inputs(batch: int = 2) -> tuple[Tensor, Tensor, Condition]:
    return (
        torch.randn(batch, *tiny.SHEET, generator=torch.Generator().manual_seed(3)),
        torch.tensor([700, 30][:batch]),
        tiny.condition(batch),
    )


def test_noised_reference_is_the_plain_procedure() -> None:
    x_t, t, condition = _inputs()
    noise = torch.randn(2, 4, 8, 8)
    ours_network, plain_network = tiny.network(True), tiny.network(True)
    ours = ours_network.predict(x_t, t, ours_network.encode_condition(condition, t, noise), "v")
    alpha = torch.from_numpy(ours_network.schedule.alphas_cumprod)[t].float().reshape(2, 1, 1, 1)
    written = alpha.sqrt() * condition.picture + (1 - alpha).sqrt() * noise
    theirs = _plainly(plain_network, x_t, t, written, t, condition.text)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=5e-6)


def test_clean_reference_is_written_as_it_is_at_timestep_zero() -> None:
    x_t, t, condition = _inputs()
    network = tiny.network()
    ours = network.predict(x_t, t, network.encode_condition(condition), "v")
    theirs = _plainly(tiny.network(), x_t, t, condition.picture, torch.zeros(2), condition.text)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=5e-6)


def test_reading_ones_own_tokens_changes_nothing() -> None:
    # Every key and value twice: the same softmax average. So a reference equal to the input is no reference
    # at all.
    network, (x_t, t, condition) = tiny.network(), _inputs()
    noise = torch.randn(x_t.shape)
    clean = torch.randn(x_t.shape)
    own = network.encode_condition(Condition(clean, condition.text), t, noise)
    none = network.encode_condition(Condition(None, condition.text))
    noisy = network.schedule.add_noise(clean, noise, t)
    torch.testing.assert_close(
        network.predict(noisy, t, own, "v"), network.predict(noisy, t, none, "v"), rtol=0, atol=5e-6
    )


def test_the_order_of_the_reference_tokens_does_not_matter_and_the_tokens_do() -> None:
    network, (x_t, t, condition) = tiny.network(), _inputs()
    state = network.encode_condition(condition)
    turned = state.map(lambda x: x)
    turned = type(state)({k: v if k == TEXT else v.flip(1) for k, v in turned.tensors.items()})
    v = network.predict(x_t, t, state, "v")
    torch.testing.assert_close(network.predict(x_t, t, turned, "v"), v, rtol=0, atol=5e-6)
    swapped = state.map(lambda x: x.flip(0))
    assert (network.predict(x_t, t, swapped, "v") - v).abs().max() > 1e-2


def test_every_self_attention_is_stored_and_only_they() -> None:
    network = tiny.network()
    state = network.encode_condition(tiny.condition(3))
    expected = [
        name.removesuffix(".processor")
        for name in network.unet.attn_processors
        if name.endswith("attn1.processor")
    ]
    assert network.self_attentions == expected and len(expected) == 4
    assert set(state.tensors) == {TEXT, *expected}
    assert state.batch == 3 and state.tensors[expected[0]].shape == (3, 64, 16)


def test_expanding_a_state_is_encoding_the_expanded_condition() -> None:
    network, condition = tiny.network(), tiny.condition(2)
    expanded = network.encode_condition(condition).expand(3)
    direct = network.encode_condition(condition.expand(3))
    assert expanded.batch == 6 and expanded.joins(direct)
    for name, value in expanded.tensors.items():
        torch.testing.assert_close(value, direct.tensors[name], rtol=0, atol=5e-6)
    assert torch.equal(expanded.tensors[TEXT][0], expanded.tensors[TEXT][2])
    both = expanded.join(direct)
    assert both.batch == 12 and torch.equal(both.tensors[TEXT][:6], expanded.tensors[TEXT])


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_computing_queries_in_chunks_changes_nothing(chunk: int) -> None:
    x_t, t, condition = _inputs()
    whole, parts = tiny.network(), tiny.network(query_chunk=chunk)
    expected = whole.predict(x_t, t, whole.encode_condition(condition), "v")
    torch.testing.assert_close(
        parts.predict(x_t, t, parts.encode_condition(condition), "v"), expected, rtol=0, atol=5e-6
    )


def test_prediction_types_say_the_same() -> None:
    network, (x_t, t, condition) = tiny.network(), _inputs()
    state = network.encode_condition(condition)
    x0, eps = (network.predict(x_t, t, state, kind) for kind in ("x0", "eps"))
    torch.testing.assert_close(network.schedule.add_noise(x0, eps, t), x_t, rtol=0, atol=2e-6)


def test_bfloat16_stays_close() -> None:
    x_t, t, condition = _inputs()
    network = tiny.network()
    exact = network.predict(x_t, t, network.encode_condition(condition), "v")
    half = network.to(torch.bfloat16)
    rough = half.predict(x_t, t, half.encode_condition(condition.to(dtype=torch.bfloat16)), "v")
    assert rough.dtype == torch.float32
    assert (rough - exact).abs().mean() < 0.03 * exact.abs().mean()


def test_gradient_checkpointing_gives_the_same_gradients() -> None:
    x_t, t, condition = _inputs()
    gradients = []
    for checkpointing in (False, True):
        network = tiny.network().requires_grad_(True).train()
        if checkpointing:
            network.unet.enable_gradient_checkpointing()
        network.predict(x_t, t, network.encode_condition(condition), "v").square().sum().backward()
        gradients.append(
            network.unet.down_blocks[0].attentions[0].transformer_blocks[0].attn1.to_k.weight.grad
        )
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-5, atol=1e-5)


def test_incomplete_conditions_are_refused() -> None:
    network, condition = tiny.network(), tiny.condition()
    with pytest.raises(ConfigError, match="text"):
        network.encode_condition(Condition(condition.picture))
    with pytest.raises(ConfigError, match="noise"):
        network.encode_condition(condition, noise=torch.zeros_like(condition.picture))


@torch.no_grad()
def test_a_clean_reference_at_a_timestep_is_a_noised_one_without_its_noise() -> None:
    network, condition, t = tiny.network(), tiny.condition(), torch.tensor([300])
    assert condition.picture is not None
    signal, _ = network.schedule.levels(t, condition.picture)
    larger = Condition(condition.picture / signal, condition.text)
    found = network.encode_condition(condition, t)
    wanted = network.encode_condition(larger, t, torch.zeros_like(condition.picture))
    clean = network.encode_condition(condition)
    for name, value in wanted.tensors.items():
        torch.testing.assert_close(found.tensors[name], value, atol=1e-5, rtol=1e-4)
    assert any(not torch.equal(found.tensors[name], value) for name, value in clean.tensors.items())


def test_other_attention_is_refused() -> None:
    network = tiny.network()
    network.unet.down_blocks[0].attentions[0].transformer_blocks[0].attn1.rescale_output_factor = 2.0
    with pytest.raises(NotImplementedError, match="attn1"):
        Zero123PlusNetwork(network.unet)
