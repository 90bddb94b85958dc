"""PSNR, foreground PSNR, SSIM and silhouette IoU of pictures, in numpy.

Pictures are (..., H, W, 3) in [0, 1] on white, masks (..., H, W) in [0, 1]; each function returns one float64
a picture, shape = the leading dimensions (a 0-d array for a single picture). Everything is computed in
float64.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geco.types import Bools, Doubles, Floats

# equal pictures score 100 dB instead of infinity, so that a mean over pictures and JSON stay finite
MSE_FLOOR = 1e-10
# A view has no alpha: a pixel whose darkest channel is this far below white belongs to the object, in every
# measure of views. It is the largest threshold that costs true views nearly nothing: 0.15 loses 4 % of the
# object, and 0.04 takes more of the haze that generated views have far from it (benchmarks.silhouettes).
NOT_WHITE = 0.06
# SSIM's constants: Wang et al. 2004 (IEEE TIP 13(4)), section III.C and the authors' ssim_index.m.
SSIM_K1, SSIM_K2 = 0.01, 0.03
SSIM_SIGMA, SSIM_RADIUS = 1.5, 5  # an 11 x 11 Gaussian window
_BLOCK = 16  # rows a product; measured fastest of 16, 32 and 64 at 320 px


def not_white(pictures: Floats) -> Bools:
    """Where a view, which has no alpha, shows the object: see :data:`NOT_WHITE`. White parts are lost.

    Args:
        pictures: (..., H, W, 3) in [0, 1] on white.
    """
    shown: Bools = pictures.min(axis=-1) < 1 - NOT_WHITE
    return shown


def psnr(a: ArrayLike, b: ArrayLike) -> Doubles:
    """Peak signal-to-noise ratio, -10 log10(MSE) dB for a peak of 1, over all pixels and channels; (...).

    The mean squared error is floored at 1e-10: equal pictures score 100 dB. A table's PSNR is the mean of the
    pictures' PSNRs, as in LRM's and InstantMesh's evaluation, not the PSNR of the mean error.

    Args:
        a, b: (..., H, W, 3) in [0, 1].

    Raises:
        ValueError: the shapes differ or are not those of pictures.
    """
    first, second = _pictures(a, b)
    return _decibels(np.mean((first - second) ** 2, axis=(-3, -2, -1)))


def foreground_psnr(a: ArrayLike, b: ArrayLike, mask: ArrayLike) -> Doubles:
    """PSNR over the object's pixels only, the squared errors weighted by ``mask``; (...).

    On white pictures most pixels agree whatever the object looks like, so PSNR over all pixels mostly
    measures how large the object is drawn. Give the UNION of both silhouettes (:func:`union`): with the
    target's silhouette alone, matter drawn where there should be none would cost nothing, with the
    prediction's alone, missing matter.

    Args:
        a, b: (..., H, W, 3) in [0, 1].
        mask: (..., H, W) weights in [0, 1].

    Returns:
        Decibels; NaN for a picture whose mask is empty.

    Raises:
        ValueError: the shapes do not belong together.
    """
    first, second = _pictures(a, b)
    weights = np.asarray(mask, np.float64)
    if weights.shape != first.shape[:-1]:
        raise ValueError(
            f"a mask of shape {weights.shape} does not belong to pictures of shape {first.shape}"
        )
    error = np.mean((first - second) ** 2, axis=-1)
    total = weights.sum((-2, -1))
    weighted = (error * weights).sum((-2, -1))
    return _decibels(np.divide(weighted, total, out=np.full(total.shape, np.nan), where=total > 0))


def union(mask_a: ArrayLike, mask_b: ArrayLike) -> Doubles:
    """The pixels that either silhouette covers, max(a, b): what :func:`foreground_psnr` is taken
    over; (..., H, W).
    """
    return np.maximum(np.asarray(mask_a, np.float64), np.asarray(mask_b, np.float64))


def silhouette_iou(a: ArrayLike, b: ArrayLike, threshold: float = 0.5) -> Doubles:
    """Intersection over union of two silhouettes, masks cut at ``threshold`` (a pixel at it belongs to the
    object); (...).

    Args:
        a, b: (..., H, W) in [0, 1].

    Returns:
        In [0, 1]; 1 where both silhouettes are empty.

    Raises:
        ValueError: the shapes differ.
    """
    first, second = np.asarray(a) >= threshold, np.asarray(b) >= threshold
    if first.shape != second.shape or first.ndim < 2:
        raise ValueError(f"silhouettes of shapes {first.shape} and {second.shape} cannot be compared")
    both = np.count_nonzero(first & second, axis=(-2, -1))
    either = np.count_nonzero(first | second, axis=(-2, -1))
    return np.where(either == 0, 1.0, both / np.maximum(either, 1))


def ssim(a: ArrayLike, b: ArrayLike) -> Doubles:
    """Mean structural similarity of Wang et al. 2004 for pictures of range 1: each channel alone, then the
    mean; (...).

    Window: 11 x 11 Gaussian, sigma 1.5; K1 = 0.01, K2 = 0.03; population covariances; the mean is taken where
    the window lies inside the picture. The same number as scikit-image's
    ``structural_similarity(gaussian_weights=True, sigma=1.5, use_sample_covariance=False, channel_axis=-1,
    data_range=1)``.

    Args:
        a, b: (..., H, W, 3) in [0, 1], at least 11 pixels a side.

    Returns:
        In [-1, 1]; 1 for equal pictures.

    Raises:
        ValueError: the shapes differ, or a side is shorter than the window.
    """
    first, second = _shaped(a, b)
    size = 2 * SSIM_RADIUS + 1
    if min(first.shape[-3:-1]) < size:
        raise ValueError(
            f"SSIM needs pictures of at least {size} x {size} pixels, these are {first.shape[-3]} x "
            f"{first.shape[-2]}"
        )
    found = np.empty(first.shape[:-3])
    compare = _SsimOfPlanes(*first.shape[-3:-1])
    for index in np.ndindex(found.shape):
        channels = range(first.shape[-1])
        found[index] = np.mean(
            [compare(first[index][..., channel], second[index][..., channel]) for channel in channels]
        )
    return found


def gaussian_taps(sigma: float = SSIM_SIGMA, radius: int = SSIM_RADIUS) -> Doubles:
    """The 2 radius + 1 taps of a sampled Gaussian, sum 1."""
    taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    return taps / taps.sum()


def blur_inside(image: ArrayLike, taps: Doubles) -> Doubles:
    """Correlate (..., H, W) with ``taps`` along both axes where the window lies inside: both
    sides shrink by len(taps) - 1.
    """
    planes = np.asarray(image, np.float64)
    reach = len(taps) - 1
    for _ in range(2):
        blurred = np.empty((*planes.shape[:-2], planes.shape[-2] - reach, planes.shape[-1]))
        planes = np.ascontiguousarray(np.swapaxes(_correlate_rows(planes, taps, blurred), -1, -2))
    return planes


class _SsimOfPlanes:
    """Mean SSIM of two (H, W) planes. Its arrays are made once: fresh ones a picture cost three
    times the arithmetic.
    """

    def __init__(self, height: int, width: int) -> None:
        self.taps = gaussian_taps()
        rows, columns = height - 2 * SSIM_RADIUS, width - 2 * SSIM_RADIUS
        self.moments = np.empty((4, height, width))
        self.down, self.turned = np.empty((4, rows, width)), np.empty((4, width, rows))
        self.inside = np.empty((4, columns, rows))
        self.above, self.below = np.empty((2, columns, rows)), np.empty((2, columns, rows))

    def __call__(self, x: NDArray[np.generic], y: NDArray[np.generic]) -> float:
        # Sums and differences need four blurs where x, y, xx, yy, xy need five: with s = x + y and d = x - y,
        # 2 mx my = (ms^2 - md^2) / 2, mx^2 + my^2 = (ms^2 + md^2) / 2, and the same for the covariances.
        moments, inside = self.moments, self.inside
        np.add(x, y, out=moments[0], dtype=np.float64)
        np.subtract(x, y, out=moments[1], dtype=np.float64)
        np.multiply(moments[:2], moments[:2], out=moments[2:])
        np.copyto(self.turned, _correlate_rows(moments, self.taps, self.down).swapaxes(1, 2))
        _correlate_rows(self.turned, self.taps, inside)
        np.multiply(inside[:2], inside[:2], out=inside[:2])
        inside[2:] -= inside[:2]
        constants = np.array([SSIM_K1**2, SSIM_K2**2])[:, None, None]
        for out, combine in ((self.above, np.subtract), (self.below, np.add)):
            combine(inside[0::2], inside[1::2], out=out)
            out *= 0.5
            out += constants
        self.above /= self.below
        self.above[0] *= self.above[1]
        return float(self.above[0].mean())


def _correlate_rows(planes: Doubles, taps: Doubles, out: Doubles) -> Doubles:
    # Down the rows, as products with a small banded matrix: a third of the time of eleven shifted additions.
    reach = len(taps) - 1
    band = np.zeros((_BLOCK, _BLOCK + reach))
    for row in range(_BLOCK):
        band[row, row : row + reach + 1] = taps
    for start in range(0, out.shape[-2], _BLOCK):
        count = min(_BLOCK, out.shape[-2] - start)
        block = planes[..., start : start + count + reach, :]
        np.matmul(band[:count, : count + reach], block, out=out[..., start : start + count, :])
    return out


def _decibels(mse: Doubles) -> Doubles:
    return -10 * np.log10(np.maximum(mse, MSE_FLOOR))


def _pictures(a: ArrayLike, b: ArrayLike) -> tuple[Doubles, Doubles]:
    first, second = _shaped(a, b)
    return first.astype(np.float64, copy=False), second.astype(np.float64, copy=False)


def _shaped(a: ArrayLike, b: ArrayLike) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
    first, second = np.asarray(a), np.asarray(b)
    if first.shape != second.shape or first.ndim < 3:
        raise ValueError(
            f"pictures of shapes {first.shape} and {second.shape} cannot be compared: both must be (..., "
            f"H, W, 3)"
        )
    return first, second
