"""The worker's side of a job: several samples of one picture, told of as they come; and a result turning.
See :mod:`geco.serve.jobs` for a single mesh.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from geco.serve.jobs import Made, MeshTask, Tell, answer, look_at
from geco.serve.looks import turning
from geco.timing import Stopwatch

if TYPE_CHECKING:
    from geco.asset import Asset
    from geco.mesh.types import Mesh
    from geco.pipeline import GecoPipeline

STILL = 384  # pixels a side of the still picture; 0.045 CPU seconds, a tenth of a sample
SHAPE_QUALITY = 92  # of the texture that turntables are drawn from, as JPEG
TURNTABLES = {"gif": "image/gif", "png": "image/png", "mp4": "video/mp4"}


@dataclass(frozen=True)
class Stage:
    """Told when a stage begins, and at each step of one that has many."""

    name: str
    done: int = 0
    of: int = 0


@dataclass(frozen=True)
class Drawn:
    """Told when a seed's six views are there: their sheet as PNG."""

    seed: int
    sheet: bytes


@dataclass(frozen=True)
class Finished:
    """Told when a sample is done: its file, a still picture of it (PNG), and its shape for turntables."""

    made: Made
    faces: int
    still: bytes
    shape: bytes


@dataclass(frozen=True)
class SamplesTask:
    """``task`` for each of the seeds; its own seed does not count. Where a mesh is the best of several, its
    seed here is the first of them.
    """

    task: MeshTask
    seeds: tuple[int, ...]

    @property
    def weight(self) -> int:
        """How many times the work of one mesh this is."""
        return len(self.seeds) * self.task.weight

    @property
    def model(self) -> str:
        """The task's."""
        return self.task.model

    def perform(self, pipeline: GecoPipeline, tell: Tell) -> int:
        """Draw and finish, telling :class:`Stage`, :class:`Drawn` and :class:`Finished`; how many are done.
        Raises what the pipeline raises, and what ``tell`` does.
        """
        from geco.batches import candidates
        from geco.images import views_to_sheet

        tell(Stage("picture"))
        asked = look_at(self.task)
        seen = pipeline.see(self.task.picture, **asked.picture, source=self.task.source)
        sampling = pipeline.sampling(**asked.views.asked)
        most = pipeline.at_once(asked.mesh, sampling)
        best_of, on_step = asked.mesh.best_of, lambda done, of: tell(Stage("views", done, of))
        together = max(most // best_of, 1)  # samples
        for start in range(0, len(self.seeds), together):
            firsts = self.seeds[start : start + together]
            seeds = candidates(firsts, best_of)
            tell(Stage("views"))
            views = list(pipeline.views(seen, seeds, sampling, on_step, most))
            for each in views:
                tell(Drawn(each.seed, png(views_to_sheet(each.pictures))))
            for place in range(0, len(views), best_of):
                several = views[place : place + best_of]
                asset = pipeline.best(several, seen, asked.mesh, TellingStopwatch(tell))
                tell(Stage("file"))
                tell(_finished(asset, answer(asset, self.task.format, asked.file)))
        return len(self.seeds)


@dataclass(frozen=True)
class TurntableTask:
    """A result's shape (:attr:`Finished.shape`) to a film or sheet of it turning; see :data:`TURNTABLES`.

    ``folder`` is where a film is written on its way.
    """

    shape: bytes
    format: str
    folder: str
    weight: int = 1
    model: str = ""

    def perform(self, pipeline: GecoPipeline, tell: Tell) -> bytes:
        """The file's bytes. Raises MissingExtraError: ``mp4`` without the extra ``video``."""
        from geco.marks import mark_text

        return turning(unpack_shape(self.shape), self.format, 256, mark_text("turntable"), self.folder)


def _finished(asset: Asset, made: Made) -> Finished:
    from geco.render.turntable import still

    return Finished(made, len(asset.mesh.faces), png(still(asset.mesh, size=STILL)), pack_shape(asset.mesh))


class TellingStopwatch(Stopwatch):
    """Tells of each stage when it begins."""

    def __init__(self, tell: Tell) -> None:
        super().__init__()
        self._tell = tell

    def stage(self, name: str) -> Any:
        """As the stopwatch's own."""
        self._tell(Stage(name))
        return super().stage(name)


def png(picture: Any) -> bytes:
    """(H, W, 3|4) float in [0, 1] or uint8 -> PNG."""
    import numpy as np
    from PIL import Image

    from geco.images import to_bytes

    pixels = np.asarray(picture)
    buffer = io.BytesIO()
    Image.fromarray(pixels if pixels.dtype == np.uint8 else to_bytes(pixels)).save(buffer, "PNG")
    return buffer.getvalue()


def pack_shape(mesh: Mesh) -> bytes:
    """What is needed to draw a mesh again, in a third of a megabyte; nothing that is written for users."""
    import numpy as np
    from PIL import Image

    arrays: dict[str, Any] = {"vertices": mesh.vertices, "faces": mesh.faces}
    for name in ("normals", "uvs", "colors"):
        if (values := getattr(mesh, name)) is not None:
            arrays[name] = values.astype(np.float16)
    if mesh.texture is not None:
        texture = io.BytesIO()
        Image.fromarray(mesh.texture).save(texture, "JPEG", quality=SHAPE_QUALITY)
        arrays["texture"] = np.frombuffer(texture.getvalue(), np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def unpack_shape(data: bytes) -> Mesh:
    """The mesh of :func:`pack_shape`."""
    import numpy as np
    from PIL import Image

    from geco.mesh.types import Mesh

    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        found = {name: arrays[name] for name in arrays.files}
    if "texture" in found:
        found["texture"] = np.asarray(Image.open(io.BytesIO(found["texture"].tobytes())).convert("RGB"))
    for name in found.keys() & {"normals", "uvs", "colors"}:
        found[name] = found[name].astype(np.float32)
    return Mesh(**found)
