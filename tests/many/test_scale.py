"""The simulation of many machines agrees with what can be counted by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from benchmarks.scale import Parameters, simulate

from geco.many.pool import SINGLY, in_one_task

CALM = replace(
    Parameters(), pictures=800, machines=1, cores=4, log_spread=0.0, crashes=0.0, losses=0.0, load=0.0
)


def test_few_workers_take_what_their_pictures_take() -> None:
    run = simulate(CALM)
    seconds = run.hours * 3600 - CALM.pictures * (CALM.find + CALM.plan)
    assert seconds == pytest.approx(CALM.pictures * CALM.picture / 4, rel=0.02)
    assert run.idle < 0.02 and run.driver_busy < 0.05


def test_one_driver_is_the_limit_of_many_workers_until_it_hands_out_several_pictures() -> None:
    many = replace(CALM, machines=200, pictures=100_000)
    singly, several = simulate(many), simulate(replace(many, at_once=in_one_task(800)))
    assert singly.driver_busy > 0.9 and singly.idle > 0.3
    assert several.driver_busy < 0.4 and several.hours < singly.hours


def test_crashes_and_lost_machines_cost_time_and_no_picture() -> None:
    losing = replace(CALM, crashes=0.05, losses=200.0)
    run = simulate(losing)
    assert run.again > 0 and run.hours > simulate(CALM).hours


def test_workers_get_one_picture_at_a_time_until_there_are_many() -> None:
    assert [in_one_task(count) for count in (1, SINGLY, SINGLY + 1, 1600)] == [1, 1, 2, 25]
