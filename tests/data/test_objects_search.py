"""Which files an object may name, and how one that lies elsewhere is found: the same in folders
and in archives.
"""

from __future__ import annotations

import io
import os
import socket
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from geco.data.objects import ObjectError, find_objects, load_object
from tests.cases import BUGS
from tests.data.glb import GlbWriter, box

TRIANGLE = "v 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 0 1\nusemtl m\nf 1/1 2/2 3/3\n"
RED, BLUE = (200, 10, 20), (10, 20, 200)


def png(color: tuple[int, int, int] = RED) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (2, 2), color).save(stream, "PNG")
    return stream.getvalue()


def put(folder: Path, files: dict[str, bytes | str]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data.encode() if isinstance(data, str) else data)
    return folder


def model(picture: str = "t.png", library: str = "m.mtl") -> dict[str, bytes | str]:
    return {"m.obj": f"mtllib {library}\n{TRIANGLE}", "m.mtl": f"newmtl m\nmap_Kd {picture}\n"}


def below(folder: str, files: dict[str, bytes | str]) -> dict[str, bytes | str]:
    return {f"{folder}/{name}": data for name, data in files.items()}


def colour(root: Path, name: str = "", links: tuple[Path, ...] = ()) -> tuple[int, ...] | str:
    """The texture's colour of the object ``name`` (or the only one), or why there is none."""
    source = next(each for each in find_objects(root, links) if not name or each.name == name)
    try:
        return tuple(int(value) for value in source.load().textures[0][0, 0, :3])
    except ObjectError as error:
        return str(error.reason)


@pytest.mark.parametrize("case", ["shapenet", "gso"])
def test_the_collections_as_they_are_unpacked(case: str) -> None:
    for source in find_objects(BUGS / "objects" / case):
        obj = source.load()
        assert obj.textures[0].shape[0] > 1 and not obj.notes


SCATTERED = {
    "beside": ("t.png", "m/t.png"),
    "above": ("../images/t.png", "images/t.png"),
    "by name": ("t.png", "materials/textures/t.png"),
    "by name, named with another folder": ("maps/t.png", "materials/textures/t.png"),
    "other letters": ("../Images/T.PNG", "images/t.png"),
    "Windows' path": (r"C:\Users\ann\Desktop\maps\t.png", "images/t.png"),
    "Windows' share": (r"\\server\maps\t.png", "m/t.png"),
    "Unix' path": ("/home/ann/t.png", "m/maps/t.png"),
    "backslashes": (r"maps\wood\t.png", "m/maps/wood/t.png"),
    "dots": ("./././t.png", "m/t.png"),
    "composed accents": ("te\u0301.png", "m/t\u00e9.png"),
    "a plus and a percent sign": ("100%+.png", "m/100%+.png"),
}


@pytest.mark.parametrize("case", SCATTERED)
def test_folders_and_archives_are_searched_alike(tmp_path: Path, case: str) -> None:
    named, place = SCATTERED[case]
    files = below("m", model(named)) | {place: png()}
    put(tmp_path / "folder" / "one", files)
    put(tmp_path / "folder" / "two", below("m", model("own.png")) | {"m/own.png": png(BLUE)})
    assert colour(tmp_path / "folder", "one/m/m.obj") == RED
    (tmp_path / "zips").mkdir()
    with zipfile.ZipFile(tmp_path / "zips" / "m.zip", "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    assert colour(tmp_path / "zips") == RED


def test_another_objects_files_are_not_taken(tmp_path: Path) -> None:
    put(tmp_path, below("a", model()) | below("b", model()) | {"b/textures/t.png": png(BLUE)})
    assert (colour(tmp_path, "a/m.obj"), colour(tmp_path, "b/m.obj")) == ("missing", BLUE)
    put(tmp_path, {"a/maps/t.png": png()})
    assert (colour(tmp_path, "a/m.obj"), colour(tmp_path, "b/m.obj")) == (RED, BLUE)
    # An object above others: what lies in their folders is theirs.
    put(tmp_path, model())
    assert colour(tmp_path, "m.obj") == "missing"
    put(tmp_path, {"pictures/t.png": png()})
    assert colour(tmp_path, "m.obj") == RED


def test_of_several_the_nearest_and_the_likest_is_taken_and_equal_ones_are_not_guessed(
    tmp_path: Path,
) -> None:
    put(
        tmp_path / "one",
        below("x/meshes", model(r"D:\wood\t.png")) | {"x/meshes/deep/t.png": png(), "x/t.png": png(BLUE)},
    )
    assert colour(tmp_path / "one") == RED
    put(
        tmp_path / "two",
        model(r"D:\wood\t.png") | {"wood/t.png": png(), "old/t.png": png(BLUE), "t/old/t.png": png(BLUE)},
    )
    assert colour(tmp_path / "two") == RED
    put(tmp_path / "three", model("gone/t.png") | {"wood/t.png": png(), "old/t.png": png(BLUE)})
    assert colour(tmp_path / "three") == "missing"


def test_nothing_outside_the_given_folder_is_read(tmp_path: Path) -> None:
    put(tmp_path, {"secret.png": png(), "secret.mtl": "newmtl m\nKd 1 0 0\n"})
    inside = put(
        tmp_path / "given",
        below("a", model("../../secret.png")) | below("b", model(library="../../secret.mtl")),
    )
    (inside / "c").mkdir()
    (inside / "c" / "t.png").symlink_to(tmp_path / "secret.png")
    put(inside, below("c", model("t.png")))
    put(inside, below("d", model(str(tmp_path / "secret.png"))))
    assert {name: colour(inside, f"{name}/m.obj") for name in "abcd"} == dict.fromkeys("abcd", "unsafe-path")
    # The file alone: its own folder is the one that was given.
    put(tmp_path / "e", below("models", model("../t.png")) | {"t.png": png()})
    with pytest.raises(ObjectError) as caught:
        load_object(tmp_path / "e" / "models" / "m.obj")
    assert caught.value.reason == "unsafe-path"
    assert (
        load_object(tmp_path / "e" / "models" / "m.obj", root=tmp_path / "e").textures[0][0, 0, 0] == RED[0]
    )


def test_links_lead_into_declared_folders_only(tmp_path: Path) -> None:
    cache = put(
        tmp_path / "cache" / "blobs",
        {"t0": png(), "m0": "newmtl m\nmap_Kd t.png\n", "o0": f"mtllib m.mtl\n{TRIANGLE}"},
    )
    snapshot = tmp_path / "snapshot" / "chair"
    snapshot.mkdir(parents=True)
    for name, blob in (("t.png", "t0"), ("m.mtl", "m0"), ("m.obj", "o0")):
        (snapshot / name).symlink_to(Path("../../cache/blobs") / blob)
    assert colour(tmp_path / "snapshot") == "unsafe-path"
    assert colour(tmp_path / "snapshot", links=(cache,)) == RED
    assert colour(tmp_path / "snapshot", links=(tmp_path / "cache",)) == RED
    assert colour(tmp_path / "snapshot", links=(tmp_path / "elsewhere",)) == "unsafe-path"
    put(tmp_path / "store" / "table", model() | {"t.png": png(BLUE)})
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "table").symlink_to(tmp_path / "store" / "table", target_is_directory=True)
    (tmp_path / "linked" / "loop").symlink_to(tmp_path / "linked", target_is_directory=True)
    assert find_objects(tmp_path / "linked") == []
    assert [source.name for source in find_objects(tmp_path / "linked", [tmp_path / "store"])] == [
        "table/m.obj"
    ]
    assert colour(tmp_path / "linked", links=(tmp_path / "store",)) == BLUE


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
def test_pipes_devices_sockets_and_broken_links_are_no_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe.glb")
    (tmp_path / "device.glb").symlink_to("/dev/zero")
    (tmp_path / "broken.glb").symlink_to("nowhere.glb")
    (tmp_path / "loop.glb").symlink_to("loop.glb")
    monkeypatch.chdir(tmp_path)  # names of sockets are short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.glb")
    assert {source.key: colour(tmp_path, source.name) for source in find_objects(tmp_path)} == dict.fromkeys(
        ("broken", "device", "loop", "pipe", "socket"), "missing"
    )
    textures = put(
        tmp_path / "t",
        below("a", model("pipe.png")) | below("b", model("zero.png")) | below("c", model("pipe.mtl")),
    )
    os.mkfifo(textures / "a" / "pipe.png")
    (textures / "b" / "zero.png").symlink_to("/dev/zero")
    put(textures, below("c", model(library="pipe.mtl")))
    os.mkfifo(textures / "c" / "pipe.mtl")
    found = {name: colour(textures, f"{name}/m.obj") for name in "abc"}
    assert found == {"a": "missing", "b": "missing", "c": "untextured"}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(named=st.text(alphabet='./\\t~%2e:\0Cé "#-', max_size=12))
def test_no_name_leads_out_of_the_folder(tmp_path: Path, named: str) -> None:
    """Whatever a file names, it gets a picture from inside or a refusal; the picture outside is blue."""
    if not (tmp_path / "in").exists():
        put(tmp_path, {"t": png(BLUE), "t.png": png(BLUE), "in/x/t": png(), "in/t": png()})
    put(tmp_path / "in" / "x", model(named.replace("\0", "\\0")))
    writer = GlbWriter()
    writer.document.update(images=[{"uri": named}], textures=[{"source": 0}])
    writer.mesh(*box(), uvs=np.zeros((8, 2)), material=writer.material(0))
    writer.save(tmp_path / "in" / "x" / "g.glb")
    for source in find_objects(tmp_path / "in"):
        try:
            texture = source.load().textures[0]
            assert tuple(texture[0, 0, :3]) in (RED, (255, 255, 255))
        except ObjectError as error:
            assert error.reason in ("unsafe-path", "missing", "unsupported", "untextured", "broken")
