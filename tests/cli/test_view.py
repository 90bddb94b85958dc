"""`geco view`: a mesh to this machine's browser, and to nobody else's."""

from __future__ import annotations

import http.client
import io
import json
import os
import re
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from geco.cli.main import main
from geco.data.objects import load_object
from geco.errors import ConfigError, MeshError
from geco.mesh.export.glb import encode_glb
from geco.mesh.export.images import TEXTURE_FORMATS
from geco.mesh.export.metadata import About
from geco.mesh.types import Mesh
from geco.serve.viewed import as_glb
from geco.serve.viewing import Viewing

CUBE = """mtllib cube.mtl
v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nv 0 0 1\nv 1 0 1\nv 1 1 1\nv 0 1 1
vt 0 0\nvt 1 0\nvt 1 1
usemtl red
f 1/1 4/2 3/3\nf 1/1 3/2 2/3\nf 5/1 6/2 7/3\nf 5/1 7/2 8/3\nf 1/1 2/2 6/3\nf 1/1 6/2 5/3
usemtl picture
f 3/1 4/2 8/3\nf 3/1 8/2 7/3\nf 2/1 3/2 7/3\nf 2/1 7/2 6/3\nf 1/1 5/2 8/3\nf 1/1 8/2 4/3
"""


@pytest.fixture
def glb(tmp_path: Path) -> Path:
    corners = np.float32([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    mesh = Mesh(corners, np.int32([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]))
    path = tmp_path / "toy.glb"
    path.write_bytes(encode_glb(mesh, About(), TEXTURE_FORMATS["jpeg"], None))
    return path


@pytest.fixture
def cube(tmp_path: Path) -> Path:
    (tmp_path / "cube.obj").write_text(CUBE)
    (tmp_path / "cube.mtl").write_text("newmtl red\nKd 1 0 0\nnewmtl picture\nmap_Kd blue.png\n")
    Image.new("RGB", (4, 4), (0, 0, 255)).save(tmp_path / "blue.png")
    return tmp_path / "cube.obj"


@pytest.fixture
def viewing(glb: Path) -> Iterator[Viewing]:
    server = Viewing(as_glb(glb), glb.name)
    server.start()
    yield server
    server.shutdown()
    server.server_close()


def ask(server: Viewing, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=20)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    found = answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    connection.close()
    return found


def parts(data: bytes) -> tuple[dict[str, Any], bytes]:
    """The JSON and the binary chunk of a GLB."""
    length = struct.unpack_from("<I", data, 12)[0]
    return json.loads(data[20 : 20 + length]), data[28 + length :]


def test_a_glb_is_shown_byte_for_byte(viewing: Viewing, glb: Path) -> None:
    status, headers, body = ask(viewing, "/file.glb")
    assert status == 200 and body == glb.read_bytes() and headers["content-type"] == "model/gltf-binary"
    assert json.loads(ask(viewing, "/about.json")[2])["name"] == "toy.glb"
    status, headers, body = ask(viewing, "/")
    assert b"view.js" in body and headers["content-security-policy"].startswith("default-src 'none'")
    for needed in (
        "/view.js",
        "/viewer.js",
        "/api.js",
        "/page.css",
        "/icon.svg",
        "/vendor/model-viewer.min.js",
    ):
        assert ask(viewing, needed)[0] == 200, needed
    assert ask(viewing, "/file.glb", "HEAD")[2] == b""


def test_only_this_machine_can_ask_and_only_for_what_the_viewer_needs(viewing: Viewing) -> None:
    assert viewing.server_address[0] == "127.0.0.1"
    assert ask(viewing, "/file.glb", Host="evil.example")[0] == 421
    assert ask(viewing, "/", Host=f"localhost:{viewing.server_address[1]}")[0] == 200
    for path in ("/../../etc/passwd", "/main.js", "/index.html", "/%2e%2e/x"):
        assert ask(viewing, path)[0] == 404, path
    assert ask(viewing, "/", "POST")[0] == 501


def test_other_formats_become_a_glb_with_their_materials(cube: Path) -> None:
    document, binary = parts(as_glb(cube))
    (mesh,) = document["meshes"]
    assert len(mesh["primitives"]) == 2 and len(document["materials"]) == 2
    counts = [document["accessors"][part["indices"]]["count"] for part in mesh["primitives"]]
    assert counts == [18, 18]
    colours = set()
    for image in document["images"]:
        view = document["bufferViews"][image["bufferView"]]
        data = binary[view["byteOffset"] :][: view["byteLength"]]
        colours.add(Image.open(io.BytesIO(data)).convert("RGB").getpixel((0, 0)))
    assert (0, 0, 255) in colours


def test_what_is_made_of_another_format_reads_back_as_the_same_shape(cube: Path, tmp_path: Path) -> None:
    (tmp_path / "made.glb").write_bytes(as_glb(cube))
    first, second = load_object(cube), load_object(tmp_path / "made.glb")
    assert len(first.faces) == len(second.faces) == 12

    def corners(shape: Any) -> Any:
        return sorted(shape.vertices[shape.faces].reshape(-1, 3).round(4).tolist())

    assert corners(first) == corners(second)


def test_what_cannot_be_shown_is_refused_with_a_remedy(tmp_path: Path, glb: Path) -> None:
    (tmp_path / "a.usdz").write_bytes(b"PK")
    (tmp_path / "text.glb").write_text("hello")
    document, binary = parts(glb.read_bytes())
    document["extensionsRequired"] = ["KHR_draco_mesh_compression"]
    packed = json.dumps(document).encode()
    packed += b" " * (-len(packed) % 4)
    head = struct.pack("<4sII", b"glTF", 2, 28 + len(packed) + len(binary))
    chunk = struct.pack("<I4s", len(packed), b"JSON") + packed
    (tmp_path / "draco.glb").write_bytes(head + chunk + struct.pack("<I4s", len(binary), b"BIN\0") + binary)
    for name, said in (("a.usdz", "not shown"), ("text.glb", "no GLB"), ("draco.glb", "compressed")):
        with pytest.raises(MeshError, match=said) as caught:
            as_glb(tmp_path / name)
        assert name in caught.value.problem and caught.value.remedy
    assert main(["view", str(tmp_path / "nothing.glb"), "--no-browser"]) == 2


def test_a_port_that_is_taken_is_said_in_one_line(viewing: Viewing, glb: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be had"):
        Viewing(b"", "toy.glb", viewing.server_address[1])
    assert main(["view", str(glb), "--no-browser", "--port", "99999"]) == 2


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")
def test_the_command_prints_its_address_and_ends_with_ctrl_c(glb: Path) -> None:
    command = [sys.executable, "-m", "geco.cli.main", "view", str(glb), "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\n", process.stdout.readline())
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
