"""Two processes of a real process group see together what one would."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from geco.data.dataset import GridViews
from geco.data.dataset.grid import GRID_SETS
from tests.data.dots import write_dots

ROOT = Path(__file__).parents[2]


def test_torchrun_with_two_processes(tmp_path: Path) -> None:
    folder = write_dots(tmp_path / "shards", GRID_SETS, size=16)
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        "-m",
        "tests.training.ranks",
    ]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [*command, str(folder), str(tmp_path)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    for step in range(3):
        np.testing.assert_array_equal(
            np.load(tmp_path / f"{step}.npy"), GridViews(folder).batch(3, step, 6).targets
        )
