"""What ``geco run`` will read and write, settled and checked before any work is done."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

from geco.cli.pictures import Given
from geco.errors import OutputError

MESH_SUFFIXES = {".glb", ".obj", ".ply", ".stl", ".usdz", ".3mf"}
TURNTABLE_SUFFIXES = {".mp4", ".gif", ".png"}


@dataclass(frozen=True)
class Output:
    """The files of one sample."""

    seed: int
    mesh: Path
    views: Path | None
    turntable: Path | None


@dataclass(frozen=True)
class Job:
    """One picture and the files that its samples go to."""

    picture: Given
    outputs: list[Output]
    steps: str | None


def plan(pictures: list[Given], options: argparse.Namespace) -> list[Job]:
    """One job a picture.

    Raises:
        OutputError: an output cannot be written or has no known format.
    """
    results = len(pictures) * options.samples
    single = _single_file(options, results)
    folder = single.parent if single else Path(options.output or ".")
    suffix = single.suffix.lower() if single else f".{options.format or 'glb'}"
    _check_writable(folder)
    if options.turntable:
        _check_suffix(Path(options.turntable), TURNTABLE_SUFFIXES, "turntable")
        _check_writable(Path(options.turntable).parent)
    jobs = []
    taken: set[str] = set()
    for picture in pictures:
        stem = single.stem if single else _free_stem(picture.path.stem, taken)
        outputs = []
        for seed in range(options.seed, options.seed + options.samples):
            name = f"{stem}-seed{seed}" if options.samples > 1 else stem
            views = folder / f"{name}-views.png" if options.views else None
            outputs.append(Output(seed, folder / f"{name}{suffix}", views, _turntable(options, name, results)))
        steps = os.path.join(options.save_steps, stem) if options.save_steps and len(pictures) > 1 else options.save_steps
        jobs.append(Job(picture, outputs, steps))
    return jobs


def _single_file(options: argparse.Namespace, results: int) -> Path | None:
    """The output as a file, where it names one."""
    if options.output is None or Path(options.output).is_dir() or not Path(options.output).suffix:
        return None
    path = Path(options.output)
    _check_suffix(path, MESH_SUFFIXES, "mesh")
    if options.format and path.suffix.lower() != f".{options.format}":
        raise OutputError(f"--format {options.format} contradicts the output {path}", "Leave one of them out.")
    if results > 1 and options.samples == 1:
        raise OutputError(f"{results} results cannot go into the one file {path}", "Give a folder with -o.")
    return path


def _check_suffix(path: Path, known: set[str], what: str) -> None:
    if path.suffix.lower() not in known:
        raise OutputError(f"{path}: {path.suffix or 'no suffix'} is not a {what} format", f"Use one of {' '.join(sorted(known))}.")


def _check_writable(folder: Path) -> None:
    """Fail before the work, not after it; the folder itself is made only when something is written."""
    existing = folder.absolute()
    while not existing.exists():
        existing = existing.parent
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise OutputError(f"cannot write into {folder}", "Choose another folder with -o, or change its permissions.")


def _turntable(options: argparse.Namespace, name: str, results: int) -> Path | None:
    if not options.turntable:
        return None
    path = Path(options.turntable)
    return path if results == 1 else path.with_name(f"{path.stem}-{name}{path.suffix}")


def _free_stem(stem: str, taken: set[str]) -> str:
    """``stem``, or ``stem-2``, ``stem-3`` … where pictures of the same name come from different folders."""
    name, number = stem, 1
    while name.lower() in taken:
        number += 1
        name = f"{stem}-{number}"
    taken.add(name.lower())
    return name
