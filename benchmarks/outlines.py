"""How well the mesh keeps the picture's outline: ``python -m benchmarks.outlines -o OUT [PICTURES…]
[--objects FOLDER] [--renders FOLDER --count 200]``.

Pictures are files; ``--objects`` are seen as ``geco evaluate`` sees them (azimuth and elevation 0),
``--renders`` at random azimuths and at elevations from -10 to 30 degrees. A row a picture: IoU of the
outlines before the surface is made to keep to the picture's, and of the finished mesh; in how many pieces
both outlines lie and how many holes they have; the part of the picture's object that is thinner than two
cells; whether the picture was laid on. Rows are kept in OUT/rows.jsonl: a killed command goes on. OUT/sheet
is a contact sheet of the worst.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from geco.cameras import INPUT_FOV, INPUT_RADIUS, orbit_poses
from geco.data.objects import find_objects
from geco.data.render import lens, render_views
from geco.errors import GecoError
from geco.graph import connected_components
from geco.images import to_bytes
from geco.images.color import over_white
from geco.mesh.clean import merge_close
from geco.mesh.components import component_labels
from geco.photo.input_camera import InputCamera, silhouette
from geco.photo.maps import signed_distance
from geco.pipeline import GecoPipeline
from geco.types import Bools

SIZE = 512  # pixels of a rendered picture
ELEVATIONS = -10.0, 30.0  # those of the training pictures
SPECK = 0.0005  # of the object's area: smaller pieces and holes are not counted
WORST = 24  # on the sheet
GRID = 64  # cells of the embedded model's grid, across 2 x its half extent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--objects", type=Path)
    parser.add_argument("--renders", type=Path)
    parser.add_argument("--count", type=int, default=200)
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    rows = measured(options, options.output / "rows.jsonl")
    print(table(rows))
    worst = sorted((row for row in rows if "error" not in row), key=lambda row: row["iou"])[:WORST]
    if worst:
        Image.fromarray(sheet(options.output, worst)).save(options.output / "sheet.png")


def pictures(options: argparse.Namespace) -> Iterator[tuple[str, str, Path]]:
    """(kind, name, file) of every picture; rendered ones are written at the first run."""
    for file in options.files:
        yield "file", file.stem, file
    folder = options.output / "pictures"
    folder.mkdir(exist_ok=True)
    if options.objects:
        for source in find_objects(str(options.objects)):
            yield "object", source.key, rendered(folder, source, 0.0, 0.0)
    if options.renders:
        rng = np.random.default_rng(0)
        found = find_objects(str(options.renders))
        for index in rng.choice(len(found), min(options.count, len(found)), replace=False):
            azimuth, elevation = float(rng.uniform(0, 360)), float(rng.uniform(*ELEVATIONS))
            try:
                file = rendered(folder, found[index], azimuth, elevation)
            except GecoError as error:
                print(f"{found[index].key}: {error}")
                continue
            yield "render", found[index].key, file


def rendered(folder: Path, source: Any, azimuth: float, elevation: float) -> Path:
    """An object's picture as a file."""
    path = folder / f"{source.key.replace('/', '__')}.png"
    if not path.exists():
        pose = orbit_poses([azimuth], elevation, INPUT_RADIUS)
        Image.fromarray(render_views(source.load(), pose, lens(INPUT_FOV, 1), SIZE).rgba[0]).save(path)
    return path


def measured(options: argparse.Namespace, path: Path) -> list[dict[str, Any]]:
    """Every picture's row, those of ``path`` as they are."""
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    known = {(row["kind"], row["name"]) for row in rows}
    pipeline = GecoPipeline.from_pretrained("small")
    for kind, name, file in pictures(options):
        if (kind, name) in known:
            continue
        row = {"kind": kind, "name": name, "file": str(file), **row_of(pipeline, file)}
        rows.append(row)
        with path.open("a") as log:
            log.write(json.dumps(row) + "\n")
    return rows


def row_of(pipeline: GecoPipeline, file: Path) -> dict[str, Any]:
    """One picture's numbers."""
    began = time.process_time()
    try:
        asset = pipeline(file)
    except GecoError as error:
        return {"error": str(error)}
    seconds = time.process_time() - began
    wanted = silhouette(asset.picture[..., 3])
    seen = camera_of(asset.facts).rasterize(asset.mesh, len(wanted)).mask
    inside = signed_distance(wanted[::2, ::2]) * 2
    # The thickness of the part that a pixel belongs to is the largest disc of the object that covers it.
    cell = len(wanted) / GRID
    thick = opened(inside, cell)
    return {
        "before": asset.facts["agreement"],
        "iou": float((wanted & seen).sum() / max((wanted | seen).sum(), 1)),
        "pieces": [pieces(wanted), pieces(seen)],
        "holes": [holes(wanted), holes(seen)],
        "components": int(component_labels(merge_close(asset.mesh, 0)).max()) + 1,
        "thin": float(1 - (thick & wanted[::2, ::2]).sum() / max(wanted[::2, ::2].sum(), 1)),
        "projected": bool(asset.facts["projected"]),
        "color_error": asset.facts["input_camera"]["color_error"],
        "faces": len(asset.mesh.faces),
        "seconds": seconds,
        "camera": asset.facts["input_camera"],
    }


def camera_of(facts: dict[str, Any]) -> InputCamera:
    """The camera that the picture was compared through."""
    found = facts["input_camera"]
    names = "elevation", "azimuth", "scale", "fov", "radius"
    return InputCamera(**{name: found[name] for name in names}, offset=tuple(found["offset"]))


def opened(inside: Any, radius: float) -> Bools:
    """Which pixels a disc of ``radius`` pixels within the object covers."""
    return np.asarray(signed_distance(inside >= radius) * 2 >= -radius)


def pieces(mask: Bools) -> int:
    """Connected pieces (8 neighbours) above :data:`SPECK`."""
    numbers = np.arange(mask.size).reshape(mask.shape)
    links = []
    for one, two in (
        (np.s_[:-1], np.s_[1:]),
        (np.s_[:, :-1], np.s_[:, 1:]),
        (np.s_[:-1, :-1], np.s_[1:, 1:]),
        (np.s_[:-1, 1:], np.s_[1:, :-1]),
    ):
        both = mask[one] & mask[two]
        links.append((numbers[one][both], numbers[two][both]))
    label = connected_components(mask.size, *(np.concatenate(side) for side in zip(*links)))
    sizes = np.bincount(label[mask.reshape(-1)], minlength=1)
    return int((sizes > SPECK * mask.sum()).sum())


def holes(mask: Bools) -> int:
    """Pieces of the background that do not reach the frame."""
    return max(pieces_of_background(mask) - 1, 0)


def pieces_of_background(mask: Bools) -> int:
    padded = np.pad(~mask, 1, constant_values=True)
    numbers = np.arange(padded.size).reshape(padded.shape)
    links = []
    for one, two in ((np.s_[:-1], np.s_[1:]), (np.s_[:, :-1], np.s_[:, 1:])):
        both = padded[one] & padded[two]
        links.append((numbers[one][both], numbers[two][both]))
    label = connected_components(padded.size, *(np.concatenate(side) for side in zip(*links)))
    sizes = np.bincount(label[padded.reshape(-1)], minlength=1)
    return int((sizes > SPECK * mask.sum()).sum())


def table(rows: list[dict[str, Any]]) -> str:
    """A row a kind, and the worst pictures."""
    lines = ["| pictures | count | before | after | least | below .93 | laid on | broken | holes lost | s |"]
    lines.append("|---|---|---|---|---|---|---|---|---|---|")
    for kind in dict.fromkeys(row["kind"] for row in rows):
        some = [row for row in rows if row["kind"] == kind and "error" not in row]
        if not some:
            continue
        mean = {name: float(np.mean([row[name] for row in some])) for name in ("before", "iou", "seconds")}
        lines.append(
            f"| {kind} | {len(some)} | {mean['before']:.3f} | {mean['iou']:.3f} "
            f"| {min(row['iou'] for row in some):.3f} | {sum(row['iou'] < 0.93 for row in some)} "
            f"| {sum(row['projected'] for row in some)} "
            f"| {sum(row['pieces'][1] > row['pieces'][0] for row in some)} "
            f"| {sum(row['holes'][1] != row['holes'][0] for row in some)} | {mean['seconds']:.2f} |"
        )
    for row in sorted((row for row in rows if "error" not in row), key=lambda row: row["iou"])[:WORST]:
        lines.append(
            f"  {row['name'][:40]:40} {row['iou']:.3f} thin {row['thin']:.2f} pieces {row['pieces']} "
            f"holes {row['holes']} {'' if row['projected'] else 'NOT LAID ON'} {row['color_error']:.2f}"
        )
    lines += [f"  {row['name']}: {row['error']}" for row in rows if "error" in row]
    return "\n".join(lines)


def sheet(folder: Path, rows: list[dict[str, Any]]) -> Any:
    """Pictures above and outlines below: white where both, red what is lost, blue what is too much."""
    pipeline = GecoPipeline.from_pretrained("small")
    cells = []
    for row in rows:
        asset = pipeline(Path(row["file"]))
        wanted = silhouette(asset.picture[..., 3])
        seen = camera_of(asset.facts).rasterize(asset.mesh, len(wanted)).mask
        shown = np.zeros((*wanted.shape, 3), np.uint8)
        shown[wanted & seen], shown[wanted & ~seen], shown[seen & ~wanted] = 255, (255, 0, 0), (60, 90, 255)
        cells.append(np.vstack([to_bytes(over_white(asset.picture)), shown])[::2, ::2])
    cells += [np.zeros_like(cells[0])] * (-len(cells) % 8)
    return np.vstack([np.hstack(cells[start : start + 8]) for start in range(0, len(cells), 8)])


if __name__ == "__main__":
    main()
