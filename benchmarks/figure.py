"""The README's grid of pictures: each input beside three sides of the mesh that the embedded model makes.

``python -m benchmarks.figure examples/*.png -o docs/gallery.jpg``: no choice among seeds or samples; every
mesh is `geco run`'s own (seed 0, default options), seen from the same three sides.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from geco import GecoPipeline
from geco.cameras import INPUT_FOV, INPUT_RADIUS, orbit_poses
from geco.mesh.types import Mesh
from geco.render.shade_numpy import render_mesh

TILE = 180
COLUMNS = 2
SIDES = (20.0, 140.0, 260.0)  # degrees of azimuth; the input is seen from 0
ELEVATION = 12.0
MARGIN = 0.08  # around an object, as a share of its longer side


def main() -> None:
    """Make each mesh, draw it, put all into one picture."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("pictures", nargs="+", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--model", default="small")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    pipeline = GecoPipeline.from_pretrained(options.model)
    blocks = [block(pipeline, picture, options.seed) for picture in options.pictures]
    blank = Image.new("RGB", blocks[0].size, "white")
    blocks += [blank] * (-len(blocks) % COLUMNS)
    rows = [
        np.hstack([np.asarray(b) for b in blocks[i : i + COLUMNS]]) for i in range(0, len(blocks), COLUMNS)
    ]
    Image.fromarray(np.vstack(rows)).save(options.output, quality=88, optimize=True)


def block(pipeline: GecoPipeline, picture: Path, seed: int) -> Image.Image:
    """One input and its mesh, four tiles wide."""
    mesh = pipeline(picture, seed=seed).mesh
    sides = [side(mesh, azimuth) for azimuth in SIDES]
    together = np.maximum.reduce([np.asarray(each.getchannel("A")) for each in sides])
    frame = Image.fromarray(together).getbbox()
    photo = Image.open(picture).convert("RGBA")
    tiles = [cropped(photo, photo.getchannel("A").getbbox()), *(cropped(each, frame) for each in sides)]
    drawn = Image.new("RGB", (TILE * len(tiles), TILE), "white")
    for index, tile in enumerate(tiles):
        small = tile.resize((TILE, TILE), Image.Resampling.LANCZOS)
        drawn.paste(small, (index * TILE, 0), small)
    return drawn


def side(mesh: Mesh, azimuth: float) -> Image.Image:
    """The mesh from one side, RGBA."""
    pose = orbit_poses(azimuth, ELEVATION, INPUT_RADIUS)
    shade = np.clip(render_mesh(mesh, pose, INPUT_FOV, 3 * TILE), 0, 1)
    return Image.fromarray(np.round(shade * 255).astype(np.uint8)).convert("RGBA")


def cropped(image: Image.Image, frame: tuple[int, int, int, int] | None) -> Image.Image:
    """The square around ``frame``, with a margin."""
    left, top, right, bottom = frame or (0, 0, *image.size)
    size = round(max(right - left, bottom - top) * (1 + 2 * MARGIN))
    square = Image.new("RGBA", (size, size))
    part = image.crop((left, top, right, bottom))
    square.paste(part, ((size - part.width) // 2, (size - part.height) // 2))
    return square


if __name__ == "__main__":
    main()
