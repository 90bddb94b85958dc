"""The benchmark's scenes: the same by seed, with a truth that is the object's."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from benchmarks.cutout import Row, fit, measure, summary
from benchmarks.cutout_scenes import KINDS, compose, scenes
from PIL import Image

from geco.data.procedural import write_objects
from tests.images.pictures import disc, textured


def test_scenes_follow_from_their_seed_and_are_measured(tmp_path: Path) -> None:
    write_objects(tmp_path, 2, seed=3)
    first, again = list(scenes(tmp_path, 3, 5)), list(scenes(tmp_path, 3, 5))
    assert [scene.file for scene in first] == [scene.file for scene in again]
    rows = [measure(scene, "auto") for scene in first]
    assert all(0 <= row.iou <= row.tolerant + 1e-6 <= 1 + 1e-6 and 0 <= row.confidence <= 1 for row in rows)
    assert summary(rows)["scenes"] == 3


def test_the_truth_is_where_the_object_is() -> None:
    rng = np.random.default_rng(0)
    render = np.dstack([textured(384, rng), disc(384, 0.45)]).astype(np.float32)
    for kind in KINDS:
        scene = compose(render, kind, np.random.default_rng(2), (), "disc")
        picture = np.asarray(Image.open(io.BytesIO(scene.file)))
        assert picture.shape[:2] == scene.truth.shape and 0.01 < scene.truth.mean() < 0.9


def test_the_fit_finds_what_tells_right_from_wrong() -> None:
    rng = np.random.default_rng(1)
    rows = []
    for _ in range(300):
        seen = rng.normal(size=10)
        right = rng.random() < 1 / (1 + np.exp(-3 * seen[1] + 2 * seen[4]))
        rows.append(Row("white", "plain", 0, 1.0 if right else 0.0, 0, None, 0, list(seen)))
    weights = fit(rows)
    assert weights["edges"] > 2 and weights["touch"] < -1 and abs(weights["rough"]) < 0.6
