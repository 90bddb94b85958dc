"""Pyramid distance: how different two pictures look, without any trained weights. Our own; it is NOT LPIPS.

PSNR and SSIM reward a blur where a detail is not known exactly; a generator must not win that way. The
pyramid distance compares, at up to five scales of a Gaussian pyramid (Burt and Adelson 1983), three things in
small neighbourhoods:

- texture, at the three finest scales: the root of the local energy of the luma's gradients, r =
  sqrt(blur(|grad|^2)); |ra - rb| / (ra + rb + c). Detail in another place costs little, no detail costs all:
  the idea of structural texture similarity (Zujovic, Pappas and Neuhoff 2013) and of DISTS (Ding et al.
  2020).
- structure, at every scale: blur(|grad a - grad b|^2) / (2 (blur(|grad a|^2) + blur(|grad b|^2) + c^2)), so
  that edges in the wrong place cost. Prewitt filter and constant c^2 = 170 / 255^2 are those of GMSD (Xue et
  al. 2014).
- colour, from the third scale on: the squared difference of locally averaged luma and chroma (BT.601), d / (d
  + 0.1^2).

Each is in [0, 1] and 0 for equal neighbourhoods. Averaged over pixels and scales, texture counts one half,
structure and colour one quarter each: with these a blur of s pixels costs what a shift by s pixels costs
(measured on renders, docs/metrics.md). Everything below works on numpy arrays and torch tensors alike: only
slices, sums, products and powers. ``geco.metrics.pyramid`` has the torch face, which is differentiable.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from geco.types import Doubles

SCALES = 5  # as MS-SSIM (Wang et al. 2003); fewer where a side would fall below SMALLEST
SMALLEST = 8
FINE = 3  # scales of the texture term; colour begins at the last of them
WEIGHTS = (0.5, 0.25, 0.25)  # texture, structure, colour; ours
GRADIENT_CONSTANT = 170 / 255**2  # GMSD's: gradients under a twentieth of the range are noise to the eye
COLOR_CONSTANT = 0.01  # a difference of a tenth of the range costs one half; ours
TINY = 1e-8  # keeps the root of an energy differentiable at 0


def pyramid_distance(a: ArrayLike, b: ArrayLike) -> Doubles:
    """The distance of numpy pictures.

    Args:
        a, b: (..., H, W, 3) in [0, 1], at least 8 pixels a side.

    Returns:
        (...) in [0, 1]; 0 for equal pictures, symmetric. Compare numbers at one picture size and one framing
        only: a larger white border lowers every one of them.

    Raises:
        ValueError: the shapes differ or are too small.
    """
    first, second = np.asarray(a, np.float32), np.asarray(b, np.float32)
    if first.shape != second.shape or first.ndim < 3:
        raise ValueError(
            f"pictures of shapes {first.shape} and {second.shape} cannot be compared: both must be (..., "
            f"H, W, 3)"
        )
    found = np.empty(first.shape[:-3])
    for index in np.ndindex(found.shape):  # one picture at a time: the working arrays stay in the cache
        x, y = (np.ascontiguousarray(np.moveaxis(picture[index], -1, 0)) for picture in (first, second))
        found[index] = np.dot(WEIGHTS, pyramid_terms(x, y))
    return found


def pyramid_terms(a: Any, b: Any) -> tuple[Any, Any, Any]:
    """Texture, structure and colour differences, each (...) in [0, 1], of pictures (..., 3, H,
    W), numpy or torch.
    """
    if min(a.shape[-2:]) < SMALLEST:
        raise ValueError(
            f"the pyramid distance needs pictures of at least {SMALLEST} px, these are {a.shape[-2]} x "
            f"{a.shape[-1]}"
        )
    x, y = opponent(a), opponent(b)
    terms = [_terms_of_scale(x, y)]
    while len(terms) < SCALES and min(x.shape[-2:]) >= 2 * SMALLEST:
        x, y = smooth(x)[..., ::2, ::2], smooth(y)[..., ::2, ::2]
        terms.append(_terms_of_scale(x, y))
    texture, structure, color = zip(*terms)
    return _mean(texture[:FINE]), _mean(structure), _mean(color[min(FINE, len(terms)) - 1 :])


def opponent(picture: Any) -> Any:
    """Luma and two chroma differences of BT.601, full range: (..., 3, H, W) to (..., 3, H, W)."""
    red, green, blue = picture[..., 0:1, :, :], picture[..., 1:2, :, :], picture[..., 2:3, :, :]
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    return _join([luma, (blue - luma) * 0.564, (red - luma) * 0.713], axis=-3)


def smooth(picture: Any) -> Any:
    """The 5-tap binomial filter [1 4 6 4 1] / 16 along the last two axes, edges repeated."""
    for axis in (-2, -1):
        p = _padded(picture, 2, axis)
        n = picture.shape[axis]
        outer, inner = (
            _part(p, 0, n, axis) + _part(p, 4, n, axis),
            _part(p, 1, n, axis) + _part(p, 3, n, axis),
        )
        picture = (outer + inner * 4.0 + _part(p, 2, n, axis) * 6.0) * 0.0625
    return picture


def gradients(luma: Any) -> Any:
    """Prewitt derivatives as in GMSD: a step of 1 has a gradient of 1. (..., 1, H, W) to (..., 2,
    H, W), edges repeated.
    """
    pair = []
    for along, across in ((-1, -2), (-2, -1)):
        n, m = luma.shape[along], luma.shape[across]
        p = _padded(luma, 1, along)
        slope = _padded(_part(p, 2, n, along) - _part(p, 0, n, along), 1, across)
        pair.append(
            (_part(slope, 0, m, across) + _part(slope, 1, m, across) + _part(slope, 2, m, across)) / 3.0
        )
    return _join(pair, axis=-3)


def _terms_of_scale(x: Any, y: Any) -> tuple[Any, Any, Any]:
    gx, gy = gradients(x[..., 0:1, :, :]), gradients(y[..., 0:1, :, :])
    near = [smooth(smooth(_power(g))) for g in (gx, gy, gx - gy)]
    # a wider window for texture: detail that moved within it is still there
    rx, ry = ((smooth(smooth(energy)) + TINY) ** 0.5 for energy in near[:2])
    texture = abs(rx - ry) / (rx + ry + GRADIENT_CONSTANT**0.5)
    # |gx - gy|^2 <= 2 (|gx|^2 + |gy|^2): halved to stay within [0, 1]
    structure = near[2] / (near[0] + near[1] + GRADIENT_CONSTANT) * 0.5
    error = _power(smooth(smooth(x - y)))
    color = error / (error + COLOR_CONSTANT)
    return texture.mean((-3, -2, -1)), structure.mean((-3, -2, -1)), color.mean((-3, -2, -1))


def _power(channels: Any) -> Any:
    total = (channels * channels).sum(-3)
    return total[..., None, :, :]


def _mean(values: Sequence[Any]) -> Any:
    return sum(values[1:], values[0]) / len(values)


def _padded(picture: Any, count: int, axis: int) -> Any:
    last = picture.shape[axis] - 1
    return _join(
        [*[_part(picture, 0, 1, axis)] * count, picture, *[_part(picture, last, 1, axis)] * count], axis
    )


def _part(picture: Any, start: int, length: int, axis: int) -> Any:
    return picture[..., start : start + length] if axis == -1 else picture[..., start : start + length, :]


def _join(parts: list[Any], axis: int) -> Any:
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts, axis=axis)
    import torch

    return torch.cat(parts, dim=axis)
