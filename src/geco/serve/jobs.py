"""The worker's side: one picture to the bytes of an answer, in a process that nobody else shares."""

from __future__ import annotations

import base64
import io
import json
import signal
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from geco.errors import GecoError, InputImageError

if TYPE_CHECKING:
    from geco.asset import Asset
    from geco.pipeline import GecoPipeline

PREVIEW = "preview"  # not a file: the JSON that the page shows

# OBJ is three files (mesh, material, texture): sent as one archive.
MEDIA_TYPES = {
    "glb": "model/gltf-binary",
    "obj": "application/zip",
    "ply": "application/octet-stream",
    "stl": "model/stl",
    "usdz": "model/vnd.usdz+zip",
}


@dataclass(frozen=True)
class Task:
    """One request, checked: the picture's bytes, what the mesh shall be like, and what to answer with."""

    picture: bytes
    seed: int = 0
    faces: int | None = None
    texture_size: int | None = None
    resolution: int | None = None
    truncation: float | None = None
    format: str = "glb"
    pixels: int = 64_000_000


@dataclass(frozen=True)
class Made:
    """An answer: the body and what its headers say."""

    body: bytes
    name: str
    seed: int
    model: str
    timings: dict[str, float]
    facts: str  # JSON in ASCII, fit for a header


@dataclass(frozen=True)
class Failed:
    """An error: our own, or ``trace`` of one that is not and that no client is told."""

    kind: str
    bases: tuple[str, ...]
    problem: str
    remedy: str
    trace: str = ""


class Jobs:
    """Loads the pipeline once, then makes answers of tasks; a picklable function for :class:`geco.processes.Child`."""

    def __init__(self, load: Callable[[], GecoPipeline]) -> None:
        self.load = load
        self.pipeline: GecoPipeline | None = None

    def prepare(self) -> dict[str, Any]:
        """Load; what the server must know of the model."""
        # A service manager signals every process of the service; the server alone decides when this one ends.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self.pipeline = self.load()
        card = self.pipeline.card
        return {"model": card.name, "licence": card.licence, "texture": card.texture_size, "resolution": card.resolution}

    def __call__(self, task: Task) -> Made | Failed:
        """One task. Whatever is raised comes back as a value, so that the process stays, except for want of memory."""
        assert self.pipeline is not None
        try:
            return make(self.pipeline, task)
        except MemoryError:
            raise
        except GecoError as error:
            return Failed(type(error).__name__, _bases(error), error.problem, error.remedy)
        except Exception as error:
            if "bad allocation" in str(error) or "bad_alloc" in str(error):  # ONNX Runtime's and torch's MemoryError
                raise MemoryError(str(error).splitlines()[0]) from error
            return Failed(type(error).__name__, (), "", "", traceback.format_exc())


def make(pipeline: GecoPipeline, task: Task) -> Made:
    """The answer to one task; raises what the pipeline raises."""
    from geco.mesh.export.metadata import to_ascii_json
    from geco.surface_to_asset import AssetOptions

    check_pixels(task.picture, task.pixels)
    options = AssetOptions(faces=task.faces, texture_size=task.texture_size, resolution=task.resolution)
    asset = pipeline(task.picture, task.seed, options, truncation=task.truncation)
    name, body = ("preview.json", describe(asset)) if task.format == PREVIEW else encode(asset, task.format)
    return Made(body, name, asset.seed, asset.model, dict(asset.timings), to_ascii_json(asset.facts))


def check_pixels(picture: bytes, most: int) -> None:
    """Refuse a picture whose header says more than ``most`` pixels; a header that says nothing is the pipeline's to judge."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(picture), formats=("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "MPO")) as image:
            width, height = image.size
    except Exception:  # whatever a damaged file makes Pillow raise: the pipeline says what is wrong with it
        return
    if width * height > most:
        raise InputImageError(
            f"the picture has {width} x {height} pixels; this server takes {most}", "Send a smaller one (--max-pixels)."
        )


def encode(asset: Asset, format: str) -> tuple[str, bytes]:
    """The asset's file name and bytes; formats of several files as a zip archive."""
    import tempfile
    import zipfile
    from pathlib import Path

    with tempfile.TemporaryDirectory(prefix="geco-") as folder:
        asset.save(Path(folder) / f"mesh.{format}")
        files = sorted(Path(folder).iterdir())
        if format != "obj":
            return files[0].name, files[0].read_bytes()
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in files:
                archive.write(file, file.name)
        return "mesh.zip", buffer.getvalue()


def describe(asset: Asset) -> bytes:
    """What the page shows, as JSON: the GLB, the cut-out picture and the sheet of six views in base64, and the facts."""
    from geco.images import views_to_sheet
    from geco.mesh.export.metadata import plain

    shown = {
        "glb": base64.b64encode(encode(asset, "glb")[1]).decode(),
        "picture": _png(asset.picture),
        "views": _png(views_to_sheet(asset.views)),
        "seed": asset.seed,
        "model": asset.model,
        "faces": len(asset.mesh.faces),
        "timings": asset.timings,
        "facts": asset.facts,
    }
    return json.dumps(plain(shown), allow_nan=False).encode()


def _png(picture: Any) -> str:
    """(H, W, 3|4) float in [0, 1] -> PNG in base64."""
    import numpy as np
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.rint(np.asarray(picture).clip(0, 1) * 255).astype(np.uint8)).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def _bases(error: GecoError) -> tuple[str, ...]:
    return tuple(kind.__name__ for kind in type(error).__mro__)
