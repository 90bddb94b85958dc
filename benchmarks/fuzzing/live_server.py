"""``geco serve`` in a process of its own, which ends with the process that started it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

from benchmarks.fuzzing.attempt import resident

START_SECONDS = 120.0
# One request's limits are the fuzzer's; little patience, so that an unfinished request costs seconds.
OPTIONS = (
    *(
        "--port",
        "0",
        "--max-upload",
        "1",
        "--max-texture",
        "256",
        "--max-resolution",
        "32",
        "--time-limit",
        "10",
    ),
    *("--memory", "2", "--upload-time", "2", "--head-time", "1"),
)


class LiveServer:
    """A running server.

    Attributes:
        port: on the loopback address.
    """

    def __init__(self) -> None:
        command = [sys.executable, "-m", "benchmarks.fuzzing.live_server", *OPTIONS]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        self.lines: list[str] = []
        self._found = threading.Event()
        self.port = 0
        threading.Thread(target=self._read, daemon=True).start()
        if not self._found.wait(START_SECONDS) or not self.port:
            self.process.kill()
            raise RuntimeError(f"the server does not start: {' '.join(self.lines[-5:])}")

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines = [*self.lines[-200:], line.rstrip()]
            if not self.port and (found := re.search(r"http://[\w.\[\]:]*?:(\d+)\b", line)):
                self.port = int(found[1])
                self._found.set()
        self._found.set()

    @property
    def alive(self) -> bool:
        """Whether the process is there."""
        return self.process.poll() is None

    def memory(self) -> int:
        """Bytes resident, of the server and of the processes that it started."""
        return sum(resident(process) for process in [self.process.pid, *children(self.process.pid)])


def children(process: int) -> list[int]:
    """Of a process, and theirs."""
    found: list[int] = []
    for path in Path(f"/proc/{process}/task").glob("*/children"):
        try:
            found += [int(word) for word in path.read_text().split()]
        except OSError:
            continue
    return [*found, *(each for child in found for each in children(child))]


def _end_with_parent() -> None:
    while os.read(0, 1024):  # until the other end is closed, however its process ended
        pass
    import signal

    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(5)
    os._exit(1)


if __name__ == "__main__":
    from geco.cli.main import main

    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.exit(main(["serve", *sys.argv[1:]]))
