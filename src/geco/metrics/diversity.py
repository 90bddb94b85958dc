"""How much samples of one picture differ where it says nothing, and how true they are where it shows the
object.

GECO claims (paper, section 4) that its samples differ on the unseen side for different noise, where a
deterministic regressor cannot, while the seen side follows the input. The paper gives no number for it; these
are ours:

- a view belongs to the input side when its azimuth, relative to the input picture, is less than 90 degrees
  away, to the far side when it is more, to neither at 90 (for the Zero123++ rig: 30 and 330; 150 and 210; 90
  and 270);
- variation of a view: the mean over all pairs of samples of their distance, as RMSE over pixels and channels,
  and as pyramid distance (:mod:`geco.metrics.perceptual`); of a side: the mean over its views;
- fidelity of a side: PSNR of each sample to the true view, mean over samples and views; and the best
  sample's, chosen by its mean PSNR over the side: what a user who picks one of K gets.

Variation alone is cheap (noise has it), so read it with fidelity; the mode-collapse test is far variation
near 0.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from geco.metrics.images import psnr
from geco.metrics.perceptual import pyramid_distance
from geco.types import Bools, Doubles, Floats

SIDES = ("input", "far")


def pairwise_variation(samples: ArrayLike) -> dict[str, Doubles]:
    """Mean distance between samples, by view.

    Args:
        samples: (K, V, H, W, 3) in [0, 1], K >= 2: the same views from K seeds.

    Returns:
        "rmse" and "pyramid": (V,), 0 where all samples agree.

    Raises:
        ValueError: fewer than two samples, or another shape.
    """
    views = _samples(samples)
    pairs = list(combinations(range(len(views)), 2))
    rmse = [np.sqrt(np.mean((views[i].astype(np.float64) - views[j]) ** 2, axis=(1, 2, 3))) for i, j in pairs]
    return {
        "rmse": np.mean(rmse, axis=0),
        "pyramid": np.mean([pyramid_distance(views[i], views[j]) for i, j in pairs], axis=0),
    }


def diversity(samples: ArrayLike, azimuths: ArrayLike, truth: ArrayLike | None = None) -> dict[str, float]:
    """Variation and fidelity by side, definitions above.

    Args:
        samples: (K, V, H, W, 3) in [0, 1], K >= 2.
        azimuths: (V,) degrees relative to the input picture, as ``geco.cameras.Rig.azimuths``.
        truth: (V, H, W, 3), the true views; None leaves the fidelity out.

    Returns:
        "input_rmse", "input_pyramid", "far_rmse", "far_pyramid", with ``truth`` also "input_psnr",
        "input_psnr_best", "far_psnr", "far_psnr_best". A side without views is NaN.

    Raises:
        ValueError: shapes that do not belong together.
    """
    views = _samples(samples)
    members = side_of(azimuths)
    if len(members["input"]) != views.shape[1]:
        raise ValueError(f"{len(members['input'])} azimuths do not belong to {views.shape[1]} views")
    variation = pairwise_variation(views)
    result = {
        f"{side}_{name}": _mean(values[members[side]]) for side in SIDES for name, values in variation.items()
    }
    if truth is not None:
        true = np.asarray(truth, np.float32)
        if true.shape != views.shape[1:]:
            raise ValueError(
                f"true views of shape {true.shape} do not belong to samples of shape {views.shape}"
            )
        scores = np.stack([psnr(sample, true) for sample in views])  # (K, V)
        for side in SIDES:
            of_side = scores[:, members[side]]
            result[f"{side}_psnr"] = _mean(of_side)
            result[f"{side}_psnr_best"] = float(of_side.mean(1).max()) if of_side.size else float("nan")
    return result


def side_of(azimuths: ArrayLike) -> dict[str, Bools]:
    """Which views lie on the "input" and on the "far" side: less, more than 90 degrees of azimuth
    from the input; (V,) each.
    """
    away = np.abs((np.asarray(azimuths, np.float64) + 180) % 360 - 180)
    return {"input": away < 90 - 1e-6, "far": away > 90 + 1e-6}


def _samples(samples: ArrayLike) -> Floats:
    views = np.asarray(samples, np.float32)
    if views.ndim != 5 or len(views) < 2:
        raise ValueError(f"diversity needs at least two samples (K, V, H, W, 3), not shape {views.shape}")
    return views


def _mean(values: Doubles) -> float:
    return float(values.mean()) if values.size else float("nan")
