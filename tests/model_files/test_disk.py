"""What a model needs of the disk, where its folder and the hub's cache are on one and where they are not."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from geco.errors import OutputError, WeightsError
from geco.model_files import disk, hub_folder
from geco.model_files.download import Listing, Remote

GB = 10**9


@pytest.mark.parametrize(("disks", "free", "refused"), [(1, 1.5, False), (2, 1.5, False), (2, 0.9, True)])
def test_a_folder_on_another_disk_than_the_cache_holds_copies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, disks: int, free: float, refused: bool
) -> None:
    """One gigabyte: linked on one disk, so needed once; copied to another one, so needed on both."""
    folder = tmp_path / "model"
    monkeypatch.setattr(disk, "_device", lambda place: disks if place == folder else 1)
    room = {True: free * GB, False: 1.5 * GB}
    monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(free=room[place == tmp_path]))
    listed = Listing("acme/none", "c" * 40, (Remote("model.safetensors", GB, None),))
    monkeypatch.setattr(hub_folder, "asked", lambda *_: listed)

    def fetch(*_: object) -> None:
        raise WeightsError("fetched")

    monkeypatch.setattr(hub_folder, "fetch", fetch)
    with pytest.raises(OutputError if refused else WeightsError, match="needs 1" if refused else "fetched"):
        hub_folder.fetch_folder("acme/none", folder)
