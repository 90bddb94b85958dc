"""Folders of objects: keys, manifests, and what is wrong with them said at the right time."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geco.data.objects import ObjectError, find_objects, load_object
from geco.data.objects.keys import unique_keys
from tests.data.glb import GlbWriter, box


def glb(shade: float = 1.0) -> bytes:
    writer = GlbWriter()
    writer.mesh(*box(), material=writer.material(factor=[shade, 0, 0, 1]))
    return writer.encode()


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(glb())


def test_nested_folders_in_order_with_safe_keys(tmp_path: Path) -> None:
    put(
        tmp_path,
        "z.glb",
        "b/a chair.v2.GLB",
        "b/c/m.obj",
        "a.zip",
        ".hidden/x.glb",
        "b/.y.glb",
        "__MACOSX/q.glb",
        "texture.png",
    )
    found = find_objects(tmp_path)
    assert [(each.key, each.name) for each in found] == [
        ("a", "a.zip"),
        ("b_a_chair_v2", "b/a chair.v2.GLB"),
        ("b_c_m", "b/c/m.obj"),
        ("z", "z.glb"),
    ]
    assert len(find_objects(tmp_path)[1].load().faces) == 12


def test_like_names_are_told_apart_by_their_paths(tmp_path: Path) -> None:
    put(
        tmp_path,
        "x/model.glb",
        "y/model.glb",
        "y/model.obj",
        "y/Model_obj.stl",
        "other.glb",
        "a/b.glb",
        "a_b_glb.ply",
        "c/b.glb",
    )
    keys = {each.name: each.key for each in find_objects(tmp_path)}
    assert (
        keys["x/model.glb"] == "x_model"
        and keys["y/model.obj"].startswith("y_model_obj-")
        and keys["other.glb"] == "other"
    )
    assert keys["a/b.glb"] == "a_b" and keys["a_b_glb.ply"] == "a_b_glb" and keys["c/b.glb"] == "c_b"
    assert len({key.lower() for key in keys.values()}) == len(keys)


@given(st.lists(st.text(alphabet="aB._-/ é", min_size=1, max_size=6), unique=True, max_size=12))
def test_keys_are_always_unique_and_safe(names: list[str]) -> None:
    root = Path("objects")
    paths = sorted({root / f"{name.strip('/') or 'x'}.glb" for name in names})
    keys = dict(unique_keys(paths, root))
    assert len({key.lower() for key in keys}) == len(paths)
    assert all(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]*", key) for key in keys)


def test_the_manifest_says_who_made_it(tmp_path: Path) -> None:
    put(tmp_path, "sub/good.glb", "sub/changed.glb", "sub/unlisted.glb", "outside.glb", "sub/tall.glb")
    entries = [
        {
            "file": "good.glb",
            "licence": "CC0-1.0",
            "author": "Ann",
            "sha256": hashlib.sha256(glb()).hexdigest(),
            "category": "box",
        },
        {"file": "changed.glb", "licence": "CC-BY-4.0", "sha256": "0" * 64},
        {"file": "gone.glb"},
        {"file": "../outside.glb"},
        {"file": "/etc/passwd"},
        {"file": "tall.glb", "up": "z"},
    ]
    (tmp_path / "sub" / "manifest.json").write_text(json.dumps({"objects": entries}))
    found = {each.key: each for each in find_objects(tmp_path / "sub")}
    assert sorted(found) == ["___outside", "_etc_passwd", "changed", "gone", "good", "tall", "unlisted"]
    good = found["good"]
    assert (good.licence, good.author, good.category) == ("CC0-1.0", "Ann", "box")
    assert len(good.load().faces) == 12
    reasons = {
        "changed": "changed",
        "gone": "missing",
        "___outside": "unsafe-path",
        "_etc_passwd": "unsafe-path",
    }
    for key, reason in reasons.items():
        with pytest.raises(ObjectError) as caught:
            found[key].load()
        assert caught.value.reason == reason
    assert found["unlisted"].licence == "" and len(found["unlisted"].load().faces) == 12
    assert (
        found["tall"].load().transform == load_object(tmp_path / "sub" / "tall.glb", up="z").transform
    ).all()


@pytest.mark.parametrize("text", ["", "[]", "{", '{"objects": 3}', "[" * 100_000, '{"objects": {}}', "\0"])
def test_a_broken_manifest_is_said_at_once(tmp_path: Path, text: str) -> None:
    put(tmp_path, "a.glb")
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(ObjectError, match="manifest") as caught:
        find_objects(tmp_path)
    assert caught.value.reason == "broken"


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ObjectError) as caught:
        find_objects(tmp_path / "gone")
    assert caught.value.reason == "missing"
    assert find_objects(tmp_path) == []


@pytest.mark.parametrize("name", ["x/..", "a/b/../..", "./", ".", "/", "..", "a/../..", "\\..\\"])
def test_an_entry_that_names_a_folder_costs_itself_only(tmp_path: Path, name: str) -> None:
    (tmp_path / "sub").mkdir()
    for folder in (tmp_path, tmp_path / "sub"):
        (folder / "manifest.json").write_text(json.dumps({"objects": [{"file": name}, {"file": "good.glb"}]}))
    sources = find_objects(tmp_path)
    assert {"good.glb", "sub/good.glb"} <= {source.name for source in sources}
    for source in sources:
        with pytest.raises(ObjectError):
            source.load()
