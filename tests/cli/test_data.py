"""``geco data``: the real command, killed, restarted, and given what cannot work."""

from __future__ import annotations

import hashlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from geco.data.shards import Shards
from tests.cli_command import SOURCE, geco
from tests.data.glb import GlbWriter, box

OBJECTS = 24
RENDER = ("--views", "zero123plus-v1.2,condition-2,random-8", "--size", "48", "--shard-objects", "5")


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("objects")
    rng = np.random.default_rng(0)
    for number in range(OBJECTS):
        writer = GlbWriter()
        vertices, faces = box(tuple(rng.uniform(0.3, 1.0, 3)))
        texture = writer.texture(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8))
        writer.mesh(vertices, faces, uvs=rng.random((8, 2)), material=writer.material(texture))
        (folder / "more").mkdir(exist_ok=True)
        writer.save(folder / ("more" if number % 3 == 0 else ".") / f"box.{number:02d}.glb")
    (folder / "truncated.glb").write_bytes((folder / "box.01.glb").read_bytes()[:200])
    (folder / "empty.obj").write_text("o nothing\n")
    listed = [{"file": "box.01.glb", "licence": "CC0-1.0"}, {"file": "gone.glb", "licence": "CC-BY-4.0"}]
    (folder / "manifest.json").write_text(json.dumps({"objects": listed}))
    return folder


@pytest.fixture(scope="module")
def whole(objects: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The uninterrupted run of one worker."""
    folder = tmp_path_factory.mktemp("whole") / "shards"
    found = geco("data", "render", objects, "-o", folder, *RENDER, "--workers", "1", "--hold-out", "3")
    assert found.returncode == 0, found.stderr
    assert f"{OBJECTS - 3} objects" in found.stdout
    assert "object/s" in found.stderr
    return folder


def digests(folder: Path) -> dict[str, str]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def test_the_folder_holds_what_it_says(whole: Path, objects: Path) -> None:
    shards, apart = Shards(whole), Shards(whole / "held_out")
    keys = {f"{'more_' if number % 3 == 0 else ''}box_{number:02d}" for number in range(OBJECTS)}
    assert {*shards.objects, *apart.objects} == keys
    assert len(apart) == 3
    names = [path.relative_to(objects).as_posix() for path in objects.rglob("*.*")]
    by_hash = sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    usable = [
        name[:-4].replace(".", "_").replace("/", "_") for name in by_hash if name.endswith((".glb", ".obj"))
    ]
    assert set(apart.objects) <= set(usable[:6])
    assert json.loads((whole / "report.json").read_text())["skipped"].keys() | json.loads(
        (whole / "held_out" / "report.json").read_text()
    )["skipped"].keys() == {"truncated", "empty", "gone"}
    key = shards.objects[0]
    info = shards.info(key)
    assert info["faces"] == 12
    path = objects / info["file"]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == info["sha256"]
    rig = json.loads((whole / "cameras.json").read_bytes())["sets"]
    assert rig["zero123plus-v1.2"]["cameras"][0]["c2w"] == info["sets"]["zero123plus-v1.2"][0]["c2w"]
    assert rig["random-8"]["cameras"] is None
    # The box's depth at its silhouette agrees with its colour, in every picture.
    rgba, depth = (shards.pictures(key, "random-8", channel) for channel in ("rgba", "depth"))
    assert np.array_equal(depth[..., 0] > 0, rgba[..., 3] > 0)
    assert 3.0 < depth[depth > 0].min() < depth.max() < 5.0


def test_killed_at_random_moments_and_restarted_gives_the_same_bytes(
    objects: Path, whole: Path, tmp_path: Path
) -> None:
    seed = int(time.time())
    print(f"seed {seed}")
    rng = random.Random(seed)
    folder = tmp_path / "shards"
    render = (
        "data",
        "render",
        objects,
        "-o",
        folder,
        *RENDER,
        "--workers",
        "2",
        "--hold-out",
        "3",
        "--resume",
    )
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    kills, before = 0, 0
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-m", "geco.cli.main", *map(str, render)],
            env=environment,
            stderr=subprocess.DEVNULL,
        )
        target, end = before + rng.randrange(1, 8), time.monotonic() + 60
        while process.poll() is None and _finished(folder) < target and time.monotonic() < end:
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.03))
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
        before = _finished(folder)
    assert kills >= 2, "the run was over before the kills"
    assert not (folder / "index.json").exists() or kills < 3
    found = geco(*render)
    assert found.returncode == 0, found.stderr
    assert digests(folder) == digests(whole)


def _finished(folder: Path) -> int:
    """Pieces and what is in joined shards, roughly: the folder changes while we look."""
    pieces = sum(1 for path in folder.rglob("*.tar") if path.parent.name == ".render")
    return pieces + 5 * sum(1 for _ in folder.rglob("shard-*.tar"))


@pytest.mark.slow
def test_a_ray_of_two_workers_gives_the_same_bytes(objects: Path, whole: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    folder = tmp_path / "shards"
    found = geco(
        "data",
        "render",
        objects,
        "-o",
        folder,
        *RENDER,
        "--hold-out",
        "3",
        "--ray",
        "local",
        "--workers",
        "2",
    )
    assert found.returncode == 0, found.stderr
    assert digests(folder) == digests(whole)


def test_a_finished_folder_is_left_as_it_is(objects: Path, whole: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in whole.rglob("*")}
    assert geco("data", "render", objects, "-o", whole, *RENDER, "--hold-out", "3").returncode == 0
    assert {path: path.stat().st_mtime_ns for path in whole.rglob("*")} == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--size", "64", "--hold-out", "3"), "size 48 there, 64 asked"),
        (("--hold-out", "2"), "hold_out 3 there, 2 asked"),
        (("--hold-out", "3", "--channels", "rgba"), "channels rgba,depth there, rgba asked"),
        (("--hold-out", "3", "--seed", "1"), "seed 0 there, 1 asked"),
        (("--hold-out", "3", "--views", "random-8,random-8"), "each once"),
        (("--hold-out", "3", "--views", "sideways"), "no view set is called 'sideways'"),
        (("--hold-out", "3", "--channels", "depth"), "--channels rgba,depth"),
        (("--hold-out", "3", "--channels", "rgba,heat"), "unknown channel 'heat'"),
        (("--hold-out", "3", "--size", "2"), "pictures of 2 pixels"),
        (("--hold-out", "-1"), "--hold-out -1"),
        (("--hold-out", "3", "--time-limit", "0"), "bounds of 0"),
    ],
)
def test_other_settings_and_wrong_options_are_one_line(
    objects: Path, whole: Path, arguments: tuple[str, ...], message: str
) -> None:
    before = digests(whole)
    found = geco("data", "render", objects, "-o", whole, *RENDER, *arguments)
    assert found.returncode == 2
    assert message in found.stderr
    assert len(found.stderr.strip().splitlines()) == 1
    assert digests(whole) == before


def test_places_that_cannot_be_written_are_one_line(objects: Path, tmp_path: Path) -> None:
    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))

    (tmp_path / "file").write_text("x")
    for output, preexec in (
        (tmp_path / "file" / "shards", None),
        (tmp_path / "file", None),
        (tmp_path / "full", small_files),
    ):
        found = geco("data", "render", objects, "-o", output, *RENDER, "--workers", "1", preexec=preexec)
        assert found.returncode == 2, found.stderr
        assert found.stderr.strip().splitlines()[-1].startswith("geco: cannot write")
        assert "Traceback" not in found.stderr
    assert (tmp_path / "file").read_text() == "x"


def test_a_limit_that_nothing_keeps_is_one_line_and_another_try_starts_afresh(
    objects: Path, tmp_path: Path
) -> None:
    render = ("data", "render", objects, "-o", tmp_path / "shards", *RENDER, "--limit", "2", "--workers", "2")
    found = geco(*render, "--time-limit", "0.001")
    assert (found.returncode, "none of the 2 objects" in found.stderr) == (2, True)
    report = json.loads((tmp_path / "shards" / "report.json").read_text())
    assert "timeout" in {why["reason"] for why in report["skipped"].values()}
    assert geco(*render).returncode == 0
    report = json.loads((tmp_path / "shards" / "report.json").read_text())
    assert len(Shards(tmp_path / "shards")) == report["written"] == 2 - len(report["skipped"]) > 0


def test_folders_without_objects_are_one_line(tmp_path: Path) -> None:
    for folder, message in ((tmp_path, "no objects in"), (tmp_path / "none", "is not a folder")):
        found = geco("data", "render", folder, "-o", tmp_path / "out")
        assert (found.returncode, message in found.stderr) == (2, True)
    assert not (tmp_path / "out").exists()


def test_info_counts_checks_and_draws(whole: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    found = geco("data", "info", whole, "--json", "--check", "--sheet", sheet)
    assert found.returncode == 0, found.stderr
    facts = json.loads(found.stdout)
    assert facts["objects"] + 3 == OBJECTS
    assert facts["pictures"] == facts["objects"] * 16 * 2
    assert facts["bytes"] == sum(path.stat().st_size for path in whole.glob("*.tar"))
    assert facts["sets"] == {"zero123plus-v1.2": 6, "condition-2": 2, "random-8": 8}
    assert sum(facts["licences"].values()) == facts["objects"]
    assert (facts["damage"], facts["held_out"]) == ([], 3)
    assert sheet.stat().st_size > 10_000
    assert "every hash" in geco("data", "info", whole, "--check").stdout


def test_info_finds_damage(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "damaged"
    shutil.copytree(whole, folder)
    path = folder / "shard-000000.tar"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    found = geco("data", "info", folder, "--check", "--json")
    assert found.returncode == 2
    assert "shard-000000.tar: other bytes" in found.stderr
    assert geco("data", "info", folder).returncode == 0
    (folder / "index.json").unlink()
    assert "holds no finished shards" in geco("data", "info", folder).stderr
