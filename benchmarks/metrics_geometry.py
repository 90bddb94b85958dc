"""Our metrics of geometry beside independent ones and known answers: ``python -m
benchmarks.metrics_geometry``.

Each row: what was measured, what it must be, by whom, and the difference. ``--objects DIR`` adds processor
seconds on real objects and how well-defined their insides are. One JSON line at the end. Needs the extra
``evaluate``.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from geco.data.objects import load_object
from geco.metrics.align import align, apply, common_frame
from geco.metrics.rotations import exponential
from geco.metrics.surface import POINTS, Distances, chamfer, distance_to_mesh, f_score
from geco.metrics.surface_samples import sample_surface
from geco.metrics.volume import (
    compare_volumes,
    grid_about,
    inside,
    solid_angle_winding,
    volume_iou,
    winding_numbers,
)

MeshArrays = tuple[np.ndarray, np.ndarray]
Row = tuple[str, float, float, str]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--objects", type=Path, help="a folder of GLB files")
    parser.add_argument("--limit", type=int, default=0, help="only so many objects, evenly spread; 0 = all")
    options = parser.parse_args()
    table = []
    print(f"{'what':44}{'found':>12}{'expected':>12}{'difference':>12}  by")
    for what, found, expected, by in [*spheres(), *cubes(), *clouds(), *winding(), *alignment()]:
        table.append(
            {"what": what, "found": found, "expected": expected, "difference": found - expected, "by": by}
        )
        print(f"{what:44}{found:12.6f}{expected:12.6f}{found - expected:12.1e}  {by}", flush=True)
    rows = []
    paths = sorted(options.objects.glob("*.glb")) if options.objects else []
    for path in paths[:: max(len(paths) // options.limit, 1)] if options.limit else paths:
        rows.append(measure(path))
        print(
            " ".join(f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in rows[-1].items()),
            flush=True,
        )
    print(json.dumps({"benchmark": "metrics_geometry", "table": table, "objects": rows}))


def ball(radius: float) -> MeshArrays:
    """An icosphere of 20,480 faces, by trimesh."""
    import trimesh

    mesh = trimesh.creation.icosphere(subdivisions=5, radius=radius)
    return np.asarray(mesh.vertices), np.asarray(mesh.faces)


def cube(shift: float = 0.0) -> MeshArrays:
    """The unit cube moved along x."""
    import trimesh

    mesh = trimesh.creation.box()
    return np.asarray(mesh.vertices) + np.array([shift, 0, 0]), np.asarray(mesh.faces)


def spheres() -> Iterator[Row]:
    """A sphere inside a sphere."""
    for ratio in (0.8, 0.95):
        small, large = ball(ratio), ball(1.0)
        found = Distances.between_meshes(small, large, count=20_000)
        yield f"chamfer, spheres {ratio} and 1", found.chamfer, 1 - ratio, "|r1 - r2|"
        yield f"F below the gap, {ratio}", found.f_score((1 - ratio) * 0.98), 0.0, "analytic"
        yield f"F above the gap, {ratio}", found.f_score((1 - ratio) * 1.02), 1.0, "analytic"
        yield f"volume IoU, spheres {ratio} and 1, 64^3", volume_iou(small, large), ratio**3, "(r1 / r2)^3"
    floor = chamfer(
        sample_surface(*ball(1.0), count=POINTS, seed=0), sample_surface(*ball(1.0), count=POINTS, seed=1)
    )
    yield (
        f"chamfer, two draws of {POINTS:,} points",
        floor,
        0.5 * np.sqrt(4 * np.pi / POINTS),
        "0.5 sqrt(A / N)",
    )


def cubes() -> Iterator[Row]:
    """Cubes moved apart."""
    for shift in (0.25, 0.5):
        scores = compare_volumes(cube(shift), cube())
        yield (
            f"volume IoU, cubes {shift} apart, 64^3",
            scores.iou,
            (1 - shift) / (1 + shift),
            "(1 - s) / (1 + s)",
        )
        yield f"volume, cube {shift} away, 64^3", scores.predicted, 1.0, "analytic"


def clouds() -> Iterator[Row]:
    """Random clouds and points about a mesh."""
    import trimesh
    from scipy.spatial.distance import cdist

    rng = np.random.default_rng(0)
    p, g = rng.normal(size=(2000, 3)), rng.normal(size=(1500, 3))
    distances = cdist(p, g)
    yield (
        "chamfer, random clouds",
        chamfer(p, g),
        float(distances.min(1).mean() + distances.min(0).mean()) / 2,
        "scipy cdist",
    )
    precision, recall = (float((distances.min(axis) < 0.1).mean()) for axis in (1, 0))
    yield (
        "F at 0.1, random clouds",
        f_score(p, g, 0.1),
        2 * precision * recall / (precision + recall),
        "scipy cdist",
    )
    mesh, queries = trimesh.creation.annulus(0.3, 0.6, 0.5), rng.uniform(-0.7, 0.7, (2000, 3))
    ours = distance_to_mesh(queries, mesh.vertices, mesh.faces)
    closest = [
        trimesh.triangles.closest_point(mesh.triangles, np.tile(q, (len(mesh.faces), 1)))
        for q in queries[:500]
    ]
    theirs = np.array([np.linalg.norm(c - q, axis=1).min() for c, q in zip(closest, queries)])
    yield (
        "largest difference of distances to a mesh",
        float(np.abs(ours[:500] - theirs).max()),
        0.0,
        "trimesh.triangles, every face",
    )


def winding() -> Iterator[Row]:
    """Inside and outside of a ring, whole and with a tenth of its faces missing."""
    import trimesh
    from scipy.spatial import Delaunay

    queries = np.random.default_rng(0).uniform(-0.7, 0.7, (4000, 3))
    mesh = trimesh.creation.annulus(0.3, 0.6, 0.5)
    vertices, faces = np.asarray(mesh.vertices), np.asarray(mesh.faces)
    radius = np.linalg.norm(vertices[:, :2], axis=1)
    outer, inner = (
        Delaunay(vertices[part]).find_simplex(queries) >= 0 for part in (radius > 0.45, radius < 0.45)
    )
    mask = inside(queries, vertices, faces).mask
    yield (
        "share inside a ring",
        float(mask.mean()),
        float((outer & ~inner).mean()),
        "scipy Delaunay, outer less inner",
    )
    yield (
        "share of points judged otherwise",
        float((mask != (outer & ~inner)).mean()),
        0.0,
        "scipy Delaunay, outer less inner",
    )
    holed = faces[np.random.default_rng(1).random(len(faces)) > 0.1]
    for name, used in (("ring", faces), ("ring with holes", holed)):
        gap = np.abs(
            winding_numbers(queries, vertices, used) - solid_angle_winding(queries, vertices, used)
        ).max()
        yield f"largest winding difference, {name}", float(gap), 0.0, "sum of solid angles"


def alignment() -> Iterator[Row]:
    """A box with a cone on one corner, tilted, scaled, moved."""
    import trimesh

    cone = trimesh.creation.cone(0.15, 0.6).apply_translation([0.3, 0.15, 0.2])
    mesh = trimesh.util.concatenate([trimesh.creation.box((1, 0.7, 0.4)), cone])
    truth = np.asarray(mesh.vertices), np.asarray(mesh.faces)
    for method, turn in (("search", [0, 0, 2.0]), ("search-any", [1.0, -0.5, 2.0])):
        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = 40 * exponential(np.array(turn)), (3, 2, 1)
        found = align((apply(matrix, truth[0]), truth[1][::-1]), truth, method)  # type: ignore[arg-type]
        yield (
            f"largest error of matrix, {method}",
            float(np.abs(found.matrix @ matrix - np.eye(4)).max()),
            0.0,
            "known transform",
        )


def measure(path: Path) -> dict[str, float | int | str]:
    """Processor seconds of each metric on one object, and its inside."""
    loaded = load_object(path)
    mesh = apply(common_frame(loaded.vertices, loaded.faces), loaded.vertices), loaded.faces
    turned = (
        apply(np.diag([2.0, 2.0, 2.0, 1.0]), mesh[0] @ exponential(np.array([0, 0, 0.8])).T),
        mesh[1][::-1],
    )
    row: dict[str, float | int | str] = {"object": path.stem, "faces": len(mesh[1])}
    started = time.process_time()
    grid, _ = grid_about(mesh, mesh)
    whole = inside(grid, *mesh)
    row |= {
        "winding_s": time.process_time() - started,
        "unsure": whole.unsure,
        "volume_share": float(whole.mask.mean()),
    }
    started = time.process_time()
    carved = inside(grid, *mesh, method="carve").mask
    row |= {"carve_and_winding_s": time.process_time() - started}
    row |= {"winding_carve_iou": float((whole.mask & carved).sum() / max((whole.mask | carved).sum(), 1))}
    started = time.process_time()
    Distances.between_meshes(mesh, mesh)
    row |= {"chamfer_s": time.process_time() - started}
    started = time.process_time()
    found = align(turned, mesh, "search")
    row |= {"align_s": time.process_time() - started, "align_residual": found.residual}
    return row


if __name__ == "__main__":
    main()
