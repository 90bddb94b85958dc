"""Pairs whose truth is the data's own six views."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from geco.cli.main import main
from geco.data.dataset import GridViews
from geco.errors import ConfigError
from geco.model_files.card import RECONSTRUCTOR
from geco.noise import seed_of
from geco.reconstruct.small.model import SmallReconstructor
from geco.training import small_family
from geco.training.pairs import Pairs
from geco.training.six_views import batch_tensors
from geco.training.teacher_pairs import TeacherPairs
from tests.training.record_curves import SEED, Stages


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Stages:
    """Shards, and in ``start`` a teacher with a reconstructor."""
    stages = Stages(tmp_path_factory.mktemp("true"))
    torch.manual_seed(SEED)
    SmallReconstructor(stages.recipe.reconstructor).save(stages.start / RECONSTRUCTOR)
    return stages


def command(room: Stages, output: Path, *more: str) -> list[str]:
    plain = [
        "distill",
        "pairs",
        "--recipe",
        "tiny",
        "--data",
        room.views,
        "--init",
        room.start,
        "--device",
        "cpu",
        "--count",
        "3",
    ]
    return [str(word) for word in (*plain, "-o", output, *more)]


def test_they_are_the_views_of_the_pictures_object(
    room: Stages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(small_family, "recolor", lambda condition, targets, *_: (condition, targets))
    assert main(command(room, tmp_path / "teacher")) == 0
    assert main(command(room, tmp_path / "true", "--true-views")) == 0
    theirs, true = Pairs(tmp_path / "teacher"), Pairs(tmp_path / "true")
    assert len(true) == 3 and true.facts == {"count": 3, "truth": "true views"}
    shards = GridViews(room.views)
    for row, number in enumerate(map(int, true.numbers)):
        targets = batch_tensors(shards, seed_of(true.settings["seed"], "pairs", "pictures"), number, 1)[1]
        wanted = small_family.composite(targets)[0].numpy()
        assert np.abs(true[row]["views"] / 255 - wanted).max() < 0.51 / 255
        same = list(theirs.numbers).index(number)  # other truth, same picture and z
        np.testing.assert_array_equal(true[row]["picture"], theirs[same]["picture"])
        assert true.keys[row] == theirs.keys[same] and torch.equal(
            true.noise(row, (2,)), theirs.noise(same, (2,))
        )


def test_they_mix_with_no_others(room: Stages, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command(room, tmp_path, "--true-views")) == 0
    assert main(command(room, tmp_path)) == 2 and "true_views True, not False" in capsys.readouterr().err
    for more in (["--generator", str(room.start)], ["--steps", "5"]):
        assert main(command(room, tmp_path, "--true-views", *more)) == 2
        assert "without --generator and --steps" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="hold true views"):  # they cannot tell Stage I what z becomes
        TeacherPairs(tmp_path, Pairs(tmp_path).shape)
    about = json.loads((tmp_path / "pairs.json").read_text())
    about["settings"]["format"] = "geco-pairs-1"
    (tmp_path / "pairs.json").write_text(json.dumps(about))
    with pytest.raises(ConfigError, match="older version"):
        Pairs(tmp_path)


def test_true_views_have_the_colours_of_their_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small_family, "photograph", lambda condition, *_: condition)
    plain = np.full((16, 16, 4), (200, 90, 30, 255), np.uint8)
    data = SimpleNamespace(
        draw=lambda seed, step, size, rank=0, world=1: [(0, 0, 0, False)] * size,
        condition=lambda *sample: plain,
        sample=lambda *sample: (plain, np.repeat(plain[None], 6, axis=0)),
    )
    source = small_family.SmallConditions(data)  # type: ignore[arg-type]
    shown, views = (
        torch.cat([make(0, 2, torch.Generator().manual_seed(seed)) for seed in range(8)])
        for make in (source.conditions, source.views)
    )
    # recoloured, in the same way
    assert torch.equal(shown, views[:, 3]) and len(torch.unique(shown[:, :, 0, 0], dim=0)) > 4
