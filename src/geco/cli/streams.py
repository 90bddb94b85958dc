"""Standard streams as the machine has them: closed ones, terminals that cannot show every
character, full disks.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import Any, TextIO

UNSHOWN = "backslashreplace"  # what an encoding lacks is written as \xe9, as Python's own standard error does


class _Output(io.FileIO):
    """An output that remembers why it could not write. Where it is ``patient``, what nobody takes
    is dropped.
    """

    def __init__(self, number: int, patient: bool) -> None:
        super().__init__(number, "w", closefd=False)
        self.patient = patient
        self.failed: OSError | None = None
        self.mid_line = False

    def write(self, data: Any, /) -> int:
        if len(data):
            self.mid_line = bytes(data[-1:]) != b"\n"
        try:
            return super().write(data)
        except OSError as error:
            self.failed = self.failed or error
            if not self.patient:
                raise
            return memoryview(data).nbytes


def make_usable() -> None:
    """Make the three streams usable: closed ones lead nowhere, and no character or full disk ends in a
    traceback.

    File names that are no UTF-8 come to Python as lone surrogates, which no encoding has; reports contain
    ``·``.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = getattr(sys, name)
        if stream is None:  # `geco ... >&-`
            setattr(sys, name, _nowhere(number))
        elif number == 0 or not hasattr(stream, "reconfigure"):
            continue
        elif stream is getattr(sys, f"__{name}__") and _is_plain(stream):
            setattr(sys, name, _watched(stream, number))
        else:  # a console of Windows, or a test's
            stream.reconfigure(errors=UNSHOWN)


def is_mid_line() -> bool:
    """Whether a progress bar, or something else, has left standard error in the middle of a line."""
    raw = _raw_of(sys.stderr)
    return isinstance(raw, _Output) and raw.mid_line


def failure() -> OSError | None:
    """Why standard output could not take everything, if so; from then on what is written to it is dropped.

    Without this Python would try once more at its end, and say so in lines of its own.
    """
    error: OSError | None = None
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError as found:
        error = found
    raw = _raw_of(sys.stdout)
    if isinstance(raw, _Output) and raw.failed is not None:
        error = raw.failed
    if error is not None:
        _drop(sys.stdout)
    return error


def _is_plain(stream: Any) -> bool:
    return type(_raw_of(stream)) is io.FileIO


def _raw_of(stream: Any) -> Any:
    buffer = getattr(stream, "buffer", None)
    return getattr(buffer, "raw", buffer)  # python -u has no buffer between


def _watched(stream: Any, number: int) -> TextIO:
    """The same stream over an :class:`_Output`; messages are dropped rather than end the work
    that they tell of.
    """
    stream.flush()
    raw: Any = _Output(stream.fileno(), patient=number == 2)
    unbuffered = isinstance(stream.buffer, io.FileIO)
    return io.TextIOWrapper(
        raw if unbuffered else io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors=UNSHOWN,
        newline=None if sys.platform == "win32" else "\n",
        line_buffering=stream.line_buffering,
        write_through=unbuffered,
    )


def _nowhere(number: int) -> TextIO:
    """A stream on the null device, at the closed number itself: the next file opened must not
    become standard output.
    """
    null = os.open(os.devnull, os.O_RDWR)
    if null != number:
        with contextlib.suppress(OSError):
            os.dup2(null, number)
            os.close(null)
            null = number
    return open(null, "r" if number == 0 else "w", encoding="utf-8", errors=UNSHOWN, closefd=False)


def _drop(stream: Any) -> None:
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
        stream.flush()
