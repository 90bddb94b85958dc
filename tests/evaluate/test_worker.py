"""The process of a method: what it answers, and what happens when it dies."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest

from geco.errors import GecoError
from geco.evaluate.job import Job, peak_memory
from geco.evaluate.methods import Method, parse_methods
from geco.evaluate.worker import Worker, WorkerDied
from geco.mesh.types import Mesh
from geco.sampling import Sampling
from tests.pictures import ball_picture

TEACHER = Path(__file__).parents[2] / "models" / "small" / "teacher"


def picture() -> np.ndarray:
    """A shaded ball with alpha, uint8."""
    drawn = np.asarray(ball_picture(96))
    assert drawn.dtype == np.uint8 and drawn.shape[-1] == 4
    return drawn


def test_answers_and_dies() -> None:
    with Worker(parse_methods(["geco"])[0], ("bare", "finish")) as worker:
        assert worker.facts["sampling"] == Sampling(truncation=0.3).to_dict()
        assert worker.facts["view_size"] == 96 and worker.facts["load_seconds"] > 0
        first, again, other = (worker.ask(Job(picture(), seed)) for seed in (5, 5, 6))
        assert first.views is not None and first.views.shape == (6, 96, 96, 3)
        np.testing.assert_array_equal(first.views, again.views)
        assert np.abs(first.views - other.views).max() > 0.01  # type: ignore[operator]
        bare, finish = first.meshes["bare"], first.meshes["finish"]
        assert isinstance(bare, Mesh) and isinstance(finish, Mesh)
        assert not first.facts["bare"]["outline_kept"] and first.facts["finish"]["outline_kept"]
        assert "project" not in first.stages["bare"] and "project" in first.stages["finish"]
        assert first.stages["bare"]["views"] == first.stages["finish"]["views"] > 0
        assert first.peak_mb is not None and 50 < first.peak_mb < 5000
        with pytest.raises(GecoError, match="transparent"):
            worker.ask(Job(np.zeros((32, 32, 4), np.uint8), 0))
        # given views take the place of generated ones
        given = worker.ask(Job(picture(), 0, np.ones((6, 96, 96, 3), np.float32)))
        assert "views" not in given.stages["bare"]
        os.kill(worker.pid, signal.SIGKILL)
        with pytest.raises(WorkerDied, match="signal 9"):
            worker.ask(Job(picture(), 5))


def test_the_best_of_seeds_is_one_of_them() -> None:
    """Seed 1 of the best of three chooses from the seeds 3, 4 and 5."""
    best, one = (Worker(method, ("bare",)) for method in parse_methods(["geco@best-3", "geco"]))
    with best, one:
        found = best.ask(Job(picture(), 1))
        told = found.facts["bare"]["best_of"]
        assert [each["seed"] for each in told] == [3, 4, 5]
        chosen = max(told, key=lambda each: each["agreement"])["seed"]
        alone = one.ask(Job(picture(), chosen))
        assert found.views is not None and alone.views is not None
        np.testing.assert_allclose(found.views, alone.views, atol=1e-4)  # drawn three at once
        meshes = found.meshes["bare"], alone.meshes["bare"]
        assert isinstance(meshes[0], Mesh) and isinstance(meshes[1], Mesh)
        assert abs(len(meshes[0].faces) - len(meshes[1].faces)) <= 0.01 * len(meshes[1].faces)
        assert found.stages["bare"]["views"] > alone.stages["bare"]["views"]


def test_a_teacher_samples_as_its_name_says() -> None:
    with Worker(parse_methods([f"teacher-3={TEACHER}"])[0], ("bare",)) as worker:
        assert worker.facts["sampling"] == Sampling("ddim", 3, 1.5, clip=1.0).to_dict()
        assert worker.ask(Job(picture(), 5)).views.shape == (6, 96, 96, 3)  # type: ignore[union-attr]


@pytest.mark.slow
def test_score_distillation_answers_with_a_mesh_and_no_views() -> None:
    with Worker(parse_methods([f"optimize-sds@steps-2={TEACHER}"])[0], ("bare", "finish")) as worker:
        assert worker.facts["optimize"]["method"] == "sds" and worker.facts["optimize"]["steps"] == 2
        found = worker.ask(Job(picture(), 5))
        assert found.views is None and list(found.meshes) == ["bare"]
        assert isinstance(found.meshes["bare"], Mesh) and found.facts["bare"]["optimize"]["steps_done"] == 2
        assert found.stages["bare"]["total"] >= found.stages["bare"]["optimize"] > 0


def test_only_a_teacher_can_be_distilled() -> None:
    with pytest.raises(GecoError, match="teacher"):
        Worker(parse_methods(["optimize-vsd=small"])[0], ("bare",))


def test_a_model_that_cannot_be_loaded_says_so(tmp_path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(GecoError, match="lacks format"):
        Worker(Method("broken", "model", str(tmp_path)), ("bare",))


def test_peak_memory_is_this_process_s() -> None:
    before, _ = peak_memory()
    block = np.ones(40_000_000 // 8)
    after, _ = peak_memory()
    assert before is not None and after is not None and after >= before and after >= block.nbytes / 1e6
