"""Several meshes in one archive: samples of a picture, and an archive of pictures, whatever is in it."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from geco.serve import Limits
from geco.serve.archive import MOST_ENTRIES, Pictures
from geco.serve.errors import Refusal
from geco.serve.jobs import Made, pixels_of
from tests.serve.conftest import UPLOAD
from tests.serve.live import Post
from tests.serve.misbehave import SEGFAULT

SMALL = {"resolution": "24", "texture_size": "64"}
Send = Callable[..., Any]


@pytest.fixture
def send(client: TestClient) -> Send:
    """send(data, **fields): an archive of pictures."""

    def post(data: bytes, **fields: object) -> Any:
        form = {**SMALL, **{key: str(value) for key, value in fields.items()}}
        return client.post("/api/v1/batch", files={"pictures": ("p.zip", data)}, data=form)

    return post


def packed(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def unpacked(answer: Any) -> tuple[dict[str, bytes], dict[str, Any]]:
    """The files of an archive in the answer, and its manifest."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        files = {name: archive.read(name) for name in archive.namelist()}
    assert list(files)[-1] == "manifest.json"
    return files, json.loads(files.pop("manifest.json"))


def test_samples_are_an_archive_of_what_each_seed_gives_alone(post: Post, picture: bytes) -> None:
    asked = {"resolution": 24, "texture_size": 64}
    answer = post(picture, samples=3, seed=5, **asked)
    files, manifest = unpacked(answer)
    assert list(files) == [f"p-seed{seed}.glb" for seed in (5, 6, 7)]
    assert answer.headers["x-geco-seed"] == "5"
    assert files["p-seed6.glb"] == post(picture, seed=6, **asked).content
    assert [row["seed"] for row in manifest["results"]] == [5, 6, 7] and manifest["failures"] == []
    assert manifest["model"] == "small" and manifest["results"][0]["facts"]["faces"] > 100
    assert post(picture, samples=2, seed=2**32 - 1).status_code == 422
    assert post(picture, samples=17).status_code == 422
    assert post(b"no picture", samples=3).status_code == 422, "an error, not an archive of errors"


def test_a_sample_that_fails_stands_in_the_manifest(post: Post, picture: bytes) -> None:
    files, manifest = unpacked(post(picture, samples=2, seed=SEGFAULT - 1, resolution=24, texture_size=64))
    assert list(files) == [f"p-seed{SEGFAULT - 1}.glb"]
    (failure,) = manifest["failures"]
    assert (failure["picture"], failure["seed"], failure["error"]["type"]) == (
        "picture",
        SEGFAULT,
        "WorkerDied",
    )


def test_an_archive_of_pictures_gives_their_meshes_and_says_what_became_of_each(
    send: Send, post: Post, picture: bytes
) -> None:
    data = packed(
        {
            "a/mug.png": picture,
            "b/mug.PNG": picture,
            "broken.jpg": b"\xff\xd8\xff and no more",
            "../../x\n.png": picture,
            "notes.txt": b"hello",
            "__MACOSX/a/._mug.png": b"x",
            "empty/": b"",
        }
    )
    files, manifest = unpacked(send(data, format="ply"))
    assert list(files) == ["mug.ply", "mug-2.ply", "x.ply"]
    alone = post(picture, format="ply", resolution=24, texture_size=64).content
    assert len(files["mug.ply"]) == pytest.approx(len(alone), rel=0.01)
    assert [row["picture"] for row in manifest["results"]] == ["a/mug.png", "b/mug.PNG", "../../x\n.png"]
    (failure,) = manifest["failures"]
    assert failure["picture"] == "broken.jpg" and failure["error"]["type"] == "InputImageError"
    assert manifest["skipped"] == [{"name": "notes.txt", "why": "no picture by its name"}]
    assert files == unpacked(send(data, format="ply"))[0]


def test_several_samples_and_files_of_each_picture(send: Send, picture: bytes) -> None:
    files, manifest = unpacked(send(packed({"mug.png": picture}), samples=2, format="obj"))
    assert {name.partition("/")[0] for name in files} == {"mug-seed0", "mug-seed1"} and len(files) == 6
    assert manifest["results"][1]["files"] == [name for name in files if name.startswith("mug-seed1/")]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"no archive", "no whole zip"),
        (packed({"a.txt": b""}), "no picture"),
        (packed({f"{n}.png": b"" for n in range(101)}), "--max-batch"),
        (packed({f"{n}.png": bytes(UPLOAD) for n in range(5)}), "when unpacked"),
        (b"PK\x01\x02" * (MOST_ENTRIES + 1), "entries"),
    ],
    ids=["no archive", "no picture", "many", "bomb", "entries"],
)
def test_an_archive_that_is_none_or_too_much_is_refused(send: Send, data: bytes, said: str) -> None:
    answer = send(data)
    assert answer.status_code == 422
    assert said in answer.json()["error"]["problem"] + answer.json()["error"]["remedy"]


def test_a_picture_that_cannot_be_unpacked_fails_alone(picture: bytes) -> None:
    whole = packed({"a.png": picture}, zipfile.ZIP_STORED)
    damaged = whole.replace(picture[40:60], bytes(20), 1)
    locked = bytearray(whole)
    locked[whole.rindex(b"PK\x01\x02") + 8] |= 1
    large = packed({"a.png": bytes(UPLOAD + 1)})
    limits = Limits(upload=UPLOAD)
    for data, said in (
        (damaged, "damaged"),
        (bytes(locked), "encrypted"),
        (packed({"a.png": picture}, zipfile.ZIP_LZMA), "deflate"),
        (large, "the most"),
    ):
        pictures = Pictures(io.BytesIO(data), limits)
        with pytest.raises(Refusal, match=said):
            pictures.read("a.png")
    assert Pictures(io.BytesIO(whole), limits).read("a.png") == picture


def test_the_pixels_of_all_pictures_together_are_bounded(picture: bytes) -> None:
    assert pixels_of(picture) == 160 * 160
    made = Made(b"", "mesh.glb", 0, "small", {}, "{}", pixels=pixels_of(picture))
    pictures = Pictures(io.BytesIO(packed({"a.png": picture})), Limits(batch_pixels=40_000))
    pictures.count(made)
    assert pictures.read("a.png") == picture
    pictures.count(made)
    with pytest.raises(Refusal, match="more pixels"):
        pictures.read("a.png")


def test_a_directory_that_lies_about_a_size_does_not_unpack_more() -> None:
    bomb = bytearray(packed({"a.png": bytes(UPLOAD)}))
    place = bomb.rindex(b"PK\x01\x02") + 24
    bomb[place : place + 4] = (1000).to_bytes(4, "little")
    with pytest.raises(Refusal, match="damaged"):
        Pictures(io.BytesIO(bomb), Limits()).read("a.png")
