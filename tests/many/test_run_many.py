"""``geco run`` with workers and a manifest: the bytes of one process, and nothing is lost or done again."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from tests.cli_command import geco
from tests.many.build import balls, children, lines, meshes, run, started, until_written

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return balls(tmp_path_factory.mktemp("pictures") / "in", 5)


@pytest.fixture(scope="module")
def alone(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What one process makes of them."""
    folder = tmp_path_factory.mktemp("alone")
    assert run(pictures, folder, "-q").returncode == 0
    return meshes(folder)


def test_workers_make_the_same_bytes_and_a_second_run_makes_what_has_changed(
    tmp_path: Path, alone: dict[str, bytes]
) -> None:
    pictures, out = balls(tmp_path / "in", 5), tmp_path / "out"
    first = run(pictures, out, "--workers", "2")
    assert first.returncode == 0 and meshes(out) == alone, first.stderr
    done = lines(out / "manifest.jsonl")
    assert {line["picture"] for line in done} == {f"../in/ball{number}.png" for number in range(5)}
    assert all(line["files"] == {line["outputs"][0]["mesh"]: len(alone[line["outputs"][0]["mesh"]])}
               for line in done)  # fmt: skip
    os.utime(pictures / "ball0.png", (1, 1))  # touched, the same bytes
    (pictures / "ball1.png").write_bytes((pictures / "ball4.png").read_bytes())
    (out / "ball2.glb").unlink()
    second = run(pictures, out, "--workers", "2")
    assert "2 written, 0 of 5 pictures failed, 3 were done before" in second.stderr
    assert {line["picture"][6:] for line in lines(out / "manifest.jsonl")[5:]} == {"ball1.png", "ball2.png"}
    # another choice makes all of them again; one process knows what workers did
    third = geco("run", pictures, "-o", f"{out}/", "--manifest", out / "manifest.jsonl", "--resolution", "16")
    assert "5 written, 0 of 5 pictures failed\n" in third.stderr, third.stderr


def test_a_picture_that_fails_is_named_with_its_remedy_and_tried_again_where_that_is_asked(
    tmp_path: Path,
) -> None:
    pictures, out = balls(tmp_path / "in", 2), tmp_path / "out"
    (pictures / "torn.png").write_bytes((pictures / "ball0.png").read_bytes()[:300])
    first = run(pictures, out, "--workers", "1")
    assert first.returncode == 2 and "2 written, 1 of 3 pictures failed" in first.stderr
    (failed,) = [line for line in lines(out / "manifest.jsonl") if "error" in line]
    assert failed["picture"] == "../in/torn.png" and failed["error"]["type"] == "InputImageError"
    assert "torn.png" in failed["error"]["problem"] and failed["error"]["remedy"]
    again = run(pictures, out, "--workers", "1")
    assert again.returncode == 2 and "1 failed before (--retry-failed tries them again)" in again.stderr
    tried = run(pictures, out, "--workers", "1", "--retry-failed")
    assert "0 written, 1 of 3 pictures failed, 2 were done before" in tried.stderr


@linux
def test_kill_nine_of_a_worker_loses_nothing(pictures: Path, alone: dict[str, bytes], tmp_path: Path) -> None:
    process = started(pictures, tmp_path, "--workers", "2")
    until_written(tmp_path / "manifest.jsonl", 1, process)
    os.kill(children(process.pid)[0], signal.SIGKILL)
    assert process.wait(60) == 0, process.communicate()
    assert meshes(tmp_path) == alone and len(lines(tmp_path / "manifest.jsonl")) == 5
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@linux
@pytest.mark.parametrize("how", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_after_the_end_of_the_command_the_same_one_makes_the_rest(
    how: signal.Signals, pictures: Path, alone: dict[str, bytes], tmp_path: Path
) -> None:
    process = started(pictures, tmp_path, "--workers", "2")
    until_written(tmp_path / "manifest.jsonl", 2, process)
    process.send_signal(how)
    _, said = process.communicate(timeout=30)
    if how == signal.SIGTERM:
        assert process.returncode == 143 and "the same command again makes the rest" in said, said
    before = {line["outputs"][0]["mesh"]: line for line in lines(tmp_path / "manifest.jsonl")}
    times = {name: (tmp_path / name).stat().st_mtime_ns for name in before}
    assert len(before) >= 2 and all((tmp_path / name).read_bytes() == alone[name] for name in before)
    assert run(pictures, tmp_path, "--workers", "2").returncode == 0
    assert meshes(tmp_path) == alone
    assert times == {name: (tmp_path / name).stat().st_mtime_ns for name in before}, "made once"
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.slow
def test_a_local_ray_makes_the_same_bytes(pictures: Path, alone: dict[str, bytes], tmp_path: Path) -> None:
    pytest.importorskip("ray")
    result = run(pictures, tmp_path, "--ray", "local", "--workers", "2")
    assert result.returncode == 0, result.stderr
    assert meshes(tmp_path) == alone and len(lines(tmp_path / "manifest.jsonl")) == 5


@linux
@pytest.mark.slow
def test_sigterm_ends_a_run_on_ray_as_any_other(pictures: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    process = started(pictures, tmp_path, "--ray", "local", "--workers", "1")
    until_written(tmp_path / "manifest.jsonl", 1, process)
    process.terminate()
    _, said = process.communicate(timeout=30)
    assert process.returncode == 143 and "the same command again makes the rest" in said, said
    assert "***" not in said, "nor lines of C++"


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--workers", "0"), "--workers 0"),
        (("--time-limit", "3"), "--time-limit bounds workers, and there are none"),
        (("--retry-failed",), "--retry-failed needs a manifest"),
        (("--workers", "1", "--memory", "-1"), "Both must be positive"),
        (("--manifest", ""), "the name behind --manifest is empty"),
        (("--workers", "1", "--steps", "5"), "small is a one-step generator"),
        (("--manifest", "in/ball0.png"), "is there already and is no manifest of GECO"),
    ],
)
def test_what_cannot_be_is_said_in_one_line_and_writes_nothing(
    tmp_path: Path, options: tuple[str, ...], problem: str
) -> None:
    balls(tmp_path / "in", 1)
    before = (tmp_path / "in" / "ball0.png").read_bytes()
    result = geco("run", "in", "-o", "out/", *options, cwd=tmp_path)
    assert result.returncode == 2 and problem in result.stderr and result.stderr.count("\n") == 1
    assert sorted(path.name for path in tmp_path.rglob("*")) in (["ball0.png", "in"],)
    assert (tmp_path / "in" / "ball0.png").read_bytes() == before
