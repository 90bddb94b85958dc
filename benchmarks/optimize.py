"""Score distillation measured: objects from nothing by SDS and by VSD, and results of `geco run` refined.

    python -m benchmarks.optimize OBJECTS --teacher models/small/teacher -o FOLDER [--steps 100] [--only WHAT]

OBJECTS is a folder of objects; `--scratch` and `--refined` name those that are taken, by parts of their
names. What is done lies in FOLDER, a folder an object and method, so that a run that was stopped goes on, in
the middle of an object too. Ends with the tables and `sheet.jpg`.

PSNR is of renders at 128 px against the object's own, in the paper's frame (the longest box side, one
centre): of the input's camera, of set A (the six poses), of set B (15 azimuths at elevation 0). *Detail* is
how sharp the object is drawn: the root of the mean squared Laplacian of the grey level, in levels of 255,
over those pixels of set A whose neighbours all show the object. *Far side* is the same of the differences of
neighbours, on the four views of A that do not show what the picture shows, at 1 and at 4 px a cell: speckle
has much of the first alone, drawing of both. *Pyramid* is our perceptual distance, on A.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image

from geco.cameras import INPUT_FOV
from geco.data.objects import ObjectSource, find_objects
from geco.evaluate.truth import Truth, camera_sets, make_truth, on_white
from geco.files import atomic_write
from geco.images.color import to_bytes
from geco.locks import locked
from geco.mesh.export import save
from geco.mesh.types import Mesh
from geco.metrics.align import align, apply
from geco.metrics.pyramid import perceptual_loss
from geco.optimize import OptimizeOptions, load_teacher, optimize, read_result, refine
from geco.optimize.make import Made
from geco.pipeline import GecoPipeline
from geco.render.shade_numpy import render_mesh
from geco.torch_runtime.backend import TorchBackend
from geco.types import Floats

SIZE, SETS, METHODS = 128, ("input", "A", "B"), ("sds", "vsd")
SCRATCH = ("mustard-bottle", "Yoshi", "Dino-4")
REFINED = ("Dino-4", "SCHOOL-BUS", "Hereford-Bull", "mustard-bottle", "Yoshi")
SHOWN = (0, 2, 3)  # of set A in the sheet: one beside the picture, two behind


class Drawn(NamedTuple):
    """(N, S, S, 3) over white and (N, S, S) coverage."""

    rgb: Floats
    mask: Floats


def main() -> None:
    """Make what is missing, then tell of all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("objects", type=Path)
    parser.add_argument("--teacher", required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=100, help="from nothing (refinements have their own)")
    parser.add_argument("--scratch", nargs="*", default=SCRATCH)
    parser.add_argument("--refined", nargs="*", default=REFINED)
    parser.add_argument("--only", choices=("sds", "vsd", "refine", "table"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    sources = find_objects(options.objects)
    wanted = [(kind, name) for kind in METHODS for name in options.scratch]
    wanted += [("refine", name) for name in options.refined]
    for kind, name in wanted:
        if options.only in (None, kind):
            _make(_named(sources, name), kind, options)
    found = [json.loads(path.read_text()) for path in sorted(options.output.glob("*/*.json"))]
    _tables([row for row in found if "kind" in row])
    _sheet([row for row in found if "kind" in row], options)


def _named(sources: list[ObjectSource], part: str) -> ObjectSource:
    return next(source for source in sources if part in source.key)


def _make(source: ObjectSource, kind: str, options: argparse.Namespace) -> None:
    """One object by one method, measured, if it was not before."""
    folder = options.output / f"{source.key}-{kind}"
    if (folder / "row.json").exists():
        return
    with locked(folder, ".lock"):
        backend = load_teacher(options.teacher, "cpu")
        truth = make_truth(source, SIZE, SETS)
        picture = folder / "input.png"
        Image.fromarray(truth.input).save(picture)
        row: dict[str, Any] = {"kind": kind, "object": source.key}
        if kind == "refine":
            before = _start(picture, folder)
            made = refine(
                GecoPipeline(backend).see(picture), backend, before, _numbers(kind, options), 0, folder
            )
            row["before"] = _measured(before, truth)
        else:
            made = _from_nothing(picture, backend, kind, options, folder)
        row |= {"after": _measured(made.asset.mesh, truth), "own": made.asset.facts["optimize"]["input_psnr"]}
        row |= {"cpu_seconds": made.progress.cpu_seconds, "steps": made.progress.step}
        save(made.asset.mesh, folder / "mesh.glb")
        atomic_write(folder / "row.json", json.dumps(row).encode())
        (folder / "checkpoint.pt").unlink(missing_ok=True)
    print(f"{source.key} {kind}: {row['own']} dB, {row['cpu_seconds']:.0f} s", flush=True)


def _numbers(kind: str, options: argparse.Namespace) -> OptimizeOptions:
    if kind == "refine":
        return OptimizeOptions(steps=OptimizeOptions().refine_steps)
    return OptimizeOptions(method=kind, steps=options.steps)  # type: ignore[arg-type]


def _from_nothing(
    picture: Path, backend: TorchBackend, kind: str, options: argparse.Namespace, folder: Path
) -> Made:
    return optimize(GecoPipeline(backend).see(picture), backend, _numbers(kind, options), 0, folder=folder)


def _start(picture: Path, folder: Path) -> Mesh:
    """What ``geco run`` makes of the picture, by way of its file."""
    path = folder / "start.glb"
    if not path.exists():
        GecoPipeline.from_pretrained("small")(picture).save(path)
    return read_result(path)


def _measured(mesh: Mesh, truth: Truth) -> dict[str, Any]:
    placed = align((mesh.vertices, mesh.faces), truth.mesh, "box").matrix
    moved = mesh.with_(vertices=apply(placed, mesh.vertices).astype(np.float32), normals=None)
    found: dict[str, Any] = {}
    for name in SETS:
        wanted = on_white(truth.views[name])[0]
        drawn = _drawn(moved, name)
        error = np.square(drawn.rgb - wanted).mean(axis=(1, 2, 3))
        found[name] = [round(float(value), 3) for value in -10 * np.log10(error)]
        if name == "A":
            pair = (torch.from_numpy(part).permute(0, 3, 1, 2) for part in (drawn.rgb, wanted))
            found |= {"pyramid": float(perceptual_loss(*pair).mean()), "detail": detail(drawn)}
            hidden = Drawn(drawn.rgb[1:5], drawn.mask[1:5])
            found["far_side"] = [contrast(hidden, cell) for cell in (1, 4)]
            found["detail_of_truth"] = detail(Drawn(*on_white(truth.views[name])))
    return found


def _drawn(mesh: Mesh, name: str) -> Drawn:
    cameras = camera_sets()[name]
    pictures = [render_mesh(mesh, pose, cameras.fov, SIZE, engine="numba") for pose in cameras.poses]
    return Drawn(*on_white(np.stack(pictures)))


def detail(drawn: Drawn) -> float:
    """See the module's text."""
    grey, inside = drawn.rgb.mean(axis=-1), drawn.mask > 0.999
    shifts = [(0, 1), (0, -1), (1, 0), (-1, 0)]
    around = sum(np.roll(grey, shift, (1, 2)) for shift in shifts)
    whole = inside.copy()
    for shift in shifts:
        whole &= np.roll(inside, shift, (1, 2))
    return float(255 * np.sqrt(np.square(around - 4 * grey)[whole].mean()))


def contrast(drawn: Drawn, cell: int) -> float:
    """The root of the mean squared difference of neighbouring cells of so many pixels, in levels of 255."""
    side = SIZE // cell
    blocks = (len(drawn.rgb), side, cell, side, cell)
    colors = drawn.rgb.reshape(*blocks, 3).mean(axis=(2, 4))
    inside = drawn.mask.reshape(blocks).mean(axis=(2, 4)) > 0.999
    across = np.square(np.diff(colors, axis=2)).sum(-1)[inside[:, :, 1:] & inside[:, :, :-1]]
    down = np.square(np.diff(colors, axis=1)).sum(-1)[inside[:, 1:] & inside[:, :-1]]
    return float(255 * np.sqrt(np.concatenate([across, down]).mean()))


def _tables(rows: list[dict[str, Any]]) -> None:
    print(
        "\n| Object | Method | input | A | B | Pyramid | Detail (truth) | Far side | own input view | CPU s |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for row in rows:
        if row["kind"] in METHODS:
            after = row["after"]
            shown = " | ".join(f"{np.mean(after[name]):.2f}" for name in SETS)
            print(
                f"| {row['object']} | {row['kind']} | {shown} | {after['pyramid']:.3f} | "
                f"{after['detail']:.1f} ({after['detail_of_truth']:.1f}) | "
                f"{' / '.join(f'{value:.1f}' for value in after.get('far_side', []))} | {row['own']:.1f} | "
                f"{row['cpu_seconds']:.0f} |"
            )
    print("\n| Refined | own input view | input | A | B | worst of A and B | CPU s |")
    print("|---|---|---|---|---|---|---|")
    for row in rows:
        if row["kind"] == "refine":
            gains = {name: np.subtract(row["after"][name], row["before"][name]) for name in SETS}
            worst = min(gains["A"].min(), gains["B"][1:].min())  # B begins with the input's own view
            shown = " | ".join(f"{gains[name].mean():+.2f}" for name in SETS)
            own = f"{row['own'][0]:.1f} to {row['own'][1]:.1f}"
            print(f"| {row['object']} | {own} | {shown} | {worst:+.2f} | {row['cpu_seconds']:.0f} |")


def _sheet(rows: list[dict[str, Any]], options: argparse.Namespace) -> None:
    """A row an object: its input, then three views of the object, of SDS and of VSD."""
    lines = []
    for name in options.scratch:
        own = [row for row in rows if name in row["object"] and row["kind"] in METHODS]
        if len(own) < len(METHODS):
            continue
        truth = make_truth(_named(find_objects(options.objects), name), SIZE, ("input", "A"))
        tiles = [on_white(truth.views["input"])[0][0], *on_white(truth.views["A"])[0][list(SHOWN)]]
        for row in sorted(own, key=lambda row: METHODS.index(row["kind"])):
            mesh = read_result(options.output / f"{row['object']}-{row['kind']}" / "mesh.glb")
            placed = align((mesh.vertices, mesh.faces), truth.mesh, "box").matrix
            moved = mesh.with_(vertices=apply(placed, mesh.vertices).astype(np.float32))
            tiles += [*_drawn(moved, "A").rgb[list(SHOWN)]]
        lines.append(np.concatenate(tiles, axis=1))
    if lines:
        sheet = Image.fromarray(to_bytes(np.concatenate(lines)))
        sheet.save(options.output / "sheet.jpg", quality=88)
        print(f"\n{options.output / 'sheet.jpg'}: input, object, SDS, VSD ({INPUT_FOV:g} degrees)")


if __name__ == "__main__":
    main()
