"""OBJ with MTL, PLY, STL and archives by hand: statements shuffled, doubled, with tokens nobody expects."""

from __future__ import annotations

import io
import re
import struct
import warnings
import zipfile
from random import Random

from benchmarks.fuzzing.case import NUMBERS, choose, random_bytes
from benchmarks.fuzzing.pictures import picture_bytes

Files = dict[str, bytes]

SMALL_PICTURE = bytes.fromhex(  # PNG of 2 x 1 pixels
    "89504e470d0a1a0a0000000d49484452000000020000000108020000007b40e8dd0000000f49444154789c63"
    "382127c210750700072d0231f4f585970000000049454e44ae426082"
)

TOKENS = (
    "nan", "inf", "-inf", "1e999", "1e-999", "0", "-1", "1/1/1", "1//1", "/", "//", "-1/-1",
    "99999999999999999999", "0x10", "\\", "#", "1_0", "１", "é", "\0", "v", "f", '"', "-s", "1e30",
    "2147483648", "-2147483649", "1.5", "",
)  # fmt: skip
PLY_COLORED = ["x", "y", "z", "red", "green", "blue"]
NAMES = ("mat", "Material #25", "a b", "é模", "", " ", "#", "mat.001", "x" * 400, "[Color]#1", "tab\there")
LIBRARIES = ("model.mtl",) * 4 + ("a b.mtl", "tex/#1.mtl", "missing.mtl", "../model.mtl")
OPTIONS = (
    "-s 2 2 2",
    "-o 0.5 0 0",
    "-s 1",
    "-o",
    "-clamp on",
    "-mm 0 1",
    "-bm 0.5",
    "-s nan inf",
    "-blendu off -s 2",
    "-imfchan l",
    "-x",
)
TYPES = ("char", "uchar", "short", "int", "uint", "float", "double", "float32", "int64", "list", "")


def obj(rng: Random) -> Files:
    """An OBJ file, libraries and pictures beside it."""
    lines, materials = [], [rng.choice(NAMES) for _ in range(rng.randint(1, 4))]
    libraries = [rng.choice(LIBRARIES) for _ in range(rng.choice((1, 1, 2)))]
    lines += [f"mtllib {' '.join(libraries) if rng.random() < 0.3 else name}" for name in libraries]
    count = choose(rng, {0: 0.3, 3: 1, 8: 5, 30: 1})
    for _ in range(count):
        color = f" {rng.random():.2f} 0.5 1" if rng.random() < 0.2 else ""
        lines.append(f"v {rng.uniform(-1, 1):.4f} {rng.uniform(-1, 1):.4f} {rng.uniform(-1, 1):.4f}{color}")
    lines += [f"vt {rng.random():.3f} {rng.random():.3f}" for _ in range(count)]
    for number in range(choose(rng, {0: 0.3, 1: 1, 12: 5, 60: 1})):
        if number % 8 == 0:
            lines.append(f"usemtl {rng.choice(materials)}")
        corners = [
            rng.choice((1, 1, 1, -1)) * rng.randint(1, max(count, 1)) for _ in range(rng.choice((3, 3, 4, 6)))
        ]
        form = rng.choice(("{0}", "{0}/{0}", "{0}/{0}/{0}", "{0}//{0}"))
        lines.append("f " + " ".join(form.format(corner) for corner in corners))
    text = _disturbed(lines, rng)
    named = {name: _mtl(materials, rng) for name in libraries if not name.startswith(("missing", ".."))}
    return {"model.obj": text, **named, "tex.png": _picture(rng), "tex/a b.png": picture_bytes(rng)[0]}


def _picture(rng: Random) -> bytes:
    return picture_bytes(rng, drawn=0.8)[0] if rng.random() < 0.4 else SMALL_PICTURE


def _mtl(materials: list[str], rng: Random) -> bytes:
    lines = []
    for material in materials * rng.choice((1, 1, 50)):
        lines += [
            f"newmtl {material}",
            f"Kd {rng.random():.2f} {rng.random():.2f} {choose(rng, {'0.3': 8, '9': 1, '-1': 1, '': 0.2})}",
        ]
        if rng.random() < 0.6:
            option = rng.choice(OPTIONS) + " " if rng.random() < 0.4 else ""
            name = rng.choice(
                ("tex.png",) * 6
                + ("tex/a b.png", "TEX.PNG", "../tex.png", "/etc/passwd", "C:\\tex.png", "missing.png", "")
            )
            lines.append(f"{rng.choice(('map_Kd', 'map_d', 'map_Ka'))} {option}{name}")
        if rng.random() < 0.4:
            lines.append(
                f"{rng.choice(('d', 'Tr', 'illum', 'Ke', 'Ns'))} "
                f"{rng.choice(('0', '0.5', '1', 'nan', '0 0 0', ''))}"
            )
    return _disturbed(lines, rng)


def _disturbed(lines: list[str], rng: Random) -> bytes:
    """Lines with damage, joined as some editor might."""
    lines = list(lines)
    for _ in range(rng.choice((0, 0, 0, 0, 1, 1, 2, 6))):
        if not lines:
            break
        at, change = (
            rng.randrange(len(lines)),
            choose(rng, {"token": 4, "double": 1, "drop": 1, "swap": 1, "long": 0.3, "split": 1, "new": 1}),
        )
        if change == "token":
            words = lines[at].split(" ")
            words[rng.randrange(len(words))] = rng.choice(TOKENS)
            lines[at] = " ".join(words)
        elif change == "double":
            lines[at:at] = [lines[at]] * (rng.choice((1, 20, 3000)) if len(lines[at]) < 1000 else 1)
        elif change == "drop":
            del lines[at]
        elif change == "swap":
            other = rng.randrange(len(lines))
            lines[at], lines[other] = lines[other], lines[at]
        elif change == "long":
            lines[at] += " " + rng.choice(("1 ", "x")) * rng.choice((1000, 300_000, 1_100_000))
        elif change == "split":
            lines[at] = lines[at].replace(
                " ", rng.choice((" \\\n", "\t", "  ", "\r", "\u00a0")), rng.choice((1, 9))
            )
        else:
            lines[at:at] = [
                rng.choice(
                    (
                        "g x",
                        "s off",
                        "l 1 2",
                        "p 1",
                        "curv 0 1 1 2",
                        "call x.obj",
                        "sh a",
                        "\ufeff",
                        "# x",
                        "vp 1",
                        "f",
                    )
                )
            ]
    text = rng.choice(("\n",) * 8 + ("\r\n", "\r")).join(lines)
    return rng.choice(("", "", "", "\ufeff")).encode() + text.encode("utf-8", "surrogateescape")


def ply(rng: Random) -> Files:
    """A PLY file with properties and counts that may not be true."""
    form = choose(
        rng, {"ascii": 5, "binary_little_endian": 5, "binary_big_endian": 2, "ascii 2.0": 0.3, "": 0.3}
    )
    count, faces = rng.choice((3, 4, 8)), rng.choice((0, 1, 6, 6, 6))
    names = rng.choice(
        (["x", "y", "z"], PLY_COLORED, PLY_COLORED, PLY_COLORED, ["x", "y"], ["x", "y", "z", "s", "t"])
    )
    kinds = [
        ("uchar" if name in ("red", "green", "blue") else rng.choice(("float",) * 8 + ("double", "int")))
        for name in names
    ]
    head = ["ply", f"format {form} 1.0" if form else "format", "comment x"]
    head += [f"element vertex {count}", *(f"property {kind} {name}" for kind, name in zip(kinds, names))]
    listed = ("uchar", "int") if rng.random() < 0.8 else (rng.choice(TYPES), rng.choice(TYPES))
    head += [f"element face {faces}", f"property list {listed[0]} {listed[1]} vertex_indices"]
    for _ in range(rng.choice((0, 0, 0, 1, 2))):
        at = rng.randrange(1, len(head))
        words = head[at].split()
        words[rng.randrange(len(words))] = rng.choice(
            (*TYPES, *map(str, NUMBERS), "99999999999", "vertex", "face", "é", "list")
        )
        head[at] = " ".join(words)
        if rng.random() < 0.2:
            head[at:at] = [head[at]] * rng.choice((1, 500))
    rows = [
        " ".join(
            f"{rng.uniform(-1, 1):.3f}" if kind in ("float", "double") else str(rng.randrange(256))
            for kind in kinds
        )
        for _ in range(count)
    ]
    rows += ["3 " + " ".join(str(rng.randrange(count)) for _ in range(3)) for _ in range(faces)]
    body = (
        ("\n".join(rows) + "\n").encode()
        if form.startswith("ascii")
        else _binary(kinds, count, faces, form, rng)
    )
    return {"model.ply": ("\n".join([*head, "end_header"]) + "\n").encode("utf-8") + body}


def _binary(kinds: list[str], count: int, faces: int, form: str, rng: Random) -> bytes:
    order = ">" if "big" in form else "<"
    letters = {"uchar": "B", "float": "f", "double": "d", "int": "i"}
    rows = [struct.pack(order + letters[kind], rng.randrange(200)) for _ in range(count) for kind in kinds]
    return b"".join(rows) + b"".join(
        struct.pack(order + "B3i", 3, 0, 1, rng.randrange(count)) for _ in range(faces)
    )


def stl(rng: Random) -> Files:
    """Binary or text."""
    count = rng.choice((0, 1, 12, 12))
    if rng.random() < 0.5:
        said = count if rng.random() < 0.7 else rng.choice(NUMBERS) % 2**32
        values = [
            rng.choice((0.0, 1.0, -1.0, 1e30, float("nan"))) if rng.random() < 0.003 else rng.uniform(-1, 1)
            for _ in range(12 * count)
        ]
        body = b"".join(
            struct.pack("<12fH", *values[12 * each : 12 * each + 12], rng.randrange(65536))
            for each in range(count)
        )
        return {"model.stl": rng.choice((b"solid x", b"")).ljust(80, b"\0") + struct.pack("<I", said) + body}
    lines = ["solid a"]
    for _ in range(count):
        lines += ["facet normal 0 0 1", "outer loop"]
        lines += [
            f"vertex {rng.uniform(-1, 1):.3f} {rng.uniform(-1, 1):.3f} {rng.random():.3f}" for _ in range(3)
        ]
        lines += ["endloop", "endfacet"]
    return {"model.stl": _disturbed([*lines, "endsolid a"], rng)}


def archive(files: Files, rng: Random) -> bytes:
    """The files as a zip archive, some with entries that should not be there."""
    stream = io.BytesIO()
    folder = rng.choice(("", "", "sub/", "a b/c/"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of two entries with one name
        with zipfile.ZipFile(
            stream,
            "w",
            rng.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2)),
        ) as pack:
            for name, data in files.items():
                pack.writestr(folder + re.sub("[\0]", "", name), data)
            for _ in range(rng.choice((0, 0, 0, 1, 2))):
                _extra(pack, files, rng)
    data = stream.getvalue()
    if rng.random() < 0.03:
        place = data.rfind(b"PK\x01\x02")
        # says that it is encrypted
        data = data[: place + 8] + bytes([data[place + 8] | 1]) + data[place + 9 :]
    return data


def _extra(pack: zipfile.ZipFile, files: Files, rng: Random) -> None:
    kind = rng.choice(
        ("up", "absolute", "twice", "second", "hidden", "link", "zeros", "many", "long", "folder", "letter")
    )
    if kind == "link":
        entry = zipfile.ZipInfo("link.png")
        entry.external_attr = 0o120777 << 16
        pack.writestr(entry, "/etc/passwd")
    elif kind == "zeros":
        pack.writestr("zeros.bin", bytes(rng.choice((1000, 20_000_000))))
    elif kind == "many":
        for number in range(rng.choice((50, 600))):
            pack.writestr(f"{number}.txt", b"")
    else:
        first = next(iter(files))
        names = {
            "up": "../" + first,
            "absolute": "/tmp/" + first,
            "twice": first,
            "second": "other.stl",
            "hidden": "__MACOSX/._" + first,
        }
        pack.writestr(
            names.get(
                kind, {"long": "d/" * 200 + "x.png", "folder": first + "/", "letter": "C:\\x"}.get(kind, "x")
            ),
            random_bytes(rng, 20),
        )
