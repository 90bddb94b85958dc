"""Damaged shards: the check lists what is wrong, the reader raises our own error, whatever was
done to which file.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from geco.cli.data_info import check
from geco.data.shards import Shards
from geco.data.shards.index import DamagedShards
from geco.errors import ConfigError, GecoError
from tests.cases import HOSTILE
from tests.cli_command import geco
from tests.damage import damaged
from tests.data.build import write


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shards") / "whole"
    write(folder, ["cup", "chair", "lamp"], extra={"cameras.json": {"a": 1}})
    return folder


def read_all(folder: Path) -> None:
    """All that a training may ask of shards."""
    shards = Shards(folder)
    for key in shards.objects:
        shards.all_cameras(key)
        for name in shards.sets:
            shards.cameras(key, name)
            for channel in shards.channels:
                shards.pictures(key, name, channel)


def test_the_given_case_is_refused_with_its_faults() -> None:
    result = geco("data", "info", HOSTILE / "shards-sidecar", "--check")
    assert result.returncode == 2 and result.stderr.count("\n") == 1 and "is damaged" in result.stderr
    assert "shard-000000.json lists no members of 'a'" in result.stdout and "Traceback" not in result.stderr


def test_a_whole_folder_has_no_faults(whole: Path) -> None:
    assert check(whole) == []
    read_all(whole)


@pytest.mark.parametrize("seed", range(12))
def test_any_damage_to_any_file_ends_in_faults_or_our_own_error(
    whole: Path, tmp_path: Path, seed: int
) -> None:
    rng = random.Random(seed)
    names = sorted(path.name for path in whole.iterdir() if path.is_file())
    for turn in range(25):
        folder = tmp_path / f"{turn}"
        shutil.copytree(whole, folder)
        path = folder / rng.choice(names)
        before = path.read_bytes()
        path.write_bytes(damaged(before, rng))
        try:
            faults = check(folder)
        except GecoError as error:
            faults = [error.problem]
        same = path.read_bytes() == before
        # a word of it may change unseen
        harmless = path.suffix == ".json" and not path.name.startswith("shard")
        assert same or harmless or faults, f"{path.name} was damaged, and nothing is said"
        try:
            read_all(folder)
        except ConfigError as error:
            assert faults and error.remedy


@pytest.mark.parametrize("name", ["index.json", "shard-000000.json", "shard-000000.tar", "report.json"])
@pytest.mark.parametrize("kind", ["missing", "folder", "pipe", "device", "empty"])
def test_what_is_no_file_is_named(whole: Path, tmp_path: Path, name: str, kind: str) -> None:
    folder = tmp_path / "s"
    shutil.copytree(whole, folder)
    path = folder / name
    path.unlink()
    {
        "missing": lambda: None,
        "folder": path.mkdir,
        "pipe": lambda: os.mkfifo(path),
        "device": lambda: path.symlink_to("/dev/zero"),
        "empty": path.touch,
    }[kind]()
    try:
        faults = check(folder)
    except ConfigError as error:
        faults = [error.problem]
    assert any(name in fault for fault in faults)


def rewrite_tar(path: Path, change: Callable[[tarfile.TarFile], None]) -> None:
    """Append to the shard, and tell the index the new size and hash, as one who wrote it so would."""
    import hashlib

    with tarfile.open(path, "a") as archive:
        change(archive)
    index = json.loads((path.parent / "index.json").read_bytes())
    for entry in index["shards"]:
        if entry["name"] == path.name:
            entry |= {"bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    (path.parent / "index.json").write_text(json.dumps(index))


@pytest.mark.parametrize(
    ("kind", "said"), [("SYMTYPE", "a link"), ("CHRTYPE", "a link"), ("REGTYPE", "no index lists")]
)
def test_members_that_no_shard_has_are_listed(whole: Path, tmp_path: Path, kind: str, said: str) -> None:
    folder = tmp_path / "s"
    shutil.copytree(whole, folder)
    info = tarfile.TarInfo("../../outside")
    info.type, info.linkname = getattr(tarfile, kind), "/etc/passwd"
    rewrite_tar(folder / "shard-000000.tar", lambda archive: archive.addfile(info))
    assert any(said in fault for fault in check(folder))


def test_an_index_that_leads_outside_or_says_what_cannot_be_is_refused(whole: Path, tmp_path: Path) -> None:
    good = json.loads((whole / "index.json").read_bytes())
    shutil.copytree(whole, tmp_path / "s")
    for change in (
        lambda i: i["shards"][0].update(name="../whole/shard-000000.tar"),
        lambda i: i["shards"].append(dict(i["shards"][0])),
        lambda i: i["objects"].append(dict(i["objects"][0])),
        lambda i: i["objects"][0].update(shard="elsewhere.tar"),
        lambda i: i["objects"][0].pop("licence"),
        lambda i: i["objects"][0].pop("faces"),
        lambda i: i["settings"].update(size=0),
        lambda i: i["settings"].update(size=10**9),
        lambda i: i["settings"].update(channels=["rgba", "smell"]),
        lambda i: i["settings"]["sets"][0].update(count=-1),
        lambda i: i["settings"]["sets"][0].update(name=["x"]),
        lambda i: i.update(objects=5),
        lambda i: i.update(settings=None),
    ):
        index = json.loads(json.dumps(good))
        change(index)
        (tmp_path / "s" / "index.json").write_text(json.dumps(index))
        with pytest.raises(DamagedShards, match=r"index\.json"):
            Shards(tmp_path / "s")


def test_a_resumed_render_makes_anew_what_was_damaged_in_its_workshop(whole: Path, tmp_path: Path) -> None:
    from geco.data.shards import ShardWriter
    from tests.data.build import SETTINGS, digests, piece

    keys = ["cup", "chair", "lamp"]
    for seed in range(6):
        folder, rng = tmp_path / str(seed), random.Random(seed)
        writer = ShardWriter(folder, SETTINGS, keys, objects_a_shard=2, extra={"cameras.json": {"a": 1}})
        for key in keys[: rng.choice([1, 2])]:
            writer.add(key, piece(key))
        writer.close()
        for path in (folder / ".render").iterdir():
            if path.name not in ("lock", "settings.json"):
                path.write_bytes(damaged(path.read_bytes(), rng, anywhere=False))
        again = ShardWriter(folder, SETTINGS, keys, objects_a_shard=2, extra={"cameras.json": {"a": 1}})
        for key in again.pending:
            again.add(key, piece(key))
        again.finish()
        assert digests(folder) == digests(whole)
