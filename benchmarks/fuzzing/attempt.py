"""One input tried inside a worker: made from its number, run through the real code, and what became of it."""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import gc
import importlib
import os
import re
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

from benchmarks.fuzzing.case import Case
from geco.errors import GecoError

KINDS = ("pictures", "objects", "weights", "requests")
MEASURE_EVERY = 20  # inputs: giving memory back to the system first costs some 30 ms
NOT_OURS = "torchinductor_"  # torch's cache, which stays there on purpose
OWN = re.compile(r"[/\\](?:src[/\\])?(geco[/\\].*|benchmarks[/\\]fuzzing[/\\].*|tests[/\\]fuzz[/\\].*)$")


def module(kind: str) -> ModuleType:
    """The kind's own file, by its name here or its whole name.

    It has ``warm_up()``, ``make(rng) -> Case``, ``try_it(case, folder) -> str`` and perhaps ``memory()``.
    """
    return importlib.import_module(kind if "." in kind else f"benchmarks.fuzzing.{kind}")


def make(kind: str, seed: int, index: int) -> Case:
    """Input ``index`` of the set ``seed``: depends on nothing else."""
    return module(kind).make(Random(f"{kind}/{seed}/{index}"))  # type: ignore[no-any-return]


class Attempt:
    """What a worker does with a number. Unpickling it warms the worker up, before the first input's clock.

    Args:
        kind: of :data:`KINDS`.
        seed: of the set.
        folder: for the workers' files; the caller's to remove.
        seconds: of processor time an input may take; after four fifths of them the stack is written down.
    """

    def __init__(self, kind: str, seed: int, folder: str, seconds: float) -> None:
        self.kind, self.seed, self.folder, self.seconds = kind, seed, folder, seconds

    def __reduce__(self) -> tuple[Callable[..., Attempt], tuple[Any, ...]]:
        return warmed, (self.kind, self.seed, self.folder, self.seconds)

    def warm_up(self) -> Attempt:
        """Load what every input needs."""
        self.trace = open(Path(self.folder, f"stack-{os.getpid()}"), "w+")  # noqa: SIM115
        faulthandler.enable(self.trace)
        self.scratch = Path(self.folder, f"worker-{os.getpid()}")
        (self.scratch / "tmp").mkdir(parents=True)
        tempfile.tempdir = os.environ["TMPDIR"] = str(self.scratch / "tmp")
        os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1")
        self.module = module(self.kind)
        self.module.warm_up()
        noise = Path(self.folder, f"noise-{os.getpid()}")
        self.noise = open(noise, "w+b", buffering=0)  # noqa: SIM115 - as above
        # C libraries write there, while inputs are made as well
        os.dup2(self.noise.fileno(), sys.stderr.fileno())
        self.done = 0
        return self

    def __call__(self, index: int) -> dict[str, Any]:
        """Outcome, cost and, now and then, memory of input ``index``."""
        self.trace.seek(0)
        self.trace.truncate()
        self.trace.write(f"{index}\n")
        self.trace.flush()
        faulthandler.dump_traceback_later(self.seconds * 0.8, file=self.trace)
        _forget_peak()
        started, cpu = time.monotonic(), time.process_time()
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            row = self._outcome(index)
        said = self._said()
        faulthandler.cancel_dump_traceback_later()
        row |= {"index": index, "process": os.getpid(), "seconds": time.monotonic() - started}
        row["cpu"], row["peak"] = time.process_time() - cpu, _peak()
        if row["cpu"] > self.seconds and row["outcome"] not in ("exception", "generator"):
            row |= {
                "outcome": "timeout",
                "message": f"{row['cpu']:.1f} s of processor time",
                "where": self._where(),
            }
        row["warnings"] = sorted({*said, *(_warning(each) for each in warned)})
        if self.done % MEASURE_EVERY == 0:
            row["memory"], row["descriptors"] = self._memory(), _descriptors()
        self.done += 1
        return row

    def _outcome(self, index: int) -> dict[str, Any]:
        work = self.scratch / "work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        try:
            case = make(self.kind, self.seed, index)
        except Exception as error:
            return {"outcome": "generator", **_described(error)}
        self._said()
        try:
            row = {"outcome": "result", "detail": self.module.try_it(case, work)}
        except MemoryError:
            traceback.print_exc(file=self.trace)  # the worker ends now
            self.trace.flush()
            raise
        except GecoError as error:
            row = own_error(error)
        except BaseException as error:  # SystemExit and the panics of Rust libraries are offenders as well
            return {"outcome": "exception", **_described(error)}
        left = self._left()
        return {"outcome": "left behind", "where": "outside", "message": str(left[:3])} if left else row

    def _said(self) -> set[str]:
        """What was written to standard error since the last call: the beginning of its first line."""
        sys.stderr.flush()
        self.noise.seek(0)
        text = self.noise.read(4000).decode(errors="replace")
        self.noise.seek(0)
        self.noise.truncate()
        return {"standard error: " + text.splitlines()[0][:60]} if text.strip() else set()

    def _left(self) -> list[str]:
        """What lies in the temporary folder, which is emptied."""
        left = [path for path in (self.scratch / "tmp").iterdir() if not path.name.startswith(NOT_OURS)]
        for path in left:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        return sorted(path.name for path in left)

    def _where(self) -> str:
        self.trace.seek(0)
        return innermost(self.trace.read())

    def _memory(self) -> int:
        """Bytes resident, after what is free was given back."""
        gc.collect()
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)
        return self.module.memory() if hasattr(self.module, "memory") else resident(os.getpid())


def warmed(kind: str, seed: int, folder: str, seconds: float) -> Attempt:
    """An attempt that can start at once."""
    return Attempt(kind, seed, folder, seconds).warm_up()


def own_error(error: GecoError) -> dict[str, Any]:
    """A refusal; not one where its message is no single line that says something."""
    kind = type(error).__name__
    reason = getattr(error, "reason", None)
    text = str(error)
    if not error.problem.strip() or len(text.splitlines()) > 1 or len(text) > 2000:
        return {"outcome": "untidy message", **_described(error)}
    return {"outcome": f"{kind}: {reason}" if reason else kind, "detail": "refused"}


def resident(process: int) -> int:
    """Bytes of memory that a process holds; 0 where the system does not tell."""
    with contextlib.suppress(OSError, ValueError):
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def _forget_peak() -> None:
    """From now on :func:`_peak` is of what follows."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # proc(5): resets the peak resident set size


def _peak() -> int:
    """Bytes that this process has had resident at most; 0 where the system does not tell."""
    with contextlib.suppress(OSError):
        found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
        return int(found[1]) * 1024 if found else 0
    return 0


def _descriptors() -> int:
    with contextlib.suppress(OSError):
        return len(os.listdir("/proc/self/fd"))
    return 0


def _described(error: BaseException) -> dict[str, Any]:
    """Type, message, innermost line of ours, and the whole traceback."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [(found[1], frame) for frame in frames if (found := OWN.search(frame.filename))]
    where = f"{ours[-1][0]}:{ours[-1][1].lineno} ({ours[-1][1].name})" if ours else "outside"
    where = getattr(error, "where", where)  # a server's exception is in another process
    lines = traceback.format_exception(type(error), error, error.__traceback__)
    return {
        "type": type(error).__name__,
        "message": str(error)[:300],
        "where": where,
        "traceback": "".join(lines)[-6000:],
    }


def _warning(warned: warnings.WarningMessage) -> str:
    found = OWN.search(warned.filename)
    place = found[1] if found else "/".join(Path(warned.filename).parts[-2:])
    return f"{warned.category.__name__} {place}:{warned.lineno}"


def stack_of(folder: Path, index: int) -> str:
    """Where a worker that hung or crashed with input ``index`` was: what faulthandler wrote down."""
    for path in folder.glob("stack-*"):
        head, _, rest = path.read_text(errors="replace").partition("\n")
        if head == str(index):
            return rest[:6000]
    return ""


def innermost(stack: str) -> str:
    """The line of ours that a stack of faulthandler's (a block a thread, innermost line first) is in."""
    blocks = [block for block in re.split(r"\n(?=Thread|Current)", stack) if "attempt.py" in block]
    lines = "\n".join(blocks).splitlines()
    if stack.startswith("Traceback"):  # of an exception: outermost first
        lines.reverse()
    for line in lines:
        found = re.search(r'File "(.*)", line (\d+),? in (.*)', line)
        if found and (own := OWN.search(found[1])) and "attempt.py" not in own[1]:
            return f"{own[1]}:{found[2]} ({found[3]})"
    return "outside" if stack else "unknown"


if sys.platform == "win32":  # workers cannot be bounded there
    raise SystemExit("the fuzzer needs Linux or macOS")
