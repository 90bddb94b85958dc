"""The plan of ``geco run``: every file that it will write, settled and checked before any work."""

from __future__ import annotations

import functools
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from geco.errors import OutputError
from geco.outputs.guard import Guard
from geco.outputs.names import loosely, stems
from geco.outputs.origin import Origin, Picture

MESH_SUFFIXES = (".glb", ".obj", ".ply", ".stl", ".usdz", ".3mf")
TURNTABLE_SUFFIXES = (".mp4", ".gif", ".png")

P = TypeVar("P", bound=Picture)


@dataclass(frozen=True)
class Wanted:
    """What a run was asked to write.

    Attributes:
        output: a file for one result, or a folder; None: the current one.
        format: of the meshes ("glb"); None: by the output's suffix, else GLB.
        seeds: one mesh each.
        further: what is put behind the mesh's name for more meshes of the same object (``_LOD1``).
        views: a sheet of views beside each mesh.
        turntable: a file; where there are several results, each has its name behind it.
        steps: a folder; where there are several pictures, each has its own in it.
        step_names: the files that the steps of one picture are.
        overwrite: replace files that are no earlier results.
        known: of :class:`geco.outputs.guard.Guard`.
        beside: a file that the run itself writes, and no result may be.
    """

    output: str | None = None
    format: str | None = None
    seeds: Sequence[int] = (0,)
    further: Sequence[str] = ()
    views: bool = False
    turntable: str | None = None
    steps: str | None = None
    step_names: Sequence[str] = ()
    overwrite: bool = False
    known: Callable[[Path], bool] = lambda path: False
    beside: Path | None = None


@dataclass(frozen=True, slots=True)
class Output:
    """The files of one sample."""

    seed: int
    mesh: Path
    views: Path | None = None
    turntable: Path | None = None
    more: tuple[Path, ...] = ()

    def files(self) -> list[Path]:
        """All of them; what lies beside an OBJ has the name of its content and replaces nothing."""
        pictures = [path for path in (self.views, self.turntable) if path is not None]
        return [*self.meshes(), *pictures]

    def meshes(self) -> list[Path]:
        """The mesh and those beside it."""
        return [self.mesh, *self.more]


def beside(mesh: Path, key: str) -> Path:
    """Where a further mesh goes: ``cat_LOD1.glb`` beside ``cat.glb``."""
    return mesh.with_name(f"{mesh.stem}{key}{mesh.suffix}")


@dataclass(frozen=True, slots=True)
class Job(Generic[P]):
    """One picture and the files that its samples go to.

    Attributes:
        picture: as it was given.
        origin: what decides which files are its earlier results.
        outputs: one a seed.
        steps: the folder of its steps, or None.
        step_files: the files there.
        guard: of the whole run.
    """

    picture: P
    origin: Origin
    outputs: list[Output]
    steps: Path | None
    step_files: list[Path]
    guard: Guard = field(repr=False)

    def files(self) -> list[Path]:
        """Everything that it writes."""
        return [*(path for output in self.outputs for path in output.files()), *self.step_files]

    def check(self, files: Iterable[Path]) -> None:
        """Look again just before the writing: somebody else may have been there. Raises OutputError."""
        for path in files:
            self.guard.check(path, self.origin.may_replace)


def plan(pictures: Sequence[P], wanted: Wanted) -> list[Job[P]]:
    """One job a picture, in order; a picture that was given twice has one.

    Results are called after their picture. Where two would share a name (pictures that differ by suffix, case
    or spaces, or lie in different folders) or one would be an input, the names become longer: see
    :func:`geco.outputs.names.stems`.

    Raises:
        OutputError: an output that was named is an input or another output, holds something of others, cannot
            be written or has no known format.
    """
    _check_named(wanted)
    once = _once(pictures)
    single = _single_file(wanted, len(once))
    inputs = (picture.path for picture in once if picture.data is None)
    guard = Guard(inputs, wanted.overwrite, wanted.known)
    if wanted.beside is not None:
        guard.claim(wanted.beside, lambda path, mark: True)
    jobs = _settled(once, wanted, single, guard)
    for job in jobs:
        for path in job.files():
            guard.claim(path, job.origin.may_replace)
    return jobs


def _settled(pictures: Sequence[P], wanted: Wanted, single: Path | None, guard: Guard) -> list[Job[P]]:
    """Names for all, as short as they can be without two alike and without an input among them."""
    candidates = [iter([single.stem]) if single else stems(picture.path) for picture in pictures]
    chosen = [next(names) for names in candidates]
    draft: _Draft[P] = _Draft(wanted, single, guard, len(pictures))
    while True:
        jobs = [draft.job(picture, name) for picture, name in zip(pictures, chosen)]
        if single is not None:
            return jobs
        clashing = draft.clashing(jobs)
        if not clashing:
            return jobs
        for index in clashing:
            chosen[index] = next(candidates[index])


class _Draft(Generic[P]):
    """From the names of jobs to their files."""

    def __init__(self, wanted: Wanted, single: Path | None, guard: Guard, count: int) -> None:
        self.wanted, self.guard, self.count = wanted, guard, count
        self.folder = single.parent if single else Path(wanted.output or ".")
        self.suffix = single.suffix if single else f".{wanted.format or 'glb'}"
        self.results = count * len(wanted.seeds)

    def job(self, picture: P, name: str) -> Job[P]:
        outputs = [self._output(seed, name) for seed in self.wanted.seeds]
        steps = Path(self.wanted.steps) if self.wanted.steps is not None else None
        if steps is not None and self.count > 1:
            steps /= name
        files = [steps / each for each in self.wanted.step_names] if steps is not None else []
        return Job(picture, Origin(picture), outputs, steps, files, self.guard)

    def clashing(self, jobs: Sequence[Job[P]]) -> set[int]:
        """Which jobs need another name: they write what another one writes, or an input, or below one."""
        users: defaultdict[object, set[int]] = defaultdict(set)
        clashing = set()
        for index, job in enumerate(jobs):
            files = [path for path in job.files() if self._is_ours_to_name(path)]
            steps = job.steps if self.count > 1 else None
            for path in {*files, *([steps] if steps is not None else [])}:
                users[self._loosely(path)].add(index)
                if self.guard.input_at(path) is not None:
                    clashing.add(index)
        return clashing.union(*(indices for indices in users.values() if len(indices) > 1))

    def _output(self, seed: int, stem: str) -> Output:
        name = f"{stem}-seed{seed}" if len(self.wanted.seeds) > 1 else stem
        views = self.folder / f"{name}-views.png" if self.wanted.views else None
        turntable = Path(self.wanted.turntable) if self.wanted.turntable is not None else None
        if turntable is not None and self.results > 1:
            turntable = turntable.with_name(f"{turntable.stem}-{name}{turntable.suffix}")
        mesh = self.folder / f"{name}{self.suffix}"
        more = tuple(beside(mesh, key) for key in self.wanted.further)
        return Output(seed, mesh, views, turntable, more)

    def _is_ours_to_name(self, path: Path) -> bool:
        """Not a file that was named on the command line: another name for it would be no answer."""
        return path != Path(self.wanted.turntable or "") and not (self.count == 1 and self._is_step(path))

    def _is_step(self, path: Path) -> bool:
        return self.wanted.steps is not None and path.parent == Path(self.wanted.steps)

    def _loosely(self, path: Path) -> object:
        device, number, below = self.guard.places.of(path)
        return device, number, tuple(loosely(name) for name in below)


def _once(pictures: Sequence[P]) -> list[P]:
    """Each picture once, in order: a file may be named beside its folder, and a folder by two names."""
    seen: dict[tuple[str, str] | None, P] = {}
    real = functools.cache(os.path.realpath)  # of the few folders of many pictures
    for picture in pictures:
        folder, name = os.path.split(picture.path)
        place = (real(folder), name)
        seen.setdefault(place if picture.data is None else None, picture)
    return list(seen.values())


def _check_named(wanted: Wanted) -> None:
    """Raise OutputError for options that name nothing, or a format that there is not."""
    for option, value in (
        ("-o", wanted.output),
        ("--turntable", wanted.turntable),
        ("--save-steps", wanted.steps),
    ):
        if value is not None and not value.strip():
            raise OutputError(f"the name behind {option} is empty", "Is a variable of the shell unset?")
    if wanted.turntable is not None:
        _check_suffix(Path(wanted.turntable), TURNTABLE_SUFFIXES, "turntable")


def _single_file(wanted: Wanted, pictures: int) -> Path | None:
    """The output as a file, where it names one: it has a suffix and neither is a folder nor ends as one."""
    name = wanted.output
    if name is None or name.endswith(("/", os.sep)) or Path(name).is_dir() or not Path(name).suffix:
        return None
    path = Path(name)
    _check_suffix(path, MESH_SUFFIXES, "mesh")
    if wanted.format and path.suffix.lower() != f".{wanted.format}":
        raise OutputError(f"--format {wanted.format} contradicts the output {path}", "Leave one of them out.")
    if pictures > 1:
        raise OutputError(f"{pictures} pictures cannot go into the one file {path}", "Give a folder with -o.")
    return path


def _check_suffix(path: Path, known: Sequence[str], what: str) -> None:
    if path.suffix.lower() not in known:
        folder = f" A folder's name ends with {os.sep}" if what == "mesh" else ""
        raise OutputError(
            f"{path}: {path.suffix or 'no suffix'} is not a {what} format",
            f"Use one of {' '.join(sorted(known))}.{folder}",
        )
