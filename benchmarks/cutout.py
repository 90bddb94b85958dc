"""How right cut-outs are, and whether their confidence says so: renders over backgrounds of nine kinds.

``python -m benchmarks.cutout OBJECTS_DIR [--count 300] [--seed 2] [--photos PICTURES…] [--fit]``: a table
by kind of background, the reliability of the confidence by bins, its expected calibration error and area
under the ROC curve, and what the threshold of doubt catches; the last line printed is JSON. ``--fit`` fits
the weights of :mod:`geco.images.confidence` anew to these scenes and prints them. The weights there were
fitted to 900 scenes of seeds 0 and 1; other seeds test them.

"Right": at most a tenth of the union of the cut-out and the truth is wrong by more than a pixel.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.cutout_scenes import KINDS, Scene, scenes
from geco.errors import InputImageError
from geco.images import cut_out, load_picture
from geco.images import matting as module
from geco.images.confidence import DOUBTFUL, NAMES, features
from geco.images.filters import dilate
from geco.types import Doubles

RIGHT = 0.9
BINS = 5
RIDGE = 2.0  # of the fit, in units of standardised features: nine weights from a few hundred scenes


@dataclass
class Row:
    """One scene through one method."""

    kind: str
    method: str
    iou: float
    tolerant: float
    confidence: float
    doubt: str | None
    seconds: float
    seen: list[float]

    @property
    def right(self) -> bool:
        return self.tolerant >= RIGHT


def main() -> None:
    """Cut out, compare, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("objects", type=Path)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--photos", nargs="*", type=Path, default=[], help="serve as backgrounds")
    parser.add_argument("--method", default="auto")
    parser.add_argument("--fit", action="store_true")
    options = parser.parse_args()
    made = scenes(options.objects, options.count, options.seed, options.photos)
    rows = [measure(scene, options.method) for scene in made]
    print(table(rows))
    print(reliability(rows))
    if options.fit:
        for method in sorted({row.method for row in rows if row.seen}):
            print(method, fit([row for row in rows if row.method == method]))
    print(json.dumps(summary(rows)))


def measure(scene: Scene, method: str) -> Row:
    """One scene, with what the confidence was made of."""
    picture, caught = load_picture(scene.file), list[list[float]]()

    def watched(name, image, mask, decided=1.0, dropped=0.0):  # type: ignore[no-untyped-def]
        caught.append([*features(image, mask), decided])
        return judge(name, image, mask, decided, dropped)

    judge, started = module.judge, time.process_time()
    module.judge = watched  # type: ignore[assignment]
    try:
        cut = cut_out(picture, method)
    except InputImageError:
        return Row(scene.kind, "none found", 0, 0, 0, "nothing found", time.process_time() - started, [])
    finally:
        module.judge = judge
    seconds = time.process_time() - started
    found, truth = cut.rgba[..., 3] > 0.5, scene.truth > 0.5
    union = max(int((found | truth).sum()), 1)
    wrong = int((found & ~dilate(truth, 1)).sum() + (truth & ~dilate(found, 1)).sum())
    iou = float((found & truth).sum()) / union
    seen = caught[-1] if caught else []
    return Row(scene.kind, cut.method, iou, 1 - wrong / union, cut.confidence, cut.doubt, seconds, seen)


def table(rows: Sequence[Row]) -> str:
    """Markdown: by kind of background."""
    lines = ["| background | scenes | mean IoU | right | mean confidence |", "|---|---|---|---|---|"]
    for kind in [*KINDS, "all"]:
        chosen = [row for row in rows if kind in (row.kind, "all")]
        if chosen:
            means = " | ".join(f"{_mean(chosen, name):.2f}" for name in ("iou", "right", "confidence"))
            lines.append(f"| {kind} | {len(chosen)} | {means} |")
    return "\n".join(lines)


def reliability(rows: Sequence[Row]) -> str:
    """Markdown: by bin of confidence."""
    lines = ["| confidence | scenes | mean | right |", "|---|---|---|---|"]
    for low, chosen in _bins(rows):
        if chosen:
            means = " | ".join(f"{_mean(chosen, name):.2f}" for name in ("confidence", "right"))
            lines.append(f"| {low:.1f} to {low + 1 / BINS:.1f} | {len(chosen)} | {means} |")
    return "\n".join(lines)


def summary(rows: Sequence[Row]) -> dict[str, float]:
    """Calibration error, ranking, and what the doubts catch."""
    right = np.array([row.right for row in rows])
    confidence = np.array([row.confidence for row in rows])
    doubted = confidence < DOUBTFUL
    error = 0.0
    for _, chosen in _bins(rows):
        if chosen:
            error += len(chosen) / len(rows) * abs(_mean(chosen, "confidence") - _mean(chosen, "right"))
    facts = {
        "scenes": len(rows),
        "right": right.mean(),
        "mean_iou": np.mean([row.iou for row in rows]),
        "ece": error,
        "auc": _auc(confidence, right),
        "wrong_and_doubted": doubted[~right].mean() if (~right).any() else 0.0,
        "right_but_doubted": doubted[right].mean() if right.any() else 0.0,
        "milliseconds": 1000 * np.mean([row.seconds for row in rows]),
    }
    return {name: round(float(value), 3) for name, value in facts.items()}


def fit(rows: Sequence[Row]) -> dict[str, float]:
    """Weights of a logistic formula for one method, by Newton's steps, a ridge on standardised features."""
    seen, right = np.array([row.seen for row in rows]), np.array([row.right for row in rows], np.float64)
    mean, deviation = seen.mean(axis=0), seen.std(axis=0) + 1e-9
    known = np.column_stack([(seen - mean) / deviation, np.ones(len(seen))])
    weights, ridge = np.zeros(known.shape[1]), np.diag([RIDGE] * seen.shape[1] + [1e-6])
    for _ in range(50):
        belief = 1 / (1 + np.exp(-known @ weights))
        slope = known.T @ (belief - right) + ridge @ weights
        curve = (known * (belief * (1 - belief))[:, None]).T @ known + ridge
        weights -= np.linalg.solve(curve, slope)
    plain = np.where(deviation > 1e-6, weights[:-1] / deviation, 0)
    named = dict(zip((*NAMES, "bias"), [*plain, weights[-1] - plain @ mean], strict=True))
    return {name: round(float(value), 2) for name, value in named.items()}


def _bins(rows: Sequence[Row]) -> list[tuple[float, list[Row]]]:
    binned: list[list[Row]] = [[] for _ in range(BINS)]
    for row in rows:
        binned[min(int(row.confidence * BINS), BINS - 1)].append(row)
    return [(low / BINS, chosen) for low, chosen in enumerate(binned)]


def _mean(rows: Sequence[Row], name: str) -> float:
    return float(np.mean([getattr(row, name) for row in rows]))


def _auc(confidence: Doubles, right: NDArray[np.bool_]) -> float:
    """The chance that a right cut-out is believed more than a wrong one."""
    if right.all() or not right.any():
        return float("nan")
    good, bad = confidence[right][:, None], confidence[~right][None]
    return float((good > bad).mean() + 0.5 * (good == bad).mean())


if __name__ == "__main__":
    main()
