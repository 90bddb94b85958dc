"""One writer a folder, until it ends, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from geco.errors import ConfigError, OutputError
from geco.locks import lock_folder, locked
from tests.cli_command import SOURCE

HOLD = (
    "import sys, time; from pathlib import Path; from geco.locks import locked\nwith "
    "locked(Path(sys.argv[1])):"
)
# Counts in a file without care: two holders at once would lose a count.
COUNT = """
import sys, time
from pathlib import Path
from geco.errors import OutputError
from geco.locks import locked
done, number = 0, Path(sys.argv[1]) / "number"
while done < 40:
    try:
        with locked(Path(sys.argv[1]), "mine"):
            value = int(number.read_text())
            time.sleep(0.0005)
            number.write_text(str(value + 1))
            done += 1
    except OutputError:
        time.sleep(0.0003)
"""


def start(code: str, folder: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    return subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], env=environment, stdout=subprocess.PIPE
    )


def test_the_second_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    with locked(folder):
        with pytest.raises(OutputError, match="another run is writing"), locked(folder):
            pass
        with pytest.raises(ConfigError, match="another run is writing"), locked(folder, error=ConfigError):
            pass
        with locked(folder, "another"):
            pass
    assert not list(folder.iterdir())
    with locked(folder):
        pass


def test_what_cannot_be_made_is_our_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write"):
        lock_folder(tmp_path / "file" / "folder")


def test_a_killed_holder_lets_go(tmp_path: Path) -> None:
    with start(HOLD + " print('on', flush=True); time.sleep(60)", tmp_path) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == b"on\n"
        with pytest.raises(OutputError), locked(tmp_path):
            pass
        holder.send_signal(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
        holder.wait()
    with locked(tmp_path):
        pass


def test_a_lock_whose_file_comes_and_goes_still_excludes(tmp_path: Path) -> None:
    (tmp_path / "number").write_text("0")
    counters = [start(COUNT, tmp_path) for _ in range(3)]
    assert [counter.wait(60) for counter in counters] == [0, 0, 0]
    assert (tmp_path / "number").read_text() == "120"
