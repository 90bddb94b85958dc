"""A model folder that changes all at once: its parts are written beside what is there, then moved."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from geco.errors import OutputError
from geco.model_files.card import CARD

WORK = ".making"  # within the folder, so that moving is renaming


@contextlib.contextmanager
def swapped(folder: Path) -> Iterator[Path]:
    """A place to write a model's parts in, which take the place of the folder's at the end, its card last;
    after an error the folder is as it was.

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
            for part in sorted(work.iterdir(), key=lambda path: (path.name == CARD, path.name)):
                shutil.rmtree(folder / part.name, ignore_errors=True)
                os.replace(part, folder / part.name)
        except OSError as error:
            why = error.strerror or error
            raise OutputError(f"cannot write {folder}: {why}", "Choose another folder with -o.") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
        if new:
            with contextlib.suppress(OSError):  # not empty where it was made
                folder.rmdir()
