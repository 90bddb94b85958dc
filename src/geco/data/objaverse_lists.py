"""Objaverse's lists: uids, categories, paths and annotations.

They lie in the cache of the ``objaverse`` package (``~/.objaverse/hf-objaverse-v1``) and get there by
:mod:`geco.data.fetch`: the package (0.1.7) has a fixed address, tries once, and leaves half a list behind
when the connection breaks. Layout of the public repository (the package's ``load_*`` functions):
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

from geco.data.fetch import FetchError, OfflineError, Patience, fetch
from geco.errors import ConfigError, MissingExtraError
from geco.foreign import Fields
from geco.json_text import parse_list

_PLACE = re.compile(r"glbs/(\d{3}-\d{3})/([0-9a-f]{32})\.glb")
_LIST_BYTES = 256 << 20  # of a list; the largest of the public ones has 15 MB, 62 MB unpacked
_UNPACKED_BYTES = 1 << 30


class Lists:
    """Uids, categories, paths and annotations, from the package's cache; what is missing there is
    fetched before it is read.
    """

    def __init__(self, base_url: str, patience: Patience) -> None:
        try:
            import objaverse
        except ImportError as error:
            raise MissingExtraError("objaverse", "objaverse", "Objaverse") from error
        self.base_url, self.patience = base_url.rstrip("/"), patience
        self.cache = Path(objaverse.BASE_PATH) / "hf-objaverse-v1"
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
        self._need(name)
        try:
            return self._parsed(name)
        except (OSError, EOFError, zlib.error, ConfigError):
            self._fetch(name)  # half a list, as the package leaves it when a connection breaks
        try:
            return self._parsed(name)
        except (OSError, EOFError, zlib.error) as error:
            raise ConfigError(
                f"Objaverse's list {self.cache / name} cannot be read: {error}", "Delete it."
            ) from error

    def _parsed(self, name: str) -> dict[str, Any]:
        with gzip.open(self.cache / name) as stream:
            text = stream.read(_UNPACKED_BYTES + 1)
        where = f"Objaverse's list {self.cache / name}"
        if len(text) > _UNPACKED_BYTES:
            raise ConfigError(
                f"{where} unpacks to more than {_UNPACKED_BYTES >> 20} MiB", "Is it the right mirror?"
            )
        return Fields(
            parse_list(text, where, ConfigError, "Delete it."), where, ConfigError, "Delete it."
        ).values

    def _need(self, name: str) -> None:
        if not (self.cache / name).exists():
            self._fetch(name)

    def _fetch(self, name: str) -> None:
        try:
            fetch(f"{self.base_url}/{name}", self.cache / name, self.patience, _LIST_BYTES)
        except FetchError as error:
            raise OfflineError(
                f"Objaverse's list {name} is not here, and {error.problem}",
                f"Connect to the network, or copy {self.cache} from a machine that has it; to train "
                f"without any download make "
                "objects with: geco data procedural -o DIR --count N",
            ) from error


def _is_place(uid: str, place: Any) -> bool:
    """Whether a list's path is where such an object lies: anything else could lead anywhere."""
    found = _PLACE.fullmatch(place) if isinstance(place, str) else None
    return found is not None and found[2] == uid
