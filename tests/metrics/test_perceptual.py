"""The pyramid distance: bounds, parity of its two faces, and what it must find worse than what."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from geco.metrics.images import psnr
from geco.metrics.perceptual import gradients, opponent, pyramid_distance, pyramid_terms, smooth
from geco.metrics.pyramid import perceptual_loss
from tests.pictures import ball_picture


def ball(size: int = 96) -> np.ndarray:
    """A ball with stripes, so that there is texture to lose; (size, size, 3)."""
    rgba = np.asarray(ball_picture(size), np.float64) / 255
    v, u = np.mgrid[0:size, 0:size]
    stripes = 0.75 + 0.25 * np.sign(np.sin((u + 0.4 * v) * 2 * np.pi / 12))
    return rgba[..., :3] * stripes[..., None] * rgba[..., 3:] + 1 - rgba[..., 3:]


def blurred(picture: np.ndarray, sigma: float) -> np.ndarray:
    scipy = pytest.importorskip("scipy.ndimage")
    return scipy.gaussian_filter(picture, (sigma, sigma, 0))


def test_filters_are_the_documented_ones() -> None:
    scipy = pytest.importorskip("scipy.ndimage")
    image = np.random.default_rng(0).random((3, 20, 27))
    binomial = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256
    wanted = np.stack([scipy.correlate(channel, binomial, mode="nearest") for channel in image])
    np.testing.assert_allclose(smooth(image), wanted, atol=1e-12)
    gx, gy = gradients(image[:1])
    np.testing.assert_allclose(gx, scipy.prewitt(image[0], axis=1, mode="nearest") / 3, atol=1e-12)
    np.testing.assert_allclose(gy, scipy.prewitt(image[0], axis=0, mode="nearest") / 3, atol=1e-12)
    white = opponent(np.ones((3, 2, 2)))
    np.testing.assert_allclose(white[0], 1.0)
    np.testing.assert_allclose(white[1:], 0.0, atol=1e-12)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**31), st.integers(8, 40), st.integers(8, 40), st.floats(0.0, 1.0))
def test_zero_for_equal_symmetric_and_bounded(seed: int, height: int, width: int, amount: float) -> None:
    rng = np.random.default_rng(seed)
    a = rng.random((height, width, 3), np.float32)
    b = (1 - amount) * a + amount * rng.random(a.shape, np.float32)
    assert pyramid_distance(a, a) == 0
    assert pyramid_distance(a, b) == pytest.approx(float(pyramid_distance(b, a)), abs=1e-6)
    for term in pyramid_terms(np.moveaxis(a, -1, 0), np.moveaxis(b, -1, 0)):
        assert 0 <= term <= 1 + 1e-6


@pytest.mark.parametrize("size", [8, 15, 64, 96])
def test_the_torch_face_gives_the_same_numbers(size: int) -> None:
    rng = np.random.default_rng(size)
    a, b = (
        rng.random((2, 3, size, size + 3, 3), np.float32),
        rng.random((2, 3, size, size + 3, 3), np.float32),
    )
    b[0] = a[0] * 0.9
    found = perceptual_loss(
        *(torch.from_numpy(p.reshape(6, size, size + 3, 3)).permute(0, 3, 1, 2) for p in (a, b))
    )
    np.testing.assert_allclose(pyramid_distance(a, b).reshape(-1), found.numpy(), atol=2e-6)


def test_the_gradient_is_that_of_the_number() -> None:
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.rand(1, 3, 8, 9, generator=generator, dtype=torch.float64) for _ in range(2))
    assert torch.autograd.gradcheck(
        perceptual_loss, (a.requires_grad_(), b), eps=1e-6, atol=1e-6, fast_mode=True
    )


def test_gradients_are_finite_on_white_and_descent_finds_the_picture() -> None:
    target = torch.from_numpy(ball(24)).permute(2, 0, 1)[None].float()
    guess = torch.full_like(target, 0.5).requires_grad_()
    flat = torch.ones_like(target).requires_grad_()
    perceptual_loss(flat, torch.ones_like(target)).sum().backward()
    assert flat.grad is not None and flat.grad.isfinite().all()
    optimizer = torch.optim.Adam([guess], lr=0.04)
    first = float(perceptual_loss(guess, target).detach())
    for _ in range(40):
        optimizer.zero_grad()
        perceptual_loss(guess, target).sum().backward()
        optimizer.step()
    assert float(perceptual_loss(guess, target).detach()) < 0.25 * first


def test_more_of_a_fault_costs_more() -> None:
    picture, rng = ball(), np.random.default_rng(1)
    noise = rng.standard_normal(picture.shape)
    mask = (picture.min(-1, keepdims=True) < 0.99).astype(float)
    for name, wrong in (
        ("blur", [blurred(picture, s) for s in (0.5, 1, 2, 4)]),
        ("shift", [np.roll(picture, n, axis=1) for n in (1, 2, 4)]),
        ("noise", [np.clip(picture + s * noise, 0, 1) for s in (0.02, 0.05, 0.1, 0.2)]),
        ("darker", [picture - d * mask * picture for d in (0.05, 0.1, 0.2, 0.4)]),
    ):
        costs = [float(pyramid_distance(picture, w)) for w in wrong]
        assert costs == sorted(costs) and costs[0] > 0, (name, costs)
        assert costs[-1] < pyramid_distance(picture, np.ones_like(picture)), name


def test_a_blur_does_not_win_as_it_does_with_psnr() -> None:
    picture = ball()
    blur, moved = blurred(picture, 3), np.roll(picture, 2, axis=1)
    assert psnr(picture, blur) > psnr(picture, moved)
    assert pyramid_distance(picture, blur) > pyramid_distance(picture, moved)


def test_colour_alone_is_seen() -> None:
    picture = ball()
    swapped = picture[..., [2, 1, 0]]
    texture, structure, color = pyramid_terms(np.moveaxis(picture, -1, 0), np.moveaxis(swapped, -1, 0))
    assert color > 0.1 > max(texture, structure)


def test_small_and_unequal_pictures_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 8 px"):
        pyramid_distance(np.zeros((7, 20, 3)), np.zeros((7, 20, 3)))
    with pytest.raises(ValueError, match="cannot be compared"):
        pyramid_distance(np.zeros((20, 20, 3)), np.zeros((20, 21, 3)))
    with pytest.raises(ValueError, match="cannot be compared"):
        perceptual_loss(torch.zeros(1, 3, 9, 9), torch.zeros(2, 3, 9, 9))
