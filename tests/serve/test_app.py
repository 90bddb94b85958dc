"""The REST interface with the embedded model behind it."""

from __future__ import annotations

import base64
import io
import json
import shutil
import struct
import tempfile
import threading
import zipfile
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from geco.choices import choice
from geco.errors import ConfigError
from geco.loading import EMBEDDED
from geco.marks import Source, digest_of, find_mark
from geco.mesh.export import FORMATS
from geco.sampling import Steering
from geco.serve import Limits, Settings, _load, create_app
from geco.serve.fields import over
from geco.serve.jobs import MEDIA_TYPES, MeshTask
from geco.serve.within import within
from tests.serve.conftest import UPLOAD
from tests.serve.live import Post


def document(data: bytes) -> dict:
    """The JSON of a GLB."""
    magic, version, length, json_length, kind = struct.unpack("<4sIII4s", data[:20])
    assert (magic, version, length, kind) == (b"glTF", 2, len(data), b"JSON")
    return json.loads(data[20 : 20 + json_length])


def test_health(client: TestClient) -> None:
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert (
        answer.json()["status"] == "ok"
        and answer.json()["model"] == "small"
        and answer.json()["pending"] == 0
    )


def test_a_picture_gives_a_glb(post: Post, picture: bytes) -> None:
    answer = post(picture, seed=7, faces=2000, texture_size=256)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "model/gltf-binary"
    assert answer.headers["x-geco-seed"] == "7" and answer.headers["x-geco-model"] == "small"
    assert json.loads(answer.headers["x-geco-timings"])["total"] > 0
    gltf = document(answer.content)
    assert gltf["asset"]["extras"]["seed"] == 7
    part = gltf["meshes"][0]["primitives"][0]
    assert "TEXCOORD_0" in part["attributes"]
    assert 0 < gltf["accessors"][part["indices"]]["count"] <= 3 * 2000


def test_the_same_seed_gives_the_same_mesh(post: Post, picture: bytes) -> None:
    def shape(seed: int) -> bytes:
        return post(picture, seed=seed, resolution=24, texture_size=64, format="stl").content

    assert shape(3) == shape(3) != shape(4)


def test_truncation_reaches_the_model(post: Post, picture: bytes) -> None:
    def views(seed: int, truncation: float) -> str:
        result = post(
            picture, "preview", seed=seed, truncation=truncation, resolution=24, texture_size=64
        ).json()
        return str(result["views"])

    assert views(3, 0) == views(4, 0)
    assert views(3, 1) != views(4, 1)
    assert post(picture, truncation=1.5).status_code == 422


def test_what_a_one_step_model_cannot_do_is_refused_with_the_remedy(post: Post, picture: bytes) -> None:
    refused = post(picture, steps=28)
    assert refused.status_code == 422 and "models/small/teacher" in refused.json()["error"]["remedy"]
    assert "one-step generator" in refused.json()["error"]["problem"]
    for fields in (
        {"steps": 76},
        {"steps": 0},
        {"guidance": 101},
        {"sampler": "heun"},
        {"reference": "blurred"},
    ):
        assert post(picture, **fields).status_code == 422
    assert "--max-steps" in post(picture, steps=76).json()["error"]["remedy"]
    made = post(
        picture, steps=1, guidance=1.5, reference="clean", resolution=24, vertex_colors=True, format="ply"
    )
    facts = json.loads(made.headers["X-Geco-Facts"])
    assert made.status_code == 200 and facts["sampling"]["guidance_scale"] == 1.5
    assert b"property uchar red" in made.content
    assert post(picture, vertex_colors=True, texture_size=64).status_code == 422


def test_the_server_s_own_way_is_taken_where_a_request_says_nothing() -> None:
    settings = Settings(Limits(steps=30, texture=2048), views=Steering(steps=28, guidance=2.0))
    asked = over({"steps": None, "guidance": 3.0}, settings)
    assert (asked["steps"], asked["guidance"], asked["sampler"]) == (28, 3.0, None)
    model = {"texture_size": 4096, "resolution": 64, "steps": 75}
    task = within(MeshTask(b"", values=asked), model, settings.limits)
    assert task.values["steps"] == 28 and task.values["texture_size"] == 2048
    own = within(MeshTask(b"", values={"vertex_colors": True}), model, settings.limits)
    assert own.values == {"vertex_colors": True, "steps": 30}
    with pytest.raises(ConfigError, match="more than this server's limit"):
        Settings(Limits(steps=20), views=Steering(steps=28))
    with pytest.raises(ConfigError, match="no size of memory"):
        Limits(max_memory="much")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (Settings(views=Steering(steps=28)), "one-step generator"),
        (Settings(Limits(max_memory="120MB")), "120MB of memory are too little"),
    ],
)
def test_a_server_that_no_request_could_use_does_not_start(settings: Settings, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        _load("small", None, settings)


def test_every_format_that_is_written_is_served() -> None:
    assert tuple(MEDIA_TYPES) == choice("format").values
    assert set(FORMATS) == {f".{format}" for format in MEDIA_TYPES}


def test_a_size_is_that_of_the_file(post: Post, picture: bytes) -> None:
    data = post(picture, format="stl", size=0.05, resolution=24, texture_size=64).content
    triangles = np.frombuffer(
        data[84:], np.dtype([("normal", "<3f4"), ("corners", "<9f4"), ("attribute", "<u2")])
    )
    corners = triangles["corners"].reshape(-1, 3)
    assert np.isclose(np.ptp(corners, axis=0).max(), 50, rtol=1e-3), "millimetres"
    for wrong in ("0", "-1", "nan", "inf", "1e9"):
        assert post(picture, size=wrong).status_code == 422


def test_without_a_folder_for_temporary_files_all_but_usdz_is_served(
    post: Post, picture: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker has none from its start (misbehave.load), the server itself from here on."""
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    large = picture + bytes(UPLOAD - len(picture) - 1000)  # more than forms usually keep in memory
    for format in ("glb", "obj", "usdz"):
        answer = post(large, format=format, resolution=24, texture_size=64)
        if format != "usdz":
            assert answer.status_code == 200, (format, answer.text)
        elif answer.status_code != 501:  # usd-core is not installed
            assert answer.status_code == 507 and answer.json()["error"]["type"] == "OutputError"


def test_the_same_request_gives_the_same_bytes(post: Post, picture: bytes) -> None:
    for format in ("glb", "obj"):
        first, second = (
            post(picture, seed=5, format=format, resolution=24, texture_size=64).content for _ in range(2)
        )
        assert first == second and len(first) > 1000, format


@pytest.mark.parametrize("format", ["ply", "stl", "3mf"])
def test_other_formats(post: Post, picture: bytes, format: str) -> None:
    answer = post(picture, format=format, resolution=24, texture_size=64)
    assert answer.status_code == 200 and f"p.{format}" in answer.headers["content-disposition"]
    assert answer.content.startswith({"ply": b"ply", "3mf": b"PK"}.get(format, b""))
    if format == "stl":
        assert len(answer.content) == 84 + 50 * struct.unpack_from("<I", answer.content, 80)[0]


def test_obj_comes_as_an_archive(post: Post, picture: bytes) -> None:
    answer = post(picture, format="obj", resolution=24, texture_size=64)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert {Path(name).suffix for name in archive.namelist()} >= {".obj", ".mtl"}
        assert len(archive.namelist()) == 3


@pytest.mark.parametrize(
    ("file", "saved", "stem"),
    [
        ("Grüner Becher.png", "utf-8''Gr%C3%BCner_Becher.glb", "Grüner_Becher"),
        ("../../etc/cat.v2.png", '"cat.v2.glb"', "cat.v2"),
        ("", '"mesh.glb"', "object"),
    ],
)
def test_a_mesh_is_called_as_its_picture(
    client: TestClient, picture: bytes, file: str, saved: str, stem: str
) -> None:
    boundary = "--b\r\nContent-Disposition: form-data; name="
    head = f'{boundary}"resolution"\r\n\r\n24\r\n{boundary}"texture_size"\r\n\r\n64\r\n'
    head += f'{boundary}"picture"; filename="{file}"\r\n\r\n'
    answer = client.post(
        "/api/v1/mesh",
        content=head.encode() + picture + b"\r\n--b--\r\n",
        headers={"Content-Type": "multipart/form-data; boundary=b"},
    )
    assert answer.status_code == 200
    assert answer.headers["content-disposition"].endswith(saved)
    length = int.from_bytes(answer.content[12:16], "little")
    scene = json.loads(answer.content[20 : 20 + length])
    assert scene["meshes"][0]["name"] == stem
    mark = find_mark(answer.content)
    assert mark is not None and mark.is_of(Source(PurePosixPath(file).name, digest_of(picture))) == bool(file)


def test_levels_and_a_collision_shape_come_as_an_archive(post: Post, picture: bytes) -> None:
    asked = {"lods": "400,200", "normal_map": True, "collision": True, "pivot": "base"}
    answer = post(picture, resolution=24, texture_size=64, **asked)
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.namelist() == ["p.glb", "p_LOD1.glb", "p_collision.glb"]
    shown = post(picture, route="preview", resolution=24, texture_size=64, **asked).json()
    assert base64.b64decode(shown["glb"])[:4] == b"glTF"
    for wrong in ({"lods": "400"}, {"lods": "9000000,100"}, {"normal_map": True}, {"compression": "zip"}):
        assert post(picture, **wrong).status_code == 422
    assert post(picture, lods="400,200", normal_map=True, format="stl").status_code == 422


def test_preview_has_what_the_page_shows(post: Post, picture: bytes) -> None:
    result = post(picture, "preview", seed=1, resolution=24, texture_size=64).json()
    gltf = document(base64.b64decode(result["glb"]))
    assert gltf["accessors"][gltf["meshes"][0]["primitives"][0]["indices"]]["count"] == 3 * result["faces"]
    views = Image.open(io.BytesIO(base64.b64decode(result["views"])))
    assert views.height * 2 == views.width * 3
    assert Image.open(io.BytesIO(base64.b64decode(result["picture"]))).mode == "RGBA"


def test_every_choice_reaches_the_mesh(post: Post, picture: bytes) -> None:
    """Each under the name that `geco run` has for it."""
    plain = {"resolution": 24, "texture_size": 64}
    facts = json.loads(post(picture, **plain).headers["X-Geco-Facts"])
    assert facts["outline_kept"] and facts["projected"]
    off = post(picture, **plain, outline="false", projection="false", watertight="true", cutout="plain")
    other = json.loads(off.headers["X-Geco-Facts"])
    assert not other["outline_kept"] and "projected" not in other and other["cutout"] == "plain"
    png = document(post(picture, **plain, texture_format="png").content)
    assert png["images"][0]["mimeType"] == "image/png"
    refused = post(picture, **plain, cutout="scissors")
    assert refused.status_code == 422 and "cutout" in refused.json()["error"]["problem"]


def test_requests_take_turns(client: TestClient, post: Post, picture: bytes) -> None:
    answers: list = []
    threads = [
        threading.Thread(
            target=lambda n=n: answers.append(post(picture, seed=n, resolution=24, texture_size=64))
        )
        for n in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.headers["x-geco-seed"] for answer in answers) == ["0", "1"]
    assert client.get("/healthz").json()["pending"] == 0


def test_the_models_own_sizes_are_lowered_to_the_limits() -> None:
    model = {"texture_size": 512, "resolution": 64, "steps": 1}
    small = within(MeshTask(b""), model, Limits(texture=256, resolution=32))
    assert small.values == {"texture_size": 256, "resolution": 32}
    asked = MeshTask(b"", values={"texture_size": 128})
    assert within(asked, model, Limits(texture=256)) == asked
    assert within(MeshTask(b""), model, Limits()) == MeshTask(b"")


def test_a_model_folder_of_any_name_is_told_by_its_name_and_never_by_its_path(
    tmp_path: Path, picture: bytes
) -> None:
    folder = tmp_path / "\u6a21\u578b 100%"
    shutil.copytree(EMBEDDED, folder)
    with TestClient(create_app(folder), base_url="http://localhost") as client:
        form = {"resolution": "24", "texture_size": "64"}
        answers = [
            client.post("/api/v1/mesh", files={"picture": ("p", picture)}, data={**form, "format": format})
            for format in ("glb", "ply")
        ]
        preview = client.post("/api/v1/preview", files={"picture": ("p", picture)}, data=form)
        health = client.get("/healthz")
    assert all(unquote(answer.headers["x-geco-model"]) == folder.name for answer in answers)
    assert preview.json()["model"] == health.json()["model"] == folder.name
    for answer in (*answers, preview, health):
        assert str(tmp_path).encode() not in answer.content + str(answer.headers).encode()
