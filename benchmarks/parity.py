"""One model on torch and on ONNX Runtime, from the same card: how far views and meshes of a seed are apart.

    python -m benchmarks.parity [--count 30] [--seed 0] [--model FOLDER]

The pictures are the examples and rendered procedural objects, so that everybody has the same ones. A row a
picture: the largest difference of the views (in [0, 1]), the share of their values beyond 1e-5, the faces of
both meshes, the largest distance of a vertex to the other mesh's (world units, both ways; by number where the
faces are the same), and the share of texels that differ by more than one of 255 steps. Ends with one JSON
line.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from geco.asset import Asset
from geco.cameras import INPUT_FOV, orbit_poses
from geco.data.procedural.families import make_object
from geco.images.color import to_bytes
from geco.loading import EMBEDDED
from geco.onnx_runtime.backend import OnnxBackend
from geco.pipeline import GecoPipeline
from geco.render.shade_numpy import Headlight, render_mesh
from geco.torch_runtime.folder import load_backend
from geco.types import Bytes, Floats

ROOT = Path(__file__).parent.parent
VIEWS, VERTICES = 1e-5, 1e-4  # what counts as equal


@dataclass(frozen=True)
class Difference:
    """Between one picture's assets; see the module's own words."""

    picture: str
    views: float
    views_beyond: float
    faces: tuple[int, int]
    same_faces: bool
    vertices: float
    texels_beyond: float
    same_facts: bool


def pictures() -> Iterator[tuple[str, Path | Bytes]]:
    """Names, and files or RGBA arrays: the examples, then one procedural object after another."""
    for path in sorted((ROOT / "examples").glob("*.png")):
        yield path.stem, path
    seed = 0
    while True:
        pose = orbit_poses(30.0 + 50.0 * seed, 15.0, 2.7)
        shown = render_mesh(make_object(seed), pose, INPUT_FOV, 256, light=Headlight())
        yield f"object {seed}", to_bytes(shown)
        seed += 1


def difference(name: str, first: Asset, other: Asset) -> Difference:
    """Of two assets of the same picture and seed."""
    views = np.abs(first.views - other.views)
    same = np.array_equal(first.mesh.faces, other.mesh.faces)
    a, b = first.mesh.texture, other.mesh.texture
    assert a is not None and b is not None
    steps = np.abs(a.astype(np.float64) - b) * (1 if a.dtype == np.uint8 else 255)
    return Difference(
        name,
        float(views.max()),
        float((views > VIEWS).mean()),
        (len(first.mesh.faces), len(other.mesh.faces)),
        same,
        apart(first.mesh.vertices, other.mesh.vertices, same),
        float((steps.max(axis=-1) > 1.01).mean()),
        first.facts == other.facts,
    )


def apart(first: Floats, other: Floats, same: bool) -> float:
    """The largest distance of a vertex to the nearest one of the other mesh, both ways; to the one of its own
    number where the meshes have the ``same`` faces.
    """
    if same:
        return float(np.linalg.norm(first - other, axis=1).max())
    there, back = cKDTree(first).query(other)[0], cKDTree(other).query(first)[0]
    return float(max(there.max(), back.max()))


def both(folder: Path = EMBEDDED) -> tuple[GecoPipeline, GecoPipeline]:
    """An exported folder on ONNX Runtime and on torch, both on the CPU."""
    return GecoPipeline(OnnxBackend(folder, "onnx")), GecoPipeline(load_backend(str(folder), "cpu"))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", type=Path, default=EMBEDDED, help="exported folder")
    options = parser.parse_args()
    first, other = both(options.model)
    cards = [(each.backend.sampling, each.card.resolution, each.card.texture_size) for each in (first, other)]
    assert cards[0] == cards[1], f"the cards differ: {cards}"
    print(f"{'picture':14} {'views':>8} {'> 1e-5':>8} {'faces':>15} {'vertices':>9} {'texels':>8} facts")
    rows = []
    for name, picture in islice(pictures(), options.count):
        row = difference(name, first(picture, options.seed), other(picture, options.seed))
        rows.append(row)
        faces = f"{row.faces[0]} {'=' if row.same_faces else '≠'} {row.faces[1]}"
        print(
            f"{row.picture:14} {row.views:8.1e} {row.views_beyond:8.1e} {faces:>15} {row.vertices:9.1e} "
            f"{row.texels_beyond:8.1e} {'equal' if row.same_facts else 'differ'}",
            flush=True,
        )
    summary = {
        "pictures": len(rows),
        "views_max": max(row.views for row in rows),
        "views_beyond_1e-5": float(np.mean([row.views_beyond for row in rows])),
        "vertices_max": max(row.vertices for row in rows),
        "same_faces": sum(row.same_faces for row in rows),
        "within_1e-4": sum(row.vertices <= VERTICES for row in rows),
        "same_facts": sum(row.same_facts for row in rows),
        "texels_beyond": float(np.mean([row.texels_beyond for row in rows])),
    }
    print(json.dumps(summary | {"rows": [asdict(row) for row in rows]}))


if __name__ == "__main__":
    main()
