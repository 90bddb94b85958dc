"""Every object of the shared folders loads, and trimesh reads the same surface from those used
for evaluation.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from geco.data.objects import find_objects

pytestmark = pytest.mark.shared


def folder(name: str) -> Path:
    place = Path(os.environ.get("GECO_SHARED", "")) / "objects" / name
    if not os.environ.get("GECO_SHARED") or not place.is_dir():
        pytest.skip("GECO_SHARED names no folder with objects")
    return place


@pytest.mark.parametrize("name", ["eval", "scans", "train"])
def test_every_object_loads_with_a_licence(name: str) -> None:
    found = find_objects(folder(name))
    assert found
    for source in found:
        loaded = source.load()
        assert source.licence and source.sha256
        assert np.linalg.norm(loaded.vertices, axis=1).max() == pytest.approx(0.95, rel=1e-5)


def test_trimesh_reads_the_same_triangles() -> None:
    trimesh = pytest.importorskip("trimesh")
    for source in find_objects(folder("eval")):
        loaded = source.load()
        scene = trimesh.load(source.path, process=False, force="scene")
        triangles = np.concatenate(
            [trimesh.transform_points(m.triangles.reshape(-1, 3), np.eye(4)) for m in scene.dump()]
        )
        moved = trimesh.transform_points(triangles, loaded.transform).reshape(-1, 3, 3)
        ours = loaded.vertices[loaded.faces]
        assert ours.shape == moved.shape
        np.testing.assert_allclose(np.sort(ours.mean(1), 0), np.sort(moved.mean(1), 0), atol=1e-5)
