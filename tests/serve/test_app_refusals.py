"""Requests that are refused."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from tests.images.pictures import png_header
from tests.serve.conftest import UPLOAD
from tests.serve.live import Post


def bad_pictures() -> dict[str, bytes]:
    buffers = {name: io.BytesIO() for name in ("tiny", "clear", "flat")}
    Image.new("RGB", (1, 1)).save(buffers["tiny"], "PNG")
    Image.new("RGBA", (64, 64), (9, 9, 9, 0)).save(buffers["clear"], "PNG")
    Image.new("RGB", (64, 64), (200, 10, 10)).save(buffers["flat"], "PNG")
    return {
        "empty": b"",
        "text": b"no picture" * 10,
        "bomb": png_header(30_000, 30_000),
        **{k: v.getvalue() for k, v in buffers.items()},
    }


@pytest.mark.parametrize("name", ["empty", "text", "bomb", "tiny", "clear", "flat"])
def test_bad_pictures(post: Post, name: str) -> None:
    answer = post(bad_pictures()[name])
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["type"] == "InputImageError" and error["problem"] and error["remedy"]


@pytest.mark.parametrize(
    "fields", [{"faces": 3}, {"texture_size": 10**6}, {"seed": -1}, {"seed": "x"}, {"format": "max"}]
)
def test_bad_fields(post: Post, picture: bytes, fields: dict) -> None:
    answer = post(picture, **fields)
    assert answer.status_code == 422 and answer.json()["error"]["problem"]


def test_a_missing_picture_and_an_unknown_route(client: TestClient) -> None:
    assert (
        client.post("/api/v1/mesh", files={"seed": (None, "1")})
        .json()["error"]["problem"]
        .startswith("picture")
    )
    assert client.get("/nothing").status_code == 404 and "error" in client.get("/nothing").json()


def test_large_bodies_are_refused(client: TestClient, post: Post) -> None:
    answer = post(b"x" * (UPLOAD + 1))
    assert answer.status_code == 413 and "2 MiB" in answer.json()["error"]["problem"]

    def endless() -> Iterator[bytes]:  # no declared length
        head = b'--b\r\nContent-Disposition: form-data; name="picture"; filename="p"\r\n\r\n'
        yield head
        for _ in range(64):
            yield b"x" * 2**16

    answer = client.post(
        "/api/v1/mesh", content=endless(), headers={"Content-Type": "multipart/form-data; boundary=b"}
    )
    assert answer.status_code == 413


def test_a_field_that_is_unknown_or_given_twice_is_not_passed_over(
    client: TestClient, post: Post, picture: bytes
) -> None:
    answer = post(picture, textur_size=64)
    assert answer.status_code == 422 and "textur_size" in answer.text and "texture_size" in answer.text
    twice = [("picture", ("p", picture)), ("seed", (None, "1")), ("seed", (None, "2"))]
    answer = client.post("/api/v1/mesh", files=twice)
    assert answer.status_code == 422 and "more than once" in answer.text


def test_more_pixels_than_the_server_takes_are_refused_by_its_worker(post: Post) -> None:
    buffer = io.BytesIO()
    Image.new("L", (1200, 1000)).save(buffer, "PNG")
    answer = post(buffer.getvalue())
    assert answer.status_code == 422 and "1200000 pixels" in answer.text and "--max-pixels" in answer.text


@pytest.mark.parametrize(
    "fields, option", [({"texture_size": 1024}, "--max-texture"), ({"faces": 200_000}, "--max-faces")]
)
def test_a_refused_cost_names_the_limit(post: Post, picture: bytes, fields: dict, option: str) -> None:
    answer = post(picture, **fields)
    assert answer.status_code == 422 and option in answer.text
