"""``geco data label``: points beside shards, held-out ones too, once; and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from geco.cli.main import main
from geco.data.dataset.grid import GRID_SETS
from geco.data.labels.files import LabelledPoints
from geco.data.labels.shards import LOCK
from geco.data.shards import HELD_OUT, Shards
from geco.locks import locked
from tests.data.balls import write_balls
from tests.data.dots import write_dots

pytest.importorskip("scipy")


def test_every_shard_gets_its_points_and_a_second_call_leaves_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_balls(tmp_path / "balls")
    apart = write_balls(folder / HELD_OUT, objects=1)
    assert main(["data", "label", str(folder), "--workers", "2"]) == 0
    assert capsys.readouterr().out == f"{folder}: 2 shards labelled\n{apart}: 1 shards labelled\n"
    points = LabelledPoints(Shards(folder))[0].points
    assert len(LabelledPoints(Shards(folder))) == 2 and len(LabelledPoints(Shards(apart))) == 1
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert LOCK not in before
    assert main(["data", "label", str(folder)]) == 0
    assert capsys.readouterr().out == f"{folder}: 0 shards labelled\n{apart}: 0 shards labelled\n"
    assert before == {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert main(["data", "label", str(folder), "--seed", "1", "--workers", "1"]) == 0
    assert not np.array_equal(points, LabelledPoints(Shards(folder))[0].points)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing"], "nothing"),
        (["dots"], "channel 'depth'"),
        (["balls", "--workers", "0"], "--workers 0"),
        (["balls", "--seed", "-1"], "--seed -1"),
    ],
)
def test_what_cannot_be_labelled_is_one_line_and_nothing_is_written(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_dots(tmp_path / "dots", GRID_SETS, objects=1, size=16, depth=False)
    write_balls(tmp_path / "balls", objects=1)
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert main(["data", "label", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("geco: ") and said in error and error.count("\n") == 1, error
    assert sorted(tmp_path.rglob("*")) == before


def test_two_do_not_label_one_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_balls(tmp_path / "balls", objects=1)
    with locked(folder, LOCK):
        assert main(["data", "label", str(folder)]) == 2
    assert "another run is writing" in capsys.readouterr().err
