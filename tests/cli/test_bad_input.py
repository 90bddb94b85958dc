"""Bad input to the real command: exit code 2, one clear line, nothing written."""

from __future__ import annotations

import os
import resource
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli_command import geco
from tests.pictures import ball_picture


def assert_refused(result, folder: Path, *words: str) -> None:
    """Exit code 2, one line naming ``words``, and no new file (half-written ones start with a
    dot) in ``folder``.
    """
    assert result.returncode == 2, result.stderr
    lines = [line for line in result.stderr.splitlines() if line.strip()]
    assert len(lines) == 1 and lines[0].startswith("geco: "), result.stderr
    for word in words:
        assert word in lines[0]
    left = [
        p.name
        for p in folder.rglob("*")
        if p.suffix in (".glb", ".obj", ".ply", ".mtl") or p.name.startswith(".")
    ]
    assert not left, left


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and has next to no data."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 10))
        + chunk(b"IEND", b"")
    )


def truncated_jpeg(path: Path) -> None:
    ball_picture(256).convert("RGB").save(path, quality=95)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


BAD_PICTURES = {
    "empty.png": lambda p: p.write_bytes(b""),
    "text.png": lambda p: p.write_text("this is a letter, not a picture\n" * 20),
    "truncated.jpg": truncated_jpeg,
    "one.png": lambda p: Image.new("RGB", (1, 1), "red").save(p),
    "bomb.png": lambda p: p.write_bytes(png_header(30_000, 30_000)),
    "clear.png": lambda p: Image.new("RGBA", (64, 64), (200, 30, 30, 0)).save(p),
    "flat.png": lambda p: Image.new("RGB", (64, 64), (90, 120, 30)).save(p),
}


@pytest.mark.parametrize("name", BAD_PICTURES)
def test_bad_picture(name: str, tmp_path: Path) -> None:
    BAD_PICTURES[name](tmp_path / name)
    result = geco("run", tmp_path / name, "-o", tmp_path / "out.glb")
    assert_refused(result, tmp_path, name)


def test_missing_file(tmp_path: Path) -> None:
    assert_refused(geco("run", tmp_path / "nowhere.png", "-o", tmp_path / "out.glb"), tmp_path, "nowhere.png")


def test_unknown_format(tmp_path: Path) -> None:
    ball_picture(64).save(tmp_path / "ball.png")
    assert_refused(
        geco("run", tmp_path / "ball.png", "-o", tmp_path / "out.xyz"), tmp_path, "out.xyz", ".glb"
    )


def test_unwritable_folder(tmp_path: Path) -> None:
    ball_picture(64).save(tmp_path / "ball.png")
    # A file where a folder is needed cannot be written into, whoever asks (permissions do not bind root).
    (tmp_path / "taken").write_text("a file")
    assert_refused(
        geco("run", tmp_path / "ball.png", "-o", tmp_path / "taken" / "out.glb"), tmp_path, "taken"
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="permissions do not bind root")
def test_read_only_folder(tmp_path: Path) -> None:
    ball_picture(64).save(tmp_path / "ball.png")
    (tmp_path / "locked").mkdir(mode=0o500)
    assert_refused(geco("run", tmp_path / "ball.png", "-o", tmp_path / "locked"), tmp_path, "locked")


def test_full_disk(tmp_path: Path) -> None:
    """A limit on file size stands in for a full disk: the write fails half-way, with the same
    kind of error.
    """
    ball_picture(128).save(tmp_path / "ball.png")
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))  # noqa: E731
    result = geco("run", tmp_path / "ball.png", "-o", tmp_path / "out.glb", preexec=limit)
    assert_refused(result, tmp_path, "out.glb")


def test_broken_weights(tmp_path: Path) -> None:
    ball_picture(64).save(tmp_path / "ball.png")
    from geco.loading import EMBEDDED

    shutil.copytree(EMBEDDED, tmp_path / "model")
    victim = max((tmp_path / "model").rglob("*.onnx"), key=lambda p: p.stat().st_size)
    victim.write_bytes(victim.read_bytes()[: victim.stat().st_size // 2])
    result = geco("run", tmp_path / "ball.png", "--model", tmp_path / "model", "-o", tmp_path / "out.glb")
    assert_refused(result, tmp_path, victim.name)


def test_no_such_model(tmp_path: Path) -> None:
    ball_picture(64).save(tmp_path / "ball.png")
    assert_refused(
        geco("run", tmp_path / "ball.png", "--model", "nowhere", "-o", tmp_path / "out.glb"),
        tmp_path,
        "nowhere",
    )


OUT_OF_RANGE = (
    *(
        "--faces 3",
        "--faces 2000001",
        "--texture-size 7",
        "--texture-size 4097",
        "--resolution 15",
        "--resolution 513",
    ),
    *(
        "--samples 0",
        "--samples 1001",
        "--samples 1000000000",
        f"--samples {10**30}",
        "--truncation nan",
        "--truncation 1.1",
    ),
    *("--seed -1", "--seed 4294967296", f"--seed {10**30}", "--seed 4294967295 --samples 2"),
)


@pytest.mark.parametrize("option", [option.split() for option in OUT_OF_RANGE])
def test_option_out_of_range(option: list[str], tmp_path: Path) -> None:
    ball_picture(64).save(tmp_path / "ball.png")
    assert_refused(geco("run", tmp_path / "ball.png", *option, "-o", tmp_path / "out.glb"), tmp_path)


def test_a_bad_picture_does_not_stop_the_others(tmp_path: Path) -> None:
    for name in ("a.png", "c.png"):
        ball_picture(96).save(tmp_path / name)
    (tmp_path / "b.png").write_text("no picture")
    result = geco("run", tmp_path, "-o", tmp_path / "out")
    assert result.returncode == 2
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.glb", "c.glb"]
    assert "b.png" in result.stderr and "2 written, 1 of 3" in result.stderr


def test_ball_picture_is_not_flat() -> None:
    pixels = np.asarray(ball_picture(64).convert("RGB"))
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 50
