"""Pictures of the mesh of a picture, over the interface."""

from __future__ import annotations

import io
import json
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image

from geco.marks import find_mark
from tests.serve.live import Post

SMALL = {"resolution": 24, "texture_size": 64}


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def test_a_still_picture_shows_the_mesh_from_the_side_that_is_asked_for(post: Post, picture: bytes) -> None:
    front = post(picture, "still", side=96, **SMALL)
    assert front.status_code == 200, front.text
    assert front.headers["content-type"] == "image/png" and front.headers["x-geco-seed"] == "0"
    assert json.loads(front.headers["x-geco-facts"])["faces"] > 100
    seen = np.asarray(opened(front.content).convert("RGB"))
    assert seen.shape == (96, 96, 3) and (seen[0, 0] == 255).all() and (seen[48, 48] < 250).any()
    mark = find_mark(front.content)
    assert mark is not None and mark.made == "still"
    again = post(picture, "still", side=96, **SMALL)
    behind = post(picture, "still", side=96, azimuth=180, elevation=-20, **SMALL)
    assert again.content == front.content != behind.content


@pytest.mark.parametrize(("format", "size"), [("gif", (64, 64)), ("png", (256, 128)), ("mp4", None)])
def test_a_turntable_turns(post: Post, picture: bytes, format: str, size: tuple[int, int] | None) -> None:
    answer = post(picture, "turntable", side=64, format=format, vertex_colors=True, resolution=24)
    if size is None:  # the worker of these tests has no folder for temporary files (misbehave.load)
        assert answer.status_code == (507 if find_spec("imageio_ffmpeg") else 501), answer.text
        return
    assert answer.status_code == 200, answer.text
    made = opened(answer.content)
    assert made.size == size and getattr(made, "n_frames", 1) == (48 if format == "gif" else 1)


def test_what_a_picture_has_not_is_refused(post: Post, picture: bytes) -> None:
    assert post(picture, "still", size=1).status_code == 422, "metres are of files"
    for wrong in ({"side": 2000}, {"elevation": 91}, {"azimuth": "nan"}):
        assert post(picture, "still", **wrong).status_code == 422
    assert post(picture, "turntable", format="webp").status_code == 422
