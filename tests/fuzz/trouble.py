"""A kind of input for the fuzzer whose inputs are trouble on purpose, one sort a number."""

from __future__ import annotations

import os
import signal
import tempfile
import time
import warnings
from pathlib import Path
from random import Random

from benchmarks.fuzzing.case import Case

from geco.errors import InputImageError, MeshError

SORTS = (
    "fine",
    "refused",
    "raises",
    "hangs",
    "crashes",
    "memory",
    "leaves",
    "untidy",
    "computes",
    "exits",
    "warns",
)


def warm_up() -> None:
    """Nothing to load."""


def make(rng: Random) -> Case:
    """The sort is chosen by chance, as real inputs are."""
    return Case("trouble", {"sort": rng.choice(SORTS).encode()})


def try_it(case: Case, folder: Path) -> str:
    """Do what the sort says."""
    sort = case.files["sort"].decode()
    if sort == "refused":
        raise MeshError("no mesh in it", "Give another.")
    if sort == "raises":
        return str({}["missing"])
    if sort == "hangs":
        time.sleep(600)
    if sort == "crashes":
        os.kill(os.getpid(), signal.SIGSEGV)
    if sort == "memory":
        return str(len(bytearray(8 << 30)))
    if sort == "leaves":
        tempfile.mkstemp()
    if sort == "untidy":
        raise InputImageError("")
    if sort == "computes":
        end = time.process_time() + 1.5
        while time.process_time() < end:
            pass
    if sort == "exits":
        raise SystemExit(0)
    if sort == "warns":
        warnings.warn("a word to the user", stacklevel=1)
        os.write(2, b"a line of a library\n")
    return "done"
