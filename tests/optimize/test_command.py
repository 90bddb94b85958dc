"""``geco optimize`` from the outside."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from geco.cli.main import main
from tests.pictures import ball_picture
from tests.torch_runtime.build import small_folder

FEW = ["--steps", "6", "--set", "cells=12", "--set", "mesh_cells=12", "--set", "preview_steps=2"]


def test_a_picture_becomes_a_mesh_and_the_mesh_a_better_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, picture = str(small_folder(tmp_path / "model")), tmp_path / "ball.png"
    ball_picture(64).save(picture)
    mesh, better = tmp_path / "ball.glb", tmp_path / "better.glb"
    begin = ["optimize", str(picture), "--teacher", model, "--device", "cpu", "--json"]
    assert main([*begin, "-o", str(mesh), *FEW]) == 0
    out, err = capsys.readouterr()
    line = json.loads(out)
    assert line["facts"]["optimize"]["steps_done"] == 6
    assert "step 6 of 6" in err
    assert {p.name for p in (tmp_path / "ball-optimize").iterdir()} >= {"preview.png", "progress.json"}
    assert not (tmp_path / "ball-optimize" / "checkpoint.pt").exists()
    refining = ["-o", str(better), "--from", str(mesh), "--steps", "4", "--set", "picture_size=32", "-q"]
    assert main([*begin, *refining]) == 0
    before, after = json.loads(capsys.readouterr().out)["facts"]["optimize"]["input_psnr"]
    assert after > before


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["-o", "cup.txt"], "not a mesh format"),
        (["-o", "cup.glb", "--set", "spoon=1"], "there is no such number"),
        (["-o", "cup.glb", "--set", "t_range=0.9,0.3"], "no part of the timesteps"),
        (["-o", "mine.glb"], "not a result of GECO"),
        (["-o", "cup.glb", "--from", "mine.glb", "--faces", "500"], "keeps its faces"),
        (["-o", "cup.glb", "--refine", "--particles", "2"], "not several particles"),
    ],
)
def test_what_cannot_be_is_said_before_the_work(
    more: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    ball_picture(64).save("ball.png")
    Path("mine.glb").write_bytes(b"somebody's own")
    assert main(["optimize", "ball.png", "--teacher", "nowhere", *more]) == 2
    assert said in capsys.readouterr().err
    assert {p.name for p in tmp_path.iterdir()} == {"ball.png", "mine.glb"}
