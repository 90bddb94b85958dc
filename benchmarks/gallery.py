"""Every picture of a folder through the pipeline, each GLB checked, and one contact sheet to look at.

``python -m benchmarks.gallery PICTURES… -o DIR``: DIR gets NAME.glb, ``contact-sheet.png`` (a row a picture:
input, condition, six views, two renders of the GLB's mesh) and the last line printed is JSON with what is
wrong.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from geco import Asset, GecoPipeline
from geco.cameras import INPUT_FOV, INPUT_RADIUS, orbit_poses
from geco.cli.pictures import find_pictures
from geco.errors import GecoError
from geco.images import to_bytes
from geco.render.shade_numpy import render_mesh

TILE = 128
RENDER_AZIMUTHS = (30.0, 150.0)


def main() -> None:
    """Run, check, draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("pictures", nargs="+")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--model", default="small")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rows", type=int, default=16, help="rows a sheet")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    pipeline = GecoPipeline.from_pretrained(options.model)
    rows, problems, seconds = [], {}, []
    pictures = [given.path for given in find_pictures(options.pictures).pictures]
    for picture in pictures:
        path = options.output / f"{picture.stem}.glb"
        try:
            asset = pipeline(picture, seed=options.seed)
            asset.save(path)
            wrong = check(path)
        except GecoError as error:
            asset, wrong = None, [str(error)]
        if wrong:
            problems[picture.name] = wrong
        if asset is not None:
            seconds.append(asset.timings["total"])
            rows.append(row(picture, asset))
        print(f"{picture.name:60} {'; '.join(wrong) or 'ok'} {asset.facts if asset else ''}", flush=True)
    for number, start in enumerate(range(0, len(rows), options.rows)):
        sheet = np.concatenate(rows[start : start + options.rows], axis=0)
        Image.fromarray(sheet).save(options.output / f"contact-sheet-{number}.png")
    print(json.dumps({"pictures": len(pictures), "valid": len(pictures) - len(problems), "problems": problems,
                      "median_s": round(statistics.median(seconds), 3) if seconds else None}))  # fmt: skip


def check(path: Path) -> list[str]:
    """What is wrong with a GLB, read back with trimesh: one UV-textured mesh, UVs in [0, 1], no
    NaN, no degenerate face.
    """
    import trimesh

    meshes = list(trimesh.load(path).geometry.values())
    if len(meshes) != 1:
        return [f"{len(meshes)} meshes"]
    mesh = meshes[0]
    uv = getattr(mesh.visual, "uv", None)
    texture = getattr(getattr(mesh.visual, "material", None), "baseColorTexture", None)
    found = {
        "no UVs": uv is None or len(uv) != len(mesh.vertices),
        "no texture": texture is None,
        "UV outside [0, 1]": uv is not None and (uv.min() < 0 or uv.max() > 1),
        "not finite": not (np.isfinite(mesh.vertices).all() and (uv is None or np.isfinite(uv).all())),
        "degenerate faces": not len(mesh.faces) or bool((mesh.area_faces <= 0).any()),
    }
    return [name for name, wrong in found.items() if wrong]


def row(picture: Path, asset: Asset) -> np.ndarray:
    """(TILE, 10 TILE, 3) uint8: the file, the cut-out, six views, two renders."""
    tiles: list[Any] = [Image.open(picture).convert("RGBA"), asset.picture, *asset.views]
    for azimuth in RENDER_AZIMUTHS:
        tiles.append(render_mesh(asset.mesh, orbit_poses(azimuth, 15.0, INPUT_RADIUS), INPUT_FOV, 2 * TILE))
    drawn = Image.new("RGB", (TILE * len(tiles), TILE), "white")
    for index, tile in enumerate(tiles):
        image = tile if isinstance(tile, Image.Image) else Image.fromarray(to_bytes(tile))
        image = image.convert("RGBA")
        image.thumbnail((TILE, TILE))
        scale = min(TILE / image.width, TILE / image.height)
        image = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))
        drawn.paste(image, (index * TILE + (TILE - image.width) // 2, (TILE - image.height) // 2), image)
    ImageDraw.Draw(drawn).text((2, 2), picture.stem[:20], fill="black")
    return np.asarray(drawn)


if __name__ == "__main__":
    main()
