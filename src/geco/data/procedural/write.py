"""A folder of procedural objects: GLB files and a manifest."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from geco.data.procedural.families import family_of, make_object
from geco.errors import ConfigError, OutputError
from geco.files import atomic_write, sweep
from geco.foreign import read_fields
from geco.locks import LOCK, locked
from geco.mesh.export import About, save
from geco.outputs import check_folder

LICENCE = "CC0-1.0"
MANIFEST = "manifest.json"
# Raised whenever a seed's object changes, so that a folder is not continued with another generator's objects.
RECIPE = 1


def object_seed(seed: int, index: int) -> int:
    """The seed of object ``index`` of the set ``seed``; depends on nothing else."""
    return int(np.random.SeedSequence([seed, index]).generate_state(1, np.uint64)[0] >> np.uint64(1))


def write_objects(
    folder: str | Path, count: int, seed: int = 0, workers: int = 1, progress: bool = False
) -> Path:
    """Write objects 0 ... count - 1 of the set ``seed``: ``procedural-SEED-INDEX.glb`` and, last,
    ``manifest.json``.

    Files that are there already are kept: a run that was stopped goes on, and a larger ``count`` extends a
    folder.

    Args:
        folder: made as needed.
        count: objects in all, at least 1.
        seed: 0 or larger.
        workers: processes.
        progress: show a bar.

    Returns:
        The manifest's path. It lists ``key``, ``file``, ``seed``, ``family``, ``faces``, ``bytes``,
        ``licence`` of every object.

    Raises:
        ConfigError: a count, seed or number of workers out of range, or a folder written by another version
            of the generator.
        OutputError: a place that cannot be written, or that holds another program's manifest.json.
    """
    if count < 1 or seed < 0 or workers < 1:
        raise ConfigError(
            f"count {count}, seed {seed}, workers {workers}",
            "Count and workers are at least 1, the seed at least 0.",
        )
    target = Path(folder)
    check_folder(target, [MANIFEST], _is_ours)
    names = [f"procedural-{seed}-{index:06d}" for index in range(count)]
    jobs = [(target, name, object_seed(seed, index)) for index, name in enumerate(names)]
    missing = [job for job in jobs if not (target / f"{job[1]}.glb").exists()]
    bar = tqdm(total=count, initial=count - len(missing), unit="object", disable=not progress)
    with locked(target, LOCK), bar:
        sweep(target)
        for _ in _run(missing, workers):
            bar.update()
    entries = [_entry(target / f"{name}.glb", expected) for (_, name, expected) in jobs]
    about = {"about": "Procedural objects, GLB, +Z front.", "seed": seed, "recipe": RECIPE, "count": count}
    path = target / MANIFEST
    atomic_write(path, (json.dumps({**about, "objects": entries}, indent=1) + "\n").encode())
    return path


def _is_ours(folder: Path) -> bool:
    """Whether the manifest there is one of ours, which a larger one may replace."""
    try:
        return "recipe" in read_fields(folder / MANIFEST, ConfigError)
    except ConfigError:
        return False


def _run(jobs: list[tuple[Path, str, int]], workers: int) -> Iterator[None]:
    if workers == 1 or len(jobs) < 2:
        yield from map(_write, jobs)
        return
    # Spawned, not forked: threads of the parent's libraries do not survive a fork.
    with ProcessPoolExecutor(min(workers, len(jobs)), mp_context=get_context("spawn")) as pool:
        yield from pool.map(_write, jobs, chunksize=4)


def _write(job: tuple[Path, str, int]) -> None:
    folder, name, seed = job
    mesh = make_object(seed)
    facts = {
        "seed": seed,
        "family": family_of(seed),
        "faces": len(mesh.faces),
        "licence": LICENCE,
        "recipe": RECIPE,
    }
    save(mesh, folder / f"{name}.glb", about=About(name, extras=facts), quality=90)


def _entry(path: Path, seed: int) -> dict[str, Any]:
    """One object's line of the manifest, read from the file's own header (files of an earlier run
    are not trusted blindly).
    """
    try:
        with path.open("rb") as file:
            magic, _, _, size, kind = struct.unpack("<4sIII4s", file.read(20))
            facts = (
                json.loads(file.read(size))["asset"]["extras"] if (magic, kind) == (b"glTF", b"JSON") else {}
            )
    except (OSError, struct.error, ValueError, KeyError) as error:
        raise OutputError(f"cannot read back {path}: {error}", "Delete the file and run again.") from error
    if facts.get("recipe") != RECIPE or facts.get("seed") != seed:
        raise ConfigError(
            f"{path} was not written by this version of the generator",
            "Delete the folder, or choose another one.",
        )
    return {
        "key": path.stem,
        "file": path.name,
        "seed": seed,
        "family": facts["family"],
        "faces": facts["faces"],
        "bytes": path.stat().st_size,
        "licence": facts["licence"],
    }
