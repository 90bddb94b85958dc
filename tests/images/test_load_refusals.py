"""Pictures that are refused, each with what to do about it."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from geco.errors import InputImageError
from geco.images import load_picture
from geco.images.load import MAX_BYTES, MIN_SIDE
from tests.images.pictures import file_of as saved
from tests.images.pictures import png_header, scene


def bad(data: bytes, tmp_path: Path, name: str = "bad.png") -> str:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(InputImageError) as caught:
        load_picture(path)
    assert str(path) in caught.value.problem and caught.value.remedy and "\n" not in str(caught.value)
    with pytest.raises(InputImageError):
        load_picture(data)
    return str(caught.value)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(InputImageError, match="does not exist"):
        load_picture(tmp_path / "none.png")
    with pytest.raises(InputImageError, match="folder"):
        load_picture(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputImageError, match="cannot be read"):
        load_picture(tmp_path / "file" / "below.png")


def test_bad_files(tmp_path: Path) -> None:
    assert "empty" in bad(b"", tmp_path)
    assert "holds text" in bad(b"<html>not found</html>" * 20, tmp_path)
    assert "HEIC" in bad(b"\0\0\0\x18ftypheic" + b"\0" * 100, tmp_path, "x.heic")
    assert "SVG" in bad(b"<svg xmlns='x'></svg>", tmp_path, "x.svg")
    assert "damaged" in bad(saved(scene(200, 200), "JPEG")[:2500], tmp_path, "x.jpg")
    assert "damaged" in bad(saved(scene(200, 200), "PNG", compress_level=0)[:1500], tmp_path)
    assert "too small" in bad(saved(scene(1, 1)), tmp_path)
    assert "too small" in bad(saved(scene(MIN_SIDE - 1, 100)), tmp_path)
    assert "too narrow" in bad(saved(scene(4000, 20)), tmp_path)


@pytest.mark.parametrize("side", [8001, 10_000, 30_000, 2**31 - 1])
def test_bombs_are_refused_from_their_header(
    side: int, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    started = time.process_time()
    assert "too large" in bad(png_header(side, side), tmp_path)
    assert time.process_time() - started < 0.5
    assert not recwarn.list


@pytest.mark.parametrize("cut", range(60, 900, 60))
def test_no_truncation_escapes_as_another_error(cut: int) -> None:
    for data in (
        saved(scene(), "PNG"),
        saved(scene(), "GIF"),
        saved(scene(), "TIFF"),
        saved(scene(), "WEBP"),
        saved(scene(), "BMP"),
    ):
        if cut < len(data) - 20:
            try:
                load_picture(data[:cut])
            except InputImageError as error:
                assert error.remedy


def test_huge_files_are_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)  # a sparse file
    with pytest.raises(InputImageError, match="too large"):
        load_picture(path)


def test_nothing_to_see(tmp_path: Path) -> None:
    hidden = scene(40, 40).convert("RGBA")
    hidden.putalpha(0)
    assert "fully transparent" in bad(saved(hidden), tmp_path)
    assert "one single colour" in bad(saved(Image.new("RGB", (64, 64), (20, 90, 200))), tmp_path)
    silhouette = Image.new("RGBA", (40, 40))
    silhouette.paste((9, 9, 9, 255), (10, 10, 30, 30))
    assert load_picture(saved(silhouette)).has_alpha


def test_bad_arrays() -> None:
    for array in (
        np.zeros((20, 20, 5)),
        np.zeros(20),
        np.full((20, 20), 7.0),
        np.full((20, 20), np.nan),
        np.zeros((20, 20), complex),
    ):
        with pytest.raises(InputImageError):
            load_picture(array)
