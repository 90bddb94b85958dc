"""OBJ and MTL as the programs that write them write them, and our own files read by our own readers."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from geco.data.objects import ObjectError, TexturedObject, find_objects, load_object
from geco.data.objects.mtl import Map, read_map
from geco.data.objects.names import spellings
from tests.cases import BUGS
from tests.data.build import RED, shades

SQUARE = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\n"
FACES = "f 1/1 2/2 3/3 4/4\n"


def png(color: tuple[int, ...] = RED) -> bytes:
    stream = io.BytesIO()
    Image.new("RGBA" if len(color) == 4 else "RGB", (2, 2), color).save(stream, "PNG")
    return stream.getvalue()


def load(folder: Path, obj: str | bytes, **files: str | bytes) -> TexturedObject:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in ({"a.obj": obj} | files).items():
        (folder / name).write_bytes(data.encode() if isinstance(data, str) else data)
    return load_object(folder / "a.obj")


@pytest.mark.parametrize("name", ["hash_name", "hash_sketchup", "plain"])
def test_names_keep_their_hashes(name: str) -> None:
    (source,) = (each for each in find_objects(BUGS / "objects" / "materials") if each.key == name)
    obj = source.load()
    assert len(obj.faces) == 12 and obj.textures[0].shape[0] > 1 and not obj.notes


NAMES = st.text(
    st.characters(
        codec="utf-8", exclude_categories=("Cc", "Cs", "Z"), exclude_characters="\\\x85\u2028\u2029"
    )
    | st.just(" "),
    min_size=1,
    max_size=12,
).filter(lambda name: name == name.strip() and not name.startswith("#"))
FILES = NAMES.filter(
    lambda name: (
        not set(name) & set('/:*?"<>|%') and not name.startswith((".", "-")) and len(name.encode()) < 80
    )
)


@settings(max_examples=80, deadline=None)
@given(
    material=NAMES,
    other=NAMES,
    library=FILES,
    picture=FILES,
    space=st.sampled_from([" ", "\t", "  ", " \t "]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    mark=st.sampled_from(["", "\ufeff"]),
    encoding=st.sampled_from(["utf-8", "utf-16"]),
)
def test_any_name_of_materials_libraries_and_pictures_is_found(
    tmp_path_factory: pytest.TempPathFactory,
    material: str,
    other: str,
    library: str,
    picture: str,
    space: str,
    end: str,
    mark: str,
    encoding: str,
) -> None:
    folder = tmp_path_factory.mktemp("n")
    (folder / f"{picture}.png").write_bytes(png())
    lines = [f"newmtl{space}{other}", "Kd 0 0 1", f"newmtl{space}{material}", f"map_Kd{space}{picture}.png"]
    (folder / f"{library}.mtl").write_bytes((mark + end.join(lines)).encode(encoding))
    text = [
        "# a comment",
        f"mtllib{space}{library}.mtl",
        "o thing #1",
        *SQUARE.splitlines(),
        f"usemtl{space}{material}",
        "s off",
        FACES,
    ]
    obj = load(folder, (mark + end.join(text)).encode(encoding))
    assert shades(obj) == [RED, RED] and not obj.notes


@pytest.mark.parametrize(
    ("statement", "files"),
    [
        ("mtllib one.mtl two.mtl", {"one.mtl": "newmtl x\nKd 1 0 0\n", "two.mtl": "newmtl m\nKd 0 1 0\n"}),
        ("mtllib one.mtl\nmtllib two.mtl", {"one.mtl": "newmtl x\n", "two.mtl": "newmtl m\nKd 0 1 0\n"}),
        ("mtllib my one.mtl my two.mtl", {"my one.mtl": "newmtl x\n", "my two.mtl": "newmtl m\nKd 0 1 0\n"}),
        (
            'mtllib "my one.mtl" "my two.mtl"',
            {"my one.mtl": "newmtl x\n", "my two.mtl": "newmtl m\nKd 0 1 0\n"},
        ),
        ("mtllib one.mtl two.mtl", {"one.mtl two.mtl": "newmtl m\nKd 0 1 0\n"}),
        ('mtllib "two.mtl"', {"two.mtl": "newmtl m\nKd 0 1 0\n"}),
        ("mtllib two.mtl # the second", {"two.mtl": "newmtl m\nKd 0 1 0\n"}),
        ("mtllib TWO.MTL", {"two.mtl": "newmtl m\nKd 0 1 0\n"}),
        ("mtllib \\\n two.mtl", {"two.mtl": "newmtl m\nKd 0 1 0 # green\n"}),
        (r"mtllib C:\work\two.mtl", {"two.mtl": "newmtl m\nKd 0 1 0\n"}),
        ("mtllib two.mtl", {"two.mtl": "\tnewmtl\tm\r\n\tKd\t0\t1\t0\r\n"}),
        ("mtllib two.mtl", {"two.mtl": "newmtl M\nKd 0 1 0\n"}),
        ("mtllib two.mtl", {"two.mtl": "newmtl m\nKd 1 0 0\nnewmtl m\nKd 0 1 0\n"}),
    ],
)
def test_libraries_as_they_are_named(tmp_path: Path, statement: str, files: dict[str, str]) -> None:
    obj = load(tmp_path, f"{statement}\n{SQUARE}usemtl m\n{FACES}", **files)
    assert shades(obj) == [(0, 255, 0)] * 2 and not obj.notes


def test_names_in_other_encodings_meet(tmp_path: Path) -> None:
    text = f"mtllib a.mtl\n{SQUARE}usemtl Grün\n{FACES}"
    obj = load(
        tmp_path,
        text.encode("cp1252"),
        **{"a.mtl": "newmtl Grün\nmap_Kd Blätter.png\n".encode(), "Blätter.png": png()},
    )
    assert shades(obj) == [RED] * 2
    (tmp_path / "a.mtl").write_bytes("newmtl Grün\nmap_Kd Blätter.png\n".encode("cp1252"))
    assert shades(load_object(tmp_path / "a.obj")) == [RED] * 2


def test_comments_behind_numbers_and_materials(tmp_path: Path) -> None:
    square = SQUARE.replace("v 1 1 0", "v 1 1 0 # 1 2 3").replace("vt 1 1", "  vt 1 1 # x")
    obj = load(
        tmp_path,
        f"#mtllib b.mtl\nmtllib a.mtl\n{square}usemtl m # shiny\nf 1/1 2/2 3/3 4/4 # 1/1\n",
        **{"a.mtl": "newmtl m\nKd 1 0 0"},
    )
    assert shades(obj) == [(255, 0, 0)] * 2 and len(obj.faces) == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("t.png", Map("t.png")),
        ("tex #1.png", Map("tex #1.png")),
        ("-s 2 3 1 -o 0.5 .25 0 t.png", Map("t.png", (2, 3), (0.5, 0.25))),
        ("-s 2 t.png", Map("t.png", (2, 1))),
        ("-o 0.5 3 d.png", Map(["3", "d.png"][1], offset=(0.5, 3))),
        ("-clamp on -bm 0.2 my t.png", Map("my t.png", ignored=("-clamp",))),
        ("-clamp off -blendu on -blendv on -mm 0 1 -t 1 1 1 t.png", Map("t.png", ignored=("-mm", "-t"))),
        ("-texres 512 -imfchan r -boost 2 -cc on -type sphere \\\\x\\t.png", Map("\\\\x\\t.png")),
        ("-my picture.png", Map("-my picture.png")),
        ("", None),
        ("-s 2 2 2", Map("2", (2, 2))),
        ("-clamp", Map("-clamp")),
    ],
)
def test_options_of_map_statements(text: str, expected: Map | None) -> None:
    assert read_map(text) == expected


def test_scale_and_offset_move_the_picture_and_the_rest_is_noted(tmp_path: Path) -> None:
    text = f"mtllib a.mtl\n{SQUARE}usemtl m\n{FACES}"
    obj = load(
        tmp_path,
        text,
        **{"a.mtl": "newmtl m\nmap_Kd -s 2 4 1 -o 0.5 0.25 0 -clamp on t.png\n", "t.png": png()},
    )
    back = np.c_[obj.vertices, np.ones(len(obj.vertices))] @ np.linalg.inv(obj.transform).T
    np.testing.assert_allclose(obj.uvs, np.c_[back[:, 0] * 2 + 0.5, 1 - (back[:, 1] * 4 + 0.25)], atol=1e-5)
    assert obj.notes == {"option-clamp": 1}


def test_what_is_not_there_is_noted(tmp_path: Path) -> None:
    text = f"mtllib a.mtl\nmtllib gone.mtl\n{SQUARE}usemtl m\n{FACES}usemtl other\n{FACES}"
    obj = load(tmp_path, text, **{"a.mtl": "newmtl m\nKd 1 0 0\nmap_d holes.png\n"})
    assert obj.notes == {"library-missing": 1, "material-missing": 1, "mask-ignored": 1}
    with pytest.raises(ObjectError, match="neither a texture"):
        load(tmp_path / "b", f"{SQUARE}usemtl m\n{FACES}")
    with pytest.raises(ObjectError, match=r"names 't\.png', which is not there"):
        load(tmp_path / "c", text, **{"a.mtl": "newmtl m\nmap_Kd t.png\n"})


@pytest.mark.parametrize("line", ["v 1,5 0 0", "vt 0,5 0,5", "f 1 2 x", "v 1 2", "f 1.5 2 3"])
def test_what_cannot_be_read_is_shown(tmp_path: Path, line: str) -> None:
    with pytest.raises(ObjectError) as caught:
        load(tmp_path, f"{SQUARE}{line}\nf 1 2 3\n")
    assert caught.value.reason == "broken" and line in caught.value.problem
    assert ("decimal commas" in caught.value.problem) == ("," in line)


@given(st.text(alphabet="ab #\"' ", max_size=10))
def test_the_name_as_it_stands_is_always_tried_first(name: str) -> None:
    assert spellings(name)[0] == name and len(spellings(name)) <= 3
