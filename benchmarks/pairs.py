"""What a pair at the paper's size costs on disk and in CPU time, and how long 46,000 take to open.

    python -m benchmarks.pairs OBJECTS [--entries 46000]

Prints one JSON line. The renders are of the objects themselves (scans are rougher than reconstructions), 50
of 512 px; the views are six of 320 px. Opened are chunks of one pair without pictures.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from geco.cameras import INPUT_FOV, intrinsics, random_poses
from geco.data.objects import Limits, ObjectSource
from geco.data.render import render_views
from geco.noise import stream
from geco.recipes.paper import paper
from geco.training.pair_files import Pair, encode_pair
from geco.training.pair_folder import CHUNK, CHUNKS, Chunk, bytes_on_disk, chunk_name, keep, write_index
from geco.training.pairs import FORMAT, Pairs

VIEWS, PICTURE, X0 = 320, 512, (4, 120, 80)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("objects", type=Path)
    parser.add_argument("--entries", type=int, default=46_000)
    options = parser.parse_args()
    facts: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as place:
        facts |= one_pair(options.objects, Path(place))
    with tempfile.TemporaryDirectory() as place:
        facts |= many(Path(place), options.entries)
    print(json.dumps(facts))


def one_pair(objects: Path, folder: Path) -> dict[str, Any]:
    """Writing and reading, means over the objects."""
    o, times, sizes = paper().pairs, [], []
    for index, path in enumerate(sorted(objects.glob("*.glb"))[::12]):
        item = pair_of(ObjectSource(path.stem, path, objects), o.renders, o.size)
        with cpu() as writing:
            files = encode_pair(item)
            keep(folder / "private", folder / str(index), files)
        pair = Pair(folder / str(index), o.renders, o.size)
        with cpu() as reading:
            pair.renders([3, 14, 15, 9])
        with cpu() as picture:
            pair["picture"], pair["views"]
        times.append((writing[0], reading[0], picture[0]))
        sizes.append(bytes_on_disk(files))
    write, read, views = np.mean(times, axis=0)
    return {
        "pairs": len(sizes),
        "mb_a_pair": round(float(np.mean(sizes)) / 1e6, 2),
        "cpu_s_writing": round(float(write), 3),
        "cpu_s_reading_4_renders": round(float(read), 4),
        "cpu_s_picture_and_views": round(float(views), 4),
    }


def pair_of(source: ObjectSource, renders: int, size: int) -> dict[str, Any]:
    """The object itself as the truth of a pair."""
    obj = source.load(Limits())
    poses = random_poses(renders, stream(0, source.key))
    lens = np.tile([float(intrinsics(INPUT_FOV)[0, 0]), 0.5, 0.5], (renders, 1)).astype(np.float32)
    rgba = np.concatenate([render_views(obj, p[None], q[None], size).rgba for p, q in zip(poses, lens)])
    alpha = rgba[..., 3:].astype(np.float32) / 255
    rgb = np.rint(rgba[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)
    small = render_views(obj, poses[:6], lens[:6], VIEWS).rgba[..., :3]
    return {
        "picture": rgb[0].transpose(2, 0, 1),
        "views": small.transpose(0, 3, 1, 2),
        "rgb": rgb,
        "mask": rgba[..., 3],
        "x0": np.zeros(X0, np.float16),
        "poses": poses,
    }


def many(folder: Path, entries: int) -> dict[str, Any]:
    """Opening so many, with and without the index."""
    settings = {"format": FORMAT, "seed": 0, "truth": "", "renders": 50, "size": 512, "geometry": False}
    (folder / "pairs.json").write_text(json.dumps({"settings": settings}))
    chunks = {}
    for number in range(entries):
        name = chunk_name(range(number, number + 1))
        chunks[name] = Chunk(name, (number,), (f"objaverse__{number:032x}",), 0, 4_500_000)
        (folder / CHUNKS / name).mkdir(parents=True)
        (folder / CHUNKS / name / CHUNK).write_bytes(chunks[name].described())
    with cpu() as without:
        Pairs(folder)
    write_index(folder, chunks)
    with cpu() as with_index:
        found = Pairs(folder)
    assert len(found) == entries
    return {
        "entries": entries,
        "cpu_s_open": round(with_index[0], 2),
        "cpu_s_open_without_index": round(without[0], 2),
    }


@contextmanager
def cpu() -> Iterator[list[float]]:
    """CPU seconds of what is inside."""
    found: list[float] = []
    before = resource.getrusage(resource.RUSAGE_SELF)
    yield found
    after = resource.getrusage(resource.RUSAGE_SELF)
    found.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


if __name__ == "__main__":
    main()
