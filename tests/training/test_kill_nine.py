"""kill -9 in the middle of every stage: the resumed run ends at the weights (pairs: the files) of one that
was never stopped.

The killed and the resumed run are the real command, each in a process of its own; bit for bit, on one thread
of the CPU.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from geco.cli.main import main
from geco.model_files.card import MULTIVIEW, RECONSTRUCTOR, Usage, write_model_card
from geco.multiview.small.weights import save_small
from geco.reconstruct.small.model import SmallReconstructor
from geco.sampling import Sampling
from geco.training.pair_folder import chunk_name
from geco.training.pairs import Pairs
from tests.cli_command import SOURCE
from tests.training.record_curves import SEED, Stages, random_network

STEPS, KILLED_FROM = 6, 2
PAIRS = 5
PATIENCE = 60  # seconds until a checkpoint must have appeared
STAGES = ("teacher", "reconstructor", "regressor", "pixelnerf", "autoencoder", "stage1", "pairs", "stage2")
# The regressor is the reconstructor's task on one view; test_pixelnerf.py resumes the other one.
QUICK_ONES = [
    pytest.param(name, marks=pytest.mark.slow) if name in ("regressor", "pixelnerf") else name
    for name in STAGES
]


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Stages:
    """Shards, a teacher with a reconstructor in ``start``, the same called a generator in
    ``one``, its pairs in ``truth``.
    """
    stages = Stages(tmp_path_factory.mktemp("killed"))
    torch.manual_seed(SEED)
    for folder, facts in (
        (stages.start, {}),
        (stages.folder / "one", {"distilled": True, **Usage(16, 64, Sampling()).to_dict()}),
    ):
        save_small(random_network(stages.recipe), folder / MULTIVIEW)
        SmallReconstructor(stages.recipe.reconstructor).save(folder / RECONSTRUCTOR)
        write_model_card(folder, "small", "test", facts)
    assert main(command(stages, "pairs", stages.folder / "truth")) == 0
    return stages


def command(room: Stages, stage: str, output: Path, *more: str) -> list[str]:
    """The arguments of ``geco`` for a stage, with a checkpoint after every step."""
    init, pairs = ["--init", room.start], ["--pairs", room.folder / "truth"]
    often = ["--steps", STEPS, "--threads", 1, "--set", "checkpoint_minutes=0"]
    options: dict[str, list[object]] = {
        "teacher": ["train", "teacher", *often],
        "reconstructor": ["train", "reconstructor", *init, *often],
        "regressor": ["train", "regressor", *often],
        "pixelnerf": ["train", "pixelnerf", *often],
        "autoencoder": ["train", "autoencoder", *often],
        # all that Stage I can keep a state of: the discriminator, the fading regression, several updates of
        # the student
        "stage1": [
            *("distill", "stage1", *init, *pairs, *often, "--set", "student_repeats=2"),
            *("--set", "regression_steps=8", "--set", "adversarial_weight=0.5"),
        ],
        "pairs": ["distill", "pairs", *init, "--count", PAIRS, "--set", "chunk=1"],
        "stage2": ["distill", "stage2", "--init", room.folder / "one", *pairs, *often],
    }
    given = [
        *options[stage],
        "--recipe",
        "tiny",
        "--data",
        room.views,
        "-o",
        output,
        "--device",
        "cpu",
        *more,
    ]
    return [str(value) for value in given]


def started(arguments: list[str]) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONWARNINGS": "ignore"}
    program = [sys.executable, "-m", "geco.cli.main", *arguments]
    return subprocess.Popen(
        program, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def killed_in_the_middle(arguments: list[str], far_enough: Callable[[], bool]) -> None:
    """Run the command and SIGKILL it as soon as it is far enough."""
    process = started(arguments)
    until = time.monotonic() + PATIENCE
    while not far_enough() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.001)
    process.kill()
    told, _ = process.communicate()
    assert process.returncode == -signal.SIGKILL, told


def written(path: Path, times: int) -> Callable[[], bool]:
    """Whether a file has been seen in so many versions; only looks at its time, as a fast stage
    is over in half a second.
    """
    seen: set[int] = set()

    def far_enough() -> bool:
        with contextlib.suppress(FileNotFoundError):
            seen.add(path.stat().st_mtime_ns)
        return len(seen) >= times

    return far_enough


def steps_kept(run: Path) -> int:
    path = run / "checkpoint.pt"
    return int(torch.load(path, weights_only=True)["step"]) if path.exists() else 0


def made(folder: Path) -> dict[str, bytes]:
    """Type, shape and bytes of every array: of all weights below a run folder, or every file
    of a folder of pairs.
    """
    found: dict[str, np.ndarray] = {}
    for path in sorted(folder.rglob("*.safetensors")):
        with safe_open(path, "numpy") as file:
            place = path.relative_to(folder)
            found |= {f"{place}/{name}": file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    for path in (path for path in sorted(folder.glob("chunks/**/*")) if path.is_file()):
        found[str(path.relative_to(folder))] = np.frombuffer(path.read_bytes(), np.uint8)
    assert found
    return {name: f"{array.dtype} {array.shape} ".encode() + array.tobytes() for name, array in found.items()}


@pytest.mark.parametrize("stage", QUICK_ONES)
def test_a_killed_run_ends_where_an_undisturbed_one_does(room: Stages, tmp_path: Path, stage: str) -> None:
    whole, again = tmp_path / "whole", tmp_path / "again"
    assert main(command(room, stage, whole)) == 0
    arguments = command(room, stage, again)
    if stage == "pairs":
        killed_in_the_middle(arguments, (again / "chunks" / chunk_name(range(1, 2))).exists)
        assert 2 <= len(Pairs(again)) < PAIRS and not (again / "index.json").exists()
        resumed = started(arguments)
    else:
        killed_in_the_middle(arguments, written(again / "checkpoint.pt", KILLED_FROM))
        assert KILLED_FROM <= steps_kept(again) < STEPS and not (again / "config.json").exists()
        resumed = started([*arguments, "--resume"])
    told, _ = resumed.communicate()
    assert resumed.returncode == 0, told
    first, second = made(whole), made(again)
    assert first.keys() == second.keys()
    assert not [name for name in first if first[name] != second[name]]
    if stage != "pairs":
        lines = [json.loads(line) for line in (again / "log.jsonl").read_text().splitlines()]
        assert [line["step"] for line in lines] == [1, STEPS]  # nothing twice; the last is the report
        totals = [json.loads((folder / "training.json").read_text()) for folder in (whole, again)]
        assert (
            totals[0]["steps"] == totals[1]["steps"] == STEPS and totals[0]["samples"] == totals[1]["samples"]
        )


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_the_comparison_sees_another_seed(room: Stages, tmp_path: Path, stage: str) -> None:
    for seed in ("0", "1"):
        assert main(command(room, stage, tmp_path / seed, "--seed", seed)) == 0
    first, other = made(tmp_path / "0"), made(tmp_path / "1")
    assert [name for name in other if other[name] != first.get(name)]
