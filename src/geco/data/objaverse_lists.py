"""Objaverse's lists: uids, categories, paths and annotations.

Layout of the public repository (the package objaverse's ``load_*`` functions):
``lvis-annotations.json.gz`` {category: [uid]}, ``object-paths.json.gz`` {uid: "glbs/000-023/UID.glb"},
``metadata/000-023.json.gz`` {uid: annotation}. Nothing in these lists is trusted: a path that is not of that
form is no path.
"""

from __future__ import annotations

import gzip
import re
import zlib
from pathlib import Path
from typing import Any

from geco.data.fetch import FetchError, OfflineError
from geco.data.objaverse_source import Source, kept
from geco.errors import ConfigError
from geco.foreign import Fields
from geco.json_text import parse_list

_PLACE = re.compile(r"glbs/(\d{3}-\d{3})/([0-9a-f]{32})\.glb")
_UNPACKED_BYTES = 1 << 30


class Lists:
    """Uids, categories, paths and annotations; what is not here is fetched before it is read."""

    def __init__(self, source: Source) -> None:
        self.source = source
        places = self._read("object-paths.json.gz")
        self.paths = {uid: place for uid, place in places.items() if _is_place(uid, place)}
        self.unsafe = places.keys() - self.paths.keys()
        categories = self._read("lvis-annotations.json.gz")
        listed = ((str(name), uids) for name, uids in sorted(categories.items()) if isinstance(uids, list))
        self.categories = {uid: name for name, uids in listed for uid in uids if isinstance(uid, str)}
        self._shard, self._annotations = "", {}  # type: tuple[str, dict[str, Any]]

    def annotation(self, uid: str) -> Fields | None:
        """One object's annotation. They come 5,000 a file; the newest file is kept, so ask in the
        order of the paths.
        """
        shard = self.paths[uid].split("/")[1]
        if shard != self._shard:
            self._annotations = self._read(f"metadata/{shard}.json.gz")
            self._shard = shard
        note = self._annotations.get(uid)
        return Fields(note, f"the annotation of {uid}", ConfigError) if isinstance(note, dict) else None

    def _read(self, name: str) -> dict[str, Any]:
        try:
            return _parsed(self._path(name))
        except (OSError, EOFError, zlib.error, ConfigError):
            path = self._path(name, again=True)  # half a list, as a broken connection leaves it
        try:
            return _parsed(path)
        except (OSError, EOFError, zlib.error) as error:
            raise ConfigError(f"Objaverse's list {path} cannot be read: {error}", "Delete it.") from error

    def _path(self, name: str, again: bool = False) -> Path:
        try:
            return self.source.list(name, again)
        except FetchError as error:
            raise OfflineError(
                f"Objaverse's list {name} is not here, and {error.problem}",
                f"Connect to the network, or copy {kept()} from a machine that has it; to train "
                f"without any download make objects with: geco data procedural -o DIR --count N",
            ) from error


def _parsed(path: Path) -> dict[str, Any]:
    with gzip.open(path) as stream:
        text = stream.read(_UNPACKED_BYTES + 1)
    where = f"Objaverse's list {path}"
    if len(text) > _UNPACKED_BYTES:
        raise ConfigError(
            f"{where} unpacks to more than {_UNPACKED_BYTES >> 20} MiB", "Is it the right mirror?"
        )
    content = parse_list(text, where, ConfigError, "Delete it.")
    return Fields(content, where, ConfigError, "Delete it.").values


def _is_place(uid: str, place: Any) -> bool:
    """Whether a list's path is where such an object lies: anything else could lead anywhere."""
    found = _PLACE.fullmatch(place) if isinstance(place, str) else None
    return found is not None and found[2] == uid
