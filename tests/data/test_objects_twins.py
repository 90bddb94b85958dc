"""Files of other programs and of ours, read as others read them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geco.data.objects import Limits, find_objects, load_object
from geco.mesh import Mesh
from geco.mesh.export import save
from tests.data.build import RED, shades


def compared_with_trimesh(path: Path) -> None:
    trimesh = pytest.importorskip("trimesh")
    ours = load_object(path, Limits(allow_untextured=True))
    theirs = trimesh.load(path, force="mesh", process=False)
    corners = np.asarray(theirs.triangles).reshape(-1, 3)
    expected = np.c_[corners, np.ones(len(corners))] @ ours.transform.T
    found = ours.vertices[ours.faces].reshape(-1, 3)
    assert len(found) == len(expected)
    for rows in (found, expected[:, :3]):
        rows[:] = rows[np.lexsort(rows.round(3).T)]
    np.testing.assert_allclose(found, expected[:, :3], atol=1e-3)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**32),
    end=st.sampled_from(["\n", "\r\n"]),
    negative=st.booleans(),
    form=st.sampled_from(["v", "v/t", "v//n", "v/t/n"]),
)
def test_geometry_is_what_trimesh_reads(
    tmp_path: Path, seed: int, end: str, negative: bool, form: str
) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(3, 12))
    lines = ["# made up"] + [f"v {x:.4f} {y:.4f} {z:.4f}" for x, y, z in rng.uniform(-9, 9, (count, 3))]
    lines += (
        [f"vt {u:.3f} {v:.3f}" for u, v in rng.uniform(0, 1, (count, 2))]
        + ["vn 0 0 1"] * count
        + ["g a b", "s 1"]
    )
    for _ in range(int(rng.integers(1, 6))):
        corners = rng.permutation(count)[: int(rng.integers(3, 5))] + 1
        each = [int(c) - count - 1 if negative else int(c) for c in corners]
        lines.append(
            "f " + " ".join(form.replace("v", str(c)).replace("t", str(c)).replace("n", str(c)) for c in each)
        )
    (tmp_path / "a.obj").write_bytes(end.join(lines).encode())
    compared_with_trimesh(tmp_path / "a.obj")


OWN = [
    "toy.x",
    "my toy",
    "toy #1",
    'toy\'s "best"',
    "spielzeug ä",
    "玩具",
    "toy;1,2",
    "-toy",
    "a" * 120,
    "toy %20",
    "toy.v2",
]


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("suffix", ["glb", "obj", "ply", "stl"])
def test_what_we_write_we_read(tmp_path: Path, name: str, suffix: str) -> None:
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 2, 0], [0, 0, 3]], np.float32)
    faces = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]])
    texture = np.full((8, 8, 3), RED, np.uint8)
    uvs = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], np.float32)
    textured = suffix in ("glb", "obj")
    colors = None if textured else np.tile(np.float32(RED) / 255, (4, 1))
    mesh = Mesh(
        vertices, faces, uvs=uvs if textured else None, texture=texture if textured else None, colors=colors
    )
    save(mesh, tmp_path / f"{name}.{suffix}")
    (source,) = find_objects(tmp_path)
    obj = source.load(Limits(allow_untextured=suffix == "stl"))
    assert len(obj.faces) == 4 and not obj.notes
    if suffix != "stl":
        np.testing.assert_allclose(shades(obj), [RED] * 4, atol=12)  # JPEG
    corner = np.c_[vertices, np.ones(4)]
    assert np.linalg.norm(obj.vertices, axis=1).max() == pytest.approx(0.95, abs=1e-4) and len(corner) == 4
