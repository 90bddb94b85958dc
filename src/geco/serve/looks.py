"""The worker's side of pictures of a mesh: a still one, and it turning."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from geco.errors import OutputError

if TYPE_CHECKING:
    from geco.asset import Asset
    from geco.mesh.types import Mesh

# What may stand in place of a mesh's format, by the names of the files.
LOOKS = {
    "still.png": "image/png",
    "turntable.gif": "image/gif",
    "turntable.png": "image/png",
    "turntable.mp4": "video/mp4",
}
# Pixels a side: a still picture of the largest takes 0.7 CPU seconds beside its mesh, a turntable 3.5.
SMALLEST, LARGEST_STILL, LARGEST_TURNTABLE = 32, 1024, 384


@dataclass(frozen=True)
class Look:
    """How a mesh is drawn.

    Attributes:
        side: pixels of the picture, or of each one of a turntable.
        azimuth: degrees from the input side. elevation: above the horizon. Of still pictures.
    """

    side: int = 256
    azimuth: float = 0.0
    elevation: float = 15.0


def draw(asset: Asset, format: str, look: Look) -> bytes:
    """One of :data:`LOOKS`.

    Raises:
        MissingExtraError: ``mp4`` without the extra ``video``. OutputError: ``mp4`` without a folder for
            temporary files.
    """
    from PIL import Image

    from geco.images.write import encode_picture
    from geco.marks import mark_text
    from geco.render.turntable import still

    kind, suffix = format.split(".")
    mark = mark_text(kind, asset.source)
    if kind == "still":
        seen = still(asset.mesh, look.azimuth, look.elevation, look.side)
        return encode_picture(Image.fromarray(seen), "PNG", mark)
    return turning(asset.mesh, suffix, look.side, mark)


def turning(mesh: Mesh, suffix: str, side: int, mark: str, folder: str | None = None) -> bytes:
    """A mesh turning once, ``side`` pixels: "gif", "png" (a sheet), or "mp4", written in ``folder`` on
    its way, None being the one for temporary files. Raises as :func:`draw`.
    """
    from geco.render.turntable import encode_turntable, save_turntable

    if suffix != "mp4":
        return encode_turntable(mesh, f".{suffix}", side, mark)
    try:
        with tempfile.TemporaryDirectory(prefix="geco-turntable-", dir=folder) as own:
            path = Path(own) / f"turntable.{suffix}"
            save_turntable(mesh, path, side, mark)
            return path.read_bytes()
    except OSError as error:
        why = error.strerror or str(error)
        raise OutputError(f"a film needs a folder for temporary files: {why}", "Ask for a gif.") from error
