"""Steps, guidance, sampler and reference of a teacher, chosen by the user: both families, at tiny size."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from geco.errors import ConfigError
from geco.multiview.guidance import write
from geco.multiview.noise import SeededNoise
from geco.multiview.sampling import Walk, sample
from geco.pipeline import GecoPipeline
from geco.surface_to_asset import AssetOptions
from tests.cli_command import geco
from tests.multiview import tiny
from tests.pictures import ball_picture
from tests.torch_runtime.build import full_folder, small_folder

OPTIONS = AssetOptions(resolution=16, texture_size=64)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return full_folder(tmp_path_factory.mktemp("full"))


@contextmanager
def calls(network: torch.nn.Module) -> Iterator[Counter[int]]:
    """How often a network ran, by the size of the batch."""
    counted: Counter[int] = Counter()
    hook = network.register_forward_pre_hook(lambda _, inputs: counted.update([len(inputs[0])]))
    yield counted
    hook.remove()


def test_both_halves_of_guidance_are_written_in_one_pass_and_read_in_one() -> None:
    network, condition, without = tiny.network(True), tiny.condition(), tiny.condition(seed=9)
    for reference, wanted in (("noised", {2: 6}), ("clean", {2: 4})):
        with calls(network.unet) as counted:  # three steps: a write and a read each, or one write in all
            sample(
                network,
                condition,
                SeededNoise([4]),
                Walk(3, guidance_scale=3.0, reference=reference),
                without,
            )
        assert counted == wanted
    t, noise = torch.tensor([500]), torch.randn(2, *condition.picture.shape, generator=torch.Generator())
    (both,) = write(network, [without, condition], t, list(noise))
    apart = [network.encode_condition(c, t, part) for c, part in zip([without, condition], noise)]
    for name, value in both.tensors.items():
        torch.testing.assert_close(
            value, torch.cat([state.tensors[name] for state in apart]), rtol=0, atol=1e-5
        )


def test_conditions_that_do_not_join_are_written_one_after_the_other() -> None:
    network, condition = tiny.network(True), tiny.condition()
    bare = type(condition)(None, tiny.condition(seed=9).text)  # guidance against no reference at all
    with calls(network.unet) as counted:
        x0 = sample(network, condition, SeededNoise([4]), Walk(2, guidance_scale=3.0), bare)
    assert counted == {1: 6} and torch.isfinite(x0).all()


def test_a_teacher_is_steered_and_its_file_says_how(full: Path) -> None:
    pipeline = GecoPipeline.from_pretrained(full, device="cpu")
    picture, steps = ball_picture(64), []
    own = pipeline(picture, options=OPTIONS)
    assert own.facts["sampling"]["reference"] == "noised" and own.facts["sampling"]["steps"] == 2
    wanted: dict[str, Any] = {"steps": 5, "guidance": 1.5, "sampler": "ddim", "reference": "clean"}
    with calls(pipeline.backend.network.unet) as counted:  # type: ignore[attr-defined]
        steered = pipeline(picture, options=OPTIONS, on_step=lambda *done: steps.append(done), **wanted)
    assert counted == {2: 6} and steps == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]
    used = steered.extras()["sampling"]
    assert (used["kind"], used["steps"], used["guidance_scale"]) == ("ddim", 5, 1.5)
    again = pipeline(picture, options=OPTIONS, **wanted)
    np.testing.assert_array_equal(again.views, steered.views)
    for name, value in (("guidance", 4.0), ("sampler", "euler-ancestral"), ("reference", "noised")):
        other = pipeline(picture, options=OPTIONS, **{**wanted, name: value})
        assert np.abs(other.views - steered.views).max() > 1e-3, name


def test_the_small_family_is_steered_too_and_reads_a_clean_picture_alone(tmp_path: Path) -> None:
    pipeline = GecoPipeline.from_pretrained(small_folder(tmp_path / "model"), device="cpu")
    assert pipeline.backend.sampling is not None and pipeline.backend.sampling.steps == 2
    views = [pipeline(ball_picture(64), options=OPTIONS, steps=n).views for n in (1, 2, 6)]
    assert np.abs(views[0] - views[1]).max() > 1e-3 and np.abs(views[2] - views[1]).max() > 1e-3
    pipeline.sampling(reference="clean")
    with pytest.raises(ConfigError, match="clean reference alone"):
        pipeline.sampling(reference="noised")
    with pytest.raises(ConfigError, match="truncation is for a one-step"):
        pipeline.sampling(truncation=0.5)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"steps": 28}, "one-step generator: it takes no steps 28"),
        ({"sampler": "ddim"}, "takes no sampler ddim"),
        ({"reference": "noised", "steps": 1}, "takes no reference noised"),
        ({"steps": 0}, "steps"),
        ({"guidance": float("nan")}, "guidance"),
        ({"sampler": "heun"}, "heun"),
    ],
)
def test_a_one_step_generator_is_no_teacher(asked: dict[str, Any], said: str) -> None:
    pipeline = GecoPipeline.from_pretrained("small")
    with pytest.raises(ConfigError, match=said) as refused:
        pipeline.sampling(**asked)
    assert "steps 28" not in str(refused.value) or "models/small/teacher" in str(refused.value)
    assert pipeline.sampling(steps=1, guidance=1.0, reference="clean").steps == 1  # type: ignore[union-attr]
    assert pipeline.sampling() == pipeline.backend.sampling


@pytest.mark.slow
def test_seventy_five_twenty_eight_and_one_step_by_one_command_each(full: Path, tmp_path: Path) -> None:
    ball_picture(64).save(tmp_path / "ball.png")
    options = ["--model", full, "--device", "cpu", "--texture-size", "64", "--json", "-o", tmp_path / "b.glb"]
    for steps in (75, 28, 1):
        result = geco("run", tmp_path / "ball.png", "--steps", steps, *options)
        assert result.returncode == 0, result.stderr
        assert json.loads(result.stdout)["sampling"]["steps"] == steps


def test_a_command_that_cannot_be_is_refused_before_any_picture(tmp_path: Path) -> None:
    ball_picture(64).save(tmp_path / "ball.png")
    result = geco("run", tmp_path / "ball.png", "--steps", "28", "-o", tmp_path / "b.glb")
    assert result.returncode == 2 and "one-step generator" in result.stderr and result.stderr.count("\n") == 1
    assert not (tmp_path / "b.glb").exists()
    regressor = GecoPipeline.from_pretrained(Path(__file__).parents[2] / "models" / "small" / "regressor")
    for asked in ({"steps": 28}, {"guidance": 2.0}, {"reference": "clean"}, {"sampler": "ddim"}):
        with pytest.raises(ConfigError, match="draws no views"):
            regressor.sampling(**asked)
