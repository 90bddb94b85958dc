"""Objects and foreign meshes read in a process of their own, so that no file can end or stop an
evaluation.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from geco.data.objects import BoundedReader, Limits, ObjectSource, TexturedObject, load_object
from geco.evaluate.truth import Truth, make_truth
from geco.processes import Bounds


@dataclass(frozen=True)
class Reading:
    """What reading one object may take; nothing of it changes a number.

    Attributes:
        bounds: of the process: seconds of wall clock (with the truth's pictures), and memory.
        seconds: of processor time for the file, see :class:`geco.data.objects.Limits`.
        links: folders that links may lead into.
    """

    bounds: Bounds = field(default_factory=Bounds)
    seconds: float = Limits.seconds
    links: tuple[Path, ...] = ()


@dataclass(frozen=True)
class _Truth:
    source: ObjectSource
    size: int
    sets: tuple[str, ...]
    seconds: float


@dataclass(frozen=True)
class _Mesh:
    path: Path
    root: Path
    links: tuple[Path, ...]
    seconds: float


class Reader:
    """One process, started when the first object is read. Leaving ends it."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self._run = BoundedReader(_read, reading.bounds)

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *error: object) -> None:
        self._run.close()

    def truth(self, source: ObjectSource, size: int, sets: tuple[str, ...]) -> Truth:
        """As :func:`geco.evaluate.truth.make_truth`; also timeout, memory, crashed and error as reasons."""
        found: Truth = self._run(_Truth(source, size, sets, self.reading.seconds), source.name)
        return found

    def mesh(self, path: Path, root: Path) -> TexturedObject:
        """As :func:`geco.evaluate.foreign.read_mesh`, with the same further reasons."""
        found: TexturedObject = self._run(
            _Mesh(path, root, self.reading.links, self.reading.seconds), path.name
        )
        return found


def _read(job: _Truth | _Mesh) -> Truth | TexturedObject:
    if isinstance(job, _Truth):
        return make_truth(job.source, job.size, job.sets, Limits(seconds=job.seconds))
    limits = Limits(allow_untextured=True, seconds=job.seconds)
    return load_object(job.path, limits, root=job.root, links=job.links)
