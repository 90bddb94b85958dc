"""Another tree's meshes beside this one's, of the same pictures and seed, seen from six sides.

    python -m benchmarks.same_renders --before OTHER/src [PICTURES…] [--count 30]

The pictures are those of `benchmarks.parity` (the examples and rendered procedural objects) and the files
given. A row a picture: the PSNR of the renders (all six sides together, and the worst side), the faces of
both, the IoU of both input cameras with the picture, and where faces and texture coordinates are the same
numbers, the largest difference of a texel in levels. Ends with one JSON line.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from geco.cameras import INPUT_FOV, INPUT_RADIUS, orbit_poses
from geco.errors import GecoError
from geco.images.color import over_white
from geco.mesh.manifold import manifold_report
from geco.mesh.types import Mesh
from geco.mesh.uv_report import overlaps
from geco.pipeline import GecoPipeline
from geco.render.shade_numpy import render_mesh
from geco.surface_to_asset import AssetOptions

SIDES = [(azimuth, 15.0) for azimuth in (0.0, 72.0, 144.0, 216.0, 288.0)] + [(30.0, 75.0)]
SIZE = 320  # pixels of a render
EQUAL = 40.0  # dB: what counts as the same
MOST = 99.0  # dB: written for renders without any difference


def main() -> None:
    """Make the meshes with both trees, compare them here."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--before", type=Path, help="the other tree's src")
    parser.add_argument("--count", type=int, default=30, help="pictures of everybody's own")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", type=Path, help="only make the meshes, into this folder")
    parser.add_argument(
        "--no-outline", action="store_true", help="search the camera as for a full-size model"
    )
    options = parser.parse_args()
    if options.write:
        write(options)
    elif options.before:
        compare(options)
    else:
        parser.error("give the other tree's src with --before")


def compare(options: argparse.Namespace) -> None:
    """The table and its JSON line."""
    print(f"{'picture':20} {'dB':>6} {'worst':>6} {'faces':>15} {'IoU':>13} {'texels':>7} overlaps closed")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        here = Path(__file__).parent.parent
        made = Path(folder, "before"), Path(folder, "after")
        files = [*common_pictures(Path(folder), options.count), *options.files]
        more = ["--no-outline"] if options.no_outline else []
        for source, goal in ((options.before, made[0]), (here / "src", made[1])):
            run_tree(
                source, here, [*map(str, files), "--seed", str(options.seed), "--write", str(goal), *more]
            )
        for before in sorted(made[0].glob("*.npz")):
            rows.append(compared(before, made[1] / before.name))
            print_row(rows[-1])
    summary = {
        "pictures": len(rows),
        "equal": sum(row["db"] >= EQUAL for row in rows),
        "least_db": min(row["db"] for row in rows),
        "iou_fell_by_at_most": round(max(row["iou"][0] - row["iou"][1] for row in rows), 4),
        "same_projection": sum(row["projected"][0] == row["projected"][1] for row in rows),
        "overlaps": sum(row["overlaps"] for row in rows),
        "closed": [sum(row["closed"][k] for row in rows) for k in (0, 1)],
    }
    print(json.dumps(summary | {"rows": rows}, default=int))


def common_pictures(folder: Path, count: int) -> list[Path]:
    """Pictures that everybody has, written where both trees can read them."""
    from benchmarks.parity import pictures  # here alone: the other tree may lack what it stands on

    files = []
    for name, picture in islice(pictures(), count):
        files.append(picture if isinstance(picture, Path) else folder / f"{name}.png")
        if not isinstance(picture, Path):
            Image.fromarray(picture).save(files[-1])
    return files


def run_tree(source: Path, here: Path, arguments: list[str]) -> None:
    """This program again, with a tree's package and this tree's benchmarks."""
    paths = os.pathsep.join(map(str, (source.resolve(), here)))
    command = [sys.executable, "-m", "benchmarks.same_renders", *arguments]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": paths})


def write(options: argparse.Namespace) -> None:
    """Every picture's mesh and facts, with whatever tree is imported."""
    options.write.mkdir(parents=True)
    pipeline = GecoPipeline.from_pretrained("small")
    wanted = AssetOptions(outline=not options.no_outline)
    for path in options.files:
        try:
            asset = pipeline(path, options.seed, wanted)
        except GecoError as error:
            raise SystemExit(f"{path}: {error}") from error
        mesh = asset.mesh
        np.savez(
            options.write / f"{path.stem}.npz",
            vertices=mesh.vertices, faces=mesh.faces, normals=mesh.normals, uvs=mesh.uvs,
            texture=mesh.texture, facts=json.dumps(asset.facts),
        )  # fmt: skip


def compared(before: Path, after: Path) -> dict[str, Any]:
    """One picture's row."""
    (one, facts), (two, found) = read(before), read(after)
    errors = [float(np.square(seen(one, side) - seen(two, side)).mean()) for side in SIDES]
    same = all(np.array_equal(a, b) for a, b in ((one.faces, two.faces), (one.uvs, two.uvs)))
    assert one.texture is not None and two.texture is not None
    return {
        "picture": before.stem,
        "db": decibels(float(np.mean(errors))),
        "worst_db": decibels(max(errors)),
        "faces": (len(one.faces), len(two.faces)),
        "iou": (facts["input_camera"]["iou"], found["input_camera"]["iou"]),
        "projected": (facts["projected"], found["projected"]),
        "texels": int(np.abs(one.texture.astype(int) - two.texture).max()) if same else None,
        "overlaps": len(overlaps(two)),
        "closed": tuple(manifold_report(mesh, weld=True).watertight for mesh in (one, two)),
    }


def read(path: Path) -> tuple[Mesh, dict[str, Any]]:
    """What :func:`write` wrote."""
    with np.load(path) as found:
        arrays = dict(found)
    facts = json.loads(str(arrays.pop("facts")))
    return Mesh(**arrays), facts


def seen(mesh: Mesh, side: tuple[float, float]) -> np.ndarray:
    """(SIZE, SIZE, 3) the mesh over white from an azimuth and an elevation."""
    return over_white(render_mesh(mesh, orbit_poses(*side, INPUT_RADIUS), INPUT_FOV, SIZE))


def decibels(error: float) -> float:
    """Of a mean squared error of values in [0, 1]."""
    return round(min(-10 * math.log10(max(error, 1e-12)), MOST), 2)


def print_row(row: dict[str, Any]) -> None:
    """A line of the table."""
    faces, iou = "{} {}".format(*row["faces"]), "{:.4f} {:.4f}".format(*row["iou"])
    texels = "-" if row["texels"] is None else row["texels"]
    closed = "{} {}".format(*(("no", "yes")[int(closed)] for closed in row["closed"]))
    print(
        f"{row['picture'][:20]:20} {row['db']:6.2f} {row['worst_db']:6.2f} {faces:>15} {iou} {texels:>7} "
        f"{row['overlaps']:8} {closed}",
        flush=True,
    )


if __name__ == "__main__":
    main()
