"""PSNR, SSIM and silhouette IoU against scikit-image, scipy and cases with a known answer."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from geco.metrics.images import (
    NOT_WHITE,
    blur_inside,
    foreground_psnr,
    gaussian_taps,
    not_white,
    psnr,
    silhouette_iou,
    ssim,
    union,
)
from tests.pictures import ball_picture


def pair(
    seed: int, shape: tuple[int, ...] = (2, 3, 40, 33, 3), noise: float = 0.2
) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    a = rng.random(shape, np.float32)
    return a, np.clip(a + noise * rng.standard_normal(shape, np.float32), 0, 1)


def ball(size: int = 64) -> tuple[np.ndarray, np.ndarray]:
    rgba = np.asarray(ball_picture(size), np.float32) / 255
    return rgba[..., :3] * rgba[..., 3:] + 1 - rgba[..., 3:], rgba[..., 3]


@pytest.mark.parametrize("offset", [0.5, 0.1, 0.01])
def test_a_constant_offset_has_the_analytic_psnr(offset: float) -> None:
    a = np.full((4, 16, 16, 3), 0.3)
    np.testing.assert_allclose(psnr(a, a + offset), -20 * np.log10(offset), atol=1e-9)


def test_equal_pictures_reach_the_ceiling_and_the_order_does_not_matter() -> None:
    a, b = pair(0)
    np.testing.assert_allclose(psnr(a, a), 100.0)
    np.testing.assert_array_equal(psnr(a, b), psnr(b, a))
    np.testing.assert_allclose(ssim(a, a), 1.0, atol=1e-12)
    np.testing.assert_allclose(ssim(a, b), ssim(b, a), atol=1e-12)


def test_psnr_and_ssim_agree_with_scikit_image() -> None:
    skimage = pytest.importorskip("skimage.metrics")
    for a, b in (
        pair(1),
        pair(2, noise=0.01),
        tuple(np.stack([ball()[0], np.roll(ball()[0], 3, axis=k)]) for k in (0, 1)),
    ):
        x, y = (
            a.astype(np.float64).reshape(-1, *a.shape[-3:]),
            b.astype(np.float64).reshape(-1, *a.shape[-3:]),
        )
        theirs = [
            skimage.structural_similarity(
                p,
                q,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
                channel_axis=-1,
                data_range=1,
            )
            for p, q in zip(x, y)
        ]
        np.testing.assert_allclose(ssim(a, b).ravel(), theirs, atol=1e-9)
        different = [k for k in range(len(x)) if (x[k] != y[k]).any()]
        np.testing.assert_allclose(
            psnr(a, b).ravel()[different],
            [skimage.peak_signal_noise_ratio(x[k], y[k], data_range=1) for k in different],
            atol=1e-9,
        )


def test_the_window_is_scipys_gaussian() -> None:
    scipy = pytest.importorskip("scipy.ndimage")
    image = np.random.default_rng(3).random((45, 31))
    theirs = scipy.gaussian_filter(image, 1.5, truncate=3.5)[5:-5, 5:-5]
    np.testing.assert_allclose(blur_inside(image, gaussian_taps()), theirs, atol=1e-12)
    assert gaussian_taps().shape == (11,)


def test_ssim_of_flat_pictures_is_the_luminance_term() -> None:
    a, b = np.full((20, 20, 3), 0.2), np.full((20, 20, 3), 0.7)
    assert ssim(a, b) == pytest.approx((2 * 0.2 * 0.7 + 1e-4) / (0.2**2 + 0.7**2 + 1e-4), abs=1e-12)
    assert ssim(a, b).shape == ()


def test_a_negative_has_negative_structure() -> None:
    a = np.random.default_rng(4).random((40, 40, 3))
    assert ssim(a, 1 - a) < -0.5


def test_leading_dimensions_are_pictures_of_their_own() -> None:
    a, b = pair(5)
    mask = np.random.default_rng(6).random(a.shape[:-1])
    for name, whole, single in (
        ("psnr", psnr(a, b), psnr(a[1, 2], b[1, 2])),
        ("ssim", ssim(a, b), ssim(a[1, 2], b[1, 2])),
        ("foreground", foreground_psnr(a, b, mask), foreground_psnr(a[1, 2], b[1, 2], mask[1, 2])),
        ("iou", silhouette_iou(a[..., 0], b[..., 0]), silhouette_iou(a[1, 2, ..., 0], b[1, 2, ..., 0])),
    ):
        assert whole.shape == (2, 3) and whole.dtype == np.float64, name
        assert whole[1, 2] == pytest.approx(float(single), abs=1e-12), name


def test_the_foreground_does_not_know_the_size_of_the_background() -> None:
    picture, alpha = ball(32)
    wrong = np.clip(picture - 0.25 * alpha[..., None], 0, 1)
    wide = [np.pad(image, ((16, 16), (16, 16), (0, 0)), constant_values=1.0) for image in (picture, wrong)]
    assert psnr(*wide) > psnr(picture, wrong) + 5
    mask = alpha >= 0.5
    assert foreground_psnr(*wide, np.pad(mask, 16)) == pytest.approx(
        float(foreground_psnr(picture, wrong, mask)), abs=1e-9
    )


def test_the_union_charges_matter_that_should_not_be_there() -> None:
    picture, alpha = ball(48)
    nothing, empty = np.ones_like(picture), np.zeros_like(alpha)
    assert foreground_psnr(picture, nothing, union(alpha, empty)) == foreground_psnr(
        nothing, picture, union(empty, alpha)
    )
    assert np.isnan(foreground_psnr(picture, nothing, empty))
    assert foreground_psnr(picture, nothing, np.ones_like(alpha)) == pytest.approx(
        float(psnr(picture, nothing)), abs=1e-9
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 12), st.integers(0, 12), st.integers(1, 12))
def test_shifted_squares_have_the_analytic_iou(dx: int, dy: int, side: int) -> None:
    a, b = np.zeros((32, 32)), np.zeros((32, 32))
    a[:side, :side] = 1
    b[dy : dy + side, dx : dx + side] = 0.5  # the threshold itself counts as the object
    common = max(side - dx, 0) * max(side - dy, 0)
    assert silhouette_iou(a, b) == pytest.approx(common / (2 * side**2 - common))


def test_empty_silhouettes() -> None:
    none, some = np.zeros((2, 8, 8)), np.zeros((2, 8, 8))
    some[1, 2:4, 2:4] = 0.9
    np.testing.assert_array_equal(silhouette_iou(none, some), [1.0, 0.0])


def test_shapes_that_do_not_belong_together_are_refused() -> None:
    a = np.zeros((16, 16, 3))
    with pytest.raises(ValueError, match="cannot be compared"):
        psnr(a, a[:8])
    with pytest.raises(ValueError, match="does not belong"):
        foreground_psnr(a, a, np.ones((8, 16)))
    with pytest.raises(ValueError, match="cannot be compared"):
        silhouette_iou(np.ones((4, 4)), np.ones((4, 5)))
    with pytest.raises(ValueError, match="at least 11"):
        ssim(a[:10], a[:10])


def test_every_measure_of_views_draws_the_silhouette_alike() -> None:
    from benchmarks.sampling_table import silhouette

    views = np.ones((1, 6, 8, 8, 3), np.float32)
    views[..., :4, :, 1] = 1 - NOT_WHITE - 0.01  # darker in one channel
    views[..., 4:6, :, :] = 1 - NOT_WHITE + 0.01
    shown = not_white(views)
    assert shown[..., :4, :].all() and not shown[..., 4:, :].any()
    assert np.array_equal(shown, silhouette(torch.from_numpy(views).movedim(-1, -3)).numpy())
