"""Cutting an object out of a real background without any network: two colour mixtures, a centre prior,
edge-aware smoothing.

In the spirit of GrabCut (Rother, Kolmogorov and Blake, SIGGRAPH 2004) with a guided filter in place of the
graph cut. It is right when the object is in the middle, does not fill the frame, and has other colours than
what surrounds it; install the extra ``matting`` (rembg) for everything else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geco.images.filters import dilate, erode, guided_filter, resize
from geco.images.regions import fill_holes, regions
from geco.types import Bools, Floats

WORK_SIDE = 160  # pixels
COLORS = 6  # Gaussians a side; GrabCut uses 5
ROUNDS = 5
SURE_FRAME = 0.06  # of the shorter side: this much of the frame is background to begin with
UNUSUAL = 0.1  # the part of the frame that its own colour mixture may find unusual
STRANGE = 3.0  # largest log odds from not being a colour of the frame
LEAST_REGION = 0.05  # of the largest region: smaller ones are dropped


def cut_by_colors(image: Floats) -> tuple[Bools, float]:
    """The object in ``image`` (3, H, W) float32 sRGB: (h, w) bool at a working size of 160
    pixels, and a confidence 0 … 1.
    """
    scale = min(1.0, WORK_SIDE / max(image.shape[1:]))
    height, width = (max(round(side * scale), 8) for side in image.shape[1:])
    small = resize(image, height, width)
    features = _opponent(small).reshape(3, -1).T
    prior, frame = _center_prior(height, width)
    guide = small.mean(axis=0)
    generator = np.random.default_rng(0)  # the seeds of k-means: the same picture always gives the same cut
    surround = Mixture.fit(features, frame.reshape(-1).astype(np.float32), generator)
    density = surround.log_density(features).reshape(height, width)
    # What the frame's own colours explain is no object, wherever it is.
    strange = (np.quantile(density[frame], UNUSUAL) - density).clip(-STRANGE, STRANGE)
    score = guided_filter(guide, strange + prior, 3, 2e-3)
    for _ in range(ROUNDS):
        belief = _logistic(score)
        inside = (belief > 0.5).astype(np.float32).reshape(-1)
        if not 0 < inside.sum() < inside.size:
            break
        front = Mixture.fit(features, inside, generator)
        back = Mixture.fit(features, 1 - inside, generator)
        ratio = (front.log_density(features) - back.log_density(features)).reshape(height, width).clip(-4, 4)
        ratio[frame] -= 2
        score = guided_filter(guide, ratio + prior + strange, 3, 2e-3)
    belief = _logistic(score)
    mask = tidy(score > 0)
    confidence = float(np.abs(2 * belief - 1).mean()) if mask.any() else 0.0
    return mask, confidence


def _logistic(odds: Floats) -> Floats:
    return 1 / (1 + np.exp(-odds.clip(-20, 20)))


def _opponent(image: Floats) -> Floats:
    """Brightness, red-green and yellow-blue, with brightness counted less: shading varies within
    one thing.
    """
    red, green, blue = image
    return np.stack([(red + green + blue) / 3 * 0.7, red - green, (red + green) / 2 - blue])


def _center_prior(height: int, width: int) -> tuple[Floats, Bools]:
    """Log odds of a pixel before any colour: an ellipse in the middle; and the frame, which is background."""
    y, x = np.meshgrid(
        np.linspace(-1, 1, height, dtype=np.float32),
        np.linspace(-1, 1, width, dtype=np.float32),
        indexing="ij",
    )
    prior = 1.0 - 2.4 * np.sqrt(x * x + y * y) ** 1.5
    frame = np.maximum(
        np.abs(x) * width + (min(height, width) - width), np.abs(y) * height + (min(height, width) - height)
    )
    return prior.astype(np.float32), frame > (1 - 2 * SURE_FRAME) * min(height, width)


@dataclass
class Mixture:
    """Gaussians of full covariance: means (K, 3), inverse Cholesky factors (K, 3, 3), log weights (K,)."""

    means: Floats
    whitening: Floats
    log_weights: Floats

    @staticmethod
    def fit(samples: Floats, weight: Floats, generator: np.random.Generator) -> Mixture:
        """Weighted k-means (N, 3) from spread-out seeds, then one Gaussian a cluster."""
        total = weight / weight.sum()
        picks = generator.choice(len(samples), size=min(len(samples), 1500), p=total)
        chosen = samples[picks]
        means = [chosen[0]]
        nearest = ((chosen - means[0]) ** 2).sum(axis=1)
        for _ in range(COLORS - 1):
            means.append(chosen[generator.choice(len(chosen), p=(nearest + 1e-9) / (nearest + 1e-9).sum())])
            nearest = np.minimum(nearest, ((chosen - means[-1]) ** 2).sum(axis=1))
        centers = np.stack(means)
        for _ in range(6):
            owner = ((chosen[:, None] - centers) ** 2).sum(axis=2).argmin(axis=1)
            one_hot = (owner[:, None] == np.arange(COLORS)).astype(np.float32)
            count = one_hot.sum(axis=0)
            centers = np.where(
                count[:, None] > 0, one_hot.T @ chosen / np.maximum(count, 1)[:, None], centers
            )
        rest = chosen - centers[owner]
        products = (rest[:, :, None] * rest[:, None, :]).reshape(-1, 9)
        covariance = (one_hot.T @ products / np.maximum(count, 1)[:, None]).reshape(
            COLORS, 3, 3
        ) + 4e-4 * np.eye(3)
        whitening = np.linalg.inv(np.linalg.cholesky(covariance))
        log_weights = np.log(np.maximum(count, 1e-3) / len(chosen)) + np.log(
            np.diagonal(whitening, axis1=1, axis2=2)
        ).sum(axis=1)
        return Mixture(
            centers.astype(np.float32), whitening.astype(np.float32), log_weights.astype(np.float32)
        )

    def log_density(self, samples: Floats) -> Floats:
        """(N, 3) -> (N,), up to a constant that is the same for every mixture; the densest
        Gaussian stands for the sum.
        """
        best = np.full(len(samples), -np.inf, np.float32)
        for mean, whitening, log_weight in zip(self.means, self.whitening, self.log_weights, strict=True):
            white = (samples - mean) @ whitening.T
            np.maximum(best, log_weight - 0.5 * np.einsum("nc,nc->n", white, white), out=best)
        return best


def tidy(mask: Bools) -> Bools:
    """The main regions without their crumbs, threads and small holes."""
    opened = dilate(erode(mask, 1), 1) & mask
    found = regions(opened if opened.any() else mask)
    main = found.at_least(LEAST_REGION * found.sizes.max())
    return fill_holes(main, 0.02 * main.sum())
