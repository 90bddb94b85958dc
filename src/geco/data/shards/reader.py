"""Random access to finished shards; safe to share between threads and to carry into forked or spawned processes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geco.data.shards.format import CHANNELS, FORMAT, decode_picture, member_name
from geco.errors import ConfigError

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
        ConfigError: the folder holds no finished shards, or shards of another format.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.index = read_index(self.folder)
        settings = self.index["settings"]
        self.sets: dict[str, int] = {entry["name"]: entry["count"] for entry in settings["sets"]}
        self.channels: tuple[str, ...] = tuple(settings["channels"])
        self.size: int = settings["size"]
        self._shard_of: dict[str, str] = {entry["key"]: entry["shard"] for entry in self.index["objects"]}
        self.objects: list[str] = list(self._shard_of)
        self._sidecars: dict[str, dict[str, tuple[dict[str, int], NDArray[np.int64]]]] = {}
        self._infos: dict[str, dict[str, Any]] = {}

    def __len__(self) -> int:
        return len(self.objects)

    def info(self, key: str) -> dict[str, Any]:
        """``KEY.json``: source, sha256, licence, transform, faces, and per set the cameras {c2w, lens, facts}. Do not change it."""
        found = self._infos.get(key)
        if found is None:
            if len(self._infos) >= KEPT_INFOS:
                self._infos = {}
            found = self._infos[key] = json.loads(self.member(key, "json"))
        return found

    def pictures(self, key: str, set_name: str, channel: str = "rgba", indices: Sequence[int] | None = None) -> NDArray[Any]:
        """Pictures of one view set.

        Args:
            indices: which of the set's pictures, in this order; all by default.

        Returns:
            (N, S, S, 4) uint8 straight alpha for ``rgba``; (N, S, S, 1) float32 for ``depth`` (world units along the viewing
            axis); (N, S, S, 3) float32 for ``normal`` (world, unit) and ``position`` (world). 0 = background.
        """
        if set_name not in self.sets or channel not in self.channels:
            raise ConfigError(
                f"{self.folder} has no {channel} pictures of the view set {set_name!r}",
                f"It has the sets {', '.join(self.sets)} with {', '.join(self.channels)}.",
            )
        chosen = range(self.sets[set_name]) if indices is None else [int(index) for index in indices]
        rows, spans = self._members(key)
        cameras = self.info(key)["sets"][set_name] if channel == "depth" else None
        found = np.zeros((len(chosen), self.size, self.size, CHANNELS[channel]), np.uint8 if channel == "rgba" else np.float32)
        with self.path(key).open("rb", buffering=0) as stream:  # of this call alone: nothing to share between threads
            for row, index in enumerate(chosen):
                offset, size = spans[rows[member_name(set_name, index, channel)]]
                stream.seek(int(offset))
                scale = cameras[index]["depth_scale"] if cameras else 1.0
                found[row] = decode_picture(channel, stream.read(int(size)), scale).reshape(found.shape[1:])
        return found

    def cameras(self, key: str, set_name: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """c2w (N, 4, 4) and lenses (N, 3: focal, cx, cy normalised by the image size) of one view set."""
        entries = self.info(key)["sets"][set_name]
        c2w = np.array([entry["c2w"] for entry in entries], np.float32).reshape(-1, 4, 4)
        return c2w, np.array([entry["lens"] for entry in entries], np.float32).reshape(-1, 3)

    def member(self, key: str, name: str) -> bytes:
        """The bytes of one member, e.g. ``json`` or ``condition.00.rgba.png``."""
        rows, spans = self._members(key)
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

    def _members(self, key: str) -> tuple[dict[str, int], NDArray[np.int64]]:
        """Name -> row, and (offset, bytes) a row. Objects with the same names share the first: members can be tens of millions."""
        path = self.path(key)
        kept = self._sidecars.get(path.name)
        if kept is None:
            read = json.loads(path.with_suffix(".json").read_bytes())
            shared: dict[tuple[str, ...], dict[str, int]] = {}
            kept = self._sidecars[path.name] = {
                each: (
                    shared.setdefault(tuple(members), {name: row for row, name in enumerate(members)}),
                    np.array(list(members.values()), np.int64),
                )
                for each, members in read.items()
            }
        return kept[key]


def read_index(folder: Path) -> dict[str, Any]:
    """``index.json`` of a folder of finished shards.

    Raises:
        ConfigError: missing, or of another format.
    """
    try:
        index: dict[str, Any] = json.loads((folder / "index.json").read_bytes())
        found = index.get("format")
    except (OSError, ValueError, AttributeError) as error:
        raise ConfigError(
            f"{folder} holds no finished shards (index.json: {error})", f"Make some with: geco data render OBJECTS -o {folder}"
        ) from error
    if found != FORMAT:
        raise ConfigError(f"{folder} has the format {found!r}, not {FORMAT!r}", "Render it again with this version.")
    return index
