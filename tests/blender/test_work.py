"""Pictures in a thread: one bad one does not end the others, a cancel is heard, progress goes forward."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from blender.extension import local
from blender.extension.made import Made
from blender.extension.work import Failure, Job, Steps, Work

from tests.pictures import ball_picture


def nothing(name: str, seed: int) -> Made:
    return Made(name, seed, *(np.zeros((0, 3), np.float32) for _ in range(3)))


def wait(work: Work) -> list[float]:
    """To the end; how far it was at each look."""
    work.start()
    seen, end = [], time.monotonic() + 30
    while work.running and time.monotonic() < end:
        seen.append(work.factor)
        time.sleep(0.001)
    assert not work.running
    return seen


def test_a_failure_is_one_line_and_the_others_are_made() -> None:
    def maker(job: Job, steps: Steps) -> Iterator[Made]:
        if job.name == "b":
            raise Failure("it is no picture")
        if job.name == "c":
            raise ZeroDivisionError("a bug")
        yield nothing(job.name, 0)

    work = Work(maker, [Job(name, Path(f"{name}.png"), (0,)) for name in "abcd"])
    wait(work)
    assert [made.name for made in work.made] == ["a", "d"]
    assert work.failures[0] == "b.png: it is no picture" and "ZeroDivisionError: a bug" in work.failures[1]


def test_a_cancel_is_heard_at_the_next_step_and_keeps_what_is_ready() -> None:
    first = threading.Event()

    def maker(job: Job, steps: Steps) -> Iterator[Made]:
        yield nothing(job.name, 0)
        first.set()
        while True:
            steps.step("for ever", 0.5)
            time.sleep(0.001)

    work = Work(maker, [Job("a", None, (0,)), Job("b", None, (0,))])
    work.start()
    assert first.wait(10)
    work.cancel()
    end = time.monotonic() + 10
    while work.running and time.monotonic() < end:
        time.sleep(0.001)
    assert not work.running and [made.name for made in work.made] == ["a"] and not work.failures


def test_the_package_makes_objects_in_the_thread_and_says_how_far_it_is() -> None:
    pixels = np.asarray(ball_picture(64))
    choices = {"resolution": 24, "texture_size": 64}
    work = Work(local.maker(choices, 1), [Job("ball", pixels, (3, 4))])
    seen = wait(work)
    assert not work.failures, work.failures
    assert [(made.name, made.seed) for made in work.made] == [("ball", 3), ("ball", 4)]
    assert seen == sorted(seen) and max(seen) > 0.5
    assert work.made[0].images["color"].shape == (64, 64, 3)
    assert not np.array_equal(work.made[0].vertices, work.made[1].vertices)


def test_the_best_of_several_seeds_is_made_and_the_next_object_has_others() -> None:
    job = Job("ball", np.asarray(ball_picture(64)), (0, 2))
    work = Work(local.maker({"resolution": 24, "texture_size": 64, "best_of": 2}, 1), [job])
    seen = wait(work)
    assert not work.failures, work.failures
    first, second = work.made
    assert first.seed in (0, 1) and second.seed in (2, 3) and seen == sorted(seen)
    assert 0 < first.facts["geco_agreement"] <= 1 and first.facts["geco_seed"] == first.seed


def test_choices_out_of_range_are_refused_before_anything_starts() -> None:
    with pytest.raises(Failure, match="faces 50 is out of range"):
        local.maker({"faces": 50}, None)


def test_a_file_that_is_no_picture_fails_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "letter.png"
    path.write_text("dear sir")
    work = Work(local.maker({}, 1), [Job("letter", path, (0,))])
    wait(work)
    (line,) = work.failures
    assert line.startswith("letter.png: ") and "\n" not in line and not work.made
