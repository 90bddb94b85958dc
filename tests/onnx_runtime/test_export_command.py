"""``geco export``: a run folder becomes one that the real command runs, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from geco.cli.main import main
from geco.locks import locked
from geco.model_files.card import CARD, write_model_card
from geco.multiview.small.network import SmallMultiView
from geco.multiview.small.weights import save_small
from geco.reconstruct.small.model import SmallReconstructor
from tests.cli_command import geco
from tests.onnx_runtime.conftest import USAGE


@pytest.fixture
def trained(networks: tuple[SmallMultiView, SmallReconstructor], tmp_path: Path) -> Path:
    save_small(networks[0], tmp_path / "run" / "multiview")
    networks[1].save(tmp_path / "run" / "reconstructor")
    write_model_card(tmp_path / "run", "small", "test", USAGE.to_dict())
    return tmp_path / "run"


def test_the_folder_that_it_writes_is_a_model(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, facts = tmp_path / "exported", tmp_path / "facts.json"
    facts.write_text('{"note": "of a test"}')
    options = ["--steps", "3", "--guidance", "2", "--resolution", "16", "--texture-size", "64"]
    assert main(["export", str(trained), "-o", str(out), *options, "--facts", str(facts)]) == 0
    said = capsys.readouterr().out
    assert f"geco run PICTURE --model {out}" in said
    card = json.loads((out / CARD).read_text())
    facts = card["facts"]
    assert (facts["resolution"], facts["texture_size"], facts["note"]) == (16, 64, "of a test")
    assert facts["sampling"] == replace(USAGE.drawing(""), steps=3).to_dict()
    assert main(["info", "--model", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["model"]["name"]
    assert ".lock" not in {path.name for path in out.iterdir()}
    assert main(["export", str(trained), "-o", str(out), "--resolution", "32"]) == 0  # over an earlier one
    assert json.loads((out / CARD).read_text())["facts"]["resolution"] == 32


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing", "-o", "out"], "nothing"),
        (["run", "-o", "run/multiview"], "config.json"),
        (["run", "-o", "run"], "config.json"),
        (["run", "-o", "out", "--steps", "0"], "steps"),
        (["run", "-o", "out", "--guidance", "nan"], "guidance"),
        (["run", "-o", "out", "--eta", "2"], "eta"),
        (["run", "-o", "out", "--resolution", "4"], "--resolution 4"),
        (["run", "-o", "out", "--texture-size", "99999"], "--texture-size"),
        (["run", "-o", "out", "--facts", "nothing.json"], "nothing.json"),
        (["run", "-o", "file"], "file"),
    ],
)
def test_what_it_cannot_do_is_one_line_and_nothing_is_written(
    arguments: list[str],
    said: str,
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("mine")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert main(["export", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("geco: ") and said in error and error.count("\n") == 1, error
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert not (tmp_path / "out").exists()


def test_two_do_not_export_into_one_folder(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with locked(tmp_path / "out", ".lock"):
        assert main(["export", str(trained), "-o", str(tmp_path / "out")]) == 2
    assert "another run is writing" in capsys.readouterr().err


def test_a_full_disk_is_one_line(trained: Path, tmp_path: Path) -> None:
    """ONNX Runtime raises an error of its own there; a bound on the size of files stands in for the disk."""
    resource = pytest.importorskip("resource")
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))  # noqa: E731
    done = geco("export", trained, "-o", tmp_path / "out", preexec=limit)
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    assert "cannot write" in done.stderr and not (tmp_path / "out" / CARD).exists()
