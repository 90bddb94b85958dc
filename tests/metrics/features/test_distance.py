"""The distance by autoencoder features: its formula, its gradient, what it leaves alone, what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from geco.errors import ConfigError
from geco.metrics.features.config import AutoencoderConfig
from geco.metrics.features.distance import TINY, FeatureDistance, feature_distance
from geco.metrics.features.network import Autoencoder
from tests.metrics.features.build import CONFIG, network, pictures


def test_it_is_the_documented_sum() -> None:
    net, (a, b) = network().double(), pictures(3, dtype=torch.float64)
    wanted = np.zeros(3)
    for first, second in zip(net.features(a), net.features(b)):
        x, y = (
            f.detach().numpy() / np.sqrt((f.detach().numpy() ** 2).sum(1, keepdims=True) + TINY)
            for f in (first, second)
        )
        wanted += ((x - y) ** 2).sum(1).mean((1, 2))
    np.testing.assert_allclose(feature_distance(net, a, b).detach().numpy(), wanted, rtol=1e-12)


def test_zero_for_equal_symmetric_and_bounded() -> None:
    distance, (a, b) = FeatureDistance(network()), pictures(5)
    assert distance(a, a).tolist() == [0.0] * 5
    assert torch.equal(distance(a, b), distance(b, a))
    assert (distance(a, b) > 0).all() and (distance(a, b) <= 4 * len(CONFIG.widths)).all()
    assert torch.allclose(distance(a, b)[2:3], distance(a[2:3], b[2:3]), rtol=1e-5)  # a pair by itself
    assert distance(a.half(), b.half()).dtype == torch.float32


def test_the_gradient_is_that_of_the_number() -> None:
    distance, (a, b) = FeatureDistance(network().double()), pictures(1, 9, torch.float64)
    assert torch.autograd.gradcheck(
        distance, (a.requires_grad_(), b.requires_grad_()), eps=1e-6, atol=1e-7, fast_mode=True
    )
    distance(a, b).sum().backward()
    assert a.grad is not None and b.grad is not None and a.grad.abs().max() > 0 < b.grad.abs().max()
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in distance.parameters())


def test_gradients_are_finite_for_equal_pictures_and_descent_finds_the_picture() -> None:
    distance, (target, _) = FeatureDistance(network()), pictures(1, 16)
    white = torch.ones_like(target).requires_grad_()
    distance(white, torch.ones_like(target)).sum().backward()
    assert white.grad is not None and white.grad.isfinite().all()
    guess = torch.full_like(target, 0.5).requires_grad_()
    optimizer = torch.optim.Adam([guess], lr=0.05)
    first, apart = float(distance(guess, target).detach()), float((guess - target).detach().abs().mean())
    for _ in range(60):
        optimizer.zero_grad()
        distance(guess, target).sum().backward()
        optimizer.step()
    assert float(distance(guess, target).detach()) < 0.25 * first
    # the picture itself came nearer, not its features alone
    assert float((guess - target).detach().abs().mean()) < 0.75 * apart


def test_a_change_is_seen_where_it_is() -> None:
    net, (a, _) = network(), pictures(1, 64)
    b = a.clone()
    b[..., :4, :4] = 1 - b[..., :4, :4]
    for first, second in zip(net.features(a), net.features(b)):
        far = first.shape[-1] // 2
        assert torch.equal(first[..., far:, far:], second[..., far:, far:])
        assert not torch.equal(first[..., 0, 0], second[..., 0, 0])


def test_white_goes_on_beyond_the_border() -> None:
    """What lies on white has the features of the same picture with a wider margin."""
    net, picture = network(), torch.ones(1, 3, 64, 64)
    picture[..., 28:36, 28:36] = 0.3
    for parameter in net.parameters():
        if parameter.ndim == 1:
            torch.nn.init.zeros_(parameter)  # a bias would tell inside from outside
    wide = torch.nn.functional.pad(picture, (8, 8, 8, 8), value=1.0)
    for first, second in zip(net.features(picture), net.features(wide)):
        margin = 8 * first.shape[-1] // 64
        assert torch.allclose(first, second[..., margin:-margin, margin:-margin], atol=1e-5)


def test_shapes_of_the_network() -> None:
    net = network()
    assert [tuple(f.shape) for f in net.features(torch.rand(2, 3, 13, 22))] == [
        (2, 4, 13, 22),
        (2, 6, 7, 11),
        (2, 8, 4, 6),
    ]
    assert net.encode(torch.rand(2, 3, 16, 8)).shape == (2, 2, 4, 2) and net(
        torch.rand(2, 3, 16, 8)
    ).shape == (2, 3, 16, 8)
    assert 300_000 < sum(p.numel() for p in Autoencoder().parameters()) < 600_000
    # untrained: white
    assert torch.allclose(Autoencoder()(torch.ones(1, 3, 16, 16)), torch.ones(1, 3, 16, 16))


def test_what_does_not_fit_is_refused() -> None:
    distance = FeatureDistance(network())
    for a, b in (
        ((1, 3, 9, 9), (2, 3, 9, 9)),
        ((1, 3, 3, 9), (1, 3, 3, 9)),
        ((3, 9, 9), (3, 9, 9)),
        ((1, 4, 9, 9), (1, 4, 9, 9)),
    ):
        with pytest.raises(ValueError, match="at least 4 px"):
            distance(torch.zeros(a), torch.zeros(b))
    for wrong in ({"widths": (8,)}, {"widths": (8, 0)}, {"blocks": 0}, {"latent": 0}):
        with pytest.raises(ConfigError, match="AutoencoderConfig"):
            AutoencoderConfig(**wrong)  # type: ignore[arg-type]
