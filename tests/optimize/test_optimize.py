"""From a picture and a tiny teacher of either family to an asset; killed and taken up again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from geco.errors import ConfigError
from geco.mesh.export import encode
from geco.optimize import OptimizeOptions, load_teacher, optimize
from geco.pipeline import GecoPipeline
from tests.pictures import ball_picture
from tests.torch_runtime.build import full_folder, small_folder

TINY: dict[str, Any] = {"steps": 24, "mesh_part": 0.4, "cells": (12,), "mesh_cells": 12, "preview_steps": 10}


QUIET: dict[str, Any] = {"camera_rate": 0.0, "patience": 6}


class Killed(Exception):
    pass


@pytest.mark.parametrize("method", ["sds", "vsd"])
def test_a_killed_run_goes_on_to_the_same_object(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher = load_teacher(small_folder(tmp_path / "model"), "cpu")
    monkeypatch.setattr("geco.optimize.run.CHECKPOINT_SECONDS", 0.0)
    options = OptimizeOptions(method=method, **TINY)  # type: ignore[arg-type]
    seen, folder = GecoPipeline(teacher).see(ball_picture(64)), tmp_path / "run"

    def kill(done: int, *_: object) -> None:
        if done == 23:
            raise Killed

    with pytest.raises(Killed):
        optimize(seen, teacher, options, 3, folder=folder, on_step=kill)
    assert (folder / "preview.png").exists()
    steps: list[int] = []
    went_on = optimize(seen, teacher, options, 3, folder=folder, on_step=lambda done, *_: steps.append(done))
    assert steps == [21, 22, 23, 24]
    at_once = optimize(seen, teacher, options, 3)
    assert encode(went_on.asset.mesh, "glb") == encode(at_once.asset.mesh, "glb")
    assert went_on.asset.mesh.texture is not None
    assert went_on.asset.facts["optimize"]["steps_done"] == 24


def test_the_full_family_is_a_teacher_of_both_methods_through_its_encoder(tmp_path: Path) -> None:
    pytest.importorskip("peft")
    teacher = load_teacher(full_folder(tmp_path), "cpu")
    seen = GecoPipeline(teacher).see(ball_picture(64))
    moved: list[float] = []
    options = OptimizeOptions(**{**TINY, "steps": 6, "warmup": 0.5}, method="vsd", rank=2, reference="noised")
    optimize(seen, teacher, options, on_step=lambda d, n, values, left: moved.append(values["step_size"]))
    assert min(moved) > 0


def test_the_input_view_becomes_the_picture(tmp_path: Path) -> None:
    teacher = load_teacher(small_folder(tmp_path), "cpu")
    seen = GecoPipeline(teacher).see(ball_picture(64))
    seconds: list[dict[str, float]] = []
    options = OptimizeOptions(**{**TINY, "steps": 60, "particles": 2}, score_weight=0.1)
    made = optimize(seen, teacher, options, on_step=lambda d, n, values, left: seconds.append(values))
    assert seconds[-1]["psnr"] > seconds[0]["psnr"] + 6
    assert len(made.asset.facts["optimize"]["particles_psnr"]) == 2
    assert np.abs(made.asset.mesh.vertices).max() <= 1


def test_a_run_that_gains_nothing_any_more_ends(tmp_path: Path) -> None:
    teacher = load_teacher(small_folder(tmp_path), "cpu")
    still = OptimizeOptions(**{**TINY, "mesh_part": 1.0}, mesh_rate=0.0, mesh_color_rate=0.0, **QUIET)
    made = optimize(GecoPipeline(teacher).see(ball_picture(64)), teacher, still)
    assert made.progress.step < TINY["steps"]


def test_a_one_step_generator_is_no_teacher() -> None:
    with pytest.raises(ConfigError, match="scores come from a teacher"):
        load_teacher("small", "cpu")
