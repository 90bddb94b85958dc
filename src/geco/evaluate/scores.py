"""What is measured of a row: pictures against pictures, a mesh against a mesh."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geco.errors import ConfigError, GecoError
from geco.evaluate.truth import on_white
from geco.images import over_white
from geco.metrics.images import foreground_psnr, psnr, silhouette_iou, ssim, union
from geco.metrics.surface import POINTS, THRESHOLDS, Distances
from geco.metrics.volume import compare_volumes
from geco.types import Bytes, Doubles, Floats

Scores = dict[str, float | None]
# pictures (N, H, W, 3) of the prediction and of the truth, the input picture (S, S, 3), all in [0, 1] on
# white -> (N,)
Distance = Callable[[Floats, Floats, Floats], Doubles]
MeshArrays = tuple[NDArray[np.floating], NDArray[np.integer]]

NONE = "none"  # as a folder of weights: leave that metric out


@dataclass(frozen=True)
class Column:
    """A metric as it is shown. ``better``: 1 where more is better, -1 where less is. ``digits``
    after the point.
    """

    key: str
    label: str
    better: int
    digits: int


PICTURE_COLUMNS = (
    Column("psnr", "PSNR", 1, 2),
    Column("foreground_psnr", "fg PSNR", 1, 2),
    Column("ssim", "SSIM", 1, 3),
    Column("iou", "sil. IoU", 1, 3),
    Column("lpips_vgg", "LPIPS (VGG)", -1, 3),
    Column("lpips_alex", "LPIPS (Alex)", -1, 3),
    Column("perceptual", "perceptual (ours)", -1, 3),
    Column("clip", "CLIP sim.", 1, 3),
)
MESH_COLUMNS = (
    Column("chamfer", "CD", -1, 4),
    *(Column(threshold.name, threshold.name.replace("f@", "F@"), 1, 3) for threshold in THRESHOLDS),
    Column("volume_iou", "vIoU", 1, 3),
    Column("volume_iou_auto", "vIoU (auto)", 1, 3),
    Column("consistency_rmse", "views' disagreement", -1, 3),
    Column("consistency_relative", "the same / chance", -1, 3),
    Column("views_iou", "views-mesh IoU", 1, 3),
)
COLUMNS = {column.key: column for column in (*PICTURE_COLUMNS, *MESH_COLUMNS)}


@dataclass
class Measures:
    """The distances that need weights, or why they are not there.

    Attributes:
        learned: metric -> function of two stacks of pictures.
        missing: metric -> the reason in a sentence.
    """

    learned: dict[str, Distance]
    missing: dict[str, str]


def load_measures(lpips_weights: str | None, clip_weights: str | None) -> Measures:
    """LPIPS and CLIP where their weights are; without them the column says so and nothing stands
    in for it.
    """
    loaders: dict[str, Callable[[], Distance]] = {
        "lpips_vgg": lambda: _lpips("vgg", lpips_weights),
        "lpips_alex": lambda: _lpips("alex", lpips_weights),
        "perceptual": _perceptual,
        "clip": lambda: _clip(clip_weights),
    }
    measures = Measures({}, {})
    for name, load in loaders.items():
        try:
            measures.learned[name] = load()
        except GecoError as error:
            measures.missing[name] = str(error)
        except ImportError as error:
            measures.missing[name] = f"{error.name or error} is not installed"
    return measures


def score_pictures(rgb: Floats, alpha: Floats, truth: Bytes, shot: Bytes, measures: Measures) -> Scores:
    """Mean over the pictures of every metric.

    Args:
        rgb: (N, S, S, 3) in [0, 1] on white. alpha: (N, S, S) coverage. truth: (N, S, S, 4) uint8.
        shot: (P, P, 4) uint8, the input picture, which CLIP similarity is measured against.
    """
    target, mask = on_white(truth)
    scores: Scores = {
        "psnr": _mean(psnr(rgb, target)),
        "foreground_psnr": _mean(foreground_psnr(rgb, target, union(alpha, mask))),
        "ssim": _mean(ssim(rgb, target)),
        "iou": _mean(silhouette_iou(alpha, mask)),
    }
    for name, distance in measures.learned.items():
        scores[name] = _mean(distance(rgb, target, over_white(shot)))
    return scores | dict.fromkeys(measures.missing)


def score_mesh(
    predicted: MeshArrays, truth: MeshArrays, side: float
) -> tuple[Scores, dict[str, float | str]]:
    """Chamfer distance, F-scores and volume IoU of meshes in the truth's coordinates, in units of its longest
    box side.

    Returns:
        The scores, and how well-defined the insides are.
    """
    distances = Distances.between_meshes(predicted, truth, POINTS)
    scores: Scores = dict(distances.scores(side))
    volumes = compare_volumes(predicted, truth, method="auto")
    scores["volume_iou_auto"] = volumes.iou
    carved = "carve" in (volumes.predicted_method, volumes.truth_method)
    scores["volume_iou"] = compare_volumes(predicted, truth).iou if carved else volumes.iou
    facts = {name: value for name, value in volumes.facts().items() if name.endswith(("unsure", "method"))}
    return scores, facts


def _mean(values: Doubles) -> float | None:
    finite = np.asarray(values, np.float64)
    finite = finite[np.isfinite(finite)]
    return float(finite.mean()) if finite.size else None


def _lpips(kind: str, weights: str | None) -> Distance:
    _check_asked(weights)
    from geco.metrics.lpips import load_lpips

    model = load_lpips(kind, weights)
    return lambda rendered, true, shot: model.distance(rendered, true)


def _perceptual() -> Distance:
    from geco.metrics.perceptual import pyramid_distance

    return lambda rendered, true, shot: pyramid_distance(rendered, true)


def _clip(weights: str | None) -> Distance:
    """Cosine with the INPUT picture, as this field's papers measure it."""
    _check_asked(weights)
    from geco.metrics.clip import CLIP_HUB_ID, ClipImages

    model = ClipImages(weights or CLIP_HUB_ID)
    return lambda rendered, true, shot: model.similarity(rendered, shot)


def _check_asked(weights: str | None) -> None:
    if weights == NONE:
        raise ConfigError("not asked for")
