"""A model folder that changes all at once: its parts are written beside what is there, then moved."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from geco.errors import OutputError
from geco.model_files.card import CARD, PARTS

WORK = ".making"  # within the folder, so that moving is renaming


@contextlib.contextmanager
def swapped(folder: Path) -> Iterator[Path]:
    """A place to write a model's parts in, which take the place of the folder's at the end, its card last;
    after an error on the way there the folder is as it was. Parts that the new model lacks are deleted: a
    loader would take another model's graphs for its own.

    What a killed process left there is deleted first. The folder's lock is the caller's.

    Raises:
        OutputError: the folder cannot be written.
    """
    work = folder / WORK
    new = not folder.exists()
    shutil.rmtree(work, ignore_errors=True)
    try:
        yield work
        try:
            (folder / CARD).unlink(missing_ok=True)  # from now on the folder is not complete
            for name in PARTS:
                shutil.rmtree(folder / name, ignore_errors=True)
            for part in sorted(work.iterdir(), key=lambda path: (path.name == CARD, path.name)):
                os.replace(part, folder / part.name)
        except OSError as error:
            why = error.strerror or error
            raise OutputError(f"cannot write {folder}: {why}", "Choose another folder with -o.") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
        if new:
            with contextlib.suppress(OSError):  # not empty where it was made
                folder.rmdir()


def check_apart(sources: Iterable[str | os.PathLike[str]], folder: Path) -> None:
    """Raise OutputError for a source that :func:`swapped` would delete; names that are no paths are none."""
    places = [(folder / part).resolve() for part in (*PARTS, WORK)]
    for source in sources:
        real = Path(os.path.realpath(source))
        inside = real == folder.resolve() or any(real.is_relative_to(place) for place in places)
        if inside and os.path.exists(source):
            raise OutputError(
                f"{os.fspath(source)} is an input of this run", "Choose another folder with -o."
            )
