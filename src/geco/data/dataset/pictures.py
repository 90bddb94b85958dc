"""Decoded pictures and cameras of shards, kept in memory up to a limit."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geco.data.shards import Shards
from geco.types import Floats, Longs


class Pictures:
    """A reader that remembers; shared by threads.

    What has been decoded stays until ``limit`` bytes are full, then nothing more is kept: a training visits
    every object once an epoch, and a memory that forgets the oldest first would always have forgotten just
    what comes next.

    Args:
        shards: where the pictures are.
        limit: bytes of decoded pictures to keep; 0 keeps none. 60 RGBA pictures of 64 px are 1 MB an object.
    """

    def __init__(self, shards: Shards, limit: int = 0) -> None:
        self.shards, self.limit, self.used = shards, limit, 0
        self._kept: dict[tuple[str, str, str, int], NDArray[Any]] = {}
        self._cameras: dict[str, dict[str, tuple[Floats, Floats]]] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """How many decoded pictures are kept."""
        return len(self._kept)

    def get(
        self, key: str, set_name: str, indices: Sequence[int] | Longs, channel: str = "rgba"
    ) -> NDArray[Any]:
        """Pictures of one view set, in the order of ``indices``; shapes as
        :meth:`geco.data.shards.Shards.pictures`.
        """
        names = [(key, set_name, channel, int(index)) for index in indices]
        found = {name: self._kept[name] for name in names if name in self._kept}
        missing = [name for name in dict.fromkeys(names) if name not in found]
        if missing:
            read = self.shards.pictures(key, set_name, channel, [name[3] for name in missing])
            found |= dict(zip(missing, read))
            if self.limit:
                self._keep(dict(zip(missing, read)))
        return np.stack([found[name] for name in names])

    def cameras(self, key: str, set_name: str) -> tuple[Floats, Floats]:
        """c2w (N, 4, 4) and lenses (N, 3) of one view set: focal length, cx, cy over the image size."""
        if key not in self._cameras:
            self._cameras[key] = self.shards.all_cameras(key)
        return self._cameras[key][set_name]

    def _keep(self, pictures: dict[tuple[str, str, str, int], NDArray[Any]]) -> None:
        with self._lock:
            for name, picture in pictures.items():
                if name not in self._kept and self.used + picture.nbytes <= self.limit:
                    self._kept[name] = picture.copy()  # a view would hold the whole stack
                    self.used += picture.nbytes
