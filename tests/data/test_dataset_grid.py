"""The small recipe's grid: which of its targets are the six views of an input, and of its mirror image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from geco.cameras import ZERO123PLUS_V12, orbit_poses
from geco.data.dataset import GridViews
from geco.data.dataset.grid import GRID_SETS, mirror_cameras, mirrored_target_indices, target_indices
from geco.data.grid_views import AZIMUTHS, target_cameras
from tests.data.dots import write_dots


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dots(tmp_path_factory.mktemp("shards") / "grid", GRID_SETS, size=16)


def test_indices_are_the_rig_turned_with_the_input() -> None:
    poses = target_cameras()[1]
    for azimuth in range(AZIMUTHS):
        turned = orbit_poses(
            np.array(ZERO123PLUS_V12.azimuths) + 30 * azimuth, ZERO123PLUS_V12.elevations, 4.0
        )
        np.testing.assert_allclose(poses[target_indices(azimuth)], turned, atol=1e-6)


def test_mirrored_indices_are_the_flipped_cameras() -> None:
    _, poses, lenses, _ = target_cameras()
    flip = np.diag([1.0, -1.0, 1.0, 1.0])
    for azimuth in range(AZIMUTHS):
        stored = mirrored_target_indices(azimuth)
        # the mirror image of a camera: its position mirrored, its x axis turned round
        mirrored = flip @ poses[stored] @ np.diag([-1.0, 1.0, 1.0, 1.0])
        np.testing.assert_allclose(mirrored, poses[target_indices(azimuth)], atol=1e-6)
        np.testing.assert_allclose(mirror_cameras(poses[stored], lenses[stored])[0], mirrored, atol=1e-6)


def test_samples_are_the_stored_pictures(folder: Path) -> None:
    data = GridViews(folder)
    inputs, stored = (data.shards.pictures("dot1", name) for name in ("grid-inputs", "grid-targets"))
    condition, targets = data.sample(1, 5, 1, False)
    np.testing.assert_array_equal(condition, inputs[5 * 2 + 1])
    np.testing.assert_array_equal(targets, stored[target_indices(5)])
    condition, targets = data.sample(1, 5, 1, True)
    np.testing.assert_array_equal(condition[:, ::-1], inputs[7 * 2 + 1])
    np.testing.assert_array_equal(targets[0, :, ::-1], stored[6])  # mirrored azimuth 6 is 12 - 6


def test_batches_have_both_mirrors_and_all_azimuths(folder: Path) -> None:
    data = GridViews(folder, memory=10**8)
    batch = data.batch(0, 0, 150)
    first = batch.c2w[:, 1]  # 30 degrees further than the input
    indices = (np.degrees(np.arctan2(first[:, 1, 3], first[:, 0, 3])) / 30).round().astype(int) % 12
    assert (np.bincount(indices, minlength=12) > 3).all()
    stored = [data.pictures.get(name, "grid-targets", range(24)) for name in data.names]
    plain = [
        np.array_equal(views[0], stored[number][at])
        for views, number, at in zip(batch.targets, batch.objects, indices)
    ]
    assert 45 < sum(plain) < 105


def test_fixed_samples_are_fixed_and_without_repetition(folder: Path) -> None:
    first, again = GridViews(folder).fixed(4), GridViews(folder).fixed(4)
    np.testing.assert_array_equal(first.targets, again.targets)
    assert len(set(first.objects.tolist())) == 4
    assert len(GridViews(folder).fixed(9).objects) == 9  # more than there are objects
