"""A job that does what its argument says: works, fails, hangs, dies."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from geco.data.objects import ObjectError, Reason
from geco.errors import OutputError


def work(argument: str) -> str:
    """A job that does what its argument says."""
    kind, _, value = argument.partition(":")
    if kind == "segfault":
        ctypes.string_at(0)
    elif kind == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif kind == "exit":
        os._exit(3)
    elif kind == "hang":
        time.sleep(1000)
    elif kind == "memory":
        np.ones(1 << 34, np.uint8)
    elif kind == "raise":
        raise KeyError(value)
    elif kind == "refuse":
        raise ObjectError(Reason.EMPTY, f"{value}: no triangles")
    elif kind == "full":
        raise OutputError("disk full", "Free some space.")
    elif kind == "once" and not Path(value).exists():
        Path(value).touch()
        os._exit(1)
    elif kind == "note":
        Path(value).write_text(str(os.getpid()))
        time.sleep(1000)
    return f"{os.environ.get('OMP_NUM_THREADS')} {kind}"


class Counting:
    """A job that tells of each of so many steps, "STEPS SECONDS" long."""

    def attach(self, tell: Callable[[object], None]) -> None:
        self.tell = tell

    def __call__(self, argument: str) -> int:
        steps, seconds = argument.split()
        for step in range(int(steps)):
            self.tell(step)
            time.sleep(float(seconds))
        return int(steps)
