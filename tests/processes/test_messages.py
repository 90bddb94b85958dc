"""What a job tells while it runs, and how it is stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from geco.processes import PATIENCE, Bounds, Child
from tests.processes.build import Counting


@pytest.fixture(scope="module")
def child() -> Iterator[Child]:
    made = Child(Counting(), Bounds(seconds=30.0))
    yield made
    made.kill()


def test_what_a_job_tells_is_heard_in_order_and_while_it_runs(child: Child) -> None:
    heard: list[tuple[int, float]] = []
    outcome = child.call("4 0.2", hear=lambda step: heard.append((step, time.monotonic())))
    ended = time.monotonic()
    assert outcome.value == 4 and [step for step, _ in heard] == [0, 1, 2, 3]
    assert ended - heard[0][1] > 0.5, "the first was heard while the others were still to come"
    assert child.call("2 0").value == 2, "nobody has to listen"


def test_a_job_stops_at_the_next_thing_that_it_tells_and_its_process_stays(child: Child) -> None:
    stop, heard, pid = threading.Event(), [], child.process.pid

    def hear(step: int) -> None:
        heard.append(step)
        if step == 2:
            stop.set()

    outcome = child.call("1000 0.05", hear=hear, stop=stop)
    assert outcome.reason == "stopped" and len(heard) < 20
    assert child.call("3 0", stop=threading.Event()).value == 3 and child.process.pid == pid


def test_a_stop_that_comes_too_late_harms_no_later_job(child: Child) -> None:
    stop = threading.Event()
    outcome = child.call("1 0.3", hear=lambda step: stop.set(), stop=stop)
    assert outcome.value == 1, "it told nothing any more"
    assert child.call("2 0").value == 2


def test_a_job_may_have_more_or_fewer_seconds_than_the_others(child: Child) -> None:
    assert child.call("1 0.5", seconds=60.0).value == 1
    short = Child(Counting(), Bounds(seconds=0.5))
    assert short.call("4 0.2", seconds=20.0).value == 4
    assert short.call("4 0.2").reason == "timeout"


def test_a_job_that_hears_nothing_is_ended_with_its_process() -> None:
    child, stop = Child(Counting(), Bounds(seconds=30.0)), threading.Event()
    assert child.call("1 0").value == 1
    threading.Timer(0.3, stop.set).start()
    began = time.monotonic()
    outcome = child.call("1 1000", stop=stop)
    assert outcome.reason == "stopped" and not child.alive
    assert PATIENCE <= time.monotonic() - began < PATIENCE + 3
