"""The small multi-view network: interface, independence of batch items, the two ways of the
condition, weights on disk.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save

from geco.errors import ConfigError, WeightsError
from geco.multiview.generate import generate_views
from geco.multiview.interface import Condition
from geco.multiview.one_step import OneStepGenerator
from geco.multiview.small.codec import PixelCodec
from geco.multiview.small.config import SmallConfig
from geco.multiview.small.network import SmallMultiView
from geco.multiview.small.weights import load_small, save_small
from geco.sampling import Sampling
from tests.damage import signed

TINY = SmallConfig(size=16, channels=16, width=32, stages=2, heads=2, embedding=32)


@pytest.fixture
def network() -> SmallMultiView:
    """Tiny, with every weight random (the zero starts of training would hide mistakes)."""
    torch.manual_seed(0)
    network = SmallMultiView(TINY).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return network


def pictures(count: int, size: int = 16, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(seed))


def noise(count: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(count, 6, 3, 16, 16, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def test_prediction_types_are_the_same_prediction(network: SmallMultiView) -> None:
    x_t, t = noise(3), torch.tensor([100, 500, 900])
    state = network.encode_condition(Condition(pictures(3)))
    x0 = network.predict(x_t, t, state, "x0")
    assert x0.shape == (3, *network.sample_shape)
    signal, level = network.schedule.levels(t, x_t)
    v, eps = network.predict(x_t, t, state, "v"), network.predict(x_t, t, state, "eps")
    torch.testing.assert_close(signal * x_t - level * v, x0, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(signal * x0 + level * eps, x_t, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_items_of_a_batch_do_not_meet(network: SmallMultiView) -> None:
    x_t, t, condition = noise(3), torch.tensor([3, 500, 999]), pictures(3)
    together = network.predict(x_t, t, network.encode_condition(Condition(condition)), "x0")
    for i in range(3):
        one = slice(i, i + 1)
        alone = network.predict(x_t[one], t[one], network.encode_condition(Condition(condition[one])), "x0")
        torch.testing.assert_close(alone, together[one], atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_views_see_each_other_and_the_condition_both_ways(network: SmallMultiView) -> None:
    x_t, t = noise(1), torch.tensor([500])
    state = network.encode_condition(Condition(pictures(1)))
    other = network.encode_condition(Condition(pictures(1, seed=5)))
    base = network.predict(x_t, t, state, "x0")
    changed = x_t.clone()
    changed[:, 4] += 1
    assert ((network.predict(changed, t, state, "x0") - base)[:, 0].abs().max()) > 1e-4
    for name in state.tensors:  # the channels and the tokens of every stage, one at a time
        mixed = type(state)({**state.tensors, name: other.tensors[name]})
        assert (network.predict(x_t, t, mixed, "x0") - base).abs().max() > 1e-4, name


@torch.no_grad()
def test_dropped_condition_tells_nothing(network: SmallMultiView) -> None:
    drop = torch.tensor([False, True])
    first = network.encode_condition(Condition(pictures(2), keep=drop))
    second = network.encode_condition(Condition(pictures(2, seed=8), keep=drop))
    for name, value in first.tensors.items():
        assert torch.equal(value[0], second.tensors[name][0])
        assert not torch.equal(value[1], second.tensors[name][1])
    codec = PixelCodec(16)
    told = codec.condition(pictures(2))
    assert torch.equal(
        network.encode_condition(codec.unconditional(told)).tensors["patches"], torch.zeros(2, 48, 4, 4)
    )


def test_a_noised_reference_is_the_noised_picture_and_a_timestep_alone_is_refused(
    network: SmallMultiView,
) -> None:
    picture, draw, t = pictures(2), pictures(2, seed=3), torch.tensor([200, 800])
    noised = Condition(network.schedule.add_noise(picture, draw, t))
    found, wanted = network.encode_condition(Condition(picture), t, draw), network.encode_condition(noised)
    for name, value in wanted.tensors.items():
        assert torch.equal(found.tensors[name], value)
    with pytest.raises(ValueError, match="both t and noise"):
        network.encode_condition(Condition(picture), t)


@torch.no_grad()
def test_generation_repeats_by_seed_and_not_by_batch(network: SmallMultiView) -> None:
    condition, codec = pictures(3), PixelCodec(16)
    for guidance, eta in ((1.0, 0.0), (2.0, 1.0)):
        how = Sampling("ddim", 3, guidance, eta, 1.0)
        views = generate_views(network, codec, condition, [4, 5, 6], how)
        assert views.shape == (3, 6, 3, 16, 16) and views.min() >= 0 and views.max() <= 1
        fewer = generate_views(network, codec, condition[:2], [4, 5], how)
        torch.testing.assert_close(fewer, views[:2], atol=1e-4, rtol=1e-3)
        # two seeds of one picture among seeds of another
        more = generate_views(network, codec, condition[:2], [4, 9, 5, 9], how)
        torch.testing.assert_close(more[::2], views[:2], atol=1e-4, rtol=1e-3)
    assert not torch.allclose(views, generate_views(network, codec, condition, [5, 5, 5], how))
    with pytest.raises(ConfigError, match="2 seeds cannot"):
        generate_views(network, codec, condition, [4, 5], how)


@torch.no_grad()
def test_one_step_generator_is_the_sampler_with_one_step(network: SmallMultiView) -> None:
    from geco.multiview.noise import SeededNoise

    codec = PixelCodec(16)
    x0 = OneStepGenerator(network).generate(codec.condition(pictures(1)), SeededNoise([0]))
    torch.testing.assert_close(
        codec.decode(x0),
        generate_views(network, codec, pictures(1), [0], Sampling("ddim", 1, clip=1.0)),
        atol=1e-5,
        rtol=1e-5,
    )


def test_codec_round_trip() -> None:
    codec = PixelCodec(16)
    views = torch.rand(2, 6, 3, 16, 16)
    torch.testing.assert_close(codec.decode(codec.encode(views)), views)
    assert codec.condition(torch.ones(1, 3, 40, 40)).picture is not None
    torch.testing.assert_close(codec.condition(torch.ones(1, 3, 40, 40)).picture, torch.ones(1, 3, 16, 16))


def test_weights_round_trip(network: SmallMultiView, tmp_path: Path) -> None:
    save_small(network, tmp_path)
    again = load_small(tmp_path)
    assert again.config == network.config and not again.training
    for name, value in network.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name


@pytest.mark.parametrize(
    "damage",
    ["missing key", "extra key", "wrong shape", "truncated", "no weights", "no config", "other family"],
)
def test_damaged_folders_name_what_is_wrong(network: SmallMultiView, tmp_path: Path, damage: str) -> None:
    save_small(network, tmp_path)
    weights, config = tmp_path / "network.safetensors", tmp_path / "config.json"
    tensors = {name: value.clone() for name, value in load_file(weights).items()}
    expected = "network.safetensors"
    match damage:
        case "missing key":
            del tensors["stem.bias"]
            signed(tmp_path, weights.name, save(tensors))
            expected = "lacks 'stem.bias'"
        case "extra key":
            signed(tmp_path, weights.name, save({**tensors, "odd": torch.zeros(2)}))
            expected = "does not know, 'odd'"
        case "wrong shape":
            signed(tmp_path, weights.name, save({**tensors, "position": torch.zeros(3)}))
            expected = r"position' has shape \(3,\)"
        case "truncated":
            weights.write_bytes(weights.read_bytes()[:1000])
            expected = "is truncated"
        case "no weights":
            weights.unlink()
        case "no config":
            config.unlink()
            expected = r"it has no config\.json"
        case "other family":
            config.write_text(json.dumps({**json.loads(config.read_text()), "format": "full"}))
            expected = "'full'"
    with pytest.raises(WeightsError, match=expected):
        load_small(tmp_path)


def test_bfloat16_takes_another_attention_and_says_nearly_the_same(network: SmallMultiView) -> None:
    asked = PixelCodec(16), pictures(2), [0, 1], Sampling("ddim", 2, 1.5, 1.0, 1.0)
    exact = generate_views(network, *asked)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = generate_views(network, *asked)
    difference = (rounded - exact).abs()
    assert 0 < float(difference.mean()) < 5e-3


def test_sizes_that_cannot_be() -> None:
    with pytest.raises(ConfigError, match="multiple"):
        SmallConfig(size=60)
    with pytest.raises(ConfigError, match="'sizes'"):
        SmallConfig.from_dict({"sizes": 3})
