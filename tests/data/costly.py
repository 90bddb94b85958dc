"""Small files that ask for much work or memory."""

from __future__ import annotations

import base64
import io
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from tests.cases import HOSTILE
from tests.data.glb import GlbWriter, box
from tests.data.hostile import one_bit_png


def coloured() -> GlbWriter:
    writer = GlbWriter()
    writer.mesh(*box(), material=writer.material(factor=[1.0, 0, 0, 1]))
    return writer


def empty_accessors(path: Path) -> None:
    shutil.copy(HOSTILE / "objects-millions" / "millions.glb", path)


def empty_targets(path: Path) -> None:
    writer = coloured()
    writer.document["accessors"].append({"componentType": 5126, "count": 8, "type": "VEC3"})
    writer.document["meshes"][0]["primitives"][0]["targets"] = [{"POSITION": 2}] * 20_000
    writer.document["meshes"][0]["weights"] = [0.5] * 20_000
    many = {"componentType": 5126, "count": 14_000_000, "type": "VEC3"}
    writer.document["accessors"][0] = many
    writer.save(path)


def shared_targets(path: Path) -> None:
    writer = GlbWriter()
    rng = np.random.default_rng(0)
    vertices = rng.random((20_000, 3)).astype(np.float32)
    writer.mesh(vertices, np.arange(19_998).reshape(-1, 3), material=writer.material(factor=[1.0, 0, 0, 1]))
    writer.document["meshes"][0]["primitives"][0]["targets"] = [{"POSITION": 0}] * 20_000
    writer.document["meshes"][0]["weights"] = [0.5] * 20_000
    writer.save(path)


def sparse_copies(path: Path) -> None:
    writer = coloured()
    view = writer.view(np.zeros(1, np.uint32).tobytes())
    values = writer.view(np.ones(3, np.float32).tobytes())
    sparse = {
        "count": 1,
        "indices": {"bufferView": view, "componentType": 5125},
        "values": {"bufferView": values},
    }
    writer.document["accessors"][0] = {
        "componentType": 5126,
        "count": 3_900_000,
        "type": "VEC3",
        "sparse": sparse,
    }
    primitive = writer.document["meshes"][0]["primitives"][0]
    writer.document["meshes"][0]["primitives"] = [dict(primitive) for _ in range(3000)]
    writer.save(path)


def many_primitives(path: Path) -> None:
    writer = coloured()
    primitive = writer.document["meshes"][0]["primitives"][0]
    writer.document["meshes"][0]["primitives"] = [primitive] * 1000
    writer.document["nodes"] = [{"mesh": 0, "translation": [n, 0, 0]} for n in range(100)]
    writer.document["scenes"][0]["nodes"] = list(range(100))
    writer.save(path)


def skinned_instances(path: Path) -> None:
    writer = coloured()
    primitive = writer.document["meshes"][0]["primitives"][0]
    primitive["attributes"]["JOINTS_0"] = writer.accessor(np.zeros((8, 4), np.uint8), "VEC4")
    primitive["attributes"]["WEIGHTS_0"] = writer.accessor(np.ones((8, 4), np.float32), "VEC4")
    count = 20_000
    writer.document["skins"] = [{"joints": [0] * 50_000}]
    writer.document["nodes"] = [{"mesh": 0, "skin": 0} for _ in range(count)]
    writer.document["scenes"][0]["nodes"] = list(range(count))
    writer.save(path)


def many_pictures(path: Path) -> None:
    """One picture of 64 million pixels in 70 kB, named four times."""
    writer = GlbWriter()
    view = writer.view(one_bit_png(8000))
    writer.document.update(images=[{"bufferView": view}] * 4, textures=[{"source": n} for n in range(4)])
    for texture in range(4):
        writer.mesh(*box(), material=writer.material(texture))
    writer.save(path)


def wide_picture(path: Path) -> None:
    stream = io.BytesIO()
    Image.fromarray(np.full((8000, 8000), 30_000, np.uint16)).save(stream, "PNG")
    writer = GlbWriter()
    writer.document.update(images=[{"bufferView": writer.view(stream.getvalue())}], textures=[{"source": 0}])
    writer.mesh(*box(), material=writer.material(0))
    writer.save(path)


def data_uris(path: Path) -> None:
    writer = coloured()
    writer.encode()
    uri = "data:application/octet-stream;base64," + base64.b64encode(writer.binary).decode()
    writer.document["buffers"] = [{"byteLength": len(writer.binary), "uri": uri}] * 20_000
    for number, view in enumerate(writer.document["bufferViews"]):
        view["buffer"] = number * 1000
    path.write_text(json.dumps(writer.document))


def switching_materials(path: Path) -> None:
    lines = ["v 0 0 0", "v 1 0 0", "v 0 1 0", *(f"usemtl m{n % 19_000}\nf 1 2 3" for n in range(100_000))]
    path.write_text("mtllib a.mtl\n" + "\n".join(lines))
    path.with_name("a.mtl").write_text("".join(f"newmtl m{n}\nKd 1 0 0\n" for n in range(19_000)))


def endless_materials(path: Path) -> None:
    path.write_text(
        "v 0 0 0\nv 1 0 0\nv 0 1 0\n" + "\n".join(f"usemtl m{n}\nf 1 2 3" for n in range(100_000))
    )


def libraries(path: Path) -> None:
    shutil.copy(HOSTILE / "objects-libraries" / "libraries.zip", path)


def spelled_libraries(path: Path) -> None:
    """One library of 40,000 lines, named in many ways."""
    path.with_name("a.mtl").write_text("newmtl m\nKd 1 0 0\n" * 20_000)
    lines = [f"mtllib ./{'./' * (n % 60)}{'A' if n % 2 else 'a'}.mtl" for n in range(15_000)]
    path.write_text("\n".join([*lines, "v 0 0 0\nv 1 0 0\nv 0 1 0\nusemtl m\nf 1 2 3\n"]))


def zipped(name: str, pieces: Callable[[], list[bytes]]) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open(name, "w") as entry:
            for piece in pieces():
                entry.write(piece)

    return make


def big_polygons() -> list[bytes]:
    corner = b" 1 2 3" * 100_000
    return [b"v 0 0 0 1 0 0\nv 1 0 0 1 0 0\nv 0 1 0 1 0 0\n", *[b"f" + corner + b"\n"] * 18]


def negative_indices() -> list[bytes]:
    return [b"v 0 0 0 1 0 0\nv 1 0 0 1 0 0\nv 0 1 0 1 0 0\nf -1 -2 -3\n" * 10_000] * 10


def ply_lists(path: Path) -> None:
    head = (
        "ply\nformat binary_little_endian 1.0\nelement vertex 3\nproperty float x\nproperty float "
        "y\nproperty float z\n"
    )
    head += "element face 1\nproperty list uint int vertex_indices\nend_header\n"
    path.write_bytes(head.encode() + bytes(36) + b"\xff\xff\xff\x7f" + bytes(12))


def ply_nothings(path: Path) -> None:
    path.write_text(
        "ply\nformat ascii 1.0\nelement vertex 14000000\nelement face 4000000\nend_header\n0 0 0\n"
    )


def crowded_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(9_000):
            archive.writestr(f"{'d/' * (number % 60)}{number}.png", b"")
        names = "".join(f"mtllib {n}.mtl\n" for n in range(5000))
        archive.writestr("a.obj", names + "v 0 0 0 1 0 0\nv 1 0 0 1 0 0\nv 0 1 0 1 0 0\nf 1 2 3\n")


def bzip_bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive, archive.open("a.obj", "w") as entry:
        for _ in range(100):
            entry.write(b"#" + bytes(1 << 20))
