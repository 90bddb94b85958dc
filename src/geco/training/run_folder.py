"""A run's folder: whose it is, what it was begun with, and what may be different when it goes on.

``run.json`` stands there before the first step, and every checkpoint holds the same. What decides the weights
(seed, numbers, data, starting weights) is the same for the whole run; what decides when and where it is
computed may change, and a line says so.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from geco.errors import ConfigError, OutputError
from geco.files import atomic_write, sweep, sweep_below
from geco.json_text import read_json
from geco.locks import HeldError, locked
from geco.model_files.card import AUTOENCODER, CARD, MULTIVIEW, RECONSTRUCTOR

FILE, CHECKPOINT, LOCK = "run.json", "checkpoint.pt", ".lock"
PIECES = "checkpoint-"  # begins the name of a checkpoint's folder
FORMAT = "geco-run-1"
# What a run writes: where one of these is there without a checkpoint, somebody's work would be lost.
MODEL, BESIDE = (CARD, MULTIVIEW, RECONSTRUCTOR, AUTOENCODER), ("log.jsonl", "training.json", "curves.png")
# When and where, and the length, which the learning rates follow: these may change.
FREE = (
    "budget_minutes",
    "budget_steps",
    "checkpoint_minutes",
    "device",
    "threads",
    "processes",
    "parallel",
    "geco",
    "torch",
)
MOST = 1 << 20  # bytes of run.json; a few kB
TURN = 60.0  # seconds that a process waits for its turn to join


@contextlib.contextmanager
def claimed(
    folder: Path,
    settings: Mapping[str, Any],
    resume: bool,
    begun_with: str = CHECKPOINT,
    written: Sequence[str] = MODEL,
) -> Iterator[None]:
    """Hold the folder for this run alone, checked before anything is loaded.

    Args:
        settings: flat; what the run depends on, and :data:`FREE` things.
        resume: whether a run that is there may go on.
        begun_with: the file that makes it a run; written: names that are this kind of run's results.

    Raises:
        OutputError: it cannot be made or written, another run is writing it, or it holds something that is no
            run.
        ConfigError: it holds a run, which may not go on, or was begun with other settings.
    """
    new, nameless = not folder.exists(), _has_begun(folder, begun_with) and not (folder / FILE).exists()
    # before there is anything of ours in another's folder
    _check(folder, settings, resume, begun_with, written)
    try:
        with locked(folder, LOCK):
            _check(folder, settings, resume, begun_with, written, say=True)
            sweep_below(folder)
            write_settings(folder, settings)
            yield
    except BaseException:
        if new:
            _forget(folder)
        if nameless:  # whether these are the run's settings only its checkpoint knew
            (folder / FILE).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def joined(folder: Path, settings: Mapping[str, Any], begun_with: str) -> Iterator[None]:
    """Begin, or join, work that many processes do in one folder: checked by one at a time, then free for all.
    Arguments and errors as of :func:`claimed`.
    """
    new = not folder.exists()
    try:
        _take_turn(folder, settings, begun_with)
        yield
    except BaseException:
        if new:
            _forget(folder)
        raise


def _take_turn(folder: Path, settings: Mapping[str, Any], begun_with: str) -> None:
    until = time.monotonic() + TURN
    while True:
        try:
            with locked(folder, LOCK):
                _check(folder, settings, True, begun_with, (), say=True)
                sweep(folder)
                write_settings(folder, settings)
                return
        except HeldError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def _check(
    folder: Path,
    settings: Mapping[str, Any],
    resume: bool,
    begun_with: str,
    written: Sequence[str],
    say: bool = False,
) -> None:
    begun = (folder / FILE).exists()
    if _has_begun(folder, begun_with):
        if not resume:
            raise ConfigError(
                f"{folder} holds a run already", "Add --resume to continue it, or choose another folder."
            )
        if begun:
            agree(folder, read_settings(folder), settings, say)
        return
    there = [name for name in (*written, *(() if begun else BESIDE)) if (folder / name).exists()]
    if there:
        raise OutputError(
            f"{folder} holds {', '.join(there)} but no {begun_with}", "Choose another folder with -o."
        )


def _has_begun(folder: Path, begun_with: str) -> bool:
    """Whether the run has something to go on with: for trainings also a checkpoint in pieces."""
    pieces = begun_with == CHECKPOINT and any(folder.glob(f"{PIECES}*"))
    return (folder / begun_with).exists() or pieces


def _forget(folder: Path) -> None:
    """Remove a folder that this run has made, if it came to nothing."""
    with contextlib.suppress(OSError):
        if {path.name for path in folder.iterdir()} <= {FILE}:
            (folder / FILE).unlink(missing_ok=True)
            folder.rmdir()


def read_settings(folder: Path) -> dict[str, Any]:
    """The run's settings; ConfigError where ``run.json`` is not one of ours."""
    found = read_json(folder / FILE, ConfigError, most=MOST)
    if (
        not isinstance(found, dict)
        or found.get("format") != FORMAT
        or not isinstance(found.get("settings"), dict)
    ):
        raise ConfigError(f"{folder / FILE} does not describe a run", "Choose another folder with -o.")
    return dict(found["settings"])


def write_settings(folder: Path, settings: Mapping[str, Any]) -> None:
    """Write ``run.json``; raises OutputError."""
    text = json.dumps({"format": FORMAT, "settings": dict(settings)}, indent=1, default=str)
    atomic_write(folder / FILE, text.encode() + b"\n")


def agree(folder: Path, before: Mapping[str, Any], now: Mapping[str, Any], say: bool = True) -> None:
    """Refuse to go on with other settings, and say which of the free ones are new.

    Settings of only one side are not compared: another version may know more of them.

    Raises:
        ConfigError: names every setting with both values.
    """
    before, now = plain(before), plain(now)
    changed = [name for name in now if name in before and before[name] != now[name]]
    fixed = [f"{name} {before[name]}, not {now[name]}" for name in changed if name not in FREE]
    if fixed:
        raise ConfigError(
            f"{folder} was begun with {'; '.join(fixed)}",
            "Repeat the settings to go on with --resume, or choose another folder with -o.",
        )
    if say and changed:
        changes = ", ".join(f"{name} {now[name]} (was {before[name]})" for name in changed)
        print(f"{folder} goes on with {changes}", file=sys.stderr)


def plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON gives it back: tuples are lists."""
    return dict(json.loads(json.dumps(dict(settings), default=str)))


def fingerprint(folder: Path | None) -> str | None:
    """What a folder holds, in 12 digits: of its small files the content, of large ones the size. None for no
    folder.

    Weights are gigabytes; the cards beside them hold their hashes. What a run cost and how it was started
    (``training.json``, ``run.json``) is no part of it: a finished stage called again writes both anew.
    """
    if folder is None:
        return None
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if (
            path.name.startswith(".")
            or path.name in ("training.json", FILE)
            or not path.is_file()
            or path.suffix not in (".json", ".safetensors", ".npz", ".npy")
        ):
            continue
        size = path.stat().st_size
        digest.update(f"{name} {size}\n".encode("utf-8", "surrogateescape"))
        if path.suffix == ".json" and size <= MOST:
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
