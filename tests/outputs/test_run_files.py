"""The files of ``geco run``, as a user types it."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import trimesh

from geco.cli.main import main
from geco.marks import Source, digest_of, read_mark
from tests.cases import BUGS
from tests.cli_command import SOURCE, geco
from tests.mesh.gltf import parse_glb

RUN = BUGS / "run"
SMALL = ("--resolution", "24", "--texture-size", "64")


def test_the_photo_beside_an_obj_is_left_alone_and_the_next_run_does_not_take_its_texture_for_one(
    tmp_path: Path,
) -> None:
    shutil.copy(RUN / "cat.jpg", tmp_path)
    photo = (RUN / "cat.jpg").read_bytes()
    for _ in range(2):
        result = geco("run", ".", "--format", "obj", "--views", "--json", *SMALL, cwd=tmp_path)
        assert result.returncode == 0, result.stderr
        (line,) = result.stdout.splitlines()
        files = [Path(name).name for name in json.loads(line)["files"]]
        assert files[0] == "cat.obj" and files[-1] == "cat-views.png" and len(files) == 4
        assert (tmp_path / "cat.jpg").read_bytes() == photo
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*files, "cat.jpg"])
    assert trimesh.load(tmp_path / "cat.obj").visual.material.image.size == (64, 64)
    for name in files:
        mark = read_mark(tmp_path / name)
        assert mark is not None and mark.is_of(Source("cat.jpg", digest_of(photo)))


def test_refusals_come_before_the_work_in_one_line_and_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(RUN / "toy.png", tmp_path)
    for name in ("toy.glb", "level_LOD1.glb"):
        (tmp_path / name).write_bytes(b"somebody's")
    cases = [
        (["toy.png"], "--overwrite"),
        (["toy.png", "--turntable", "toy.png", "--overwrite"], "is an input"),
        (["toy.png", "-o", "new.glb", "--size", "0"], "metres"),
        (["toy.png", "-o", ""], "empty"),
        (["toy.png", "-o", "level.glb", "--lods", "400,200"], "--overwrite"),
        (["toy.png", "-o", "new.stl", "--faces", "400", "--normal-map"], "STL holds no normal map"),
        (["toy.png", "-o", "new.obj", "--compression", "draco"], "OBJ holds no compressed"),
        (["toy.png", "-o", "new.glb", "--normal-map"], "nothing is decimated"),
        (["toy.png", "-o", "new.glb", "--views", "--turntable", "new-views.png"], "twice"),
    ]
    for arguments, expected in cases:
        assert main(["run", *arguments, "--model", "nowhere/that/is"]) == 2
        printed = capsys.readouterr().err
        assert expected in printed and len(printed.splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["level_LOD1.glb", "toy.glb", "toy.png"]
    assert (tmp_path / "toy.glb").read_bytes() == b"somebody's"


def test_size_and_overwriting_on_the_command_line(tmp_path: Path) -> None:
    shutil.copy(RUN / "toy.png", tmp_path)
    (tmp_path / "toy.glb").write_bytes(b"somebody's")
    result = geco("run", "toy.png", "--overwrite", "--size", "0.25", *SMALL, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert trimesh.load(tmp_path / "toy.glb", force="mesh").extents.max() == pytest.approx(0.25, rel=1e-5)
    facts = parse_glb((tmp_path / "toy.glb").read_bytes())[0]["asset"]["extras"]
    assert (facts["size"], facts["unit"], facts["seed"], facts["model"]) == (0.25, "metre", 0, "small")


def test_a_turntable_that_fails_says_what_was_written_before_it(tmp_path: Path) -> None:
    """A limit on the size of a file stands in for a full disk: the mesh is below it, the film is not."""
    shutil.copy(RUN / "toy.png", tmp_path)
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))  # noqa: E731
    result = geco("run", "toy.png", "--turntable", "t.gif", *SMALL, cwd=tmp_path, preexec=limit)
    assert result.returncode == 2 and len(result.stderr.splitlines()) == 1
    assert "cannot write t.gif" in result.stderr and result.stderr.endswith("Written before that: toy.glb\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["toy.glb", "toy.png"]


_ALL_FORMATS = """
import hashlib, sys
sys.path.insert(0, sys.argv[1])
from geco import GecoPipeline
from geco.surface_to_asset import AssetOptions
asset = GecoPipeline.from_pretrained("small")(sys.argv[2], 0, AssetOptions(watertight=True))
for format in sys.argv[3:]:
    for name, data in asset.encode(format).items():
        print(name, hashlib.sha256(data).hexdigest())
"""


def test_the_same_picture_gives_the_same_bytes_in_every_format_on_one_thread_and_on_two(
    tmp_path: Path,
) -> None:
    """Two processes; ONNX Runtime takes as many threads as there are cores that the process may use."""
    formats = ["glb", "obj", "ply", "stl", "3mf"]
    try:
        import pxr  # noqa: F401

        formats.append("usdz")
    except ImportError:
        pass
    shutil.copy(RUN / "toy #1.png", tmp_path)
    printed = []
    for threads, folder in (("1", tmp_path), ("2", tmp_path / "elsewhere")):
        folder.mkdir(exist_ok=True)
        picture = shutil.copy(RUN / "toy #1.png", folder)
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": threads,
            "OPENBLAS_NUM_THREADS": threads,
            "PYTHONHASHSEED": threads,
        }
        cores = sorted(os.sched_getaffinity(0))[: int(threads)] if hasattr(os, "sched_getaffinity") else []
        confine = (lambda cores=cores: os.sched_setaffinity(0, cores)) if cores else None
        result = subprocess.run(
            [sys.executable, "-c", _ALL_FORMATS, str(SOURCE), str(picture), *formats],
            capture_output=True, text=True, env=environment, timeout=180, preexec_fn=confine,
        )  # fmt: skip
        assert result.returncode == 0, result.stderr
        printed.append(result.stdout)
    assert printed[0] == printed[1] and len(printed[0].splitlines()) == len(formats) + 2
    assert np.unique([line.split()[1] for line in printed[0].splitlines()]).size == len(formats) + 2
