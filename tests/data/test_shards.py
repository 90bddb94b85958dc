"""Shards: what goes in comes out, the bytes are those of any tar reader, and a restart changes nothing."""

from __future__ import annotations

import json
import multiprocessing
import pickle
import random
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geco.data.shards import Shards, ShardWriter
from geco.data.shards.format import decode_picture, encode_picture, plain, tar_members, tar_record
from geco.errors import ConfigError, OutputError
from tests.data.build import KEYS, SETTINGS, SIZE, digests, pictures, piece, sets, write


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    shards = write(tmp_path / "s")
    assert shards.objects == KEYS
    assert (shards.sets, shards.size) == (sets(), SIZE)
    for key in KEYS:
        for name, count in sets().items():
            wanted = pictures(key, count)
            assert np.array_equal(shards.pictures(key, name), wanted.channels["rgba"])
            depth = shards.pictures(key, name, "depth")[..., 0]
            assert np.array_equal(depth == 0, wanted.channels["depth"] == 0)
            np.testing.assert_allclose(depth, wanted.channels["depth"], atol=0.5 / 8192 + 1e-6)
            np.testing.assert_allclose(
                shards.pictures(key, name, "normal"), wanted.channels["normal"], atol=0.5 / 127 + 1e-6
            )
            np.testing.assert_allclose(
                shards.pictures(key, name, "position"), wanted.channels["position"], atol=1.6e-5
            )
            c2w, lenses = shards.cameras(key, name)
            assert np.array_equal(c2w, wanted.c2w)
            assert np.array_equal(lenses, wanted.lenses)
            assert [camera["facts"] for camera in shards.info(key)["sets"][name]] == wanted.facts
    assert np.array_equal(
        shards.pictures("cup", "ring-v1.2", indices=[2, 0]), pictures("cup", 3).channels["rgba"][[2, 0]]
    )


def test_any_tar_reader_and_the_sidecar_agree(tmp_path: Path) -> None:
    shards = write(tmp_path)
    seen: list[str] = []
    for path in sorted(tmp_path.glob("*.tar")):
        sidecar = json.loads(path.with_suffix(".json").read_bytes())
        data = path.read_bytes()
        with tarfile.open(path) as archive:
            for info in archive:
                key, _, name = info.name.partition(".")
                seen.append(key)
                offset, size = sidecar[key][name]
                extracted = archive.extractfile(info)
                assert extracted is not None
                assert extracted.read() == data[offset : offset + size] == shards.member(key, name)
    assert list(dict.fromkeys(seen)) == KEYS
    assert len(seen) == len(KEYS) * (1 + 4 * 4)


def test_webdataset_reads_them(tmp_path: Path) -> None:
    import webdataset

    write(tmp_path)
    paths = [str(path) for path in sorted(tmp_path.glob("*.tar"))]
    samples = list(webdataset.WebDataset(paths, shardshuffle=False).decode("rgba8"))
    assert [sample["__key__"] for sample in samples] == KEYS
    for sample in samples:
        wanted = pictures(sample["__key__"], 3)
        assert np.array_equal(sample["ring-v1.2.01.rgba.png"], wanted.channels["rgba"][1])
        assert sample["json"]["sets"]["ring-v1.2"][1]["c2w"] == plain(wanted.c2w[1])


def test_the_order_of_finishing_does_not_matter(tmp_path: Path) -> None:
    write(tmp_path / "a")
    write(tmp_path / "b", order=KEYS[::-1])
    assert digests(tmp_path / "a") == digests(tmp_path / "b")


@pytest.mark.parametrize("seed", range(5))
def test_a_stop_anywhere_changes_nothing(tmp_path: Path, seed: int) -> None:
    write(tmp_path / "whole")
    rng = random.Random(seed)
    folder = tmp_path / "stopped"
    for _ in range(3):
        writer = ShardWriter(folder, SETTINGS, KEYS, objects_a_shard=2)
        for key in rng.sample(writer.pending, k=min(2, len(writer.pending))):
            writer.add(key, piece(key))
        del writer  # as a kill does: the lock goes, the files stay
        (folder / ".render" / ".half-1234.tar").write_bytes(b"half")
        whole = sorted(folder.glob(".render/*.tar"))
        if whole:  # a power cut may leave a file shorter than it was
            broken = rng.choice(whole)
            broken.write_bytes(broken.read_bytes()[: rng.randrange(3000)])
    write(folder)
    assert digests(folder) == digests(tmp_path / "whole")


def test_a_kill_between_tar_and_sidecar_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from geco.data.shards import unfinished, writer

    write(tmp_path / "whole")
    real = writer.atomic_write
    for at in range(1, 14):
        folder, calls = tmp_path / f"cut{at}", iter(range(1000))

        def cut(path: Path, data: bytes, at: int = at, calls: Iterator[int] = calls) -> None:
            if next(calls) >= at:
                raise KeyboardInterrupt
            real(path, data)

        with monkeypatch.context() as patch:
            for module in (writer, unfinished):
                patch.setattr(module, "atomic_write", cut)
            with pytest.raises(KeyboardInterrupt):
                write(folder)
        write(folder)
        assert digests(folder) == digests(tmp_path / "whole"), at


def test_other_settings_are_refused_by_name(tmp_path: Path) -> None:
    write(tmp_path)
    for changed, word in (
        ({"size": 16}, "size 8 there, 16 asked"),
        ({"sets": [{"name": "other", "count": 1}]}, "sets ring-v1.2,single"),
    ):
        with pytest.raises(ConfigError, match=word):
            ShardWriter(tmp_path, {**SETTINGS, **changed}, KEYS, objects_a_shard=2)
    with pytest.raises(ConfigError, match="objects 5 there, 4 asked"):
        ShardWriter(tmp_path, SETTINGS, KEYS[:4], objects_a_shard=2)
    assert ShardWriter(tmp_path, SETTINGS, KEYS, objects_a_shard=2).pending == []


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ConfigError, match="not empty"):
        ShardWriter(tmp_path, SETTINGS, KEYS)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_two_runs_do_not_write_one_folder(tmp_path: Path) -> None:
    first = ShardWriter(tmp_path, SETTINGS, KEYS)
    with pytest.raises(OutputError, match="another run"):
        ShardWriter(tmp_path, SETTINGS, KEYS)
    del first
    ShardWriter(tmp_path, SETTINGS, KEYS)


def test_skipped_objects_are_reported_and_the_machines_faults_tried_again(tmp_path: Path) -> None:
    writer = ShardWriter(tmp_path, SETTINGS, KEYS, objects_a_shard=5)
    writer.skip("cup", "broken", "cup.glb: truncated")
    writer.skip("chair", "timeout", "more than 60 s")
    del writer
    writer = ShardWriter(tmp_path, SETTINGS, KEYS, objects_a_shard=5)
    assert writer.pending == [key for key in KEYS if key != "cup"]
    for key in writer.pending:
        writer.add(key, piece(key))
    index = writer.finish()
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["skipped"] == {"cup": {"reason": "broken", "message": "cup.glb: truncated"}}
    assert [entry["key"] for entry in index["objects"]] == Shards(tmp_path).objects == KEYS[1:]


def test_nothing_but_skipped_objects_is_an_error(tmp_path: Path) -> None:
    writer = ShardWriter(tmp_path, SETTINGS, KEYS[:1])
    writer.skip(KEYS[0], "empty", "no triangles")
    with pytest.raises(ConfigError, match="none of the 1 objects"):
        writer.finish()


def _first(shards: Shards) -> int:
    return int(shards.pictures("cup", "single").sum())


def test_one_reader_serves_threads_forks_and_pickles(tmp_path: Path) -> None:
    shards = write(tmp_path)
    wanted = {key: shards.pictures(key, "ring-v1.2") for key in KEYS}
    fresh = Shards(tmp_path)
    with ThreadPoolExecutor(8) as threads:
        for key, found in zip(
            KEYS * 40, threads.map(lambda key: fresh.pictures(key, "ring-v1.2"), KEYS * 40)
        ):
            assert np.array_equal(found, wanted[key])
    assert np.array_equal(pickle.loads(pickle.dumps(shards)).pictures("box", "ring-v1.2"), wanted["box"])
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert set(pool.map(_first, [shards] * 4)) == {_first(shards)}


def test_mistakes_of_the_reader_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no finished shards"):
        Shards(tmp_path)
    shards = write(tmp_path / "s")
    with pytest.raises(ConfigError, match="no object 'cap'"):
        shards.pictures("cap", "single")
    with pytest.raises(ConfigError, match="view set 'ring'"):
        shards.pictures("cup", "ring")
    with pytest.raises(ConfigError, match="no shade pictures"):
        shards.pictures("cup", "single", "shade")


@given(
    st.lists(
        st.tuples(st.text("abcé-_", min_size=1, max_size=150), st.binary(max_size=2000)),
        unique_by=lambda each: each[0],
    )
)
@settings(max_examples=40, deadline=None)
def test_records_join_and_split(records: list[tuple[str, bytes]]) -> None:
    joined = b"".join(tar_record(name, data) for name, data in records)
    members = tar_members(joined)
    assert {name: joined[offset : offset + size] for name, (offset, size) in members.items()} == dict(records)
    if joined:
        with pytest.raises(tarfile.TarError):
            tar_members(joined[:-1])


@given(st.floats(1e-3, 1e4), st.floats(0.01, 1))
@settings(max_examples=60, deadline=None)
def test_depth_is_kept_to_half_a_level_at_any_distance(deepest: float, nearest: float) -> None:
    depth = np.array([[deepest, deepest * nearest], [0, deepest]], np.float32)
    data, facts = encode_picture("depth", depth)
    back = decode_picture("depth", data, facts["depth_scale"])
    assert back[1, 0] == 0
    assert facts["depth_scale"] <= 2 * deepest / 65535 * 1.0001
    assert np.abs(back - depth).max() <= max(facts["depth_scale"] * 0.51, deepest * 1e-6)
