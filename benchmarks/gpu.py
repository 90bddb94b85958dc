"""The full family and TripoSR at full size on a device: every part, picture to GLB, steps of training.

    python -m benchmarks.gpu                       # with a graphics card: ten minutes, by --minutes
    python -m benchmarks.gpu --device cpu --size tiny

Random weights of the public sizes; an analytic figure where random fields would be noise. Warm,
synchronised, medians of 50 or of as many as fit into ``--seconds`` a row, peak memory (on CUDA of tensors,
weights included; on a CPU resident above what was there). Each row is appended to ``--rows`` when it is
measured, so a run that was killed, or out of ``--minutes``, goes on where it was. Beside each stands what
operations, bytes and launches foretell, counted on fake tensors. Without a graphics card, and without
``--device``, only that is printed.

Needs torch; diffusers, transformers and accelerate for the full family (all pure Python:
``pip install --target DIR`` elsewhere, and DIR in PYTHONPATH), nothing but torch for TripoSR. What a missing
library or too little memory leaves out is said in a line. A table, then one JSON line.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu_forecast import Group, foretold, hollow_ones, lacking
from benchmarks.gpu_rates import CARDS, Rates, this_cpu
from benchmarks.gpu_rows import Measurable, Rows
from geco.device import choose, tf32
from geco.memory import is_shortage
from geco.simulated import Part


def groups() -> dict[str, Group]:
    """By name, in the order in which they are measured; their modules are imported when one is built."""

    def late(module: str, function: str, **more: Any) -> Callable[[Any, Path], Iterator[Measurable]]:
        def build(where: Any, folder: Path) -> Iterator[Measurable]:
            build_rows = getattr(importlib.import_module(f"benchmarks.{module}"), function)
            given = (where, folder) if module == "gpu_assets" else (where,)
            return iter(build_rows(*given, **more))

        return build

    views = ("CLIP", "VAE encode", "write", "read", "VAE decode", "views, one step", "teacher, 75 steps")
    planes = ("planes", "SDF on the grid", "colours")
    triposr = ("TripoSR planes", "TripoSR, colours of 16,384 points")
    training = partial(late, "gpu_training", "training_rows")
    return {
        "triposr": Group(triposr, late("gpu_triposr", "triposr_rows"), (), fake=True),
        "views": Group(views, late("gpu_networks", "views_rows"), fake=True),
        "planes": Group(planes, late("gpu_networks", "planes_rows"), fake=True),
        "surface": Group(
            ("surface to GLB, host", "surface to GLB, device"), late("gpu_assets", "surface_rows")
        ),
        "picture": Group(("picture to GLB on disk, one step",), late("gpu_assets", "full_rows")),
        "triposr-picture": Group(
            ("TripoSR, picture to GLB on disk",), late("gpu_assets", "triposr_asset_rows")
        ),
        "stage1": Group(("Stage I, a step",), training(stage="stage1")),
        "stage2": Group(("Stage II, a step",), training(stage="stage2")),
    }


def main() -> None:
    options = parsed()
    if options.threads:
        torch.set_num_threads(options.threads)
    asked = {name: group for name, group in groups().items() if name in options.groups}
    foretells = options.device is None and not torch.cuda.is_available()
    placement = choose("cpu" if foretells else options.device, options.dtype)
    rates = [*CARDS, *([this_cpu()] if placement.device.type == "cpu" else [])]
    print(f"{placement}; foretold for {', '.join(rate.name for rate in rates)}", flush=True)
    accounts = foretold(asked, placement.dtype, options.size)
    rows: dict[str, dict[str, Any]] = {}
    if foretells:
        print("no graphics card: nothing is measured; --device cpu runs everything here", flush=True)
    else:
        rows = measured(asked, placement, options)
    lines = [_line(name, rows.get(name), accounts.get(name), rates) for name in _names(asked)]
    print_table(lines, rates)
    facts = {"size": options.size, "where": str(placement), "torch": torch.__version__}
    sources = {rate.name: rate.source for rate in rates}
    print(json.dumps({"benchmark": "gpu", **facts, "rates": sources, "rows": lines}))


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--device", help="cuda, cuda:1, cpu (default: CUDA; without it nothing is measured)")
    parser.add_argument("--dtype", default="bfloat16", help="of the networks (default bfloat16)")
    parser.add_argument("--size", choices=["full", "tiny"], default="full")
    parser.add_argument("--groups", nargs="*", choices=list(groups()), default=list(groups()))
    parser.add_argument("--rows", type=Path, default=Path("gpu-rows.jsonl"), help="where rows are kept")
    parser.add_argument("--repeats", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=10.0, help="a row, at most (default 10)")
    parser.add_argument(
        "--minutes", type=float, default=10.0, help="after which no row is begun (default 10)"
    )
    parser.add_argument("--threads", type=int, help="of the CPU")
    return parser.parse_args()


def measured(asked: dict[str, Group], placement: Any, options: argparse.Namespace) -> dict[str, Any]:
    """Every row that could be measured, or was before."""
    rows = Rows(options.rows, placement, options.size)
    until = time.monotonic() + 60 * options.minutes
    with tempfile.TemporaryDirectory() as folder, tf32(placement.device):
        for name, group in asked.items():
            if all(row in rows.found for row in group.rows):
                continue
            if missing := lacking(group):
                rows.leave_out(name, f"there is no {', '.join(missing)} here")
                continue
            try:
                _measure(name, group, rows, until, Path(folder), options)
            except Exception as error:
                if not is_shortage(error):
                    raise
                rows.leave_out(name, f"too little memory: {str(error).splitlines()[0][:100]}")
            gc.collect()
            if placement.device.type == "cuda":
                torch.cuda.empty_cache()
    return rows.found


def _measure(
    name: str, group: Group, rows: Rows, until: float, folder: Path, options: argparse.Namespace
) -> None:
    from benchmarks.filled import fill
    from benchmarks.gpu_where import Where

    def made(module: torch.nn.Module, dtype: torch.dtype, device: torch.device | None = None) -> Any:
        return fill(module, device or rows.device, dtype)

    dtype = choose(str(rows.device), options.dtype).dtype
    where = Where(rows.device, dtype, options.size, made, hollow_ones(group, options.size))
    with torch.set_grad_enabled(name.startswith("stage")):
        for part in group.build(where, folder):
            if time.monotonic() > until:
                rows.leave_out(name, "the minutes are over; the same command goes on here")
                return
            row = rows.measure(part, options.repeats, options.seconds)
            print(
                f"{part.name:34} {row['ms']:12.2f} ms  of {row['n']:3}  {row['peak_mb']:9.1f} MB", flush=True
            )


def _names(asked: dict[str, Group]) -> list[str]:
    return [row for group in asked.values() for row in group.rows]


def _line(
    name: str, row: dict[str, Any] | None, account: tuple[Part, float] | None, rates: list[Rates]
) -> dict[str, Any]:
    line: dict[str, Any] = {"row": name, **(row or {})}
    if account is None:
        return line
    part, times = account
    tera = round(times * part.flop.total() / 1e12, 4)
    work = {
        "tflop": tera,
        "gb_moved": round(times * part.moved / 1e9, 3),
        "launches": int(times * part.launches),
    }
    foretold_ms = {rate.name: round(1e3 * times * rate.seconds(part), 3) for rate in rates}
    return line | work | {"simulated_peak_mb": round(part.peak / 1e6, 1), "foretold_ms": foretold_ms}


def print_table(lines: list[dict[str, Any]], rates: list[Rates]) -> None:
    """Measured beside foretold, a row a line."""
    print(
        f"{'':34}{'measured':>12}{'MB':>10}{'TFLOP':>9}{'launches':>10}"
        + "".join(f"{r.name[:14]:>16}" for r in rates)
    )
    for line in lines:
        cells = [f"{line[key]:,}" if key in line else "-" for key in ("ms", "peak_mb", "tflop", "launches")]
        times = [f"{line['foretold_ms'][r.name]:,.1f}" if "foretold_ms" in line else "-" for r in rates]
        print(f"{line['row']:34}" + "".join(f"{c:>{w}}" for c, w in zip(cells, (12, 10, 9, 10)))
              + "".join(f"{t:>16}" for t in times))  # fmt: skip


if __name__ == "__main__":
    main()
