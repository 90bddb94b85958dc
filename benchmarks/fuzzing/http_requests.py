"""Requests as bytes: forms good and bad, and HTTP that is bent or broken."""

from __future__ import annotations

import functools
import io
import json
from random import Random
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.fuzzing.case import TEXTS, choose, damage
from benchmarks.fuzzing.pictures import picture_bytes

Headers = list[tuple[str, str]]

POSTS = ("/api/v1/mesh", "/api/v1/mesh", "/api/v1/mesh", "/api/v1/preview")
PATHS = (
    "/", "/healthz", "/readyz", "/metrics", "/openapi.json", "/main.js", "/viewer.js", "/docs",
    "/api/v1/mesh", "/api/v1/preview", "/api", "/../../etc/passwd", "/%2e%2e/%00", "/api/v1/mesh/",
    "//healthz", "/healthz?x=" + "y" * 3000, "/\u00e9", "/%ff", "*", "http://example.org/", "",
    "/" + "a" * 70_000, "/api/v1/mesh?seed=1&seed=2",
)  # fmt: skip
METHODS = (
    "GET",
    "POST",
    "HEAD",
    "OPTIONS",
    "PUT",
    "DELETE",
    "PATCH",
    "TRACE",
    "CONNECT",
    "get",
    "POST ",
    "X" * 300,
    "GÉT",
    "",
)
NUMBERS = (
    "0",
    "1",
    "-1",
    "4294967295",
    "4294967296",
    "1e3",
    "nan",
    "inf",
    "-0",
    "1.5",
    "",
    " 7 ",
    "0x10",
    "١",
    "9" * 400,
    "1e400",
    "true",
)
TEXT_FIELDS = (
    "glb",
    "obj",
    "ply",
    "stl",
    "usdz",
    "GLB",
    "gltf",
    "exe",
    "",
    "../x",
    "glb\0",
    "é",
    "glb" * 1000,
)
FIELDS = {
    "seed": ("0", "1", "4294967295"), "faces": ("100", "500", "2000"), "texture_size": ("64", "128"),
    "resolution": ("16", "24"), "truncation": ("0", "0.5", "1"),
    "format": ("glb", "glb", "obj", "ply", "stl"),
}  # fmt: skip
EXTRA: tuple[tuple[str, str], ...] = (
    ("Host", "evil.example"), ("Host", ""), ("Host", "localhost:1"), ("Host", "a b"), ("Host", "[::1"),
    ("Host", "x" * 9000), ("Origin", "http://evil.example"), ("Origin", "null"), ("Origin", "\u00e9"),
    ("Authorization", "Bearer x"), ("Authorization", "Basic " + "A" * 5000), ("Range", "bytes=0-1"),
    ("Range", "bytes=-9999999999999999999"), ("Expect", "100-continue"), ("Expect", "nothing"),
    ("Transfer-Encoding", "gzip"), ("Transfer-Encoding", "chunked, chunked"), ("Content-Encoding", "gzip"),
    ("Content-Encoding", "br"), ("Content-Length", "-1"), ("Content-Length", "1e3"),
    ("Content-Length", "99999999999999999999"), ("Content-Length", "0"), ("Connection", "Upgrade"),
    ("Upgrade", "websocket"), ("Upgrade", "h2c"), ("X-Forwarded-For", "1.2.3.4, x"),
    ("X-Request-Id", "a\tb"), ("Cookie", "a" * 20_000), ("Accept", "x/y;q=z"),
    ("Access-Control-Request-Method", "POST"), ("Access-Control-Request-Private-Network", "true"),
    ("If-None-Match", "*"), ("X-\u00e9", "1"), ("X Y", "1"), ("", "1"), ("X", "a\0b"), ("X", "\r\n folded"),
    ("Content-Type", "application/json"),
)  # fmt: skip


@functools.cache
def good_picture() -> bytes:
    """A small picture that makes a mesh."""
    size = 48
    rgba = np.zeros((size, size, 4), np.uint8)
    rgba[..., :3] = np.arange(size, dtype=np.uint8)[:, None, None] * 5
    rgba[..., 3] = 255 * (np.hypot(*np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]) < 0.7)
    stream = io.BytesIO()
    Image.fromarray(rgba).save(stream, "PNG")
    return stream.getvalue()


def request(rng: Random) -> tuple[bytes, str, str]:
    """The bytes of a request, what it is, and the method that it names."""
    kind = choose(rng, {"form": 6, "broken form": 3, "other": 3, "bent": 4, "garbage": 1})
    if kind == "garbage":
        heads = (
            b"",
            b"\x16\x03\x01\x02\x00\x01",
            b"GET",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"\r\n" * 5000,
            b"GET / HTTP/9.9\r\n\r\n",
        )
        return rng.choice(heads) + rng.randbytes(rng.choice((0, 5, 3000))), kind, "GET"
    if kind == "other":
        return _other(rng)
    boundary = (
        rng.choice(("b", "----x", "a" * 60))
        if rng.random() < 0.95
        else rng.choice(("", "a" * 300, 'q"', "é"))
    )
    body, about = _form(rng, boundary, broken=kind != "form" and rng.random() < 0.7)
    content = ("Content-Type", f"multipart/form-data; boundary={boundary}")
    if kind == "broken form":
        if rng.random() < 0.3:
            content = (
                "Content-Type",
                rng.choice(
                    (
                        "multipart/form-data",
                        "application/json",
                        "image/png",
                        "",
                        "text/plain; charset=x",
                        "multipart/mixed",
                    )
                ),
            )
        if rng.random() < 0.6:
            body = damage(body, rng)
    headers: Headers = [("Host", "127.0.0.1"), content]
    method, path = "POST", rng.choice(POSTS)
    if kind == "bent":
        headers += [rng.choice(EXTRA) for _ in range(rng.choice((1, 1, 2, 150)))]
        rng.shuffle(headers)
        path = path if rng.random() < 0.8 else rng.choice(PATHS)
        method = method if rng.random() < 0.9 else rng.choice(METHODS)
    return _wire(rng, method, path, headers, body, bent=kind == "bent"), f"{kind}: {about}", method


def _other(rng: Random) -> tuple[bytes, str, str]:
    method, path = (
        choose(rng, {method: 6 if method in ("GET", "HEAD") else 1 for method in METHODS}),
        rng.choice(PATHS),
    )
    headers: Headers = [("Host", "127.0.0.1")] + [rng.choice(EXTRA) for _ in range(rng.choice((0, 0, 1, 3)))]
    body = b"" if rng.random() < 0.7 else json.dumps({"picture": "x"}).encode()
    return _wire(rng, method, path, headers, body, bent=rng.random() < 0.3), "other", method


def _wire(rng: Random, method: str, path: str, headers: Headers, body: bytes, bent: bool) -> bytes:
    version = (
        "HTTP/1.1"
        if not bent or rng.random() < 0.9
        else rng.choice(("HTTP/1.0", "HTTP/0.9", "HTTP/2", "http/1.1", ""))
    )
    end = "\r\n" if not bent or rng.random() < 0.9 else "\n"
    headers = list(headers)
    if body or method == "POST":
        if rng.random() < (0.3 if bent else 0.1):
            headers.append(("Transfer-Encoding", "chunked"))
            body = _chunked(body, rng, bent)
        elif not bent or rng.random() < 0.8:
            headers.append(("Content-Length", str(len(body))))
        else:
            headers.append(("Content-Length", str(max(len(body) + rng.choice((-5, 3, 1000)), 0))))
    lines = [f"{method} {path} {version}", *(f"{name}: {value}" for name, value in headers), "", ""]
    return end.join(lines).encode("utf-8", "surrogateescape") + body


def _chunked(body: bytes, rng: Random, bent: bool) -> bytes:
    size, parts = rng.choice((1000, 7000, 100_000)), []
    for start in range(0, len(body), size):
        piece = body[start : start + size]
        said = (
            f"{len(piece):x}"
            if not bent or rng.random() < 0.9
            else rng.choice(("zz", "-1", "ffffffffffffffff", "5;x=y", "0"))
        )
        parts.append(said.encode() + b"\r\n" + piece + b"\r\n")
    return b"".join(parts) + (b"0\r\n\r\n" if not bent or rng.random() < 0.9 else b"")


def _form(rng: Random, boundary: str, broken: bool) -> tuple[bytes, str]:
    """A body of the type multipart/form-data."""
    picture, about = (good_picture(), "good picture") if rng.random() < 0.5 else picture_bytes(rng)
    parts: list[tuple[str, bytes]] = [(f'name="picture"; filename="{_name(rng)}"', picture)]
    for name, values in FIELDS.items():
        if rng.random() < 0.5 or name in ("texture_size", "resolution"):  # these two make a mesh cheap
            value = rng.choice(values)
            if broken and rng.random() < 0.4:
                value = rng.choice(NUMBERS) if name != "format" else rng.choice(TEXT_FIELDS)
            parts.append((f'name="{name}"', value.encode()))
    if broken:
        for _ in range(rng.choice((0, 1, 2))):
            change = rng.choice(("twice", "missing", "as text", "file", "unknown", "many", "odd"))
            if change == "twice":
                parts.append(rng.choice(parts))
            elif change == "missing" and parts:
                del parts[rng.randrange(len(parts))]
            elif change == "as text":
                parts[0:1] = [('name="picture"', rng.choice((b"", b"x", picture[:2000])))]
            elif change == "file":
                parts.append(('name="seed"; filename="s.txt"', b"1"))
            elif change == "unknown":
                parts.append((f'name="{rng.choice(TEXTS[:3])}"', b"x" * rng.choice((0, 5, 100_000))))
            elif change == "many":
                parts += [('name="x"', b"1")] * rng.choice((30, 3000))
            else:
                parts.append(
                    (
                        rng.choice(
                            (
                                "",
                                "name=picture",
                                'name="',
                                'filename="x"',
                                'name="seed";;;',
                                "name*=utf-8''seed",
                            )
                        ),
                        b"1",
                    )
                )
    mark = f"--{boundary}".encode("utf-8", "replace")
    body = b"".join(
        mark
        + f"\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode("utf-8", "replace")
        + data
        + b"\r\n"
        for head, data in parts
    )
    return body + mark + b"--\r\n", about


def _name(rng: Random) -> str:
    return (
        "p.png"
        if rng.random() < 0.7
        else rng.choice((*TEXTS, "a\\b.png", "x.exe", "a%00.png", "\r\nX: y")).replace('"', "")
    )


def manner(rng: Random) -> dict[str, Any]:
    """How the bytes are sent."""
    kind = choose(
        rng, {"whole": 10, "pieces": 1, "cut": 1.5, "half": 0.5, "leave": 1, "twice": 1, "stall": 0.1}
    )
    return {"manner": kind, "share": round(rng.random(), 3)}
