"""Random access to finished shards; safe to share between threads and to carry into forked or
spawned processes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geco.data.shards.format import CHANNELS, check_header, decode_picture, member_name
from geco.data.shards.index import (
    REMEDY,
    DamagedShards,
    Spans,
    cameras_of,
    damaged,
    entries_of,
    parse_info,
    read_index,
    read_sidecar,
)
from geco.errors import ConfigError
from geco.foreign import Fields
from geco.types import Floats

KEPT_INFOS = 4096  # parsed KEY.json kept in memory, about 20 kB each


class Shards:
    """The finished shards of one folder.

    Attributes:
        objects: keys, in the order of the shards.
        sets: view set name -> pictures an object.
        channels: what every picture has: "rgba" and any of "depth", "normal", "position".
        size: pixels of a side.
        index: the whole of ``index.json``.

    Raises:
        ConfigError: the folder holds no finished shards, or shards of another format. DamagedShards (a
            ConfigError), here and from every method: a file says or holds what it cannot.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.index = read_index(self.folder)
        settings = self.index["settings"]
        self.sets: dict[str, int] = {entry["name"]: int(entry["count"]) for entry in settings["sets"]}
        self.channels: tuple[str, ...] = tuple(settings["channels"])
        self.size = int(settings["size"])
        self._shard_of: dict[str, str] = {entry["key"]: entry["shard"] for entry in self.index["objects"]}
        self.objects: list[str] = list(self._shard_of)
        self._sidecars: dict[str, dict[str, Spans]] = {}
        self._infos: dict[str, dict[str, Any]] = {}

    def __len__(self) -> int:
        return len(self.objects)

    @property
    def licences(self) -> dict[str, int]:
        """Licence -> how many objects are under it, the most frequent first; "unknown" where none is told."""
        return dict(Counter(entry["licence"] or "unknown" for entry in self.index["objects"]).most_common())

    def info(self, key: str) -> dict[str, Any]:
        """``KEY.json``: source, sha256, licence, transform, faces, and per set the cameras {c2w,
        lens, facts}. Do not change it.
        """
        found = self._infos.get(key)
        if found is None:
            if len(self._infos) >= KEPT_INFOS:
                self._infos = {}
            found = self._infos[key] = parse_info(self.member(key, "json"), key, self._where(key))
        return found

    def pictures(
        self, key: str, set_name: str, channel: str = "rgba", indices: Sequence[int] | None = None
    ) -> NDArray[Any]:
        """Pictures of one view set.

        Args:
            indices: which of the set's pictures, in this order; all by default.

        Returns:
            (N, S, S, 4) uint8 straight alpha for ``rgba``; (N, S, S, 1) float32 for ``depth`` (world units
            along the viewing axis); (N, S, S, 3) float32 for ``normal`` (world, unit) and ``position``
            (world). 0 = background.
        """
        if set_name not in self.sets or channel not in self.channels:
            raise ConfigError(
                f"{self.folder} has no {channel} pictures of the view set {set_name!r}",
                f"It has the sets {', '.join(self.sets)} with {', '.join(self.channels)}.",
            )
        chosen = range(self.sets[set_name]) if indices is None else [int(index) for index in indices]
        rows, spans = self._members(key)
        named = [member_name(set_name, index, channel) for index in chosen]
        if absent := [name for name in named if name not in rows]:
            raise damaged(f"{self._where(key)} has no {absent[0]}")
        scales = self._scales(key, set_name) if channel == "depth" else None
        shape = (len(named), self.size, self.size, CHANNELS[channel])
        found = np.zeros(shape, np.uint8 if channel == "rgba" else np.float32)
        # of this call alone: nothing to share between threads
        with self.path(key).open("rb", buffering=0) as stream:
            for row, (name, index) in enumerate(zip(named, chosen)):
                offset, size = spans[rows[name]]
                stream.seek(int(offset))
                data = stream.read(int(size))
                try:
                    check_header(channel, data, self.size)
                    decoded = decode_picture(channel, data, scales[index] if scales else 1.0)
                    found[row] = decoded.reshape(found.shape[1:])
                except Exception as error:  # Pillow raises half a dozen kinds for a broken PNG
                    raise damaged(
                        f"{self._where(key)}: {name} is damaged ({error or type(error).__name__})"
                    ) from error
        return found

    def cameras(self, key: str, set_name: str) -> tuple[Floats, Floats]:
        """c2w (N, 4, 4) and lenses (N, 3: focal, cx, cy normalised by the image size) of one view set."""
        return cameras_of(self.info(key), set_name, self.sets[set_name], self._where(key))

    def all_cameras(self, key: str) -> dict[str, tuple[Floats, Floats]]:
        """:meth:`cameras` of every view set; the object's facts, as JSON 30 times as large, are not kept."""
        info = parse_info(self.member(key, "json"), key, self._where(key))
        return {name: cameras_of(info, name, count, self._where(key)) for name, count in self.sets.items()}

    def member(self, key: str, name: str) -> bytes:
        """The bytes of one member, e.g. ``json`` or ``condition.00.rgba.png``."""
        rows, spans = self._members(key)
        if name not in rows:
            raise damaged(f"{self._where(key)} has no {name}")
        offset, size = spans[rows[name]]
        with self.path(key).open("rb", buffering=0) as stream:
            stream.seek(int(offset))
            return stream.read(int(size))

    def members(self, key: str) -> list[str]:
        """Names of the object's members, without ``KEY.``."""
        return list(self._members(key)[0])

    def path(self, key: str) -> Path:
        """The shard that holds the object.

        Raises:
            ConfigError: there is no such object.
        """
        if key not in self._shard_of:
            raise ConfigError(f"{self.folder} has no object {key!r}", "Its keys are listed in index.json.")
        return self.folder / self._shard_of[key]

    def spans(self, key: str) -> Spans:
        """Where the object's members lie in its shard."""
        return self._members(key)

    def _members(self, key: str) -> Spans:
        path = self.path(key)
        kept = self._sidecars.get(path.name)
        if kept is None:
            kept = self._sidecars[path.name] = read_sidecar(path)
        if key not in kept:
            raise damaged(f"{path.with_suffix('.json')} does not list {key!r}")
        return kept[key]

    def _scales(self, key: str, set_name: str) -> list[float]:
        where = self._where(key)
        entries = entries_of(self.info(key), set_name, self.sets[set_name], where)
        cameras = [Fields(entry, f"{where}: {set_name}", DamagedShards, REMEDY) for entry in entries]
        return [camera.number("depth_scale", 1e-12, 1e6) for camera in cameras]

    def _where(self, key: str) -> str:
        return f"{self._shard_of.get(key, self.folder)}: {key}"
