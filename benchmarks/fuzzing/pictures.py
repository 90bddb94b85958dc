"""Pictures through the whole pipeline: load, cut out, prepare, model, surface, file."""

from __future__ import annotations

import contextlib
import functools
import io
import os
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.fuzzing.case import Case, choose, damage
from benchmarks.fuzzing.drawing import draw
from benchmarks.fuzzing.picture_files import encode, pretended
from geco.asset import Asset
from geco.data.objects import Limits, load_object
from geco.pipeline import GecoPipeline
from geco.surface_to_asset import AssetOptions

ROOT = Path(__file__).resolve().parents[2]
SUFFIXES = (
    ".png",
    ".jpg",
    ".webp",
    ".tif",
    ".gif",
    ".bmp",
    ".avif",
    ".heic",
    ".eps",
    ".svg",
    "",
    ".PNG",
    ".txt",
)
READ_BACK = Limits(allow_untextured=True)


@functools.cache
def pipeline() -> GecoPipeline:
    """The embedded model, on one thread: ONNX Runtime takes one a core that is allowed when it is loaded."""
    if not hasattr(os, "sched_setaffinity"):
        return GecoPipeline.from_pretrained("small")
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        return GecoPipeline.from_pretrained("small")
    finally:
        os.sched_setaffinity(0, cores)


@functools.cache
def seeds() -> list[bytes]:
    """Pictures of the tests and examples, to be damaged."""
    places = [*sorted((ROOT / "tests" / "cases").rglob("*")), ROOT / "examples" / "bus.png"]
    endings = (".png", ".jpg", ".tif", ".avif", ".heic", ".jfif", ".eps", ".webp", ".gif")
    return [path.read_bytes() for path in places if path.suffix.lower() in endings]


def warm_up() -> None:
    """Load the model and run it once."""
    seeds()
    pipeline()(
        (ROOT / "examples" / "bus.png").read_bytes(), options=AssetOptions(texture_size=64, resolution=16)
    )


def make(rng: Random) -> Case:
    """A drawn, damaged or pretended picture as a file, an array or a Pillow image, and options."""
    how: dict[str, Any] = {
        "as": choose(rng, {"bytes": 6, "path": 3, "array": 1.2, "image": 0.8}),
        "options": _options(rng),
    }
    if how["as"] == "array":
        array, about = _array(rng)
        stream = io.BytesIO()
        np.save(stream, array, allow_pickle=False)
        return Case(about, {"array.npy": stream.getvalue()}, how)
    data, about = picture_bytes(rng, drawn=1.0 if how["as"] == "image" else 0.6)
    if how["as"] == "image" and not _opens(data):
        how["as"] = "bytes"
    name = "picture" + rng.choice(SUFFIXES)
    return Case(about, {name: data}, how)


def picture_bytes(rng: Random, drawn: float = 0.6) -> tuple[bytes, str]:
    """A file, and what it is; ``drawn`` of them are whole."""
    if rng.random() < drawn:
        rgba, shape = draw(rng)
        data, form = encode(rgba, rng)
        return data, f"{shape}; {form}"
    if rng.random() < 0.2:
        return pretended(rng)
    first, second = _source(rng), _source(rng)
    return damage(first, rng, second), "damaged"


def _opens(data: bytes) -> bool:
    with contextlib.suppress(Exception):  # Pillow's refusals are the caller's, who opens it
        Image.open(io.BytesIO(data))
        return True
    return False


def _source(rng: Random) -> bytes:
    return rng.choice(seeds()) if rng.random() < 0.3 else encode(draw(rng)[0], rng)[0]


def _options(rng: Random) -> dict[str, Any]:
    found: dict[str, Any] = {
        "texture_size": rng.choice((64, 64, 128)),
        "resolution": rng.choice((16, 24, 32)),
    }
    if rng.random() < 0.3:
        found["faces"] = rng.choice((100, 500))
    for name, share in (("watertight", 0.1), ("projection", 0.9), ("outline", 0.85)):
        found[name] = rng.random() < share
    call = {
        "seed": rng.choice((0, 1, 2**32 - 1)),
        "cutout": choose(rng, {"auto": 8, "alpha": 1, "plain": 1, "none": 0.5}),
    }
    suffix = choose(rng, {".glb": 8, ".obj": 1, ".ply": 1, ".stl": 1, ".usdz": 0.3})
    return {"asset": found, "call": call, "suffix": suffix}


def _array(rng: Random) -> tuple[np.ndarray, str]:
    rgba, about = draw(rng)
    dtype = rng.choice(("u1", "u2", "f4", "f8", "f2", "?", "i4", "i8", "u4", "c8", "S1", "M8[s]", "u1"))
    channels = rng.choice((0, 1, 2, 3, 4, 4, 4, 5))
    array: np.ndarray = (
        rgba[..., :channels] if 0 < channels < 5 else rgba[..., 0] if not channels else rgba[..., [0] * 5]
    )
    if dtype[0] == "f":
        array = array.astype(dtype) / np.dtype(dtype).type(rng.choice((255, 255, 255, 1)))
        if rng.random() < 0.2 and array.size:
            array.reshape(-1)[rng.randrange(array.size)] = rng.choice((np.nan, np.inf, -1, 1e30, 1.005))
    else:
        array = array.astype(dtype)
    shaped = rng.choice(("as is",) * 6 + ("flat", "batch", "empty", "reversed", "transposed"))
    array = {
        "flat": lambda: array.reshape(-1), "batch": lambda: array[None], "empty": lambda: array[:0],
        "reversed": lambda: array[::-1], "transposed": lambda: array.swapaxes(0, 1),
    }.get(shaped, lambda: array)()  # fmt: skip
    return array, f"array {dtype} {array.shape} {shaped}; {about}"


def try_it(case: Case, folder: Path) -> str:
    """Run the pipeline and check what it made; the format of the mesh."""
    options = case.how["options"]
    source = source_of(case, folder)
    before = _states(source, case) if isinstance(source, Image.Image) else None
    asset = pipeline()(source, options=AssetOptions(**options["asset"]), **options["call"])
    if before is not None:
        assert (source.size, source.mode) in before, "the caller's image was changed"
    out = folder / "out" / f"mesh{options['suffix']}"
    asset.save(out)
    check(asset, out)
    return f"mesh {options['suffix']}"


def _states(image: Image.Image, case: Case) -> set[tuple[tuple[int, int], str]]:
    """Size and mode of an image as it was opened, and as Pillow's own loading leaves it (another
    mode, of an ICNS say).
    """
    again = Image.open(io.BytesIO(next(iter(case.files.values()))))
    with contextlib.suppress(Exception):  # damaged
        again.load()
    return {(image.size, image.mode), (again.size, again.mode)}


def source_of(case: Case, folder: Path) -> Any:
    """What is given to the pipeline: bytes, a path in ``folder``, an array or a Pillow image."""
    (name,) = case.files
    if case.how["as"] == "bytes":
        return case.files[name]
    if case.how["as"] == "image":
        return Image.open(io.BytesIO(case.files[name]))
    case.write(folder)
    return np.load(folder / name, allow_pickle=False) if case.how["as"] == "array" else folder / name


def check(asset: Asset, path: Path) -> None:
    """The file is whole, its numbers are finite, and our own reader takes it."""
    mesh = asset.mesh
    assert len(mesh.faces) and np.isfinite(mesh.vertices).all() and int(mesh.faces.max()) < len(mesh.vertices)
    assert np.isfinite(asset.views).all() and np.isfinite(asset.picture).all()
    assert path.stat().st_size > 100
    if path.suffix != ".usdz":
        assert len(load_object(path, READ_BACK).faces)
