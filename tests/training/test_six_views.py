"""Batches from a device's memory are those read from the shards."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from geco.data.dataset import GridViews
from geco.data.dataset.grid import GRID_SETS, INPUTS, TARGETS
from geco.data.dataset.packed import PackedPictures, packed_pictures
from geco.data.labels.shards import label_shards
from geco.data.shards import Shards
from geco.data.shards.index import DamagedShards
from geco.errors import ConfigError, OutputError
from geco.training.reconstructor_data import ReconstructorData
from geco.training.six_views import ResidentViews, batch_conditions, batch_tensors, open_views
from geco.training.small_stages import check_size
from tests.data.dots import write_dots


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dots(tmp_path_factory.mktemp("dots"), GRID_SETS, objects=5, size=16)


def test_samples_are_the_same(folder: Path) -> None:
    read, resident = GridViews(folder), ResidentViews(folder, torch.device("cpu"))
    for step in range(3):
        for mine, theirs in zip(batch_tensors(read, 4, step, 7), batch_tensors(resident, 4, step, 7)):
            torch.testing.assert_close(mine, theirs, rtol=0, atol=0)
    for data in (read, resident):
        torch.testing.assert_close(
            batch_conditions(data, 4, 1, 7), batch_tensors(read, 4, 1, 7)[0], rtol=0, atol=0
        )
    first, second = batch_tensors(resident, 4, 0, 4, 0, 2), batch_tensors(resident, 4, 0, 4, 1, 2)
    whole = batch_tensors(read, 4, 0, 4)
    torch.testing.assert_close(torch.cat([first[1], second[1]]), whole[1], rtol=0, atol=0)


def test_open_views_stays_on_disk_for_a_cpu(folder: Path) -> None:
    assert not isinstance(open_views(folder, torch.device("cpu")), ResidentViews)


def test_packed_files_are_made_once_and_for_their_shards_only(folder: Path, tmp_path: Path) -> None:
    shards = Shards(folder)
    packed = packed_pictures(shards, INPUTS, workers=2)
    assert packed.shape == (5, shards.sets[INPUTS], 16, 16, 4)
    for row, key in enumerate(shards.objects):
        np.testing.assert_array_equal(packed[row], shards.pictures(key, INPUTS))
    path = folder / f"packed-{INPUTS}.npy"
    before = path.stat().st_mtime_ns
    packed_pictures(shards, INPUTS)
    assert path.stat().st_mtime_ns == before
    other = Shards(write_dots(tmp_path / "other", GRID_SETS, objects=3, size=16))
    for suffix in (".npy", ".json"):
        (other.folder / path.name).with_suffix(suffix).write_bytes(path.with_suffix(suffix).read_bytes())
    assert len(packed_pictures(other, INPUTS)) == 3  # a copy from elsewhere is not believed


def test_packed_pictures_read_as_shards_do(folder: Path) -> None:
    shards = Shards(folder)
    packed = PackedPictures(shards)
    key = shards.objects[2]
    np.testing.assert_array_equal(
        packed.get(key, TARGETS, [5, 0]), shards.pictures(key, TARGETS, indices=[5, 0])
    )
    np.testing.assert_array_equal(
        packed.get(key, TARGETS, [1], "depth"), shards.pictures(key, TARGETS, "depth", [1])
    )


def test_a_full_disk_is_told_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards = Shards(write_dots(tmp_path / "dots", GRID_SETS, objects=2, size=16))
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=1000))
    with pytest.raises(OutputError, match="no room"):
        packed_pictures(shards, TARGETS, workers=1)
    assert not list(shards.folder.glob("*packed-*"))


def test_damaged_shards_are_named(tmp_path: Path) -> None:
    shards = Shards(write_dots(tmp_path / "dots", GRID_SETS, objects=2, size=16))
    path = shards.path(shards.objects[0])
    path.write_bytes(path.read_bytes()[:4096])
    with pytest.raises(DamagedShards, match=r"shard-000000.*--check lists what is wrong"):
        packed_pictures(shards, TARGETS, workers=1)
    assert not list(shards.folder.glob("*packed-*"))  # nothing half-written


def test_reconstructor_batches_are_the_same(folder: Path) -> None:
    label_shards(folder, workers=2)
    resident = ResidentViews(folder, torch.device("cpu"))
    read, held = (ReconstructorData(views).batch(0, 1, 4, 32, 16) for views in (folder, resident))
    for mine, theirs in zip(vars(read).values(), vars(held).values()):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=0)


def test_a_model_for_other_views_is_told_the_size(folder: Path) -> None:
    check_size(16, GridViews(folder), Path("run"))
    with pytest.raises(ConfigError, match="run sees views of 96 px, the shards hold 16 px"):
        check_size(96, GridViews(folder), Path("run"))
