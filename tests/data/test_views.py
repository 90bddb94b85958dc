"""Shards of views: indices against the rig, reading back, repeatability, and continuing after a stop."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from geco.cameras import ZERO123PLUS_V12, orbit_poses
from geco.data import views
from geco.data.dataset import ViewShards, over_white
from geco.errors import ConfigError
from tests.data.glb import GlbWriter, box

pytest.importorskip("numba")


def save_box(path: Path, index: int) -> None:
    writer = GlbWriter()
    vertices, faces = box((1 + index, 2, 1.5))
    writer.mesh(vertices, faces, colors=np.random.default_rng(index).integers(0, 256, (8, 4)).astype(np.uint8))
    writer.save(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six coloured boxes and a broken file, rendered at 16 px with two held out."""
    root = tmp_path_factory.mktemp("objects")
    for index in range(6):
        save_box(root / f"box{index}.glb", index)
    (root / "broken.glb").write_bytes(b"glTF")
    output = tmp_path_factory.mktemp("views")
    skipped = views.render_folders([root], output / "run", size=16, workers=1, hold_out=2)
    assert list(skipped) == ["broken.glb"]
    assert "broken" in json.loads((output / "run" / "report.json").read_text())["broken.glb"]
    return output / "run"


def test_indices_are_the_rig_turned_with_the_input() -> None:
    poses = views.target_poses()
    for azimuth in range(views.AZIMUTHS):
        turned = orbit_poses(np.array(ZERO123PLUS_V12.azimuths) + 30 * azimuth, ZERO123PLUS_V12.elevations, 4.0)
        np.testing.assert_allclose(poses[views.target_indices(azimuth)], turned, atol=1e-6)


def test_mirrored_indices_are_the_flipped_cameras() -> None:
    poses = views.target_poses()
    flip = np.diag([1.0, -1.0, 1.0, 1.0])
    for azimuth in range(views.AZIMUTHS):
        stored = poses[views.mirrored_target_indices(azimuth)]
        # the mirror image of a camera: its position mirrored, its x axis turned round
        mirrored = flip @ stored @ np.diag([-1.0, 1.0, 1.0, 1.0])
        np.testing.assert_allclose(mirrored, poses[views.target_indices(azimuth)], atol=1e-6)


def test_held_out_objects_are_in_no_other_shard(folder: Path) -> None:
    training, held = ViewShards(folder), ViewShards(folder, "held_out")
    # the broken file may be among the held out; whatever was rendered is in exactly one place
    assert sorted(training.names + held.names) == [f"box{i}.glb" for i in range(6)]
    assert {path.name for path in views.held_out([Path(n) for n in [*training.names, *held.names, "broken.glb"]], 2)} >= set(
        held.names
    )


def test_samples_are_the_stored_pictures(folder: Path) -> None:
    shards = ViewShards(folder)
    stored = np.load(folder / "shard_000" / "targets.npy")
    inputs = np.load(folder / "shard_000" / "inputs.npy")
    condition, targets = shards.sample(1, 5, 1, False)
    np.testing.assert_array_equal(condition, inputs[1, 5, 1])
    np.testing.assert_array_equal(targets, stored[1, views.target_indices(5)])
    condition, targets = shards.sample(1, 5, 1, True)
    np.testing.assert_array_equal(condition[:, ::-1], inputs[1, 7, 1])
    np.testing.assert_array_equal(targets[0, :, ::-1], stored[1, 6])  # mirrored azimuth 6 is 12 - 6


def test_batches_depend_on_seed_and_step_only(folder: Path) -> None:
    first, again = ViewShards(folder), ViewShards(folder)
    again.batch(0, 9, 3)  # another history
    np.testing.assert_array_equal(first.batch(0, 4, 3).targets, again.batch(0, 4, 3).targets)
    assert not np.array_equal(first.batch(0, 4, 3).condition, first.batch(1, 4, 3).condition)
    seen = np.concatenate([first.batch(0, step, 1).objects for step in range(len(first))])
    assert sorted(seen) == list(range(len(first)))  # an epoch shows each object once


def test_inputs_are_framed_and_their_elevations_recorded(folder: Path) -> None:
    inputs = np.load(folder / "shard_000" / "inputs.npy")
    elevations = np.load(folder / "shard_000" / "inputs_elevation.npy")
    assert elevations.shape == inputs.shape[:3]
    assert elevations.min() >= -10 and elevations.max() <= 30
    alpha = inputs[..., 3] > 0
    for picture in alpha.reshape(-1, 16, 16):
        sides = picture.any(0).sum(), picture.any(1).sum()
        assert 0.85 * 16 - 1 <= max(sides) <= 0.85 * 16 + 2


def test_a_shard_is_the_same_whenever_it_is_made(folder: Path, tmp_path: Path) -> None:
    names = ViewShards(folder).names
    for name in names:
        save_box(tmp_path / name, int(name[3]))
    views.write_shard([tmp_path / name for name in names], tmp_path / "again", 16, 0)
    for array in (folder / "shard_000").glob("*.npy"):
        assert array.read_bytes() == (tmp_path / "again" / array.name).read_bytes(), array.name


def test_finished_shards_are_kept(folder: Path, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.glob("*/*.npy")}
    views.render_folders([tmp_path], folder, size=16)  # objects gone: nothing to make, nothing to lose
    assert {path: path.stat().st_mtime_ns for path in folder.glob("*/*.npy")} == before


def test_over_white() -> None:
    rgba = np.array([[255, 0, 0, 255], [9, 9, 9, 0], [0, 0, 0, 51]], np.uint8)
    np.testing.assert_allclose(over_white(rgba), [[1, 0, 0], [1, 1, 1], [0.8, 0.8, 0.8]], atol=1e-6)


def test_no_shards_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no shards.*geco\.data\.views"):
        ViewShards(tmp_path)
