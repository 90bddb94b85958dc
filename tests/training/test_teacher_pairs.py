"""``geco distill stage1 --pairs --set``, the real command: what reads the pairs, what is refused,
what the card remembers.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
import torch

from geco.cli.main import main
from geco.errors import ConfigError
from geco.multiview.generate import generate_views
from geco.multiview.noise import SeededNoise
from geco.multiview.small.codec import PixelCodec
from geco.recipes.tiny import tiny
from geco.sampling import Sampling
from geco.training.halves import Views
from geco.training.pairs import Pairs
from geco.training.stage2 import Stage2Task
from geco.training.stage2_views import views_of
from geco.training.teacher_pairs import TeacherPairs, find_pairs
from tests.training.build_pairs import write
from tests.training.record_curves import Stages

BOTH = ["--set", "regression_steps=2", "--set", "adversarial_weight=0.5"]
SHAPE = (6, 3, 16, 16)


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Stages:
    """Shards, a tiny model to start from, and four pairs of 16 px."""
    stages = Stages(tmp_path_factory.mktemp("pairs"))
    stages.stage2().save_model(stages.folder)  # makes the pairs
    return stages


def distill(room: Stages, run: str, *more: str | Path) -> Path:
    where = ["--recipe", "tiny", "--data", room.views, "--init", room.start, "-o", room.folder / run]
    assert (
        main(
            [
                str(v)
                for v in (
                    "distill",
                    "stage1",
                    *where,
                    "--steps",
                    "3",
                    "--threads",
                    "1",
                    "--device",
                    "cpu",
                    *more,
                )
            ]
        )
        == 0
    )
    return room.folder / run


def test_regression_and_discriminator_learn_from_the_pairs(
    room: Stages, capsys: pytest.CaptureFixture[str]
) -> None:
    run = distill(room, "both", "--pairs", room.folder / "pairs", *BOTH)
    first = json.loads((run / "log.jsonl").read_text().splitlines()[0])
    assert (
        first["generator_regression"] > 0
        and first["generator_adversarial"] > 0
        and "discriminator_loss" in first
    )
    facts = json.loads((run / "config.json").read_text())["facts"]
    assert facts["pairs"] == {"count": 4, "steps": 3, "guidance_scale": 1.5, "seed": 0}
    assert facts["overrides"] == {"stage1": {"regression_steps": 2, "adversarial_weight": 0.5}}
    assert "guidance" not in capsys.readouterr().out
    distill(room, "stronger", "--pairs", room.folder / "pairs", *BOTH, "--set", "guidance_scale=2")
    assert "made with guidance 1.5, the scores take 2" in capsys.readouterr().out


def test_pairs_are_asked_for_and_not_taken_in_vain(room: Stages, capsys: pytest.CaptureFixture[str]) -> None:
    where = [
        "--recipe",
        "tiny",
        "--data",
        room.views,
        "--init",
        room.start,
        "-o",
        room.folder / "never",
        "--device",
        "cpu",
    ]

    def refused(*more: str | Path) -> str:
        assert main([str(v) for v in ("distill", "stage1", *where, *more)]) == 2
        return capsys.readouterr().err

    assert "--pairs DIR" in refused(*BOTH) and "regression_steps and adversarial_weight" in refused(*BOTH)
    assert "nothing would read them" in refused("--pairs", room.folder / "pairs")
    assert "no pairs" in refused("--pairs", room.folder / "nothing", *BOTH)
    assert "timestep = 1000" in refused("--set", "timestep=1000")
    assert "student_repeats" in refused("--set", "repeats=5")
    assert not (room.folder / "never").exists()


def test_pairs_of_another_view_size_are_refused(room: Stages) -> None:
    with pytest.raises(ConfigError, match="6 x 3 x 16 x 16, the model in --init makes 6 x 3 x 32 x 32"):
        find_pairs(replace(tiny().stage1, regression_steps=1), room.folder / "pairs", (6, 3, 32, 32))


def test_what_stage1_gets_is_what_was_made(room: Stages, tmp_path: Path) -> None:
    write(tmp_path, 4)
    whole, source = Pairs(tmp_path), TeacherPairs(tmp_path, SHAPE)
    picture, z, x0 = source.pairs(5, 6)
    assert (
        picture.shape == (6, 3, 16, 16) and z.shape == x0.shape == (6, *SHAPE) and x0.dtype == torch.float32
    )
    for row in range(6):  # each sample belongs to its noise and its picture
        (found,) = [n for n in range(4) if torch.equal(whole.noise(n, SHAPE)[0], z[row])]
        assert torch.equal(x0[row], torch.from_numpy(whole[found]["x0"]).float())
        assert torch.equal(picture[row], torch.from_numpy(whole[found]["picture"]).float() / 255)
    again = TeacherPairs(tmp_path, SHAPE).pairs(5, 6)
    assert all(torch.equal(a, b) for a, b in zip((picture, z, x0), again)) and not torch.equal(
        source.pairs(6, 6)[1], z
    )


def test_a_generator_is_used_as_it_was_trained(room: Stages) -> None:
    run = distill(
        room,
        "early",
        "--set",
        "timestep=600",
        "--set",
        "generator_guidance=1.25",
        "--set",
        "student_repeats=2",
    )
    facts = json.loads((run / "config.json").read_text())["facts"]
    settings = Sampling(**facts["sampling"])
    assert (settings.kind, settings.timestep, settings.guidance_scale) == ("one-step", 600, 1.25)
    assert facts["overrides"]["stage1"] == {"timestep": 600, "generator_guidance": 1.25, "student_repeats": 2}
    assert list(json.loads((run / "log.jsonl").read_text().splitlines()[-1])["report"]["x0_psnr"]) == ["600"]
    check_stage2_draws(room, settings)


def test_a_generator_of_two_steps_is_used_in_two(room: Stages) -> None:
    run = distill(room, "two-step", "--set", "steps=2", "--set", "timesteps=999,400")
    facts = json.loads((run / "config.json").read_text())["facts"]
    settings = Sampling.from_dict(facts["sampling"])
    assert settings == Sampling("few-step", 2, timesteps=(999, 400), truncation=settings.truncation)
    report = json.loads((run / "log.jsonl").read_text().splitlines()[-1])["report"]
    assert list(report["x0_psnr"]) == ["999", "400"]
    check_stage2_draws(room, settings)


class OneSeed:
    """Pairs whose noise is that of one seed."""

    def source(self, row: int) -> SeededNoise:
        return SeededNoise([4])


def check_stage2_draws(room: Stages, settings: Sampling) -> None:
    """Stage II draws the views that the model folder draws."""
    task = room.stage2()
    assert isinstance(task, Stage2Task)
    network, codec, pairs = task.generator, PixelCodec(16), cast(Pairs, OneSeed())
    picture = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(1))
    wanted = generate_views(network, codec, picture[None], [4], settings)[0]
    for how, same in ((settings, True), (Sampling(), False)):
        with torch.no_grad():
            found = views_of(Views(network, codec, how), pairs, task.machine, False)(0, picture)
        assert torch.equal(found, wanted) == same
