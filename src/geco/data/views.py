"""The view set of the small model: 60 pictures an object on fixed azimuths, in shards of numpy files.

Inputs stand on a grid of 30 degrees, so 24 target pictures serve the six views of every input, and a mirrored object is
the same pictures flipped and re-ordered (:func:`mirror_azimuth`). ``python -m geco.data.views OBJECTS... -o FOLDER``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import time
from collections.abc import Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from geco.cameras import INPUT_FOV, INPUT_RADIUS, orbit_poses
from geco.data.objects import TexturedObject, load_object
from geco.data.render import Light, frame_to_fill, lens, render_views
from geco.errors import GecoError, OutputError

SIZE = 64
AZIMUTHS = 12  # every 30 degrees
TARGET_ELEVATIONS = (20.0, -10.0)  # rig zero123plus-v1.2
# (elevation, azimuth) in degrees: where the twelve rings of targets never look; supervision of the reconstructor
EXTRA_CAMERAS = (
    *((60.0, azimuth) for azimuth in (0.0, 90.0, 180.0, 270.0)),
    *((-50.0, azimuth) for azimuth in (45.0, 135.0, 225.0, 315.0)),
    (89.9, 0.0),
    (-89.9, 0.0),
    (5.0, 15.0),
    (5.0, 195.0),
)
INPUT_ELEVATIONS = (-10.0, 30.0)
INPUT_DISTANCES = (2.5, 6.0)  # perspective of real photos varies; framing does not, see FOREGROUND_RATIO
FOREGROUND_RATIO = 0.85  # longer side of the object's box in the condition picture; pictures must be prepared with the same
SHARD_OBJECTS = 256
HELD_OUT = 60  # training objects kept for validation
INPUTS_PER_AZIMUTH = 2


def target_indices(azimuth: int) -> NDArray[np.int64]:
    """(6,) which of the 24 targets are the six views of the input at ``azimuth`` (an index).

    View k stands 30 + 60 k degrees further, at elevations 20 and -10 in turn.
    """
    k = np.arange(6)
    return (k % 2) * AZIMUTHS + (azimuth + 1 + 2 * k) % AZIMUTHS


def mirror_azimuth(azimuth: int) -> int:
    """The azimuth whose flipped picture shows the mirrored object (y -> -y) at ``azimuth``."""
    return -azimuth % AZIMUTHS


def mirrored_target_indices(azimuth: int) -> NDArray[np.int64]:
    """(6,) as :func:`target_indices`, of the mirrored object: flip these pictures left-right."""
    index = target_indices(azimuth)
    return index // AZIMUTHS * AZIMUTHS + -index % AZIMUTHS


def target_poses() -> NDArray[np.float32]:
    """(24, 4, 4) camera-to-world."""
    azimuths = np.arange(AZIMUTHS) * (360.0 / AZIMUTHS)
    return np.concatenate([orbit_poses(azimuths, elevation, INPUT_RADIUS) for elevation in TARGET_ELEVATIONS])


def extra_poses() -> NDArray[np.float32]:
    """(12, 4, 4) camera-to-world."""
    elevations, azimuths = np.array(EXTRA_CAMERAS).T
    return orbit_poses(azimuths, elevations, INPUT_RADIUS)


def render_object(obj: TexturedObject, rng: np.random.Generator, size: int = SIZE) -> dict[str, NDArray[Any]]:
    """Every array of one object, named as the files of a shard (shapes without the leading n)."""
    fixed = np.concatenate([target_poses(), extra_poses()])
    views = render_views(obj, fixed, lens(INPUT_FOV, len(fixed)), size)
    count = AZIMUTHS * INPUTS_PER_AZIMUTH
    elevations = rng.uniform(*INPUT_ELEVATIONS, count)
    azimuths = np.repeat(np.arange(AZIMUTHS) * (360.0 / AZIMUTHS), INPUTS_PER_AZIMUTH)
    poses = orbit_poses(azimuths, elevations, rng.uniform(*INPUT_DISTANCES, count))
    inputs = render_views(obj, poses, frame_to_fill(obj, poses, FOREGROUND_RATIO), size, [random_light(rng) for _ in range(count)])
    split = len(target_poses())
    shape = (AZIMUTHS, INPUTS_PER_AZIMUTH)
    return {
        "targets": views.rgba[:split],
        "target_depth": views.depth[:split].astype(np.float16),
        "extra": views.rgba[split:],
        "extra_depth": views.depth[split:].astype(np.float16),
        "inputs": inputs.rgba.reshape(*shape, size, size, 4),
        "inputs_elevation": elevations.reshape(shape).astype(np.float32),
    }


def random_light(rng: np.random.Generator) -> Light:
    """Ambient plus one lamp from the upper hemisphere; total strength around 1, so that pictures neither drown nor burn."""
    direction = rng.normal(size=3)
    direction[2] = abs(direction[2]) + 0.2
    direction /= np.linalg.norm(direction)
    diffuse = rng.uniform(0.0, 0.6)
    ambient = rng.uniform(0.85, 1.05) - 0.55 * diffuse
    return Light(ambient, rng.uniform(0.0, 0.2), diffuse, (float(direction[0]), float(direction[1]), float(direction[2])))


def list_objects(folders: Sequence[Path], seed: int = 0) -> list[Path]:
    """The GLB files of the folders, in an order that depends on names and seed only."""
    paths = sorted((path for folder in folders for path in folder.glob("*.glb")), key=lambda path: path.name)
    order = np.random.default_rng(seed).permutation(len(paths))
    return [paths[index] for index in order]


def held_out(paths: Sequence[Path], count: int = HELD_OUT) -> set[Path]:
    """A fixed choice of validation objects: those with the smallest hash of the name."""
    return set(sorted(paths, key=lambda path: hashlib.sha256(path.name.encode()).hexdigest())[:count])


def write_shard(paths: Sequence[Path], folder: Path, size: int, seed: int) -> dict[str, str]:
    """Render the objects into ``folder`` (complete or absent); returns the skipped ones with their reasons."""
    started = time.monotonic()
    rows: list[dict[str, NDArray[Any]]] = []
    names, skipped = [], {}
    for path in paths:
        key = int.from_bytes(hashlib.sha256(path.name.encode()).digest()[:8], "little")
        try:
            rows.append(render_object(load_object(path), np.random.default_rng([seed, key]), size))
        except GecoError as error:
            skipped[path.name] = str(error)
            continue
        names.append(path.name)
    temporary = folder.with_name(f".{folder.name}-partial")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
        for key_name in rows[0] if rows else ():
            np.save(temporary / f"{key_name}.npy", np.stack([row[key_name] for row in rows]))
        (temporary / "names.json").write_text(json.dumps(names))
        (temporary / "meta.json").write_text(
            json.dumps(describe(size, seed) | {"objects": len(names), "seconds": time.monotonic() - started})
        )
        (temporary / "report.json").write_text(json.dumps(skipped))
        temporary.rename(folder)
    except OSError as error:
        raise OutputError(
            f"cannot write {folder}: {error.strerror or error}", "Choose another output folder, or free some space."
        ) from error
    return skipped


def describe(size: int, seed: int) -> dict[str, Any]:
    """What a reader of the shard needs to know (meta.json)."""
    return {
        "format": "geco-views-1",
        "size": size,
        "seed": seed,
        "fov": INPUT_FOV,
        "radius": INPUT_RADIUS,
        "target_elevations": TARGET_ELEVATIONS,
        "target_azimuth_step": 360.0 / AZIMUTHS,
        "extra_cameras_elevation_azimuth": EXTRA_CAMERAS,
        "input_elevations": INPUT_ELEVATIONS,
        "input_distances": INPUT_DISTANCES,
        "foreground_ratio": FOREGROUND_RATIO,
    }


def render_folders(
    folders: Sequence[Path], output: Path, size: int = SIZE, seed: int = 0, workers: int = 1, hold_out: int = 0
) -> dict[str, str]:
    """Render every object into ``output/shard_000`` ...; finished shards are kept, so a stopped run continues.

    With ``hold_out``, that many objects of the first folder go to ``output/held_out`` instead.
    """
    validation = held_out(list_objects(folders[:1], seed), hold_out)
    paths = [path for path in list_objects(folders, seed) if path not in validation]
    jobs = [
        (paths[at : at + SHARD_OBJECTS], output / f"shard_{at // SHARD_OBJECTS:03d}", size, seed)
        for at in range(0, len(paths), SHARD_OBJECTS)
    ]
    if validation:
        jobs.insert(1, (sorted(validation), output / "held_out", size, seed))
    jobs = [job for job in jobs if not job[1].exists()]
    output.mkdir(parents=True, exist_ok=True)
    skipped: dict[str, str] = {}
    with get_context("spawn").Pool(workers) as pool, tqdm(total=sum(len(job[0]) for job in jobs), unit="object") as bar:
        for count, reasons in pool.imap_unordered(_run_job, jobs):
            skipped |= reasons
            bar.update(count)
    (output / "report.json").write_text(json.dumps(skipped, indent=1))
    return skipped


def _run_job(job: tuple[Sequence[Path], Path, int, int]) -> tuple[int, dict[str, str]]:
    return len(job[0]), write_shard(*job)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Render folders of GLB files into shards of training views.")
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--size", type=int, default=SIZE)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--hold-out", type=int, default=0, help="objects of the first folder kept apart for validation")
    options = parser.parse_args(arguments)
    skipped = render_folders(options.folders, options.output, options.size, options.seed, options.workers, options.hold_out)
    print(f"{len(skipped)} objects skipped, reasons in {options.output / 'report.json'}")


if __name__ == "__main__":
    main()
