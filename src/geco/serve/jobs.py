"""The worker's side: one picture to the bytes of an answer, in a process that nobody else shares."""

from __future__ import annotations

import io
import signal
import traceback
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from geco.errors import GecoError, InputImageError
from geco.marks import Source, digest_of
from geco.memory import is_shortage
from geco.mesh.export.names import UNNAMED
from geco.serve.looks import LOOKS, Look, draw

if TYPE_CHECKING:
    from geco.asset import Asset
    from geco.choices import Asked
    from geco.pipeline import GecoPipeline

LABEL = "the uploaded picture"
PREVIEW = "preview"  # not a file: the JSON that the page shows

# OBJ is three files (mesh, material, texture): sent as one archive, as is every format with levels of detail
# or a collision shape.
MEDIA_TYPES = {
    "glb": "model/gltf-binary",
    "obj": "application/zip",
    "ply": "application/octet-stream",
    "stl": "model/stl",
    "usdz": "model/vnd.usdz+zip",
    "3mf": "model/3mf",
}


Tell = Callable[[Any], None]  # sends a value to the server, and raises where the task shall stop


class Task(Protocol):
    """Something to do with the pipeline, in the worker's process."""

    @property
    def weight(self) -> int:
        """How many times the work of one mesh it is."""

    @property
    def model(self) -> str:
        """By its name; "" is whichever is loaded."""

    def perform(self, pipeline: GecoPipeline, tell: Tell) -> Any:
        """Do it; raises what the pipeline raises."""


@dataclass(frozen=True)
class MeshTask:
    """One request, checked.

    Attributes:
        picture: its bytes.
        seed: of the noise.
        values: what else was asked for, by the names of :mod:`geco.choices`.
        format: of the file, :data:`PREVIEW`, or one of :data:`geco.serve.looks.LOOKS`.
        pixels: the most that the picture may have.
        name: of the object, by the picture's file.
        file: that file's own name, which the mesh says that it was made from; "" where it has none.
        look: from where the mesh is drawn, where a picture of it is wanted.
        model: by its name among the server's; "" is whichever is loaded.
    """

    picture: bytes
    seed: int = 0
    values: dict[str, Any] = field(default_factory=dict)
    format: str = "glb"
    pixels: int = 64_000_000
    name: str = UNNAMED
    file: str = ""
    look: Look = field(default_factory=Look)
    model: str = ""

    @property
    def weight(self) -> int:
        """One mesh; of several seeds of which the best becomes it, each counts as one."""
        return int(self.values.get("best_of") or 1)

    @property
    def source(self) -> Source:
        """What the mesh is made from."""
        return Source(self.file, digest_of(self.picture))

    def perform(self, pipeline: GecoPipeline, tell: Tell) -> Made:
        """The answer."""
        return make(pipeline, self)


@dataclass(frozen=True)
class Made:
    """An answer: the body and what its headers say."""

    body: bytes
    name: str
    seed: int
    model: str
    timings: dict[str, float]
    facts: str  # JSON in ASCII, fit for a header
    pixels: int = 0  # of the picture, width x height


@dataclass(frozen=True)
class Failed:
    """An error: our own, or ``trace`` of one that is not and that no client is told."""

    kind: str
    bases: tuple[str, ...]
    problem: str
    remedy: str
    trace: str = ""


class Jobs:
    """Loads the pipeline once, then makes answers of tasks; a picklable function for
    :class:`geco.processes.Child`.
    """

    def __init__(self, load: Callable[[], GecoPipeline]) -> None:
        self.load = load
        self.pipeline: GecoPipeline | None = None
        self.tell: Tell = _unheard

    def attach(self, tell: Tell) -> None:
        """See :class:`geco.processes.Child`."""
        self.tell = tell

    def prepare(self) -> dict[str, Any]:
        """Load; what the server must know of the model."""
        # A service manager signals every process of the service; the server alone decides when this one ends.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self.pipeline = self.load()
        card = self.pipeline.card
        return {
            "model": card.name,
            "licence": card.licence,
            "texture_size": card.texture_size,
            "resolution": card.resolution,
            "steps": 1 if (own := self.pipeline.backend.sampling) is None else own.steps,
        }

    def __call__(self, task: Task) -> Any:
        """One task. Whatever is raised comes back as a value, so that the process stays, except
        for want of memory.
        """
        assert self.pipeline is not None
        try:
            return task.perform(self.pipeline, self.tell)
        except Exception as error:
            if is_shortage(error):
                raise MemoryError(str(error).splitlines()[0] if str(error) else "") from error
            if isinstance(error, GecoError):
                return Failed(type(error).__name__, _bases(error), error.problem, error.remedy)
            return Failed(type(error).__name__, (), "", "", traceback.format_exc())


def _unheard(value: Any) -> None:
    """Nobody listens."""


def make(pipeline: GecoPipeline, task: MeshTask) -> Made:
    """The answer to one task; raises what the pipeline raises."""
    asked = look_at(task)
    asset = pipeline(task.picture, task.seed, asked.mesh, **asked.picture, **asked.views.asked)
    asset.source = task.source
    if task.format in LOOKS:
        made = _made(asset, task.format, draw(asset, task.format, task.look))
    else:
        made = answer(asset, task.format, asked.file)
    return replace(made, pixels=pixels_of(task.picture))


def pixels_of(picture: bytes) -> int:
    """By its head alone; raises InputImageError."""
    from geco.images.opened import open_picture

    width, height = open_picture(picture, LABEL).size
    return int(width * height)


def look_at(task: MeshTask) -> Asked:
    """What was asked for, after a look at the size of the picture; raises InputImageError, ConfigError."""
    from geco.asset_options import check_format
    from geco.choices import sort

    if (pixels := pixels_of(task.picture)) > task.pixels:
        problem = f"{LABEL} has {pixels} pixels; this server takes {task.pixels}"
        raise InputImageError(problem, "Send a smaller one (--max-pixels).")
    asked = sort(task.values)
    if task.format != PREVIEW and task.format not in LOOKS:
        check_format(task.format, asked.mesh, asked.file["compression"])
    return asked


def answer(asset: Asset, format: str, file: dict[str, Any]) -> Made:
    """An asset as it is sent; ``file`` are further arguments of :meth:`Asset.encode`."""
    from geco.serve import preview

    name, body = (
        ("preview.json", preview.describe(asset, **file))
        if format == PREVIEW
        else encode(asset, format, **file)
    )
    return _made(asset, name, body)


def _made(asset: Asset, name: str, body: bytes) -> Made:
    from geco.mesh.export.metadata import to_ascii_json

    return Made(body, name, asset.seed, asset.model, dict(asset.timings), to_ascii_json(asset.facts))


def encode(asset: Asset, format: str, **file: Any) -> tuple[str, bytes]:
    """A file's name and bytes; formats of several files as a zip archive. The same asset and ``file``
    (further arguments of :meth:`Asset.encode`) give the same bytes.
    """
    files, stem = asset.encode(format, **file), asset.name if asset.source.name else "mesh"
    if format != "obj" and len(files) == 1:
        (data,) = files.values()
        return f"{stem}.{format}", data
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)  # without a date of its own
    return f"{stem}.zip", buffer.getvalue()


def media_type(name: str) -> str:
    """Of an answer, by the suffix of its name."""
    suffix = name.rpartition(".")[2]
    return MEDIA_TYPES["obj"] if suffix == "zip" else MEDIA_TYPES[suffix]


def _bases(error: GecoError) -> tuple[str, ...]:
    return tuple(kind.__name__ for kind in type(error).__mro__)
