"""Arrays and a caller's own images."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from geco.errors import InputImageError
from geco.images import load_picture
from tests.cli_command import SOURCE
from tests.images.pictures import CASES, file_of, object_picture, scene


@pytest.mark.parametrize(
    "dtype",
    [
        "uint8",
        "uint16",
        ">u2",
        "bool",
        "float16",
        "float32",
        "float64",
        ">f4",
        "int32",
        "int64",
        "complex64",
        "O",
    ],
)
@pytest.mark.parametrize(
    "shape",
    [
        (40, 40),
        (40, 40, 3),
        (40, 40, 4),
        (1100, 900),
        (700, 1100, 4),
        (0, 0, 3),
        (40, 0),
        (5, 40, 3),
        (1, 2, 3, 4),
        (),
    ],
)
def test_arrays_of_every_type_and_shape(dtype: str, shape: tuple[int, ...]) -> None:
    unit = np.random.default_rng(0).random(shape)
    array = np.asarray(unit * {"uint8": 255, "uint16": 65535, ">u2": 65535}.get(dtype, 1)).astype(dtype)
    try:
        picture = load_picture(array)
    except InputImageError as error:
        assert error.remedy
    else:
        assert picture.rgba.dtype == np.float32 and max(picture.rgba.shape) <= 1024


def test_a_caller_s_image_is_neither_decoded_nor_changed() -> None:
    for format in ("PNG", "JPEG", "TIFF", "GIF"):
        data = file_of(object_picture(200).resize((1600, 1600)).convert("RGB"), format)
        given_image = Image.open(io.BytesIO(data))
        before = (given_image.size, given_image.mode, list(given_image.tile), given_image.fp.tell())
        np.testing.assert_array_equal(load_picture(given_image).rgba, load_picture(data).rgba)
        assert (given_image.size, given_image.mode, list(given_image.tile), given_image.fp.tell()) == before
        given_image.load()
        assert given_image.size == (1600, 1600)


def test_an_image_at_another_frame_is_read_there() -> None:
    data = file_of(
        Image.new("RGB", (64, 64), "blue"),
        "GIF",
        save_all=True,
        append_images=[object_picture(64).convert("RGB")],
    )
    animation = Image.open(io.BytesIO(data))
    with pytest.raises(InputImageError, match="one single colour"):
        load_picture(animation)
    animation.seek(1)
    assert load_picture(animation).rgba.shape == (64, 64, 4) and animation.tell() == 1


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux for the peak")
@pytest.mark.parametrize(
    ("what", "most"), [("picture-16bit-grey.png", 400), ("float.tif", 400), ("palette.png", 220)]
)
def test_a_large_picture_needs_memory_for_what_is_kept(what: str, most: int, tmp_path: Path) -> None:
    path = CASES / what
    if what == "float.tif":
        path = tmp_path / what
        Image.fromarray(np.tile(np.linspace(0, 1, 4000, dtype=np.float32), (4000, 1))).save(path)
    elif what == "palette.png":
        path = tmp_path / what
        scene(70, 70).quantize(8).resize((4000, 4000)).save(path, transparency=0, compress_level=1)
    # VmHWM, not ru_maxrss: that one of a new process begins with its parent's.
    code = """
import re, sys
from geco.images import load_picture
load_picture(sys.argv[1])
print(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1])
"""
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    done = subprocess.run(
        [sys.executable, "-c", code, path], env=environment, capture_output=True, text=True, check=True
    )
    # MB, of which Python, numpy and Pillow take 35, and the file and the decoded picture 100 (49 megapixels
    # of two bytes), 128 (16 of four), 16 (of one). Before, three to five times as much.
    assert int(done.stdout) < most * 1000
