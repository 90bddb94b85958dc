"""How often `--symmetry auto` says yes rightly, and what symmetry does to the side that no picture shows.

    python -m benchmarks.symmetry OBJECTS [--count 140] [--pack 4] [--seed 0] [--all]

Each object is seen twice: from its front, and turned by a random one of :data:`TURNS` and raised by up to 20
degrees. What is true is read off the object itself: its renders from twelve sides against those from the
mirrored sides, flipped; as PSNR over the pixels of either. A row a picture that `auto` mirrors (``--all``:
every picture, mirrored by ``on``): that PSNR, and of the mesh without and with symmetry the PSNR and the
perceptual distance of nine views from behind, and the volume's IoU. Ends with one JSON line.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from geco.asset import Asset
from geco.cameras import INPUT_FOV, INPUT_RADIUS, orbit_poses
from geco.data.objects import ObjectError, ObjectSource, TexturedObject, find_objects
from geco.data.render import lens, render_views
from geco.errors import GecoError
from geco.images.color import over_white
from geco.metrics.align import align, apply
from geco.metrics.images import psnr
from geco.metrics.perceptual import pyramid_distance
from geco.metrics.volume import compare_volumes
from geco.pipeline import GecoPipeline
from geco.render.shade_numpy import render_mesh
from geco.surface_to_asset import AssetOptions
from geco.types import Bytes

TURNS = (30.0, 60.0, 90.0, 270.0, 300.0, 330.0)  # degrees
STEP, SIZE = 10, 128  # degrees between the views of an object, and their pixels
BEHIND = range(100, 270, 20)  # degrees of azimuth
RIGHT, WRONG = (
    12.0,
    9.0,
)  # dB between an object and its mirror image: from where it is one, to where it is none


def main() -> None:
    """Render, make, compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("objects", type=Path)
    parser.add_argument("--count", type=int, default=140)
    parser.add_argument("--pack", type=int, default=4, help="objects of one collection at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--all", action="store_true", help="compare every picture, not those of auto alone")
    options = parser.parse_args()
    pipeline, rows, pictures = GecoPipeline.from_pretrained("small"), [], 0
    for name, obj, shot in turned_objects(options):
        pictures += 1
        try:
            row = compared(pipeline, obj, shot, options.all)
        except GecoError as error:
            print(f"{name}: {error}")
            continue
        if row is not None:
            rows.append({"object": name, **row})
            print(json.dumps(rows[-1]), flush=True)
    asked = [row for row in rows if row["auto"]]
    print(json.dumps({
        "pictures": pictures,
        "auto": len(asked),
        "right": sum(row["truth"] >= RIGHT for row in asked),
        "wrong": sum(row["truth"] < WRONG for row in asked),
        **{key: np.mean([row[key] for row in rows], axis=0).round(4).tolist() for key in ("off", "on")},
    }))  # fmt: skip


def turned_objects(options: argparse.Namespace) -> Iterator[tuple[str, TexturedObject, Bytes]]:
    """Name, object and picture (512, 512, 4), each object twice."""
    rng = np.random.default_rng(options.seed)
    for source in chosen(
        sorted(find_objects(options.objects), key=lambda each: each.key), options.count, rng
    ):
        try:
            obj = source.load()
        except ObjectError as error:
            print(f"{source.key}: {error}")
            continue
        for turn, elevation in ((0.0, 0.0), (float(rng.choice(TURNS)), float(rng.uniform(0, 20)))):
            angle = np.radians(-turn)
            spin = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], np.float32)
            points = np.concatenate([obj.vertices[:, :2] @ spin.T, obj.vertices[:, 2:]], axis=1)
            made = replace(obj, vertices=np.ascontiguousarray(points))
            pose = orbit_poses([0.0], elevation, INPUT_RADIUS)
            yield f"{source.key} {turn:.0f}", made, render_views(made, pose, lens(INPUT_FOV, 1), 512).rgba[0]


def chosen(
    sources: list[ObjectSource], count: int, pack: int, rng: np.random.Generator
) -> Iterator[ObjectSource]:
    """Some of them, few of each collection (what stands before two underscores)."""
    taken: dict[str, int] = defaultdict(int)
    for index in rng.permutation(len(sources)):
        collection = sources[index].key.split("__")[0]
        if taken[collection] < pack and sum(taken.values()) < count:
            taken[collection] += 1
            yield sources[index]


def compared(pipeline: GecoPipeline, obj: TexturedObject, shot: Bytes, every: bool) -> dict[str, Any] | None:
    """The row of one picture; None where ``auto`` says no and that is enough."""
    seen = pipeline.see(shot)
    (views,) = pipeline.views(seen, [0])
    auto = pipeline.finish(views, seen, AssetOptions(symmetry="auto"))
    said = auto.facts["symmetry"]["mirrored"]
    if not (said or every):
        return None
    on = auto if said else pipeline.finish(views, seen, AssetOptions(symmetry="on"))
    poses = orbit_poses(np.arange(0, 360, STEP), 0.0, INPUT_RADIUS)
    ring = render_views(obj, poses, lens(INPUT_FOV, len(poses)), SIZE).rgba
    angle = on.facts["symmetry"]["angle"]
    both = {"off": pipeline.finish(views, seen), "on": on}
    return {"auto": said, "angle": angle, "truth": round(mirror_psnr(ring, angle), 1)} | {
        name: [round(value, 4) for value in scores(asset, obj, ring)] for name, asset in both.items()
    }


def mirror_psnr(ring: Bytes, angle: float) -> float:
    """Between views of an object all around (N, S, S, 4) and their mirror images, where either is."""
    shown, count, errors = over_white(ring), len(ring), []
    for index in range(0, count, 3):
        other = round((2 * angle + 180 - STEP * index) / STEP) % count
        either = (ring[index, ..., 3] > 127) | (ring[other, :, ::-1, 3] > 127)
        errors.append(np.square(shown[index] - shown[other][:, ::-1])[either].mean())
    return float(-10 * np.log10(np.mean(errors) + 1e-6))


def scores(asset: Asset, obj: TexturedObject, ring: Bytes) -> list[float]:
    """PSNR and perceptual distance from behind, and IoU of the volumes."""
    found = align((asset.mesh.vertices, asset.mesh.faces), (obj.vertices, obj.faces), "box")
    moved = apply(found.matrix, asset.mesh.vertices).astype(np.float32)
    mesh = asset.mesh.with_(vertices=moved, normals=None)
    poses = [orbit_poses(float(azimuth), 0.0, INPUT_RADIUS) for azimuth in BEHIND]
    drawn = over_white(np.stack([render_mesh(mesh, pose, INPUT_FOV, SIZE, engine="numba") for pose in poses]))
    true = over_white(ring[[azimuth // STEP for azimuth in BEHIND]])
    iou = compare_volumes((moved, mesh.faces), (obj.vertices, obj.faces)).iou
    return [float(psnr(drawn, true).mean()), float(pyramid_distance(drawn, true).mean()), float(iou or 0)]


if __name__ == "__main__":
    main()
