"""``geco evaluate`` as users call it: its files, the second call, a kill in the middle, and what
it refuses.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from geco.evaluate.rows import MEASURED
from tests.cli_command import SOURCE, geco
from tests.evaluate.objects import write_foreign, write_object

QUICK = [
    "--size",
    "48",
    "--variants",
    "bare",
    "--lpips-weights",
    "none",
    "--clip-weights",
    "none",
    "--no-meshes",
]
NOT_OF_THE_RUN = (*MEASURED, "rows_sha256")


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two objects, one that is none, and another program's mesh of the first."""
    folder = tmp_path_factory.mktemp("evaluate")
    write_object(folder / "objects" / "alpha.glb")
    write_object(folder / "objects" / "beta.glb", stretch=0.6)
    (folder / "objects" / "broken.glb").write_bytes(b"glTF\2\0\0\0\xff\xff\xff\xff")
    write_foreign(folder / "foreign" / "alpha.ply", 60.0, 40.0, (5.0, 5.0, 5.0))
    return folder


def arguments(objects: Path, report: Path, methods: str = "geco,copy-input", *more: str) -> list[str | Path]:
    return ["evaluate", "--objects", objects / "objects", "--methods", methods, "-o", report, *QUICK, *more]


@pytest.fixture(scope="module")
def report(objects: Path) -> Path:
    """A whole, uninterrupted report."""
    folder = objects / "report"
    done = geco(
        *arguments(
            objects, folder, "geco,copy-input", "--seeds", "2", "--meshes", f"other={objects / 'foreign'}"
        )
    )
    assert done.returncode == 0, done.stderr
    assert "| geco | 4 |" in done.stdout and "9 rows measured" in done.stderr
    return folder


def repeatable(value: Any) -> Any:
    """Without what the clock measured."""
    if isinstance(value, dict):
        return {name: repeatable(each) for name, each in value.items() if name not in NOT_OF_THE_RUN}
    return [repeatable(each) for each in value] if isinstance(value, list) else value


def test_the_report_holds_what_scripts_rely_on(report: Path) -> None:
    results = json.loads((report / "results.json").read_text())
    assert results["objects"] == ["alpha", "beta"] and results["skipped"]["broken"]["reason"] == "broken"
    assert set(results["methods"]) == {"geco", "copy-input", "other"} and results["versions"]["geco"]
    one, copy, other = (results["methods"][name] for name in ("geco", "copy-input", "other"))
    for part, metric in (
        ("A", "psnr"),
        ("B", "ssim"),
        ("mesh", "chamfer"),
        ("mesh", "volume_iou"),
        ("views", "iou"),
    ):
        entry = one[part][metric]
        assert set(entry) == {"mean", "std", "n", "seed_std"} and entry["n"] == 4, (part, metric)
    assert one["seconds"]["n"] == 4 and one["seconds"]["mean"] > 0 and one["memory"]["peak_mb"] > 50
    assert (
        one["A"]["lpips_vgg"] == {"mean": None, "std": None, "n": 0} and results["unavailable"]["lpips_vgg"]
    )
    assert one["diversity"]["far_rmse"]["n"] == 2 and one["sampling"]["steps"] == 1
    assert copy["views"]["psnr"]["n"] == 2 and "A" not in copy and copy["seconds"]["n"] == 0
    assert other["missing"] == 1 and other["A"]["iou"]["n"] == 1 and other["A"]["iou"]["mean"] > 0.9
    assert other["alignment"]["method"] == "search" and other["mesh"]["chamfer"]["mean"] < 0.005
    rows = [json.loads(line) for line in (report / "rows.jsonl").read_text().splitlines()]
    assert len(rows) == 1 + 4 + 2 + 2
    page = (report / "index.html").read_text()
    assert page.count("<section") == 2 and "broken" in page
    assert (report / "pictures" / "alpha" / "geco-seed1-views.png").is_file() and not (
        report / "meshes"
    ).exists()


def test_the_second_call_does_nothing(objects: Path, report: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in report.rglob("*")}
    again = geco(
        *arguments(
            objects, report, "geco,copy-input", "--seeds", "2", "--meshes", f"other={objects / 'foreign'}"
        )
    )
    assert again.returncode == 0 and "nothing to do: all 9 rows are there" in again.stderr
    assert {path: path.stat().st_mtime_ns for path in report.rglob("*")} == before


def test_another_setting_is_refused_and_leaves_the_report_alone(objects: Path, report: Path) -> None:
    before = (report / "rows.jsonl").read_bytes()
    other = geco(*arguments(objects, report, "geco", "--protocol", "A"))
    assert (
        other.returncode == 2 and "protocol was both, is A" in other.stderr and other.stderr.count("\n") == 1
    )
    assert (report / "rows.jsonl").read_bytes() == before


def test_killed_and_started_again_gives_the_same_report(objects: Path, report: Path) -> None:
    folder = objects / "killed"
    command = arguments(
        objects, folder, "geco,copy-input", "--seeds", "2", "--meshes", f"other={objects / 'foreign'}"
    )
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    process = subprocess.Popen(
        [sys.executable, "-m", "geco.cli.main", *map(str, command)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 300  # starting takes a minute on a busy machine
    while not (folder / "rows.jsonl").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    written = (folder / "rows.jsonl").read_bytes()
    assert 0 < written.count(b"\n") < 9
    with (folder / "rows.jsonl").open("ab") as file:
        file.write(b'{"method": "geco", "obj')  # as a kill in the middle of a line would leave it
    again = geco(*command)
    assert again.returncode == 0, again.stderr
    assert (folder / "rows.jsonl").read_bytes().startswith(written)
    left = 9 - written.count(b"\n")
    assert f"{left} rows measured, 9 in all" in again.stderr
    results, whole = (json.loads((each / "results.json").read_text()) for each in (folder, report))
    assert repeatable(results) == repeatable(whole)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (["--methods", "no-such"], "no-such"),
        (["--methods", "stage1"], "has no stage1"),
        (["--methods", "copy-input", "--variants", "shiny"], "shiny"),
        (["--methods", "copy-input", "--limit", "0"], "--limit 0"),
        (["--methods", "copy-input", "--size", "8"], "8 pixels"),
        (["--methods", "copy-input", "--meshes", "other"], "NAME=DIR"),
        (["--methods", "copy-input", "--objects", "/no/such/folder"], "/no/such/folder"),
    ],
)
def test_mistakes_cost_no_work(
    objects: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: list[str], said: str
) -> None:
    from geco.cli.main import main

    code = main(["evaluate", "--objects", str(objects / "objects"), "-o", str(tmp_path / "report"), *change])
    assert code == 2 and not (tmp_path / "report").exists()
    assert said in capsys.readouterr().err


def test_a_method_may_have_fewer_seeds_than_the_report(objects: Path, tmp_path: Path) -> None:
    """A slow one, say; left out, --seeds is the report's."""
    few = ("--limit", "1", "--seeds")
    assert geco(*arguments(objects, tmp_path / "report", "geco", *few, "2")).returncode == 0
    assert (
        "1 rows measured, 3 in all"
        in geco(*arguments(objects, tmp_path / "report", "geco@1", *few, "1")).stderr
    )
    assert (
        "2 rows measured, 5 in all"
        in geco(*arguments(objects, tmp_path / "report", "geco@0.5", *few[:-1])).stderr
    )
