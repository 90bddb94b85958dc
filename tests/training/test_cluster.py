"""Several processes that torchrun starts: one loss curve however many, nothing lost where one is killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from geco.errors import ConfigError
from geco.model_files.card import MULTIVIEW
from geco.multiview.small.weights import save_small
from geco.recipes.find import find_recipe
from geco.recipes.tiny import tiny
from geco.training import family
from geco.training.small_family import SMALL
from geco.training.stage1_options import Stage1Options
from tests.boxes import render_boxes
from tests.training.build_full import full_room
from tests.training.cluster import STAGES
from tests.training.record_curves import random_network

ROOT = Path(__file__).parents[2]
CLOSE = 1e-5  # of a loss: sums are added up in another order


def torchrun(processes: int, *arguments: str | Path, restarts: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += [f"--nproc_per_node={processes}", f"--max-restarts={restarts}", "-m"]
    more = {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    return subprocess.run(
        [*command, *map(str, arguments)],
        env=os.environ | more,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=900,
    )


def small_room(folder: Path) -> Path:
    """``folder`` with the shards and the teacher of :class:`tests.training.record_curves.Stages`."""
    folder.mkdir(parents=True)
    render_boxes(folder)
    (folder / "views").rename(folder / "shards")
    save_small(random_network(tiny()), folder / "init" / MULTIVIEW)
    family.finish(SMALL, folder / "init", None, {})
    return folder


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Where each kind of :mod:`tests.training.cluster` has its data and weights."""
    from geco.cli.main import main

    base = tmp_path_factory.mktemp("cluster")
    full = full_room(base / "full")
    teacher = ["--recipe", full / "recipe.py", "--init", full / "init", "--data", full / "shards"]
    for stage, output in (("pairs", "pairs"), ("stage1", "one")):
        more = ["--steps", "1"] if stage == "stage1" else []
        command = ["distill", stage, *teacher, "-o", full / output, "--device", "cpu", *more]
        assert main([str(value) for value in command]) == 0
    return {"small": small_room(base / "small"), "full": full, "stage2": full}


def run(kind: str, room: Path, folder: Path, processes: int, **asked: Any) -> list[dict[str, Any]]:
    """The log's lines of steps."""
    arguments = ["tests.training.cluster", kind, room, folder, json.dumps({"steps": 4, **asked})]
    done = torchrun(processes, *arguments, restarts=2 if folder.name.startswith("killed") else 0)
    assert done.returncode == 0, done.stderr[-3000:]
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [line for line in lines if "report" not in line]


def farthest(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> float:
    """Largest relative difference of a loss; the steps and samples are the same."""
    assert [line["step"] for line in first] == [line["step"] for line in second]
    assert [line["samples"] for line in first] == [line["samples"] for line in second]
    losses = [name for name in first[0] if name.endswith("loss")]
    return max(abs(a[name] / b[name] - 1) for a, b in zip(first, second) for name in losses)


@pytest.mark.slow
@pytest.mark.parametrize("kind", STAGES)
def test_one_two_and_four_processes_have_one_loss_curve(
    kind: str, rooms: dict[str, Path], tmp_path: Path
) -> None:
    one = run(kind, rooms[kind], tmp_path / "one", 1)
    ways = ("ddp",) if kind == "stage2" else ("ddp", "fsdp")
    for parallel in ways:
        for processes in (2, 4):
            name = f"{parallel}-{processes}"
            found = run(kind, rooms[kind], tmp_path / name, processes, parallel=parallel)
            difference = farthest(one, found)
            print(f"{kind} {name}: {difference:.1e}")
            assert difference < CLOSE


@pytest.mark.slow
def test_another_number_of_processes_goes_on_with_the_pieces(rooms: dict[str, Path], tmp_path: Path) -> None:
    whole = run("full", rooms["full"], tmp_path / "whole", 1)
    for processes, steps in ((4, 2), (2, 3), (1, 4)):
        found = run("full", rooms["full"], tmp_path / "p", processes, steps=steps, parallel="fsdp")
    assert farthest(whole, found) < CLOSE


@pytest.mark.slow
@pytest.mark.parametrize(
    "fate",
    [
        {"kill": [0, 6], "parallel": "ddp"},
        {"kill": [1, 7], "parallel": "ddp"},
        {"kill": [0, 6], "parallel": "fsdp"},
        {"kill": [1, 7], "parallel": "fsdp"},
        {"kill_writing": [0, 2], "parallel": "fsdp"},
        {"kill_writing": [1, 2], "parallel": "fsdp"},
    ],
    ids=lambda fate: "-".join(map(str, fate)) + f"-{fate['parallel']}",
)
def test_a_killed_process_costs_nothing(fate: dict[str, Any], rooms: dict[str, Path], tmp_path: Path) -> None:
    """SIGKILL, in a micro-batch or while the pieces are written; torchrun starts all again."""
    whole = run("small", rooms["small"], tmp_path / "whole", 2, parallel=fate["parallel"])
    killed = run("small", rooms["small"], tmp_path / "killed", 2, often=True, **fate)
    assert (tmp_path / "killed.killed").exists()
    assert farthest(whole, killed) < CLOSE
    assert not list((tmp_path / "killed").glob(".*.part"))


@pytest.mark.slow
def test_an_error_of_all_or_of_one_process_is_said_once(rooms: dict[str, Path], tmp_path: Path) -> None:
    room = rooms["full"]
    command = ["geco.cli.main", "distill", "stage1", "--init", room / "init", "--data", room / "shards"]
    command += ["-o", tmp_path / "run", "--device", "cpu", "--recipe"]
    of_all = torchrun(2, *command, room / "recipe.py", "--set", "accumulate=3")
    assert of_all.stderr.count("geco: ") == 1 and "--set accumulate=4" in of_all.stderr
    broken = tmp_path / "broken.py"
    text = (room / "recipe.py").read_text()
    fault = 'import os\nif os.environ["RANK"] == "1":\n    from geco.errors import ConfigError\n'
    broken.write_text(f'{text}\n{fault}    raise ConfigError("the second fails")\n')
    of_one = torchrun(2, *command, broken, "--set", "accumulate=2")
    assert of_one.stderr.count("geco: ") == 1 and "geco: the second fails" in of_one.stderr
    (tmp_path / "run" / "log.jsonl").mkdir(parents=True)  # only the first writes it
    (tmp_path / "run" / "run.json").touch()
    of_first = torchrun(2, *command, room / "recipe.py", "--set", "accumulate=2")
    assert of_first.stderr.count("geco: ") == 1, of_first.stderr
    assert "src/geco" not in of_first.stderr  # no traceback but torchrun's own


def test_the_cluster_is_the_papers_run_with_more_pictures_a_step() -> None:
    cluster, paper = find_recipe("cluster"), find_recipe("paper")
    assert cluster.stage1.parallel == "fsdp"
    for stage in ("stage1", "stage2"):
        mine, theirs = cluster.length(stage), paper.length(stage)  # type: ignore[arg-type]
        assert mine.accumulate == 8 and mine.steps is not None and theirs.steps is not None
    pairs = cluster.stage2.batch * cluster.length("stage2").accumulate * (cluster.length("stage2").steps or 0)
    assert pairs == 5 * cluster.pair_count == paper.stage2.batch * (paper.length("stage2").steps or 0)


@pytest.mark.parametrize("other", [{"rank": 4}, {"optimizer": "adam8bit"}])
def test_what_cannot_be_cut_into_pieces_is_refused(other: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="parallel=fsdp"):
        Stage1Options(parallel="fsdp", **other)
