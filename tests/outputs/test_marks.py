"""Whatever GECO writes says so and from what, and what others wrote is never taken for ours."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from geco.errors import OutputError
from geco.images.write import FORMATS, save_picture
from geco.marks import WINDOW, Mark, Source, digest_of, find_mark, mark_text, read_mark
from tests.cases import BUGS, HOSTILE

NAMES = st.text(st.characters(blacklist_characters="/\x00"), min_size=1, max_size=200)


@given(name=NAMES, data=st.binary(max_size=8), longest=st.integers(70, 900))
def test_a_mark_is_read_back_whatever_the_name(name: str, data: bytes, longest: int) -> None:
    source = Source(name, digest_of(data))
    text = mark_text("mesh", source, longest)
    assert len(text) <= longest and text.isascii() and not set(text) & set("\"'\\<>&\n")
    mark = find_mark(b'{"extras":{"mark":"' + text.encode() + b'","seed":0}}')
    assert mark is not None and mark.is_of(source) and mark.made == "mesh" and not mark.old
    assert not mark.is_of(Source(name, digest_of(data + b"x"))) and not mark.is_of(
        Source(name + "x", source.digest)
    )


def test_a_mark_without_a_picture_is_of_no_picture() -> None:
    mark = find_mark(mark_text("mesh").encode())
    assert (
        mark == Mark("mesh", "", "", mark.version)
        and not mark.names(Source())
        and not mark.names(Source("cat.png"))
    )


def test_names_are_compared_composed_because_file_systems_decompose_them() -> None:
    mark = find_mark(mark_text("mesh", Source("caf\u00e9.png", "0" * 16)).encode())
    assert mark is not None and mark.is_of(Source("cafe\u0301.png", "0" * 16))


def test_a_name_that_is_no_utf8_has_a_mark() -> None:
    source = Source(os.fsdecode(b"caf\xe9.png"), "0" * 16)
    mark = find_mark(mark_text("mesh", source).encode())
    assert mark is not None and mark.is_of(source) and not mark.names(Source("caf\u00e9.png"))


@pytest.mark.parametrize("suffix", FORMATS)
def test_pictures_carry_their_mark_in_every_format(suffix: str, tmp_path: Path) -> None:
    source = Source("my cat #1.png", "0123456789abcdef")
    noise = Image.effect_noise((400, 400), 90).convert("RGB")  # longer than the window at its beginning
    save_picture(noise, tmp_path / f"a{suffix}", mark_text("views", source))
    mark = read_mark(tmp_path / f"a{suffix}")
    assert mark is not None and mark.is_of(source) and mark.made == "views"
    with Image.open(tmp_path / f"a{suffix}") as back:
        assert back.size == (400, 400)


def test_the_mark_is_found_at_either_end_of_a_file_of_any_length(tmp_path: Path) -> None:
    text = mark_text("mesh", Source("cat.png", "0" * 16)).encode()
    for length in (
        0,
        10,
        WINDOW - 60,
        WINDOW,
        WINDOW + 1,
        WINDOW + 90,
        2 * WINDOW - 90,
        2 * WINDOW,
        5 * WINDOW,
    ):
        for data in (text + bytes(length), bytes(length) + text):
            (tmp_path / "a").write_bytes(data)
            assert read_mark(tmp_path / "a") is not None, length


def test_files_of_others_have_no_mark_and_nothing_is_waited_for(tmp_path: Path) -> None:
    for path in [
        *BUGS.rglob("*"),
        *HOSTILE.rglob("*"),
        tmp_path / "nowhere",
        Path("/dev/null"),
        tmp_path / "a\0b",
    ]:
        assert read_mark(path) is None, path
    os.mkfifo(tmp_path / "pipe")
    assert read_mark(tmp_path / "pipe") is None


@settings(max_examples=200)
@given(st.binary(max_size=300))
def test_no_bytes_make_the_reading_fail(data: bytes) -> None:
    find_mark(data)
    find_mark(b"made by GECO " + data)


def test_files_of_before_there_were_marks_are_ours_but_of_no_picture() -> None:
    starts = [
        b"# GECO 0.1.0\nmtllib a.mtl\n",
        b"ply\nformat binary_little_endian 1.0\ncomment GECO 0.1.0\n",
        b"GECO 0.1.0 binary STL, z up" + b" " * 53,
        b"glTF" + bytes(16) + b'{"asset":{"version":"2.0","generator":"GECO 0.1.0","extras":{}}}',
    ]
    for start in starts:
        mark = find_mark(start)
        assert mark is not None and mark.old and not mark.names(Source("a.png"))
        assert find_mark(b"x" + start) is None


def test_a_picture_of_an_unknown_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"\.png"):
        save_picture(Image.new("RGB", (4, 4)), tmp_path / "a.xyz", "")
    assert not list(tmp_path.iterdir())
