"""Pairs and Stage II on tiny networks: restartable pairs, the same z, gradients that lower the loss."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from geco.errors import ConfigError
from geco.multiview.interface import Condition
from geco.multiview.one_step import OneStepGenerator
from geco.multiview.sampling import Walk, sample
from geco.multiview.small.network import SmallMultiView
from geco.multiview.small.weights import save_small
from geco.multiview.steps import Sampler, Step
from geco.reconstruct.small.differentiable import soft_mesh
from geco.reconstruct.small.model import SmallReconstructor
from geco.training.halves import Surfaces, Views
from geco.training.inputs import Inputs
from geco.training.loop import LoopOptions, train
from geco.training.machine import Machine
from geco.training.pairs import Pairs, noise_of
from geco.training.stage2 import Stage2Options, Stage2Task
from geco.training.teacher_pairs import TeacherPairs
from tests.training.build import tiny_teacher
from tests.training.build_pairs import CODEC, PAIRS, ball, mesh_of, pictures, write


def test_pairs_belong_to_their_noise(tmp_path: Path) -> None:
    write(tmp_path / "whole")
    pairs = Pairs(tmp_path / "whole")
    assert len(pairs) == 4 and pairs.keys == ["object-0", "object-1", "object-2", "object-0"]
    assert pairs[1]["rgb"].shape == (5, 16, 16, 3) and pairs[1]["mask"].max() == 255
    teacher, condition = tiny_teacher().eval(), CODEC.condition(pictures(2)[1][None])
    with torch.no_grad():
        x0 = sample(
            teacher,
            condition,
            noise_of(0, [2]),
            Walk(3, guidance_scale=2.0, clip=1.0),
            CODEC.unconditional(condition),
        )
    assert np.abs(pairs[2]["x0"].astype(np.float32) - x0[0].numpy()).max() < 2e-3  # float16
    assert torch.equal(pairs.noise(2, teacher.sample_shape), noise_of(0, [2])((1, *teacher.sample_shape)))
    picture, z, x0 = pairs.pairs(0, 3, teacher.sample_shape)
    assert picture.shape == (3, 3, 16, 16) and z.shape == x0.shape == (3, 6, 3, 16, 16)


def test_pairs_of_the_generators_own_samples(tmp_path: Path) -> None:
    generator = OneStepGenerator(tiny_teacher().eval())
    torch.nn.init.normal_(generator.network.head.bias, std=0.3)  # type: ignore[union-attr]
    options = replace(PAIRS, steps=10, refine_from=450)
    write(tmp_path, 2, options, generator)
    pairs = Pairs(tmp_path)
    condition, noise = CODEC.condition(pictures(1)[1][None]), noise_of(0, [1])
    teacher = tiny_teacher().eval()
    shape = (1, *teacher.sample_shape)
    with torch.no_grad():
        made = generator(noise(shape), generator.encode(condition))
        x = teacher.schedule.add_noise(made, noise(shape), torch.tensor([399]))
        for step in Sampler("ddim").plan(teacher.schedule, 10)[6:]:
            x = sample_step(teacher, condition, x, step)
    assert np.abs(pairs[1]["x0"].astype(np.float32) - x[0].numpy()).max() < 2e-3
    assert pairs.facts == {"count": 2, "truth": "the generator's samples, refined"}
    with pytest.raises(ConfigError, match="none of 2 steps"):  # 999 and 499: nothing would be refined
        write(tmp_path / "few", 2, replace(PAIRS, steps=2, refine_from=450), generator)
    with pytest.raises(ConfigError, match="refined"):
        TeacherPairs(tmp_path, teacher.sample_shape)
    with pytest.raises(ConfigError, match="other settings"):  # the teacher's own samples do not mix with them
        write(tmp_path, 4, options)


def sample_step(teacher: SmallMultiView, condition: Condition, x: Tensor, step: Step) -> Tensor:
    """One guided DDIM step, written out."""
    t = torch.tensor([step.t])
    told, untold = (
        teacher.predict(x, t, teacher.encode_condition(each), "x0")
        for each in (condition, CODEC.unconditional(condition))
    )
    x0 = (untold + 2.0 * (told - untold)).clamp(-1, 1)
    return step.move(x0, teacher.schedule.convert(x0, x, t, "x0", "eps"), None)


def test_pairs_of_other_settings_are_not_mixed(tmp_path: Path) -> None:
    write(tmp_path, 2)
    with pytest.raises(ConfigError, match="other settings"):
        write(tmp_path, 2, replace(PAIRS, steps=4))
    with pytest.raises(ConfigError, match="no pairs"):
        Pairs(tmp_path / "nothing")


@pytest.mark.parametrize("joint", [False, True])
def test_stage2_lowers_its_loss_and_moves_what_it_should(tmp_path: Path, joint: bool) -> None:
    write(tmp_path / "pairs")
    model, generator = ball(0.5), tiny_teacher().eval()
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    options = Stage2Options(batch=2, views=2, rate=3e-3, generator_rate=1e-3 if joint else None, average=None)

    def save(made: object, network: SmallReconstructor, folder: Path) -> None:
        save_small(made, folder / "multiview")  # type: ignore[arg-type]
        network.save(folder / "reconstructor")

    def distance(a: Tensor, b: Tensor) -> Tensor:
        return (a - b).abs().flatten(1).mean(1)

    task = Stage2Task(
        options,
        Inputs(Machine(device="cpu", threads=1)),
        Views(generator, CODEC),
        Surfaces(model, mesh_of(model)),  # type: ignore[arg-type]
        Pairs(tmp_path / "pairs"),
        distance,
        save,
    )
    assert task.check == [3] and task.train_rows == [0, 1, 2]
    first = task.report()[0]
    assert task.parts()[0].pieces == 2
    train(task, LoopOptions(tmp_path / "run", steps=25, warmup_steps=1, decay_part=0.5), quiet=True)
    last, picture = task.report()
    assert first["surfaces"] == last["surfaces"] == 1 and picture is not None
    assert last["mse"] < 0.7 * first["mse"]  # a pair never trained on, of a picture seen with another z
    moved = any(not torch.equal(value, before[name]) for name, value in generator.state_dict().items())
    assert moved == joint
    assert (tmp_path / "run" / "reconstructor" / "model.safetensors").exists()


def test_a_mesh_carries_gradients_to_every_part_of_the_network() -> None:
    model = ball()
    views, picture = torch.rand(1, 6, 3, 16, 16), torch.rand(1, 3, 16, 16)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    surface = soft_mesh(model, model.encode(views, picture), 16)
    (surface.vertices.square().sum() + surface.color(surface.vertices).sum()).backward()
    missing = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert not missing
