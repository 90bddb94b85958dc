"""Packed objects come back as they were, but for the rounding, and archives keep their size."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from geco.data.objects import ObjectSource, TexturedObject, find_objects, load_object
from geco.data.pack import Archives, Packed, pack_objects
from geco.data.pack_glb import encode_packed
from geco.data.procedural import write_objects
from geco.errors import ConfigError, OutputError


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> list[ObjectSource]:
    folder = tmp_path_factory.mktemp("objects")
    write_objects(folder, 6)
    return find_objects(folder)


def by_corner(thing: TexturedObject, values: np.ndarray) -> np.ndarray:
    """Values at the faces' corners, faces in the order of their materials, as a packed object has them."""
    return values[thing.faces[np.argsort(thing.materials, kind="stable")]]


def test_a_packed_object_comes_back_but_for_the_rounding(sources: list[ObjectSource], tmp_path: Path) -> None:
    for source in sources:
        before = source.load()
        path = tmp_path / f"{source.key}.glb"
        path.write_bytes(encode_packed(before, source.key))
        after = load_object(path)
        assert np.abs(by_corner(before, before.vertices) - after.vertices[after.faces]).max() < 2e-4
        assert np.abs(by_corner(before, before.uvs) - after.uvs[after.faces]).max() < 1e-4
        assert np.abs(by_corner(before, before.colors) - after.colors[after.faces]).max() < 0.01
        assert path.stat().st_size < 0.5 * source.path.stat().st_size


def test_several_materials_holes_and_repeated_textures_survive(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 255, (64, 32, 4), dtype=np.uint8)
    white = np.full((1, 1, 4), 255, np.uint8)
    before = TexturedObject(
        vertices=(rng.random((9, 3), np.float32) - 0.5),
        faces=np.arange(9, dtype=np.int32).reshape(3, 3),
        uvs=(8 * rng.random((9, 2), np.float32) - 3),
        colors=np.concatenate([rng.random((6, 3), np.float32), np.full((3, 3), 0.5, np.float32)]),
        materials=np.array([1, 0, 1], np.int32),
        textures=[picture, white],
        cutoffs=np.array([0.4, 0.0], np.float32),
        center=np.zeros(3, np.float32),
        scale=1.0,
    )
    path = tmp_path / "a.glb"
    path.write_bytes(encode_packed(before, "a", side=16))
    after = load_object(path)
    assert [len(t) for t in after.textures] == [16, 1] and after.cutoffs.tolist() == pytest.approx([0.4, 0.0])
    textured = after.materials == 0
    assert textured.tolist() == [True, False, False]
    expected = by_corner(before, before.uvs)[textured]
    assert np.abs(after.uvs[after.faces][textured] - expected).max() < 2e-4  # a range of 8, in 65,535 steps


def test_archives_keep_their_size_their_order_and_their_bytes(
    sources: list[ObjectSource], tmp_path: Path
) -> None:
    heard: list[str] = []
    whole = pack_objects(sources, tmp_path / "one", done=lambda packed: heard.append(packed.key))
    assert heard == [source.key for source in sources] and len(whole) == 1
    parts = pack_objects(sources, tmp_path / "two", part_mib=1, workers=2)
    assert all(part.stat().st_size <= 2**20 for part in parts)
    assert [p.read_bytes() for p in pack_objects(sources, tmp_path / "three")] == [
        p.read_bytes() for p in whole
    ]
    for part in parts:
        with tarfile.open(part) as tar:
            tar.extractall(tmp_path / "out", filter="data")
    found = [source for folder in sorted((tmp_path / "out").iterdir()) for source in find_objects(folder)]
    assert [source.key for source in found] == [source.key for source in sources]
    assert {source.licence for source in found} == {"CC0-1.0"}


def test_no_archive_exceeds_its_size_however_badly_it_compresses(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    archives = Archives(tmp_path, 2**20)
    for number in range(40):
        data = rng.bytes(int(rng.integers(1000, 300_000)))
        archives.add(Packed(str(number), data + bytes(100_000), {"file": f"{number}.glb"}))
    archives.close()
    assert len(archives.paths) > 5
    assert 2**19 < max(path.stat().st_size for path in archives.paths) <= 2**20


def test_a_pack_replaces_an_earlier_one_and_nothing_else(sources: list[ObjectSource], tmp_path: Path) -> None:
    pack_objects(sources, tmp_path)
    index = json.loads((tmp_path / "pack.json").read_text())
    (tmp_path / "objects-01.tar.xz").write_bytes(b"of the earlier pack")
    index["archives"].append({"file": "objects-01.tar.xz", "bytes": 19, "sha256": ""})
    (tmp_path / "pack.json").write_text(json.dumps(index))
    assert pack_objects(sources[:1], tmp_path) == sorted(tmp_path.glob("*.tar.xz"))
    (tmp_path / "objects-02.tar.xz").write_bytes(b"somebody's own")
    with pytest.raises(OutputError, match="not of an earlier pack"):
        pack_objects(sources, tmp_path)
    assert (tmp_path / "objects-02.tar.xz").read_bytes() == b"somebody's own"


def test_numbers_out_of_range_are_refused(sources: list[ObjectSource], tmp_path: Path) -> None:
    for wrong in ({"part_mib": 0}, {"texture_side": 4}, {"quality": 0}, {"workers": 0}):
        with pytest.raises(ConfigError):
            pack_objects(sources, tmp_path, **wrong)  # type: ignore[arg-type]
