"""Run every reference case found in a folder: ``python -m tests.reference DIR``.

DIR holds ``NAME.safetensors`` + ``NAME.json`` pairs and ``manifest_*.json`` files in the format of the golden
data. A file is run by the module of this package whose name the file's name starts with. Prints a table, then
one JSON line; exits 1 if a case is over its bound or a file could not be run, 2 if the folder holds nothing
to run.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tests.reference.result import Result

RUNNERS = (
    "cameras",
    "flexicubes",
    "lrm_mesh",
    "lrm_nerf",
    "manifest",
    "render_utils",
    "triposr",
    "vit_posembed",
    "zero123_pipeline",
    "zero123_refunet",
    "zero123_schedulers",
)


def runner_of(path: Path) -> str | None:
    """The runner for ``path``, by the start of its name."""
    return next((name for name in RUNNERS if path.stem.startswith(name)), None)


def run_file(path: Path) -> Iterator[Result]:
    """The results of one JSON description and the tensors beside it."""
    from safetensors.numpy import load_file

    name = runner_of(path)
    tensors_path = path.with_suffix(".safetensors")
    tensors: dict[str, np.ndarray] = load_file(tensors_path) if tensors_path.exists() else {}
    module = importlib.import_module(f"tests.reference.{name}")
    for result in module.run(tensors, json.loads(path.read_text())):
        yield Result(f"{path.stem}: {result.case}", result.error, result.bound)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.reference", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("folder", type=Path, help="folder of reference files")
    parser.add_argument("--only", default="", help="run only files whose name starts with this")
    options = parser.parse_args(argv)
    files = [
        f for f in sorted(options.folder.glob("*.json")) if runner_of(f) and f.stem.startswith(options.only)
    ]
    if not files:
        print(f"{options.folder}: no reference files found", file=sys.stderr)
        return 2
    results: list[Result] = []
    broken: list[str] = []
    print(f"{'case':70} {'largest error':>14} {'bound':>9}")
    for path in files:
        try:
            for result in run_file(path):
                results.append(result)
                print(
                    f"{result.case:70} {result.error:14.3e} {result.bound:9.0e} "
                    f"{'' if result.passed else 'OVER'}"
                )
        except Exception:  # one broken file must not hide the others; it still fails the run
            broken.append(path.name)
            traceback.print_exc()
    over = [r.case for r in results if not r.passed]
    print(json.dumps({"cases": len(results), "over": over, "broken": broken, "passed": not (over or broken)}))
    return 1 if over or broken else 0


if __name__ == "__main__":
    sys.exit(main())
