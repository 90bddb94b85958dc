"""What `--symmetry on` does to the side that a picture does not show: each input, its mesh from three sides
behind without symmetry, and the same with it.

``python -m benchmarks.symmetry_sheet examples/*.png -o docs/symmetry.jpg``: seed 0, no choice among samples.
Prints what `--symmetry auto` says of each, and the milliseconds of CPU that mirroring takes (the least of
three runs each way).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from benchmarks.figure import cropped
from geco import GecoPipeline
from geco.asset import Asset
from geco.cameras import INPUT_FOV, INPUT_RADIUS, orbit_poses
from geco.images.color import over_white, to_bytes
from geco.render.shade_numpy import render_mesh
from geco.surface_to_asset import AssetOptions
from geco.types import Bytes

TILE, COLUMNS = 112, 2
SIDES = (140.0, 200.0, 260.0)  # degrees of azimuth; the input is seen from 0
ELEVATION = 12.0
GAP = 8  # pixels between pictures

T = TypeVar("T")


def main() -> None:
    """Make each mesh both ways, draw them, put all into one picture."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("pictures", nargs="+", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    pipeline = GecoPipeline.from_pretrained("small")
    blocks = [block(pipeline, picture, options.seed) for picture in options.pictures]
    blocks += [np.full_like(blocks[0], 255)] * (-len(blocks) % COLUMNS)
    rows = [
        np.hstack(
            [np.pad(b, ((0, GAP), (0, GAP), (0, 0)), constant_values=255) for b in blocks[i : i + COLUMNS]]
        )
        for i in range(0, len(blocks), COLUMNS)
    ]
    Image.fromarray(np.vstack(rows)).save(options.output, quality=85, optimize=True)


def block(pipeline: GecoPipeline, picture: Path, seed: int) -> Bytes:
    """One input and its mesh without and with symmetry; seven tiles wide."""
    seen = pipeline.see(picture)
    (views,) = pipeline.views(seen, [seed])
    plain, before = timed(lambda: pipeline.finish(views, seen, AssetOptions()))
    mirrored, after = timed(lambda: pipeline.finish(views, seen, AssetOptions(symmetry="on")))
    auto = pipeline.finish(views, seen, AssetOptions(symmetry="auto")).facts["symmetry"]
    angle = mirrored.facts["symmetry"]["angle"]
    print(f"{picture.stem:12} plane {angle:4.0f}  {1e3 * (after - before):+5.1f} ms  auto: ", end="")
    print("mirrored" if auto["mirrored"] else auto["reason"])
    photo = Image.open(picture).convert("RGBA")
    shown = cropped(photo, photo.getchannel("A").getbbox()).resize((TILE, TILE), Image.Resampling.LANCZOS)
    white = Image.new("RGBA", shown.size, "white")
    white.alpha_composite(shown)
    return np.hstack([np.asarray(white)[..., :3], *behind(plain), *behind(mirrored)])


def behind(asset: Asset) -> list[Bytes]:
    """The mesh from the sides that the picture does not show."""
    poses = [orbit_poses(azimuth, ELEVATION, INPUT_RADIUS) for azimuth in SIDES]
    drawn = [over_white(render_mesh(asset.mesh, pose, INPUT_FOV, 2 * TILE)) for pose in poses]
    half = [np.clip(each, 0, 1).reshape(TILE, 2, TILE, 2, 3).mean(axis=(1, 3)) for each in drawn]
    return [to_bytes(each) for each in half]


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """What the work gives, and the CPU seconds of the quickest of three runs."""
    took = []
    for _ in range(3):
        start = time.process_time()
        made = work()
        took.append(time.process_time() - start)
    return made, min(took)


if __name__ == "__main__":
    main()
