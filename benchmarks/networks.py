"""Every network of an exported model by itself: milliseconds, and seconds to load. ``python -m
benchmarks.networks``.

Median of ``--repeats`` runs after two for warming up; prints a table and one JSON line.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

REPEATS = 20


def median_ms(function: Callable[[], object], repeats: int) -> float:
    """Median milliseconds of a call."""
    times = []
    for index in range(repeats + 2):
        start = time.perf_counter()
        function()
        if index > 1:
            times.append(time.perf_counter() - start)
    return round(float(np.median(times)) * 1e3, 1)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, help="exported folder; default: the embedded model")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--threads", type=int, help="default: physical cores")
    args = parser.parse_args()
    start = time.perf_counter()
    import onnxruntime

    from geco.loading import EMBEDDED
    from geco.onnx_runtime.card import ExportedModel
    from geco.onnx_runtime.networks import SmallGenerator, SmallReconstructor
    from geco.onnx_runtime.session import own_threads

    imported = time.perf_counter()
    exported = ExportedModel(args.model or EMBEDDED, args.threads)
    generator, reconstructor = SmallGenerator(exported), SmallReconstructor(exported)
    loaded = time.perf_counter()
    rng = np.random.default_rng(0)
    size, sampling, resolution = exported.views.size, exported.sampling, exported.model.usage.resolution
    picture = np.ones((size, size, 3), np.float32)
    picture[size // 4 : -size // 4, size // 4 : -size // 4] = [0.8, 0.3, 0.2]
    noise = rng.standard_normal((8, 6, 3, size, size), np.float32)
    views = generator.generate(picture, [0])[0]
    fields = reconstructor.reconstruct(views, picture)
    points = rng.uniform(-0.7, 0.7, (150_000, 3)).astype(np.float32)
    # a sphere: as many lattice cells as an object's surface
    points /= np.linalg.norm(points, axis=1, keepdims=True) / 0.6
    rows = {
        **{
            f"one step of {count} seeds": median_ms(
                lambda z=noise[:count]: generator.denoise(picture, z, 999, sampling.guidance_scale),
                args.repeats,
            )
            for count in (1, 8)
        },
        f"views ({sampling.steps} steps)": median_ms(lambda: generator.generate(picture, [0]), args.repeats),
        "encode six views": median_ms(lambda: reconstructor.reconstruct(views, picture), args.repeats),
        "16,384 distances": median_ms(lambda: fields.shape(points[:16384]), args.repeats),
        "16,384 colours": median_ms(lambda: fields.color(points[:16384]), args.repeats),
        f"grid of {resolution}": median_ms(lambda: fields.dense(resolution), args.repeats),
        "150,000 texels": median_ms(lambda: fields.color(points), args.repeats),
    }
    print(f"import {imported - start:.3f} s, load {loaded - imported:.3f} s")
    for name, value in rows.items():
        print(f"{name:24}{value:9.1f} ms")
    facts = {"threads": args.threads or own_threads(), "onnxruntime": onnxruntime.__version__}
    print(
        json.dumps(
            {
                "import_s": round(imported - start, 3),
                "load_s": round(loaded - imported, 3),
                "ms": rows,
                **facts,
            }
        )
    )


if __name__ == "__main__":
    main()
