"""The manifest of a run over many pictures: a JSON line a picture, appended as results come.

The first line, and one more for each further run, says what was asked; every other line is a picture's. Paths
are relative to the manifest's folder, so pictures, results and manifest may move together. A line that a
death left half-written is passed over.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from geco.errors import OutputError
from geco.files import writing
from geco.locks import locked
from geco.many.results import OF_THE_PICTURE, AnyJob, Given, Result
from geco.marks import mark_text, read_mark
from geco.reading import sha256_of

MADE = "manifest"  # what its mark says that it is
NAME = "manifest.jsonl"


@dataclass(frozen=True)
class Entry:
    """The last line of one picture's results.

    Attributes:
        picture: absolute path. stamp, digest: of it when it was read.
        choices: digest of what was asked (:func:`geco.many.done.choices_digest`).
        files: that were written, absolute path -> bytes.
        error: the failure's type, or None.
    """

    picture: str
    stamp: tuple[int, ...] | None
    digest: str
    choices: str
    files: Mapping[str, int]
    error: str | None

    def is_of(self, picture: Given) -> bool:
        """Whether the picture has still the same content: its file was not touched since, or its bytes are
        the same.
        """
        if picture.data is None and self.picture != os.path.abspath(picture.path):
            return False
        stamp = stamp_of(picture)
        if stamp is not None and self.stamp == tuple(stamp):
            return True
        return bool(self.digest) and self.digest == digest_of_picture(picture)


class Manifest:
    """One file, read and written line by line while it is :meth:`held`.

    Args:
        path: need not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.folder = path, os.path.abspath(path.parent)
        self.entries: dict[str, Entry] = {}
        self._sizes: dict[str, int] = {}
        self._stream: IO[bytes] | None = None
        self._head: dict[str, Any] | None = None

    @contextlib.contextmanager
    def held(self) -> Iterator[Manifest]:
        """Itself, read; nobody else writes it meanwhile.

        Raises:
            OutputError: somebody does; or it is there and is no manifest of GECO's.
        """
        with locked(Path(self.folder), name=f".{self.path.name}.lock"):
            if os.path.lexists(self.path):
                self._read()
            try:
                yield self
            finally:
                if self._stream is not None:
                    self._stream.close()
                    self._stream = None

    def knows(self, path: str | os.PathLike[str]) -> bool:
        """Whether a file that is there is one that a run of this manifest wrote."""
        size = self._sizes.get(os.path.abspath(path))
        return size is not None and _size(path) == size

    def begin(self, choices: str, asked: Mapping[str, Any]) -> None:
        """The line of a run, written before its first picture's; ``asked`` is for people."""
        self._head = {"made": mark_text(MADE), "choices": choices, **asked}

    def add(self, job: AnyJob, result: Result, choices: str) -> None:
        """The line of a picture. It is with the system when this returns: no death of ours loses it."""
        sizes = {str(path): _size(path) for path in result.files}
        line: dict[str, Any] = {
            "picture": self._relative(job.picture.path) if job.picture.data is None else job.picture.label,
            "sha256": result.digest,
            "stamp": result.stamp,
            "choices": choices,
            "outputs": [
                {
                    "seed": sample.seed,
                    "mesh": self._relative(sample.mesh),
                    "faces": sample.facts.get("faces"),
                    "seconds": round(sample.seconds["total"], 4),
                }
                for sample in result.samples
            ],
            "files": {self._relative(path): size for path, size in sizes.items()},
            "seconds": round(result.seconds, 4),
        }
        if result.failure is not None:
            line["error"] = vars(result.failure)
            line["mesh"] = self._relative(job.outputs[0].mesh)
        if self._head is not None:
            self._append(self._head)
            self._head = None
        self._append(line)

    def _append(self, line: Mapping[str, Any]) -> None:
        with writing(self.path):
            if self._stream is None:
                self._stream = open(self.path, "ab", buffering=0)  # noqa: SIM115
                if self._stream.tell() and not _ends_whole(self.path):
                    self._stream.write(b"\n")
            self._stream.write(json.dumps(line).encode() + b"\n")

    def _read(self) -> None:
        mark = read_mark(self.path)
        if mark is None or mark.made != MADE:
            raise OutputError(
                f"{self.path} is there already and is no manifest of GECO", "Name another with --manifest."
            )
        with writing(self.path), self.path.open("rb") as file:
            for line in file:
                # one that is torn or not ours is no reason to stop
                with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
                    self._take(json.loads(line))

    def _take(self, line: dict[str, Any]) -> None:
        if "made" in line:
            return
        failure = line.get("error")
        mesh = line["mesh"] if failure else line["outputs"][0]["mesh"]
        stamp = line["stamp"]
        files = {self._absolute(path): int(size) for path, size in line["files"].items() if size is not None}
        self.entries[self._absolute(mesh)] = Entry(
            self._absolute(line["picture"]),
            None if stamp is None else tuple(stamp),
            line["sha256"],
            line["choices"],
            files,
            failure["type"] if failure else None,
        )
        self._sizes |= files

    def _relative(self, path: str | os.PathLike[str]) -> str:
        whole = os.path.abspath(path)
        try:
            return os.path.relpath(whole, self.folder)
        except ValueError:  # on another drive of Windows
            return whole

    def _absolute(self, path: str) -> str:
        return os.path.normpath(os.path.join(self.folder, path))


def state_of(job: AnyJob, manifest: Manifest, choices: str) -> str:
    """What an earlier run has made of a job with the same choices and the same picture: "done", "failed" (of
    the picture's own fault: it would fail again), or "" where there is work to do.
    """
    entry = manifest.entries.get(os.path.abspath(job.outputs[0].mesh))
    if entry is None or entry.choices != choices:
        return ""
    if entry.error is not None:
        return "failed" if entry.error in OF_THE_PICTURE and entry.is_of(job.picture) else ""
    wanted = {os.path.abspath(path) for path in job.files()}
    whole = wanted <= entry.files.keys() and all(manifest.knows(path) for path in entry.files)
    return "done" if whole and entry.is_of(job.picture) else ""


def stamp_of(picture: Given) -> list[int] | None:
    """Size and times of a picture's file. What is written into it changes the last, which nobody can set, so
    the same stamp is the same content; None where it is no file.
    """
    if picture.data is not None:
        return None
    try:
        status = os.stat(picture.path)
    except (OSError, ValueError):
        return None
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def digest_of_picture(picture: Given) -> str:
    """SHA-256 of a picture's bytes; "" where they cannot be read."""
    if picture.data is not None:
        return hashlib.sha256(picture.data).hexdigest()
    try:
        return sha256_of(picture.path) if picture.path.is_file() else ""
    except OSError:
        return ""


def _size(path: str | os.PathLike[str]) -> int | None:
    try:
        return os.stat(path).st_size
    except (OSError, ValueError):
        return None


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() == b"\n"
