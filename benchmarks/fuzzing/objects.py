"""Objects: found in a folder, loaded, and seen from one camera."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from benchmarks.fuzzing import gltf_files, text_objects
from benchmarks.fuzzing.case import Case, choose, damage, to_json, wrong_value
from geco.cameras import orbit_poses
from geco.data.objects import BOUNDING_RADIUS, Limits, TexturedObject, find_objects, load_object
from geco.data.procedural import make_object
from geco.data.render import lens, render_views
from geco.errors import GecoError
from geco.mesh.export import save

ROOT = Path(__file__).resolve().parents[2]
MESHES = (".glb", ".gltf", ".obj", ".ply", ".stl", ".zip")
SIZE = 12  # pixels of the view


@functools.cache
def seeds() -> list[dict[str, bytes]]:
    """Objects to be damaged, each with the files that it names: those of the tests, and our own."""
    found = []
    for path in sorted((ROOT / "tests" / "cases").rglob("*")):
        if path.suffix.lower() in MESHES and path.is_file():
            found.append({path.name: path.read_bytes(), **_beside(path)})
    with tempfile.TemporaryDirectory() as folder:
        for seed, suffix in enumerate((".glb", ".obj", ".ply", ".stl", ".glb", ".glb")):
            place = Path(folder, str(seed))
            save(make_object(seed), place / f"own{suffix}")
            found.append({path.name: path.read_bytes() for path in sorted(place.iterdir())})
    return found


def _beside(path: Path) -> dict[str, bytes]:
    return {
        each.relative_to(path.parent).as_posix(): each.read_bytes()
        for each in sorted(path.parent.rglob("*"))
        if each.is_file() and each.suffix.lower() in (".mtl", ".png", ".bin")
    }


def warm_up() -> None:
    """Compile the renderer's kernels and make the seeds."""
    seeds()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "own.glb")
        path.write_bytes(next(files["own.glb"] for files in seeds() if "own.glb" in files))
        _draw(load_object(path))


def make(rng: Random) -> Case:
    """Files of an object (or two), perhaps in an archive, perhaps with a manifest."""
    name = choose(rng, {name: weight for name, (_, weight) in _SOURCES.items()})
    files, about = _SOURCES[name][0](rng)
    how: dict[str, Any] = {"untextured": rng.random() < 0.7, "up": rng.choice((None, None, "y", "z"))}
    if rng.random() < 0.2:
        files, about = {"model.zip": text_objects.archive(files, rng)}, f"{about}, zipped"
    if rng.random() < 0.1:
        main = next(iter(files))
        files, about = (
            {main: damage(files[main], rng), **{n: d for n, d in files.items() if n != main}},
            f"{about}, damaged",
        )
    if rng.random() < 0.12:
        files, about = {**files, "manifest.json": _manifest(files, rng)}, f"{about}, with a manifest"
    return Case(about, files, how)


def _manifest(files: dict[str, bytes], rng: Random) -> bytes:
    entries = [
        {"file": name, "licence": "CC0", "author": "a", "sha256": "0" * 64, "category": "c", "up": "z"}
        for name in files
    ]
    entries += [
        {"file": rng.choice(("missing.glb", "a" * 400 + ".glb", "../x.glb", "/etc/x.glb", "\0.glb", ".", ""))}
    ]
    for entry in entries:
        if rng.random() < 0.8:
            entry.pop("sha256", None)
    document: Any = {"objects": entries}
    return to_json(wrong_value(document, rng) if rng.random() < 0.7 else document, rng)


def _damaged(rng: Random) -> tuple[dict[str, bytes], str]:
    files, other = rng.choice(seeds()), rng.choice(seeds())
    name = rng.choice(list(files))
    return {**files, name: damage(files[name], rng, next(iter(other.values())))}, f"seed with damaged {name}"


def _changed_glb(rng: Random) -> tuple[dict[str, bytes], str]:
    source = rng.choice([data for files in seeds() for name, data in files.items() if name.endswith(".glb")])
    return gltf_files.files(rng, source)


def _changed_text(rng: Random) -> tuple[dict[str, bytes], str]:
    """A seed of ours with words of its text replaced."""
    files = rng.choice(
        [files for files in seeds() if any(name.endswith((".obj", ".mtl", ".ply")) for name in files)]
    )
    name = rng.choice([name for name in files if name.endswith((".obj", ".mtl", ".ply"))])
    lines = files[name].split(b"\n")
    for _ in range(rng.choice((1, 3))):
        at = rng.randrange(min(len(lines), rng.choice((12, len(lines)))))
        words = lines[at].split(b" ")
        words[rng.randrange(len(words))] = rng.choice(text_objects.TOKENS).encode()
        lines[at] = b" ".join(words)
    return {**files, name: b"\n".join(lines)}, f"{name} with other words"


_SOURCES: dict[str, tuple[Callable[[Random], tuple[dict[str, bytes], str]], float]] = {
    "damaged": (_damaged, 3),
    "rich glTF": (gltf_files.files, 5),
    "changed glTF": (_changed_glb, 2),
    "changed text": (_changed_text, 1.5),
    "obj": (lambda rng: (text_objects.obj(rng), "OBJ"), 4),
    "ply": (lambda rng: (text_objects.ply(rng), "PLY"), 2),
    "stl": (lambda rng: (text_objects.stl(rng), "STL"), 1.5),
}


def try_it(case: Case, folder: Path) -> str:
    """Load every object of the folder; the first one that loads is checked and drawn."""
    case.write(folder)
    limits = Limits(allow_untextured=case.how["untextured"])
    refused: GecoError | None = None
    for source in find_objects(folder)[:4]:
        try:
            loaded = source.load(limits, case.how["up"])
        except GecoError as error:
            refused = refused or error
            continue
        check(loaded)
        _draw(loaded)
        return f"drawn {source.path.suffix}"
    if refused is not None:
        raise refused
    return "nothing found"


def check(loaded: TexturedObject) -> None:
    """An object that loads keeps every promise of its type."""
    assert len(loaded.faces) and loaded.faces.min() >= 0 and loaded.faces.max() < len(loaded.vertices)
    assert (
        np.isfinite(loaded.vertices).all()
        and np.isfinite(loaded.uvs).all()
        and np.isfinite(loaded.transform).all()
    )
    assert loaded.colors.min() >= 0 and loaded.colors.max() <= 1
    assert len(loaded.uvs) == len(loaded.colors) == len(loaded.vertices)
    assert abs(float(np.linalg.norm(loaded.vertices, axis=1).max()) - BOUNDING_RADIUS) < 1e-3
    assert len(loaded.materials) == len(loaded.faces) and loaded.materials.max() < len(
        loaded.textures
    ) == len(loaded.cutoffs)


def _draw(loaded: TexturedObject) -> None:
    views = render_views(loaded, orbit_poses([30.0], [20.0], [4.0]), lens(30.0, 1), SIZE)
    assert np.isfinite(views.depth).all()
