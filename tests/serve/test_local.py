"""The local protocol of Hunyuan3D's plug-ins, as its two Blender clients send it (see
tests/serve/test_blender_clients.py for the clients themselves).
"""

from __future__ import annotations

import base64
import time
from typing import Any

import pytest
from fastapi.testclient import TestClient

from geco.serve.local import OWN_SEED
from tests.serve.conftest import UPLOAD
from tests.serve.live import Post
from tests.serve.test_app import document

SENT = {"octree_resolution": 256, "num_inference_steps": 20, "guidance_scale": 5.5, "texture": False}
SMALL = {"resolution": 24, "texture_size": 64}


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_a_picture_in_base64_gives_what_a_form_gives(client: TestClient, post: Post, picture: bytes) -> None:
    answer = client.post("/generate", json={"image": encoded(picture), **SENT, **SMALL})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "model/gltf-binary"
    assert answer.headers["x-geco-seed"] == str(OWN_SEED)
    assert document(answer.content)["images"], "a texture, whatever they ask"
    form = {"seed": 7, "faces": 500, "format": "ply", **SMALL}
    asked = {
        "image": f"data:image/png;base64,{encoded(picture)}",
        "seed": 7,
        "face_count": 500,
        "type": "ply",
    }
    # Their heads differ: a picture in base64 has no file whose name the mesh could carry.
    made = client.post("/generate", json={**asked, **SMALL}).content.partition(b"end_header\n")
    assert made[2] and made[2] == post(picture, **form).content.partition(b"end_header\n")[2]


@pytest.mark.parametrize(
    ("asked", "kind", "said"),
    [
        ({"text": "a cat", **SENT}, "NoPicture", "a text alone is not enough"),
        ({"image": "", "text": ""}, "NoPicture", "a text alone is not enough"),
        ({"image": "aGFsbG8=", "mesh": "Z2xURg=="}, "NoPainting", "does not paint"),
        ({"image": "a cat!"}, "InvalidRequest", "no base64"),
        ({"image": "aGFsbG8="}, "InputImageError", "the uploaded picture"),
        ({"image": 7}, "InvalidRequest", "image"),
        ({"image": "aGFsbG8=", "type": "fbx"}, "InvalidRequest", "type"),
        ({"image": "aGFsbG8=", "texture_size": 4096}, "InvalidRequest", "--max-texture"),
        ({"image": "aGFsbG8=", "face_count": 3}, "InvalidRequest", "face_count"),
        (["image"], "InvalidRequest", "the body"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    client: TestClient, asked: Any, kind: str, said: str
) -> None:
    answer = client.post("/generate", json=asked)
    error = answer.json()["error"]
    assert (answer.status_code, error["type"]) == (422, kind)
    assert said in f"{error['problem']}. {error['remedy']}" and "\n" not in error["problem"]


def test_base64_is_a_third_larger_than_the_limit(client: TestClient, picture: bytes) -> None:
    large = picture + bytes(UPLOAD - len(picture))
    fits = client.post("/generate", json={"image": encoded(large), **SMALL})
    assert fits.status_code == 200, fits.text
    beyond = client.post("/generate", json={"image": encoded(large + bytes(2000)), **SMALL})
    assert beyond.status_code == 413 and beyond.json()["error"]["type"] == "TooLarge"
    body = {"image": encoded(large + bytes(10_000))}
    assert client.post("/generate", json=body).status_code == 413, "before it is read"


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, b'{"image": NaN}'])
def test_other_bodies_are_refused(client: TestClient, body: bytes) -> None:
    assert client.post("/generate", content=body).status_code == 422


def ended(client: TestClient, uid: str) -> dict[str, Any]:
    """The first status that is not processing."""
    for _ in range(600):
        answer = client.get(f"/status/{uid}")
        assert answer.status_code == 200, answer.text
        if answer.json()["status"] != "processing":
            return dict(answer.json())
        time.sleep(0.05)
    raise AssertionError("still processing")


def test_what_is_sent_is_made_while_nobody_waits(client: TestClient, picture: bytes) -> None:
    asked = {"image": encoded(picture), **SENT, **SMALL}
    sent = client.post("/send", json=asked)
    assert sent.status_code == 200, sent.text
    uid = sent.json()["uid"]
    status = ended(client, uid)
    assert status["status"] == "completed"
    made = base64.b64decode(status["model_base64"])
    assert made == client.post("/generate", json=asked).content
    assert client.get(f"/api/v1/jobs/{uid}").json()["state"] == "done"


def test_what_fails_has_failed_and_what_is_not_there_is_not_found(client: TestClient, picture: bytes) -> None:
    """In that server's own protocol both are processing for ever."""
    uid = client.post("/send", json={"image": encoded(b"no picture"), **SENT}).json()["uid"]
    status = ended(client, uid)
    assert status["status"] == "failed" and status["error"]["type"] == "InputImageError"
    assert client.get(f"/status/{'0' * 32}").status_code == 404
    assert client.get("/status/../healthz").status_code != 500
    assert client.post("/send", json={"text": "a cat"}).status_code == 422
