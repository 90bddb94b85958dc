"""Picture metrics against independent implementations and cases with a known answer, and what they cost.

    python -m benchmarks.metrics [--size 320] [--views 21] [--objects FOLDER [--faults-size 128]]

Rows: metric, what it is compared with, number of comparisons, largest difference, the limit for it. A package
that is not installed leaves its rows out and is named. With --objects, a second table shows what each metric
says to known faults of rendered objects (three views of every GLB in the folder). Ends with one JSON line;
exits 1 where a difference is over its limit.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from geco.cameras import ZERO123PLUS_V12
from geco.metrics.images import blur_inside, foreground_psnr, gaussian_taps, psnr, silhouette_iou, ssim
from geco.metrics.lpips import HEADS, Lpips
from geco.metrics.perceptual import pyramid_distance
from geco.metrics.pyramid import perceptual_loss
from geco.model_files.folder import read_safetensors
from geco.types import Floats

Row = tuple[str, str, int, float, float]  # metric, reference, comparisons, largest difference, limit


def drawn_pairs(count: int, size: int) -> tuple[Floats, Floats]:
    """Shaded discs on white and the same with noise, shifts and blends; (count, size, size, 3) each."""
    rng = np.random.default_rng(0)
    v, u = (np.mgrid[0:size, 0:size] + 0.5) / size * 2 - 1
    a = np.ones((count, size, size, 3), np.float32)
    for picture in a:
        x, y, radius = *rng.uniform(-0.3, 0.3, 2), rng.uniform(0.3, 0.6)
        inside = (u - x) ** 2 + (v - y) ** 2 < radius**2
        shade = 0.6 + 0.4 * np.sin(rng.uniform(5, 60) * u + rng.uniform(5, 60) * v)
        picture[inside] = (shade[..., None] * rng.random(3))[inside]
    b = np.stack([np.roll(p, k % 5, axis=1) * (1 - 0.1 * (k % 3)) for k, p in enumerate(a)])
    return a, np.clip(b + 0.05 * rng.standard_normal(b.shape), 0, 1).astype(np.float32)


def analytic_rows() -> Iterator[Row]:
    flat, offsets = np.full((32, 32, 3), 0.25), np.array([0.001, 0.01, 0.1, 0.5])
    found = [float(psnr(flat, flat + d)) for d in offsets]
    yield "psnr", "constant offset d: -20 log10 d", 4, _gap(found, -20 * np.log10(offsets)), 1e-9
    mask = np.zeros((32, 32))
    mask[8:16, 8:16] = 1
    found = [float(foreground_psnr(flat, flat + d * mask[..., None], mask)) for d in offsets]
    yield "foreground_psnr", "offset d inside the mask only", 4, _gap(found, -20 * np.log10(offsets)), 1e-9
    found = [float(ssim(flat, flat + d)) for d in offsets]
    wanted = [(2 * 0.25 * (0.25 + d) + 1e-4) / (0.25**2 + (0.25 + d) ** 2 + 1e-4) for d in offsets]
    yield "ssim", "flat pictures: luminance term", 4, _gap(found, wanted), 1e-9
    found = [float(silhouette_iou(mask, np.roll(mask, k, axis=1))) for k in range(9)]
    yield (
        "silhouette_iou",
        "8 px square shifted by k: (8 - k) / (8 + k)",
        9,
        _gap(found, [(8 - k) / (8 + k) for k in range(9)]),
        1e-12,
    )


def skimage_rows(a: Floats, b: Floats) -> Iterator[Row]:
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    pairs = list(zip(a.astype(np.float64), b.astype(np.float64)))
    settings: dict[str, Any] = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    theirs = [structural_similarity(x, y, channel_axis=-1, data_range=1, **settings) for x, y in pairs]
    yield (
        "psnr",
        "scikit-image",
        len(a),
        _gap(psnr(a, b), [peak_signal_noise_ratio(x, y, data_range=1) for x, y in pairs]),
        1e-6,
    )
    yield "ssim", "scikit-image", len(a), _gap(ssim(a, b), theirs), 1e-6


def scipy_rows(a: Floats, b: Floats) -> Iterator[Row]:
    from scipy.ndimage import gaussian_filter

    plane = a[0, ..., 0].astype(np.float64)
    wanted = gaussian_filter(plane, 1.5, truncate=3.5)[5:-5, 5:-5]
    yield (
        "ssim's window",
        "scipy gaussian_filter",
        wanted.size,
        _gap(blur_inside(plane, gaussian_taps()), wanted),
        1e-12,
    )


def torch_rows(a: Floats, b: Floats) -> Iterator[Row]:
    found = perceptual_loss(*(torch.from_numpy(p[:4]).permute(0, 3, 1, 2) for p in (a, b)))
    yield "pyramid_distance", "its torch face", 4, _gap(pyramid_distance(a[:4], b[:4]), found.numpy()), 1e-5


def torchmetrics_rows(a: Floats, b: Floats) -> Iterator[Row]:
    import torchmetrics
    from torchmetrics.functional.image import (
        lpips,
        peak_signal_noise_ratio,
        structural_similarity_index_measure,
    )

    name = f"torchmetrics {torchmetrics.__version__}"
    a, b = a[:3], b[:3]
    x, y = (torch.from_numpy(p).permute(0, 3, 1, 2).double() for p in (a, b))
    theirs = peak_signal_noise_ratio(x, y, data_range=1.0, reduction="none", dim=(1, 2, 3))
    yield "psnr", name, len(a), _gap(psnr(a, b), theirs.numpy()), 1e-4  # its logarithm is float32
    _, full = structural_similarity_index_measure(
        x, y, data_range=1.0, sigma=1.5, kernel_size=11, reduction="none", return_full_image=True
    )
    # its own mean includes windows over a reflected border, which Wang et al. and scikit-image leave out
    inside = full[..., 5:-5, 5:-5].mean((1, 2, 3))
    yield "ssim", f"{name}, map without its border", len(a), _gap(ssim(a, b), inside.numpy()), 1e-6
    for kind, net in (("vgg", "vgg16"), ("alex", "alexnet")):
        torch.manual_seed(0)
        ours = Lpips(kind)
        heads = read_safetensors(HEADS / f"{kind}.safetensors")
        for index, head in enumerate(ours.heads):
            head.copy_(heads[f"lin{index}.model.1.weight"].reshape(-1))
        # torchvision's random trunk is replaced by ours, so that both have the same weights; the rest is
        # theirs
        lpips._get_tv_model_features = lambda wanted, pretrained=False, net=net, features=ours.features: (
            _only(wanted, net, features)
        )
        reference = lpips._LPIPS(pretrained=True, net=kind, pnet_rand=True).eval()
        with torch.no_grad():
            theirs = reference(x[:2].float(), y[:2].float(), normalize=True).reshape(-1)
        yield f"lpips {kind}, random trunk", name, 2, _gap(ours.distance(a[:2], b[:2]), theirs.numpy()), 1e-5


def fault_table(folder: Path, size: int) -> list[dict[str, Any]]:
    """What the metrics say to known faults of real renders: means over three views of each object."""
    from scipy.ndimage import gaussian_filter

    from geco.data.objects import load_object
    from geco.data.render import lens, render_views
    from geco.images import over_white

    poses = ZERO123PLUS_V12.poses()[::2]
    views = [
        render_views(load_object(path), poses, lens(30.0, len(poses)), size).rgba
        for path in sorted(folder.glob("*.glb"))
    ]
    rgba = np.concatenate(views).astype(np.float32) / 255
    alpha = rgba[..., 3:]
    true = over_white(rgba)
    flat = (true * alpha).sum((1, 2), keepdims=True) / np.maximum(alpha.sum((1, 2), keepdims=True), 1)
    pixel = size / 128  # blurs and shifts are given for 128 px
    faults: dict[str, Callable[[], Floats]] = {
        "equal": lambda: true,
        **{
            f"blur {s} px": lambda s=s: gaussian_filter(true, (0, s * pixel, s * pixel, 0)) for s in (1, 2, 4)
        },
        **{f"shift {s} px": lambda s=s: np.roll(true, round(s * pixel), axis=2) for s in (1, 2, 4)},
        **{
            f"noise {s}": lambda s=s: true + s * np.random.default_rng(0).standard_normal(true.shape)
            for s in (0.02, 0.1)
        },
        "a fifth darker": lambda: true - 0.2 * true * alpha,
        "colours exchanged": lambda: true[..., [2, 0, 1]],
        "mean colour, outline kept": lambda: flat * alpha + 1 - alpha,
        "another object": lambda: np.roll(true, len(poses), axis=0),
        "nothing (white)": lambda: np.ones_like(true),
    }
    table = []
    for name, make in faults.items():
        wrong = np.clip(make(), 0, 1).astype(np.float32)
        values = {
            "psnr": psnr(true, wrong),
            "ssim": ssim(true, wrong),
            "pyramid_distance": pyramid_distance(true, wrong),
        }
        table.append({"fault": name, **{key: float(value.mean()) for key, value in values.items()}})
    return table


def milliseconds(a: Floats, b: Floats) -> dict[str, float]:
    """Milliseconds a picture, median of three runs over all of them, one thread of torch."""
    result = {}
    for name, metric in (("psnr", psnr), ("ssim", ssim), ("pyramid_distance", pyramid_distance)):
        times = []
        for _ in range(3):
            start = time.perf_counter()
            metric(a, b)
            times.append(time.perf_counter() - start)
        result[name] = float(np.median(times)) / len(a) * 1e3
    return result


def _only(wanted: str, net: str, features: torch.nn.Sequential) -> torch.nn.Sequential:
    assert wanted == net
    return features


def _gap(found: Any, wanted: Any) -> float:
    return float(np.max(np.abs(np.asarray(found, np.float64) - np.asarray(wanted, np.float64))))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", type=int, default=320)
    parser.add_argument(
        "--views", type=int, default=21, help="pictures; 21 = six views and the fifteen of protocol B"
    )
    parser.add_argument("--objects", type=Path, help="folder of GLB files for the table of faults")
    parser.add_argument("--faults-size", type=int, default=128)
    options = parser.parse_args()
    torch.set_num_threads(1)
    a, b = drawn_pairs(options.views, options.size)
    rows, missing = list(analytic_rows()), []
    for make in (skimage_rows, scipy_rows, torch_rows, torchmetrics_rows):
        try:
            rows += make(a, b)
        except ImportError as error:
            missing.append(str(error.name))
    print("| metric | compared with | n | largest difference | limit |\n|---|---|---|---|---|")
    for metric, reference, count, gap, limit in rows:
        print(
            f"| {metric} | {reference} | {count} | {gap:.1e} | {limit:.0e} |{'' if gap <= limit else ' OVER'}"
        )
    cost = milliseconds(a, b)
    print(f"\nnot installed: {', '.join(missing) or 'nothing'}")
    print(
        f"ms a picture of {options.size} px: "
        f"{', '.join(f'{name} {value:.1f}' for name, value in cost.items())}"
    )
    faults = fault_table(options.objects, options.faults_size) if options.objects else []
    if faults:
        print("\n| fault | PSNR | SSIM | pyramid distance |\n|---|---|---|---|")
        for row in faults:
            print(
                f"| {row['fault']} | {row['psnr']:.2f} | {row['ssim']:.3f} | {row['pyramid_distance']:.4f} |"
            )
    over = [row for row in rows if not row[3] <= row[4]]
    print(
        json.dumps(
            {
                "rows": rows,
                "ms": cost,
                "size": options.size,
                "faults": faults,
                "not_installed": missing,
                "over": len(over),
            }
        )
    )
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
