"""Stage I on the small network at 16 pixels: what moves, what stays, what it costs, and that a
stop changes nothing.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from geco.errors import ConfigError, WeightsError
from geco.multiview.small.network import SmallMultiView
from geco.multiview.small.weights import load_small
from geco.training.loop import LoopOptions, train
from geco.training.stage1_options import Stage1Options
from tests.training.build import OPTIONS, TINY, Pairs, make_task, tiny_teacher


def weights(network: SmallMultiView) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


def test_generator_and_student_move_and_the_teacher_stays(tmp_path: Path) -> None:
    task = make_task()
    before = weights(task.teacher)
    train(task, LoopOptions(tmp_path, steps=3, log_steps=1, warmup_steps=1), quiet=True)
    assert all(torch.equal(value, before[name]) for name, value in task.teacher.state_dict().items())
    for network in (task.generator, task.student):
        assert any(not torch.equal(value, before[name]) for name, value in network.state_dict().items())
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 3]
    assert {"generator_loss", "student_loss", "generator_step_size", "samples_s"} <= lines[0].keys()
    assert load_small(tmp_path).config == TINY
    assert list(tmp_path.glob("grid_*.png"))


def test_no_gradient_while_student_is_the_teacher_and_guidance_is_off() -> None:
    task = make_task(Stage1Options(batch=2, guidance_scale=1.0, weighting="sigma2"))
    loss, values = task.generator_loss(0, torch.Generator().manual_seed(0))
    assert float(loss) == 0.0 and values["step_size"] == 0.0
    guided = make_task(Stage1Options(batch=2, guidance_scale=3.0, weighting="sigma2"))
    assert float(guided.generator_loss(0, torch.Generator().manual_seed(0))[0]) > 0


def test_the_students_loss_reaches_only_the_student() -> None:
    task = make_task()
    task.student_loss(0, torch.Generator().manual_seed(0))[0].backward()
    assert all(parameter.grad is None for parameter in task.generator.parameters())
    assert any(parameter.grad is not None for parameter in task.student.parameters())


def test_regression_on_pairs_comes_first_and_fades() -> None:
    task = make_task(replace(OPTIONS, regression_steps=4), pairs=Pairs())
    assert "regression" in task.generator_loss(0, torch.Generator().manual_seed(0))[1]
    assert "regression" not in task.generator_loss(4, torch.Generator().manual_seed(0))[1]
    with pytest.raises(ConfigError, match="pairs"):
        make_task(replace(OPTIONS, regression_steps=4))


@pytest.mark.parametrize("accumulate", [1, 2])
def test_stopped_and_resumed_gives_the_same_weights(tmp_path: Path, accumulate: int) -> None:
    whole = LoopOptions(tmp_path / "whole", steps=4, accumulate=accumulate, decay_part=0.0)
    train(make_task(), whole, quiet=True)
    pieces = LoopOptions(tmp_path / "pieces", steps=2, accumulate=accumulate, decay_part=0.0)
    train(make_task(), pieces, quiet=True)
    train(
        make_task(),
        LoopOptions(tmp_path / "pieces", steps=4, accumulate=accumulate, decay_part=0.0),
        quiet=True,
    )
    first, second = (
        torch.load(folder / "checkpoint.pt", weights_only=True)["parts"]
        for folder in (whole.folder, pieces.folder)
    )
    for part in ("generator", "student"):
        for name, value in first[part]["network"].items():
            assert torch.equal(value, second[part]["network"][name]), name
    assert all(
        torch.equal(v, load_small(pieces.folder).state_dict()[k])
        for k, v in load_small(whole.folder).state_dict().items()
    )


def test_adapters_share_one_frozen_backbone(tmp_path: Path) -> None:
    task = make_task(replace(OPTIONS, rank=2, guidance_scale=2.0))
    plain = tiny_teacher().eval()
    assert task.roles.backbone is not None
    condition = task.codec.condition(torch.rand(1, 3, 16, 16))
    x, t = torch.randn(1, 6, 3, 16, 16), torch.tensor([500])

    def predict(network: object) -> Tensor:
        with torch.no_grad():
            return network.predict(x, t, network.encode_condition(condition), "x0")  # type: ignore

    assert torch.equal(predict(task.teacher), predict(plain))
    train(task, LoopOptions(tmp_path, steps=3, warmup_steps=1, decay_part=0.0), quiet=True)
    assert torch.equal(predict(task.teacher), predict(plain))
    made, fake = predict(task.generator), predict(task.student)
    assert (
        not torch.equal(made, predict(plain))
        and not torch.equal(fake, predict(plain))
        and not torch.equal(made, fake)
    )
    merged = task.roles.backbone.merged("generator").eval()
    assert merged.state_dict().keys() == plain.state_dict().keys()
    assert torch.allclose(predict(merged), made, atol=1e-5)
    assert load_small(tmp_path).config == TINY
    first = torch.load(tmp_path / "checkpoint.pt", weights_only=True)["parts"]["generator"]["network"]
    assert sum(value.numel() for value in first.values()) < 0.5 * sum(
        value.numel() for value in plain.state_dict().values()
    )


def test_a_run_folder_of_another_stage_is_refused(tmp_path: Path) -> None:
    torch.save({"step": 1, "elapsed": 0.0, "parts": {"network": {}}}, tmp_path / "checkpoint.pt")
    with pytest.raises(WeightsError, match="generator"):
        train(make_task(), LoopOptions(tmp_path, steps=1), quiet=True)
    with pytest.raises(ConfigError, match="needs an end"):
        LoopOptions(tmp_path)
