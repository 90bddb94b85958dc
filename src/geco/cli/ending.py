"""How a command ends: whatever stops it, one line says so, and the exit code is the one that
scripts expect.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType

from geco import memory
from geco.cli import streams, together
from geco.errors import GecoError, OutputError

FAILED = 2
# plus the number of the signal: 130 Ctrl-C, 143 SIGTERM, 129 SIGHUP, 141 the reader of our output has gone
STOPPED = 128
PIPE = 13  # SIGPIPE, which Windows has no name for
# What takes the memory, by command: what the line names to lower.
LOWER = {
    "run": "--samples, --max-memory, --texture-size or --resolution, let a model on torch work in half "
    "precision or network by network (--device cuda,fp16, cuda,offload)",
    "serve": "--max-texture, --max-resolution or --max-memory",
    "train": "--set batch=N",
    "distill": "--set batch=N (pairs: chunk=N)",
    "data": "--size or --workers",
    "evaluate": "--size",
    "optimize": "--set view_size=N, --set cells=N,N or --particles",
}


class Stopped(KeyboardInterrupt):
    """Asked to end by a signal; takes the way of Ctrl-C, so that everything half-done is cleared away."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(number)


@contextlib.contextmanager
def signals() -> Iterator[None]:
    """SIGTERM and SIGHUP raise :class:`Stopped` in the main thread, where nobody else handles or
    ignores them (nohup).
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ours = [number for name in ("SIGTERM", "SIGHUP") if (number := getattr(signal, name, None)) is not None]
    ours = [number for number in ours if signal.getsignal(number) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, _stop)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def guarded(command: Callable[[], int], name: str, debug: bool = False) -> int:
    """The command's exit code, or that of what stopped it; with ``debug`` errors come through
    with their traceback.
    """
    try:
        code = command()
        why = streams.failure()
        return code if why is None else _output_failed(why)
    except KeyboardInterrupt as error:
        number = error.number if isinstance(error, Stopped) else int(signal.SIGINT)
        said = "interrupted" if number == signal.SIGINT else f"ended by {signal.Signals(number).name}"
        if together.speaks(patient=False):
            _say(f"{said}; results written so far are whole")
        return STOPPED + number
    except GecoError as error:
        if debug:
            raise
        lost = memory.is_shortage(error) and not isinstance(error, memory.MemoryShortage)
        _explain(memory.shortage(error, LOWER.get(name, "")) if lost else error)
        return FAILED
    except Exception as error:
        if isinstance(error, OSError) and (why := streams.failure()) is not None:
            return _output_failed(why)
        ours = _explained(error, name)
        if ours is None or debug:
            raise
        _explain(ours)
        return FAILED


def _explain(error: GecoError) -> None:
    """One line, also of several processes that fail together."""
    if together.speaks():
        _say(str(error))


def _explained(error: Exception, name: str) -> GecoError | None:
    """What the machine refused, as an error of ours; None for a bug."""
    if memory.is_shortage(error):
        return memory.shortage(error, LOWER.get(name, ""))
    if together.is_others_end(error):
        return GecoError(
            "another process of this training has ended", "Start it again with --resume, by torchrun at once."
        )
    if not isinstance(error, OSError):
        return None
    if error.filename is None and not _has_folder():
        return OutputError("the current folder no longer exists", "Change into another one.")
    what = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, (str, bytes)) else ""
    return GecoError(
        f"the system refused: {what}{error.strerror or error}", "Check paths, rights and free space."
    )


def _output_failed(why: OSError) -> int:
    if isinstance(why, BrokenPipeError):
        return STOPPED + PIPE  # in silence, as every program that the system ends for it (`geco info | head`)
    _say(
        f"cannot write standard output: {why.strerror or why}. Send it elsewhere; files written so far are "
        f"whole"
    )
    return FAILED


def _has_folder() -> bool:
    try:
        os.getcwd()
    except OSError:
        return False
    return True


def _say(line: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # nobody may be there to read it
        sys.stderr.flush()
        print("\n" * streams.is_mid_line() + f"geco: {line}", file=sys.stderr, flush=True)


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stopped(number)
