"""What lies between the verbs of a pipeline: a picture as the model sees it, and one seed's views of it."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from geco.images import Prepared, save_views
from geco.images.detail import Detail, detail
from geco.marks import Source, digest_of, mark_text
from geco.sampling import Sampling
from geco.types import Floats, Pictures


@dataclass(frozen=True)
class Seen:
    """One picture, cut out and framed as the model was trained to see it.

    Attributes:
        condition: the square that the networks read, and the cut-out it was taken from.
        picture: (P, P, 4) float32 in [0, 1], the same square at projection resolution, straight alpha.
        read: ``condition.rgb`` as the runtime keeps it (:meth:`geco.backend.Backend.place`).
        source: the picture's file by name and content; empty for arrays.
        seconds: how long seeing took.
    """

    condition: Prepared
    picture: Floats
    read: Pictures
    source: Source = field(default_factory=Source)
    seconds: float = 0.0

    @property
    def facts(self) -> dict[str, Any]:
        """How the object was cut out."""
        return self.condition.cutout.facts()

    def detail(self, size: int) -> Detail:
        """The square with about ``size`` pixels a side, of the picture as it was given
        (:func:`geco.images.detail.detail`).
        """
        return detail(self.condition, size)

    def save_steps(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Write :data:`geco.images.STEPS` (cut-out, its alpha, the square); raises OutputError."""
        return self.condition.save_steps(folder, mark_text("step", self.source))


@dataclass(frozen=True)
class Views:
    """One seed's views of a picture, generated or brought along.

    Attributes:
        seed: of the noise.
        drawn: (6, S, S, 3) float32 in [0, 1], in the order of the model's camera rig, where the runtime left
            them.
        sampling: how they were drawn; None where they were not.
        source: of the picture.
        seconds: how long its batch took.
    """

    seed: int
    drawn: Pictures
    sampling: Sampling | None = None
    source: Source = field(default_factory=Source)
    seconds: float = 0.0

    @property
    def pictures(self) -> Floats:
        """:attr:`drawn` in numpy: off the device at the first look."""
        return np.asarray(self.drawn)

    @property
    def facts(self) -> dict[str, Any]:
        """What is needed to draw them again."""
        return {} if self.sampling is None else {"sampling": self.sampling.facts()}

    def save(self, path: str | os.PathLike[str], made: str = "views") -> None:
        """Write the six as one sheet; ``made`` is what the file says that it is. Raises OutputError."""
        save_views(self.pictures, path, mark_text(made, self.source))


def source_of(picture: Any) -> Source:
    """What the files will say that they were made from; the picture has been read, so its file is
    one of a bearable size.
    """
    if isinstance(picture, bytes):
        return Source(digest=digest_of(picture))
    if isinstance(picture, str | os.PathLike):
        path = Path(picture)
        with contextlib.suppress(OSError):  # gone since it was read
            if not path.is_file():
                return Source(path.name)  # a pipe gives its bytes once
            return Source(path.name, digest_of(path.read_bytes()))
    return Source()
