"""Names of results: after their picture, longer where two would share one; the same in any order."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from geco.outputs.places import folded

# bytes that a name leaves for what is put behind it: "-seed4294967295-views.png", a number, a texture's hash
ROOM = 40
LONGEST = 255 - ROOM
UNNAMED = "picture"  # for pictures whose name is nothing but dots and spaces


def stems(picture: Path) -> Iterator[str]:
    """What a picture's results may be called, best first: ``cat``; ``cat-jpg``; ``cat-jpg-1a2b3c``; then
    numbered.

    The third holds a hash of the picture's name and folder, so it does not depend on which other pictures
    there are.
    """
    stem = picture.stem if picture.stem.strip(". ") else UNNAMED
    kind = picture.suffix[1:].lower() if picture.suffix[1:].isalnum() else "picture"
    yield _shortened(stem, "")
    yield _shortened(stem, f"-{kind}")
    whole = os.path.join(os.path.realpath(picture.parent), picture.name)
    near = os.path.join(*Path(whole).parts[-2:])
    yield _shortened(stem, f"-{kind}-{_hash(near)}")
    yield _shortened(stem, f"-{kind}-{_hash(whole)}")
    for number in range(2, 100_000):
        yield _shortened(stem, f"-{kind}-{_hash(whole)}-{number}")


def loosely(name: str) -> str:
    """A name as somebody reads it aloud: case and spaces do not tell two results apart."""
    return "".join(folded(name).split())


def _shortened(stem: str, tail: str) -> str:
    while len(os.fsencode(stem + tail)) > LONGEST:
        stem = stem[:-1]
    return stem + tail


def _hash(text: str) -> str:
    return hashlib.sha256(os.fsencode(text)).hexdigest()[:6]
