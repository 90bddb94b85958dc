"""geco train and geco distill, the real commands: what they refuse, the dry run, and a run folder
that is a model.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from geco.errors import ConfigError
from geco.pipeline import GecoPipeline
from geco.recipes.find import find_recipe
from geco.recipes.recipe import Recipe
from geco.training.pairs import RENDERS, STEPS
from tests.cli_command import geco

SETS = "grid-targets,grid-extra,grid-inputs"


def refused(*arguments: str | Path) -> str:
    done = geco(*arguments)
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    return done.stderr


def test_what_is_missing_is_named(tmp_path: Path, box_shards: Path) -> None:
    out = ["-o", tmp_path / "run"]
    assert "geco data render" in refused("train", "teacher", "--recipe", "tiny", *out)
    assert "--init" in refused("distill", "stage1", "--recipe", "tiny", "--data", box_shards, *out)
    assert "config.json" in refused(
        "distill", "stage1", "--recipe", "tiny", "--data", box_shards, "--init", tmp_path, *out
    )
    assert "tiny" in refused("train", "teacher", "--recipe", "huge", "--data", box_shards, *out)
    assert "stage" in refused("train", "teacher", "--recipe", "paper", "--data", box_shards, *out)
    assert "cuda" in refused(
        "train", "teacher", "--recipe", "tiny", "--data", box_shards, "--device", "cuda", *out
    )
    assert not (tmp_path / "run").exists()


def test_a_dry_run_keeps_nothing_and_tells_the_time(tmp_path: Path, box_shards: Path) -> None:
    done = geco(
        "train",
        "teacher",
        "--recipe",
        "tiny",
        "--data",
        box_shards,
        "-o",
        tmp_path / "run",
        "--dry-run",
        "--threads",
        "1",
    )
    assert done.returncode == 0, done.stderr
    assert (
        "s a step of 4 samples" in done.stdout
        and "MiB" in done.stdout
        and "40 steps would take about" in done.stdout
    )
    assert not (tmp_path / "run").exists()


def test_a_run_is_resumed_on_request_only_and_becomes_a_model(tmp_path: Path, box_shards: Path) -> None:
    teacher = [
        "train",
        "teacher",
        "--recipe",
        "tiny",
        "--data",
        box_shards,
        "-o",
        tmp_path / "teacher",
        "--threads",
        "1",
    ]
    assert geco(*teacher, "--steps", "2").returncode == 0
    assert "--resume" in refused(*teacher, "--steps", "3")
    torn = tmp_path / "teacher" / ".checkpoint-999999999.a1b2c3d4.part.pt"  # what a SIGKILL leaves
    torn.write_bytes(b"half")
    resumed = geco(*teacher, "--steps", "3", "--resume")
    assert (
        resumed.returncode == 0
        and "goes on with budget_steps 3 (was 2)" in resumed.stderr
        and not torn.exists()
    )
    assert "was begun with batch 4, not 2" in refused(
        *teacher, "--steps", "4", "--resume", "--set", "batch=2"
    )
    card = json.loads((tmp_path / "teacher" / "config.json").read_text())
    assert (
        card["family"] == "small"
        and card["facts"]["stage"] == "teacher"
        and card["facts"]["recipe"] == "tiny"
    )
    regressor = [
        "train",
        "regressor",
        "--recipe",
        "tiny",
        "--data",
        box_shards,
        "-o",
        tmp_path / "regressor",
        "--threads",
        "1",
    ]
    assert geco(*regressor, "--steps", "2").returncode == 0
    backend = GecoPipeline.from_pretrained(tmp_path / "regressor").backend
    picture = np.random.default_rng(0).random((16, 16, 3), np.float32)
    views = np.asarray(backend.generate([picture], [0, 1]))
    assert views.shape == (2, 1, 16, 16, 3) and np.array_equal(views[0, 0], picture)
    assert backend.distilled and backend.card.facts["views"] is False
    assert "not a one-step generator" in refused(
        "distill",
        "stage2",
        "--recipe",
        "tiny",
        "--init",
        tmp_path / "teacher",
        "--pairs",
        tmp_path,
        "-o",
        tmp_path / "two",
    )


def test_recipes_hold_the_papers_numbers() -> None:
    paper = find_recipe("paper")
    assert (paper.stage1.rate, paper.stage1.student_rate, paper.stage1.betas) == (1e-6, 1e-6, (0.9, 0.999))
    assert (
        paper.stage1.t_range == (0.02, 0.98)
        and paper.stage1.guidance_scale == 4.0
        and paper.stage1.student_guidance == 1.0
    )
    assert paper.length("stage1").steps == 5_000
    assert (paper.pairs.steps, paper.pairs.renders, paper.stage2.views) == (STEPS, RENDERS, 4) == (75, 50, 4)
    with pytest.raises(ConfigError, match="no stage"):
        paper.length("teacher")


def test_a_recipe_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    head = "from dataclasses import replace\nfrom geco.recipes.tiny import tiny\n"
    path.write_text(head + "def recipe():\n    return replace(tiny(), name='mine')\n")
    assert isinstance(find_recipe(str(path)), Recipe) and find_recipe(str(path)).name == "mine"
    path.write_text("recipe = 3\n")
    with pytest.raises(ConfigError, match="recipe\\(\\)"):
        find_recipe(str(path))


def test_a_run_is_packed_and_goes_on_elsewhere(tmp_path: Path, box_shards: Path) -> None:
    run, state, there = tmp_path / "run", tmp_path / "state", tmp_path / "there"
    train = ["train", "teacher", "--recipe", "tiny", "--data", box_shards]
    assert geco(*train, "-o", run, "--steps", "2").returncode == 0
    done = geco("train", "pack", run, "-o", state, "--part-mib", "1")
    assert done.returncode == 0 and "parts" in done.stdout
    done = geco("train", "unpack", state, "-o", there)
    assert done.returncode == 0 and "a run of 2 steps" in done.stdout
    assert geco(*train, "-o", there, "--steps", "4", "--resume").returncode == 0
    assert json.loads((there / "training.json").read_text())["steps"] == 4
    assert "holds a run already" in refused("train", "unpack", state, "-o", there)
    assert "not empty" in refused("train", "pack", run, "-o", state)
    assert "--part-mib 0" in refused("train", "pack", run, "-o", tmp_path / "other", "--part-mib", "0")
    assert "no folder" in refused("train", "pack", tmp_path / "none", "-o", tmp_path / "other")
    assert not (tmp_path / "other").exists()
