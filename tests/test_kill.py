"""A handful of the kills and faults of ``benchmarks/kill.py``; ``slow``: more of them, over all
commands that write.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

from geco.cli.main import main

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
if sys.platform.startswith("linux"):
    from benchmarks.kill import FAULTS, NAMES, bad, one_kill, reference
    from benchmarks.kill_cases import Case, Room


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Room:
    return Room(tmp_path_factory.mktemp("kills") / "room")


def case_of(room: Room, name: str) -> Case:
    (case,) = [case for case in room.cases() if case.name == name]
    return case


def tried(room: Room, name: str, faults: list[str], folder: Path) -> None:
    case = case_of(room, name)
    whole = reference(case, room, folder / "whole")
    rng = random.Random(f"{name} {faults}")
    for index, fault in enumerate(faults):
        facts = one_kill(case, room, whole, folder / f"{fault}-{index}", rng, fault)
        assert not bad(facts), facts


def test_a_run_onto_an_existing_file_leaves_the_old_or_the_new_one(tmp_path: Path) -> None:
    tried(Room(tmp_path / "room", objects=False), "run", ["SIGKILL", "SIGINT"], tmp_path)


@pytest.mark.slow
def test_the_references_of_two_runs_are_alike_and_see_another_seed(room: Room, tmp_path: Path) -> None:
    """Else the comparison after a kill would prove nothing."""
    case = case_of(room, "data-render")
    whole = [reference(case, room, tmp_path / name).digests for name in "ab"]
    assert whole[0] == whole[1] and len(whole[0]) > 4
    assert main([*case.arguments(tmp_path / "c"), "--seed", "1"]) == 0
    assert case.digests(tmp_path / "c") != whole[0]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES if sys.platform.startswith("linux") else ())
def test_every_command_survives_every_fault(room: Room, tmp_path: Path, name: str) -> None:
    tried(room, name, ["SIGKILL"] * 4 + [*FAULTS] * 2, tmp_path)
