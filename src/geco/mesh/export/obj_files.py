"""An OBJ with its material and picture on disk: the set becomes new in one rename."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from geco.errors import OutputError
from geco.files import ABANDONED, atomic_write
from geco.marks import WINDOW, read_mark

# of the content's hash in a name: more where a file of another content has that name already
DIGITS = (8, 16, 64)
PATIENCE = 10.0  # seconds that a writer waits for another one of the same folder; each needs milliseconds
_OURS = re.compile(r"(?P<stem>.+)-[0-9a-f]{8,64}\.(mtl|jpg|png|webp)", re.DOTALL)
# Files that may name a material or a picture: where one of them names ours, ours stays.
_NAMING = {
    ".obj",
    ".mtl",
    ".gltf",
    ".dae",
    ".x3d",
    ".wrl",
    ".usda",
    ".fbx",
    ".blend",
    ".tscn",
    ".json",
    ".html",
    ".md",
    ".txt",
}
# bytes of such a file that are read; of an OBJ the first WINDOW, where its libraries stand
_LONGEST = 1 << 20


def write_set(target: Path, encode: Callable[[int], dict[str, bytes]]) -> list[Path]:
    """Write an OBJ and what it names into ``target``'s folder; returns the files, ``target`` first.

    Material and picture are written first, under names of their content, over nothing; then the OBJ is
    renamed over the old one; then the old material and picture go, unless another file of the folder names
    them.

    Args:
        target: the OBJ.
        encode: digits of the hash -> file name -> bytes, the OBJ first.

    Raises:
        OutputError: the folder cannot be written; nothing new is left there then.
    """
    # A link is written through (geco.files): what the OBJ names lies beside the file itself.
    folder = Path(os.path.realpath(target)).parent if target.is_symlink() else target.parent
    if target.is_dir():
        raise OutputError(f"cannot write {target}: it is a folder", "Choose another output path.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot write {target}: {error.strerror or error}", "Choose another output path."
        ) from error
    with _alone(folder) as alone:
        geometry, beside = _named_freely(folder, encode)
        before = _names_in(target, folder)
        made = []
        try:
            for path, data in reversed(beside.items()):  # the picture before the material that names it
                if path.exists():
                    os.utime(path)  # the same bytes; in use again
                else:
                    made.append(path)
                    atomic_write(path, data)
            atomic_write(target, geometry)
        except (OutputError, OSError) as error:
            for path in made:
                path.unlink(missing_ok=True)
            if isinstance(error, OutputError):
                raise
            raise OutputError(
                f"cannot write {target}: {error.strerror or error}", "Choose another folder."
            ) from error
        stems = {found["stem"] for path in beside if (found := _OURS.fullmatch(path.name))}
        _drop_unnamed(folder, before, stems, {path.name for path in beside}, 0.0 if alone else ABANDONED)
    return [target, *beside]


def _named_freely(folder: Path, encode: Callable[[int], dict[str, bytes]]) -> tuple[bytes, dict[Path, bytes]]:
    """The OBJ's bytes, and what lies beside it under names that are free or hold the same bytes."""
    for digits in DIGITS:
        (_, geometry), *others = encode(digits).items()
        beside = {folder / name: data for name, data in others}
        if all(_is_free(path, data) for path, data in beside.items()):
            return geometry, beside
    raise OutputError(
        f"{folder} holds other files under the names {', '.join(p.name for p in beside)}", "Move them."
    )


def _is_free(path: Path, data: bytes) -> bool:
    try:
        return (
            path.read_bytes() == data
            if path.is_file() and not path.is_symlink()
            else not os.path.lexists(path)
        )
    except OSError:
        return False


def _names_in(target: Path, folder: Path) -> bytes:
    """The text of the old OBJ that names its libraries, with the text of those libraries."""
    text = _head(target, WINDOW)
    for name in re.findall(rb"^mtllib ([\w.-]+)\r?$", text, re.MULTILINE):
        text += b"\n" + _head(folder / os.fsdecode(name), _LONGEST)
    return text


def _drop_unnamed(folder: Path, before: bytes, stems: set[str], new: set[str], age: float) -> None:
    """Delete our materials and pictures that nothing names any more: of the replaced OBJ, or of a killed run
    of this name.

    ``age`` is how many seconds old they must be: where no lock keeps other writers away, they may be about to
    be named.
    """
    now = time.time()
    found: dict[str, os.DirEntry[str]] = {}
    others: list[os.DirEntry[str]] = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            ours = _OURS.fullmatch(entry.name)
            meant = (
                ours
                and entry.name not in new
                and (ours["stem"] in stems or os.fsencode(entry.name) in before)
            )
            if meant and _is_ours(entry) and now - entry.stat().st_mtime >= age:
                found[entry.name] = entry
            elif os.path.splitext(entry.name)[1].lower() in _NAMING:
                others.append(entry)
    if not found:
        return
    texts = [
        _head(Path(entry.path), WINDOW if entry.name.lower().endswith(".obj") else _LONGEST)
        for entry in others
    ]
    # a material that stays names its picture
    for name in sorted(found, key=lambda name: not name.endswith(".mtl")):
        if any(os.fsencode(name) in text for text in texts):
            texts.append(_head(Path(found[name].path), _LONGEST))
        else:
            with contextlib.suppress(OSError):
                os.unlink(found[name].path)


def _is_ours(entry: os.DirEntry[str]) -> bool:
    if not entry.is_file(follow_symlinks=False):
        return False
    mark = read_mark(entry.path)
    return mark is not None and mark.made in ("material", "texture")


def _head(path: Path, most: int) -> bytes:
    try:
        if not path.is_file():
            return b""
        with path.open("rb") as file:
            return file.read(most)
    except OSError:
        return b""


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Keep other writers of the folder waiting; False where there are no locks, or after PATIENCE."""
    try:
        import fcntl

        handle = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):
        yield False
        return
    try:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                held = True
            except BlockingIOError:
                if time.monotonic() < until:
                    time.sleep(0.005)
                    continue
                held = False
            except OSError:
                held = False
            break
        yield held
    finally:
        os.close(handle)
