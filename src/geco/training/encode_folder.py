"""A folder of latents in the making: file by file, each whole or not there, so that a killed run goes on with
those that are missing; the index is written last.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from safetensors import safe_open

from geco.data.shards import HELD_OUT
from geco.errors import ConfigError, OutputError
from geco.files import atomic_write, sweep
from geco.foreign import read_fields
from geco.locks import locked
from geco.model_files.manifest import entry
from geco.processes import Outcome
from geco.training.encode import Encoding, Job
from geco.training.latents import FORMAT, GREY, INDEX, read_index

BEGUN, LOCK = ".encode.json", ".encode.lock"


class Pool(Protocol):
    """``Workers`` or ``RayWorkers``."""

    def run(self, jobs: Iterable[tuple[str, Any]], seconds: float | None = None) -> Iterator[Outcome]: ...


class Folder:
    """A folder of latents in the making.

    Args:
        path: new, empty, or begun with the same encoding.

    Raises:
        ConfigError: it holds something else.
    """

    def __init__(self, path: Path, encoding: Encoding) -> None:
        self.path, self.encoding = path, encoding
        self.settings, self.files = encoding.settings(), encoding.files()
        self.done = (path / INDEX).exists()
        if self.done:
            self._check(read_index(path).fields("settings").values)
        elif (path / BEGUN).exists():
            self._check(read_fields(path / BEGUN, ConfigError, "Choose another folder with -o.").values)
        elif path.is_dir() and {each.name for each in path.iterdir()} - {LOCK, HELD_OUT}:
            raise ConfigError(
                f"{path} is not empty and holds no latents", "Choose another folder with -o, or empty it."
            )

    def begin(self) -> None:
        """Mark it as ours, and sweep what a killed run left."""
        if not self.done:
            atomic_write(self.path / BEGUN, json.dumps(self.settings).encode())
            sweep(self.path)

    def missing(self) -> list[Job]:
        """The files that are not there, or not whole."""
        if self.done:
            return []
        places = {self.path / name: pictures for name, pictures in self.files.items()}
        return [Job(self.encoding, p, pictures) for p, pictures in places.items() if not _whole(p, pictures)]

    def finish(self) -> None:
        """Write the index, last."""
        if self.done:
            return
        files = [entry(self.path / name) | {"name": name} for name in self.files if name != GREY]
        index = {"format": FORMAT, "settings": self.settings, "files": files}
        atomic_write(self.path / INDEX, json.dumps(index, indent=1).encode() + b"\n")
        (self.path / BEGUN).unlink(missing_ok=True)
        self.done = True

    def _check(self, found: Mapping[str, Any]) -> None:
        changed = [name for name, value in self.settings.items() if found.get(name) != value]
        if changed:
            raise ConfigError(
                f"{self.path} holds latents of other {', '.join(changed)}", "Choose another folder with -o."
            )


def folders_of(encoding: Encoding, output: Path) -> list[Folder]:
    """The folder of the shards, and that of their held-out part where there is one; errors as
    :class:`Folder`.
    """
    parts = [Folder(output, encoding)]
    if (apart := encoding.shards / HELD_OUT / INDEX).is_file():
        parts.append(Folder(output / HELD_OUT, replace(encoding, shards=apart.parent)))
    return parts


def encode(folders: Sequence[Folder], pool: Pool, done: Callable[[int], object] = lambda count: None) -> None:
    """Encode what is missing.

    Args:
        pool: whose function is an :class:`Encoder`.
        done: called after each file with the pictures in it.

    Raises:
        OutputError: the folder cannot be written or another run is writing it; a file could not be made.
    """
    with locked(folders[0].path, LOCK):
        for folder in folders:
            folder.begin()
        jobs = {str(job.path): job for folder in folders for job in folder.missing()}
        for outcome in pool.run(jobs.items()):
            if outcome.reason is not None:
                raise OutputError(
                    f"cannot encode {outcome.key}: {outcome.message}",
                    "Give the command again; what is done is kept.",
                )
            done(len(jobs[outcome.key].pictures))
        for folder in folders:
            folder.finish()


def _whole(path: Path, pictures: range) -> bool:
    """Whether a file of so many pictures is there; a damaged one is made anew."""
    name, count = ("picture", len(pictures)) if pictures else ("latent", 1)
    try:
        with safe_open(path, framework="pt") as file:
            return bool(file.get_slice(name).get_shape()[0] == count)
    except Exception:
        return False
