"""A run's folder: one writer, nobody else's work, and the settings that it was begun with; the
next command works.
"""

from __future__ import annotations

import json
import re
import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geco.cli.main import main, parser
from geco.errors import ConfigError, OutputError
from geco.locks import locked
from geco.training.run_folder import FILE, FREE, LOCK, agree, claimed, read_settings
from geco.training.state import load_checkpoint
from tests.cases import BUGS
from tests.data.glb import GlbWriter, box

TOY = BUGS / "run" / "toy.png"
NAMES = ("seed", "batch", "rate", "data", *FREE)
VALUES = st.one_of(
    st.none(), st.integers(0, 3), st.floats(0, 1), st.sampled_from(["a", "b"]), st.tuples(st.integers(0, 2))
)


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shards of three boxes, and a teacher of one step."""
    folder = tmp_path_factory.mktemp("run folders")  # with a space, as users' folders have
    (folder / "objects").mkdir()
    for index in range(3):
        writer = GlbWriter()
        vertices, faces = box((1, 1 + index, 2))
        writer.mesh(vertices, faces, colors=np.full((8, 4), 40 * index, np.uint8))
        writer.save(folder / "objects" / f"{index}.glb")
    render = [
        "data",
        "render",
        folder / "objects",
        "-o",
        folder / "views",
        "--views",
        "grid-targets,grid-extra,grid-inputs",
    ]
    assert main([str(each) for each in [*render, "--size", "16", "--workers", "1"]]) == 0
    assert main(train(folder, "teacher", folder / "teacher")) == 0
    return folder


def train(room: Path, stage: str, output: Path, *more: object) -> list[str]:
    command = [
        "train",
        stage,
        "--recipe",
        "tiny",
        "--data",
        room / "views",
        "-o",
        output,
        "--steps",
        "1",
        "--device",
        "cpu",
    ]
    return [str(each) for each in [*command, *more]]


@given(st.dictionaries(st.sampled_from(NAMES), VALUES), st.dictionaries(st.sampled_from(NAMES), VALUES))
@settings(max_examples=60, deadline=None)
def test_what_decides_the_weights_stays_and_the_rest_is_said(
    before: dict[str, object], now: dict[str, object]
) -> None:
    def stored(value: object) -> object:
        return json.loads(json.dumps(value))

    changed = {name for name in before.keys() & now.keys() if stored(before[name]) != stored(now[name])}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "run"
        with claimed(folder, before, resume=False):
            (folder / "checkpoint.pt").touch()
        if fixed := changed - set(FREE):
            with pytest.raises(ConfigError) as refused, claimed(folder, now, resume=True):
                pass
            for each in fixed:
                assert f"{each} {stored(before[each])}, not {stored(now[each])}" in str(refused.value)
            assert read_settings(folder) == stored(before), "a refused command changes nothing"
        else:
            with claimed(folder, now, resume=True):
                assert read_settings(folder) == stored(now)
        assert sorted(path.name for path in folder.iterdir()) == ["checkpoint.pt", FILE]


def test_free_settings_are_said_with_both_values(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    agree(tmp_path, {"threads": 2, "seed": 0}, {"threads": 4, "seed": 0})
    assert capsys.readouterr().err == f"{tmp_path} goes on with threads 4 (was 2)\n"


@pytest.mark.parametrize("name", ["config.json", "multiview", "log.jsonl", "reconstructor", "autoencoder"])
def test_what_is_no_run_is_not_written_over(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("a user's")
    with (
        pytest.raises(OutputError, match=f"holds {name} but no checkpoint"),
        claimed(tmp_path, {}, resume=True),
    ):
        pass
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_command_that_comes_to_nothing_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), claimed(tmp_path / "run", {"seed": 0}, resume=False):
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_an_output_that_cannot_be_made_fails_before_the_data_is_looked_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "f").touch()
    for stage, more in (("teacher", ()), ("regressor", ())):
        assert main(train(tmp_path / "no data", stage, tmp_path / "f" / "t", *more)) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1 and f"cannot write {tmp_path / 'f' / 't'}" in said
    assert main(["convert", "-o", str(tmp_path / "f" / "t")]) == 2  # before gigabytes are fetched
    assert f"cannot write {tmp_path / 'f' / 't'}" in capsys.readouterr().err


def test_two_trainings_do_not_share_a_folder(
    room: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("geco.training.run_folder.TURN", 0.2)  # a minute's patience is the product's
    with locked(tmp_path / "run", LOCK):
        assert main(train(room, "teacher", tmp_path / "run")) == 2
        pairs = [
            "distill",
            "pairs",
            "--recipe",
            "tiny",
            "--data",
            room / "views",
            "--init",
            room / "teacher",
            "-o",
            tmp_path / "run",
        ]
        assert main([str(each) for each in pairs]) == 2
    assert capsys.readouterr().err.count("another run is writing") == 2


def test_the_settings_stand_in_the_run_and_another_value_is_refused(
    room: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = room / "teacher"
    known = read_settings(run)
    assert known["seed"] == 0 and known["recipe"] == "tiny" and known["batch"] == 4 and "data" in known
    kept = json.loads(load_checkpoint(run / "checkpoint.pt", {"multiview"})["settings"])
    assert kept.items() <= known.items() and kept["seed"] == 0
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    for more, said in (
        (("--seed", 1), "seed 0, not 1"),
        (("--set", "rate_scale=2"), "rate_scale"),
        (("--set", "accumulate=2"), "accumulate 1, not 2"),
        (("--init", run), "same folder"),
        ((), "--resume"),
    ):
        resume = ["--resume"] if more else []
        assert main(train(room, "teacher", run, *resume, *more)) == 2, more
        assert said in capsys.readouterr().err
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    (run / FILE).unlink()  # the checkpoint knows too
    assert main(train(room, "teacher", run, "--resume", "--seed", 1, "--steps", 2)) == 2
    assert "seed 0, not 1" in capsys.readouterr().err
    assert main(train(room, "teacher", run, "--resume", "--steps", 2)) == 0


def commands(text: str) -> Iterator[list[str]]:
    """Every ``geco`` command at the end of a line."""
    for line in text.splitlines():
        if found := re.search(r": geco (.*)$", line):
            yield shlex.split(found[1])


def follow(said: str, tmp_path: Path, run: bool) -> list[str]:
    """The one command that was named: it parses, its paths are there; filled in and run where
    that is asked for.
    """
    (command,) = commands(said)
    filled = [
        {"PICTURE": str(TOY), "RUN_DIR": str(tmp_path / "next"), "TEACHER_RUN": str(tmp_path / "other")}.get(
            w, w
        )
        for w in command
    ]
    options = vars(parser().parse_args(filled))
    for name in ("data", "init", "pairs", "perceptual", "model"):
        given = options.get(name)
        if given is not None and str(given) not in ("PAIRS", "STAGE1_RUN", "small"):
            assert Path(given).exists(), command
    if run:
        more = {
            "run": [
                "-o",
                str(tmp_path / "o.glb"),
                "-q",
                "--resolution",
                "16",
                "--texture-size",
                "64",
                "--device",
                "cpu",
            ]
        }
        assert main([*filled, *more.get(filled[0], ["--steps", "1", "--device", "cpu"])]) == 0, filled
    return filled


def test_every_stage_names_a_next_command_that_works(
    room: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    views = ["--recipe", "tiny", "--data", str(room / "views"), "--device", "cpu"]
    assert main(train(room, "teacher", tmp_path / "teacher")) == 0
    follow(capsys.readouterr().out, tmp_path, run=True)  # trains the reconstructor, into "next"
    follow(capsys.readouterr().out, tmp_path, run=True)  # a mesh
    both = tmp_path / "next"
    assert (
        main(["distill", "stage1", *views, "--init", str(both), "-o", str(tmp_path / "one"), "--steps", "1"])
        == 0
    )
    follow(capsys.readouterr().out, tmp_path, run=False)
    pairs = ["distill", "pairs", *views, "--init", str(both), "-o", str(tmp_path / "pairs"), "--count", "2"]
    assert main(pairs) == 0
    capsys.readouterr()
    second = [
        "--recipe",
        "tiny",
        "--pairs",
        tmp_path / "pairs",
        "--init",
        tmp_path / "one",
        "-o",
        tmp_path / "two",
    ]
    assert main([str(w) for w in ["distill", "stage2", *second, "--steps", 1, "--device", "cpu"]]) == 0
    assert follow(capsys.readouterr().out, tmp_path, run=False)[0] == "run"
    for stage, next_one in (
        ("regressor", ["run"]),
        ("autoencoder", ["distill", "stage2"]),
        ("reconstructor", ["train", "teacher"]),
    ):
        assert main(train(room, stage, tmp_path / stage)) == 0
        assert follow(capsys.readouterr().out, tmp_path, run=False)[: len(next_one)] == next_one
