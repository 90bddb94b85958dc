"""Datasets on the project's own renders: the depth of one camera falls into the silhouettes of all others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from geco.data.dataset import Augmentation, ConditionPictures, PairedViews, RandomViews
from geco.data.objects import find_objects
from geco.data.render import lens
from geco.data.render_job import RenderSettings, render_piece
from geco.data.shards import ShardWriter
from geco.data.view_sets import CONDITION_FOV
from tests.data.glb import GlbWriter, box

pytest.importorskip("numba")
SIZE = 48


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two boxes without any symmetry but their own, coloured by corner."""
    root = tmp_path_factory.mktemp("rendered")
    (root / "objects").mkdir()
    for index in range(2):
        writer = GlbWriter()
        vertices, faces = box((1, 2 + index, 0.6))
        # a sheared box: no two sides look the same
        vertices = vertices + 0.7 * vertices[:, [1]] * np.array([0.0, 0.0, 1.0])
        writer.mesh(
            vertices.astype(np.float32),
            faces,
            colors=np.random.default_rng(index).integers(0, 256, (8, 4)).astype(np.uint8),
        )
        writer.save(root / "objects" / f"box{index}.glb")
    settings = RenderSettings(("condition-2", "pairs-2", "random-4"), SIZE)
    sources = find_objects(root / "objects")
    writer = ShardWriter(root / "shards", settings.described(), [source.key for source in sources])
    for source in sources:
        writer.add(source.key, render_piece(source, settings))
    writer.finish()
    return root / "shards"


def points_of(depth: np.ndarray, alpha: np.ndarray, c2w: np.ndarray, optics: np.ndarray) -> np.ndarray:
    """(N, 3) world positions of the pixels that are wholly covered."""
    rows, columns = np.nonzero((depth > 0) & (alpha == 255))
    away = depth[rows, columns]
    focal, cx, cy = optics
    x, y = ((columns + 0.5) / SIZE - cx) / focal * away, (cy - (rows + 0.5) / SIZE) / focal * away
    return np.stack([x, y, -away], axis=1) @ c2w[:3, :3].T + c2w[:3, 3]


def part_inside(points: np.ndarray, rgba: np.ndarray, c2w: np.ndarray, optics: np.ndarray) -> float:
    """Part of the points that fall on or right beside a covered pixel."""
    local = (points - c2w[:3, 3]) @ c2w[:3, :3]
    focal, cx, cy = optics
    column = np.floor((focal * local[:, 0] / -local[:, 2] + cx) * SIZE).astype(int)
    row = np.floor((cy - focal * local[:, 1] / -local[:, 2]) * SIZE).astype(int)
    solid = np.pad(rgba[..., 3] > 0, 2)
    near = np.logical_or.reduce(
        [np.roll(solid, shift, (0, 1)) for shift in ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))]
    )
    return float(near[np.clip(row + 2, 0, SIZE + 3), np.clip(column + 2, 0, SIZE + 3)].mean())


def test_depth_of_random_views_lies_inside_every_input(folder: Path) -> None:
    batch = RandomViews(folder, 3).batch(0, 0, 6)
    for row in range(6):
        for view in range(3):
            cameras = batch.c2w[row, view], batch.lenses[row, view]
            points = points_of(batch.depth[row, view], batch.targets[row, view, ..., 3], *cameras)
            assert len(points) > 30
            for view_of_input in zip(batch.inputs[row], batch.input_c2w[row], batch.input_lenses[row]):
                assert part_inside(points, *view_of_input) > 0.99
        # and the world is the one turned to the input, not the object's own
        shown = points_of(
            batch.depth[row, 0], batch.targets[row, 0, ..., 3], batch.c2w[row, 0], batch.lenses[row, 0]
        )
        turned = shown * [-1, -1, 1]
        inputs = zip(batch.inputs[row], batch.input_c2w[row], batch.input_lenses[row])
        assert min(part_inside(turned, *view_of_input) for view_of_input in inputs) < 0.97


def test_pairs_and_their_cameras_agree_after_a_crop(folder: Path) -> None:
    data = PairedViews(folder, Augmentation(crop=(0.7, 0.8), shift=0.1))
    batch = data.batch(0, 0, 4)
    for row, number in enumerate(batch.objects):
        key = data.shards.objects[int(number)]
        depth, rgba = (data.shards.pictures(key, "random-4", channel) for channel in ("depth", "rgba"))
        poses, lenses = data.shards.cameras(key, "random-4")
        points = np.concatenate(
            [
                points_of(d[..., 0], picture[..., 3], *camera)
                for d, picture, *camera in zip(depth, rgba, poses, lenses)
            ]
        )
        pictures = [batch.condition[row], *batch.targets[row]]
        assert (
            min(part_inside(points, *view) for view in zip(pictures, batch.c2w[row], batch.lenses[row]))
            > 0.99
        )
        plain = lens(CONDITION_FOV, 1)[0]  # the lens before the crop
        assert part_inside(points, batch.condition[row], batch.c2w[row, 0], plain) < 0.95


def test_condition_pictures_of_both_kinds_of_sets(folder: Path) -> None:
    data = ConditionPictures(folder)
    assert len(data) == 2 * (2 + 2)
    batch = data.batch(0, 0, 8)
    assert (batch.condition[..., 3].reshape(8, -1).max(axis=1) == 255).all()
    np.testing.assert_allclose(batch.rgb()[batch.condition[..., 3] == 0], 1)
