"""Pieces of work belong to one process at a time, and go on to another when their owner is gone."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from geco.claims import Claims
from geco.errors import OutputError
from tests.cli_command import SOURCE

HOLD = """
import sys, time
from pathlib import Path
from geco.claims import Claims
with Claims(Path(sys.argv[1])) as claims:
    print(claims.take("a"), flush=True)
    time.sleep(60)
"""


def test_a_piece_has_one_owner_until_it_is_dropped(tmp_path: Path) -> None:
    with Claims(tmp_path / "claims") as first, Claims(tmp_path / "claims") as second:
        assert first.take("a") and first.take("a") and not second.take("a")
        assert second.take("b") and first.others() == second.others() == 1
        second.drop("a")  # not its own
        assert not second.take("a")
        first.drop("a")
        assert second.take("a") and first.others() == 2
    assert not (tmp_path / "claims").exists()


def test_of_many_that_want_a_piece_at_once_one_gets_it(tmp_path: Path) -> None:
    taken: list[str] = []

    def want() -> None:
        with Claims(tmp_path / "claims") as claims:
            started.wait()
            taken.extend(name for name in "abcdef" if claims.take(name))
            ended.wait()

    started, ended = threading.Barrier(8), threading.Barrier(8)
    threads = [threading.Thread(target=want) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == list("abcdef")


@pytest.mark.skipif(sys.platform == "win32", reason="nobody can be asked there; the heartbeat tells")
def test_the_piece_of_a_killed_process_is_taken_over_at_once(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(SOURCE)}
    command = [sys.executable, "-c", HOLD, str(tmp_path / "claims")]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "True\n"
        with Claims(tmp_path / "claims") as claims:
            assert not claims.take("a")
            process.kill()
            process.wait()
            assert claims.take("a")
    assert not (tmp_path / "claims").exists()


def test_a_piece_of_another_machine_is_taken_over_when_its_heart_stops(tmp_path: Path) -> None:
    theirs = tmp_path / "claims" / "a" / "elsewhere-1-00000000"
    theirs.parent.mkdir(parents=True)
    theirs.touch()
    os.utime(theirs, (1e9, 1e9))  # its clock says nothing to us
    with Claims(tmp_path / "claims", patience=0.05) as claims:
        for beat in range(3):
            os.utime(theirs, (beat, beat))
            assert not claims.take("a")
            time.sleep(0.06)
        assert claims.take("a")
        assert [path.name for path in theirs.parent.iterdir()] == [claims.owner]


def test_a_heart_beats_and_who_lost_a_piece_takes_nothing_away(tmp_path: Path) -> None:
    with Claims(tmp_path / "claims", beat=0.02) as slow:
        assert slow.take("a")
        mine = tmp_path / "claims" / "a" / slow.owner
        os.utime(mine, (0, 0))
        until = time.monotonic() + 10
        while mine.stat().st_mtime == 0 and time.monotonic() < until:
            time.sleep(0.01)
        assert mine.stat().st_mtime > 0
        mine.rename(mine.with_name("elsewhere-1-00000000"))
        slow.drop("a")
        assert (tmp_path / "claims" / "a" / "elsewhere-1-00000000").exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "claims").write_text("a file")
    with Claims(tmp_path / "claims") as claims, pytest.raises(OutputError, match="claims"):
        claims.take("a")
