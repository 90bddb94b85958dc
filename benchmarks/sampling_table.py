"""Which few-step setting suits a small model: ``python -m benchmarks.sampling_table MODEL SHARDS``.

One row a setting: PSNR over all pixels, PSNR over the object's pixels, silhouette IoU and area against the
true views, sharpness (energy of the pixel differences over the truth's) and variation (RMSE between two
seeds), means over objects. The first row is a copy of the input picture in every view, which any model must
beat. A distilled generator: ``--steps 1 --guidance 1 --truncation 1 0.3 0``. Ends with one JSON line. Models
of several view sizes are compared on the same shards, of the largest size or larger: each reads the pictures
at its own size, and its views are enlarged to theirs.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from geco.data.dataset import GridViews
from geco.device import autocast_bf16
from geco.metrics.images import NOT_WHITE
from geco.multiview.generate import generate_views
from geco.multiview.small.codec import PixelCodec
from geco.multiview.small.weights import load_small
from geco.noise import seed_of
from geco.sampling import Sampling
from geco.training.augment import composite
from geco.training.six_views import to_tensors


def passes(sampling: Sampling) -> int:
    """How often the network runs."""
    return sampling.steps * (1 if sampling.guidance_scale == 1 else 2)


def silhouette(views: Tensor) -> Tensor:
    """(..., 3, S, S) over white -> (..., S, S) bool."""
    return views.amin(dim=-3) < 1 - NOT_WHITE


def scores(views: Tensor, targets: Tensor) -> dict[str, float]:
    """Means over objects.

    Args:
        views: (B, 6, 3, S, S) in [0, 1].
        targets: (B, 6, 4, S, S) in [0, 1], straight alpha. The true silhouette is taken from the picture by
            the same rule as the generated one, so that white parts count for neither.
    """
    truth = composite(targets)
    error = (views - truth).square().mean(dim=2)  # (B, 6, S, S)
    solid = (targets[:, :, 3] > 0.5).float()
    inside = (error * solid).flatten(1).sum(1) / solid.flatten(1).sum(1).clamp(min=1)
    mine, theirs = silhouette(views), silhouette(truth)
    overlap = (mine & theirs).flatten(1).sum(1) / (mine | theirs).flatten(1).sum(1).clamp(min=1)
    return {
        "psnr": float(-10 * error.flatten(1).mean(1).clamp(min=1e-10).log10().mean()),
        "object_psnr": float(-10 * inside.clamp(min=1e-10).log10().mean()),
        "iou": float(overlap.mean()),
        "area": float(mine.float().mean() / theirs.float().mean().clamp(min=1e-6)),
        "sharpness": float((edges(views) / edges(truth).clamp(min=1e-8)).mean()),
    }


def resize(pictures: Tensor, size: int) -> Tensor:
    """(..., 3, S, S) -> (..., 3, size, size) in [0, 1], smoothed where it shrinks."""
    if pictures.shape[-1] == size:
        return pictures
    flat = functional.interpolate(pictures.flatten(0, -4), (size, size), mode="bicubic", antialias=True)
    return flat.clamp(0, 1).reshape(*pictures.shape[:-2], size, size)


def edges(views: Tensor) -> Tensor:
    """(B, 6, 3, S, S) -> (B,) mean squared difference of neighbouring pixels: a blur loses most of it."""
    across, down = views.diff(dim=-1).square(), views.diff(dim=-2).square()
    return across.flatten(1).mean(1) + down.flatten(1).mean(1)


def variation(first: Tensor, second: Tensor) -> float:
    """RMSE between two seeds' views of the same pictures, mean over objects; 0 for a deterministic model."""
    return float((first - second).square().flatten(1).mean(1).sqrt().mean())


def table(
    generate: Callable[[Tensor, Sampling, int], Tensor],
    shards: GridViews,
    settings: Sequence[Sampling],
    count: int,
) -> list[tuple[Sampling | None, dict[str, float]]]:
    """Scores of every setting on ``count`` fixed samples; the row of None is a copy of the input."""
    condition, targets = to_tensors(shards.fixed(count))
    picture = composite(condition)
    copied = picture[:, None].expand(-1, 6, -1, -1, -1)
    rows: list[tuple[Sampling | None, dict[str, float]]] = [
        (None, scores(copied, targets) | {"variation": 0.0})
    ]
    for setting in settings:
        views, others = (generate(picture, setting, seed) for seed in (0, 1))
        rows.append((setting, scores(views, targets) | {"variation": variation(views, others)}))
    return rows


def _setting(steps: int, guidance: float, eta: float, truncation: float) -> Sampling:
    if steps == 1 and not eta:
        return Sampling(guidance_scale=guidance, truncation=truncation)
    return Sampling("ddim", steps, guidance, eta, 1.0)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Compare few-step settings of a small multi-view model.")
    parser.add_argument("model", type=Path)
    parser.add_argument("shards", type=Path)
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--steps", type=int, nargs="*", default=[1, 2, 3, 4, 6, 8])
    parser.add_argument("--guidance", type=float, nargs="*", default=[1.0, 1.5, 2.0])
    parser.add_argument("--eta", type=float, nargs="*", default=[0.0, 1.0])
    parser.add_argument(
        "--truncation", type=float, nargs="*", default=[1.0], help="of the noise, for one step"
    )
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    network = load_small(options.model)
    settings = [
        _setting(steps, guidance, eta, truncation)
        for steps in options.steps
        for guidance in options.guidance
        for eta in options.eta
        if steps > 1 or eta == options.eta[0]  # one step renews no noise
        for truncation in (options.truncation if steps == 1 else [1.0])
    ]
    began = time.monotonic()

    size = network.config.size
    codec = PixelCodec(size)

    def generate(picture: Tensor, setting: Sampling, seed: int) -> Tensor:
        seeds = [seed_of(seed, "table", index) for index in range(len(picture))]
        with autocast_bf16("cpu"):
            views = generate_views(network, codec, resize(picture, size), seeds, setting)
        return resize(views, picture.shape[-1])

    rows = table(generate, GridViews(options.shards), settings, options.count)
    heads = (
        "steps",
        "guidance",
        "eta",
        "truncation",
        "passes",
        "PSNR",
        "object PSNR",
        "IoU",
        "area",
        "sharpness",
        "variation",
    )
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}", flush=True)
    for setting, row in rows:
        name = (
            f"{setting.steps} | {setting.guidance_scale} | {setting.eta} | {setting.truncation} "
            f"| {passes(setting)}"
            if setting
            else "copy of the input | | | | 0"
        )
        print(
            f"| {name} | {row['psnr']:.2f} | {row['object_psnr']:.2f} | {row['iou']:.3f} | {row['area']:.2f} "
            f"| {row['sharpness']:.3f} | {row['variation']:.4f} |"
        )
    best = max(rows, key=lambda row: row[1]["iou"])[0]
    print(
        json.dumps(
            {
                "best_iou": None if best is None else best.to_dict(),
                "seconds": round(time.monotonic() - began, 1),
            }
        )
    )


if __name__ == "__main__":
    main()
