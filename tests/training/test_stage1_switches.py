"""Every switch of Stage I changes what it should and nothing else, in both families: the generator's gradient
against the formula written out, the student's loss bit for bit where it has no part in it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from geco.errors import ConfigError
from geco.multiview.interface import Condition
from geco.multiview.small.codec import PixelCodec
from geco.training.full_family import FULL
from geco.training.halves import SingleViews, Views
from geco.training.inputs import Inputs
from geco.training.machine import Machine
from geco.training.small_family import SMALL
from geco.training.stage1 import Stage1Task
from geco.training.stage1_options import Stage1Options
from geco.training.vsd import draw_timesteps
from tests.multiview import tiny as full
from tests.training.build import Pairs, Pictures, tiny_teacher

BASE = Stage1Options(batch=2, guidance_scale=2.0, weighting="sigma2", held_out=0)
FAMILIES = ("small", "full")
# What only the teacher's half of the gradient sees, with the rows of the formula that say how.
OF_THE_TEACHER: list[dict[str, Any]] = [
    {"guidance_scale": 1.0},
    {"guidance_scale": 5.0},
    {"weighting": "constant"},
    {"weighting": "dmd"},
    {"reference": "noised", "student_reference": "clean"},
    {"reference": "at-t", "student_reference": "clean"},
]
OF_BOTH: list[dict[str, Any]] = [
    {"reference": "noised"},
    {"reference": "at-t"},
    {"reference": "clean", "student_reference": "noised"},
    {"generator_guidance": 3.0},
    {"timestep": 600},
    {"t_range": (0.5, 0.6)},
    {"teacher_clip": 0.5},
    {"student_guidance": 1.5, "drop": 0.5},
]


def task_of(
    family: str, options: Stage1Options, second: SingleViews | None = None, **more: Any
) -> Stage1Task:
    """Teacher and codec with random weights, and a student that has moved a little away."""
    views = Views(tiny_teacher(), PixelCodec(16), second=second)
    if family == "full":
        views = Views(full.network().requires_grad_(True), full.codec(), second=second)
    inputs = Inputs(Machine(device="cpu", threads=1))
    task = Stage1Task(options, inputs, views, Pictures(), lambda *_: None, **more)
    rng = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in task.student.parameters():  # type: ignore[attr-defined]
            parameter.add_(0.02 * torch.randn(parameter.shape, generator=rng))
    return task


def random(seed: int = 7) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def gradients(task: Stage1Task) -> list[Tensor | None]:
    return [parameter.grad for parameter in task.generator.parameters()]  # type: ignore[attr-defined]


def read(
    network: Any, codec: Any, x_t: Tensor, t: Tensor, told: Condition, scale: float, written: Any
) -> Tensor:
    """u + scale (c - u), one pass after the other."""
    with_picture = network.predict(x_t, t, written(network, told, 0), "x0")
    if scale == 1.0:
        return with_picture
    without = network.predict(x_t, t, written(network, codec.unconditional(told), 1), "x0")
    return without + scale * (with_picture - without)


def by_hand(task: Stage1Task, o: Stage1Options) -> None:
    """The generator's gradient of micro-batch 0, as the formula of the paper says with these options."""
    rng, schedule, codec = random(), task.teacher.schedule, task.codec
    picture = codec.condition(Pictures().conditions(0, o.batch, rng))
    z = torch.randn(o.batch, *task.teacher.sample_shape, generator=rng)
    start = torch.full((o.batch,), 999 if o.timestep is None else o.timestep)

    def clean(network: Any, told: Condition, _: int) -> Any:
        return network.encode_condition(told)

    x = read(task.generator, codec, z, start, picture, o.generator_guidance, clean)
    t = draw_timesteps(o.batch, rng, o.t_range)
    signal, level = schedule.levels(t, x)
    x_t = (signal * x + level * torch.randn(x.shape, generator=rng)).detach()
    assert picture.picture is not None
    draws = []
    if "noised" in (o.reference, o.student_reference):
        draws = [torch.randn(picture.picture.shape, generator=rng) for _ in range(2)]

    def as_said(reference: str) -> Any:
        def write(network: Any, told: Condition, which: int) -> Any:
            match reference:
                case "noised":
                    return network.encode_condition(told, t, draws[which])
                case "at-t":
                    return network.encode_condition(told, t)
            return network.encode_condition(told)

        return write

    with torch.no_grad():
        real = read(task.teacher, codec, x_t, t, picture, o.guidance_scale, as_said(o.reference))
        own = as_said(o.student_reference or o.reference)
        fake = read(task.student, codec, x_t, t, picture, o.student_guidance, own)
        if o.teacher_clip is not None:
            real, fake = (part.clamp(-o.teacher_clip, o.teacher_clip) for part in (real, fake))
        # both from x0: eps = (x_t - signal x0) / level
        real_eps, fake_eps = ((x_t - signal * part) / level for part in (real, fake))
        weight: Tensor = {
            "sigma2": level**2,
            "constant": torch.ones_like(level),
            "dmd": level / signal / (x - real).abs().flatten(1).mean(1).reshape(level.shape),
        }[o.weighting]
        gradient = weight * (real_eps - fake_eps)
    x.backward(gradient / x.numel())


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("switch", [{}, *OF_THE_TEACHER, *OF_BOTH], ids=str)
def test_the_gradient_is_the_formula_written_out(family: str, switch: dict[str, Any]) -> None:
    options = replace(BASE, **switch)
    if family == "small" and "at-t" in options.references:
        with pytest.raises(ConfigError, match="without a timestep"):
            SMALL.check(options)
        return
    task = task_of(family, options)
    task.generator_loss(0, random())[0].backward()
    found = [None if grad is None else grad.clone() for grad in gradients(task)]
    for parameter in task.generator.parameters():  # type: ignore[attr-defined]
        parameter.grad = None
    by_hand(task, options)
    largest = max(float(grad.abs().max()) for grad in gradients(task) if grad is not None)
    assert largest > 0
    for mine, theirs in zip(found, gradients(task), strict=True):
        assert (mine is None) == (theirs is None)
        if mine is not None and theirs is not None:
            assert float((mine - theirs).abs().max()) < 2e-5 * largest


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("switch", OF_THE_TEACHER, ids=str)
def test_a_switch_of_the_teacher_leaves_the_students_loss_and_the_samples_alone(
    family: str, switch: dict[str, Any]
) -> None:
    options = replace(BASE, **switch)
    if family == "small" and options.reference == "at-t":
        return
    values = []
    for each in (BASE, options):
        task = task_of(family, each)
        loss, _ = task.student_loss(3, random())
        loss.backward()
        grads = [p.grad.clone() for p in task.student.parameters() if p.grad is not None]  # type: ignore
        made, found = task.generator_loss(3, random())
        values.append((loss.detach(), grads, float(found["mean"]), float(found["std"]), float(made.detach())))
    (loss, grads, mean, std, made), (other, others, its_mean, its_std, its_made) = values
    assert torch.equal(loss, other) and all(torch.equal(a, b) for a, b in zip(grads, others, strict=True))
    assert (mean, std) == (its_mean, its_std) and made != its_made


@pytest.mark.parametrize("family", FAMILIES)
def test_the_student_learns_under_its_own_reference_and_dropped_conditions(family: str) -> None:
    """Its loss is the plain denoising loss of v under what it reads."""
    for switch in ({}, {"reference": "noised"}, {"drop": 0.5, "student_guidance": 1.5}):
        options = replace(BASE, **switch)  # type: ignore[arg-type]
        task = task_of(family, options)
        found = float(task.student_loss(0, random())[0].detach())
        rng, codec = random(), task.codec
        told = codec.condition(Pictures().conditions(0, 2, rng))
        with torch.no_grad():
            z = torch.randn(2, *task.teacher.sample_shape, generator=rng)
            state = task.generator.encode_condition(told)
            x = task.generator.predict(z, torch.full((2,), 999), state, "x0")
            t = draw_timesteps(2, rng, options.t_range)
            signal, level = task.teacher.schedule.levels(t, x)
            x_t = signal * x + level * torch.randn(x.shape, generator=rng)
            keep = torch.rand(2, generator=rng) >= options.drop if options.drop else torch.ones(2).bool()
            noise = None
            if options.reference == "noised":
                assert told.picture is not None
                noise = torch.randn(told.picture.shape, generator=rng)
            predictions = []
            for number in range(2):  # one at a time: with the picture, or as guidance's other half
                one = codec.condition(Pictures().conditions(0, 2, rng)[number][None])
                one = one if keep[number] else codec.unconditional(one)
                draw = (t[number][None], noise[number][None]) if noise is not None else (None, None)
                state = task.student.encode_condition(one, *draw)
                predictions.append(task.student.predict(x_t[number][None], t[number][None], state, "v"))
            v = (signal * x_t - x) / level
            assert found == pytest.approx(float((torch.cat(predictions) - v).square().mean()), rel=1e-4)


def test_a_guided_student_without_dropped_conditions_is_refused() -> None:
    with pytest.raises(ConfigError, match="drop=0"):
        Stage1Options(student_guidance=2.0)


def test_batch_and_updates_are_what_is_asked_for_and_change_no_micro_batch() -> None:
    sizes: list[int] = []

    class Counted(Pictures):
        def conditions(self, index: int, size: int, generator: torch.Generator) -> Tensor:
            sizes.append(size)
            return super().conditions(index, size, generator)

    losses = []
    for options in (BASE, replace(BASE, student_repeats=5)):
        task = task_of("small", options)
        student, generator = task.parts()
        assert (student.repeats, generator.repeats) == (options.student_repeats, 1)
        losses.append([float(part.loss(0, random())[0].detach()) for part in (student, generator)])
    assert losses[0] == losses[1]
    task = task_of("small", replace(BASE, batch=3))
    task.data = Counted()
    for part in task.parts():
        part.loss(0, random())
    assert sizes == [3, 3] and task.batch == 3


@pytest.mark.parametrize("family", FAMILIES)
def test_warm_up_and_adversarial_term_are_added_as_written(family: str) -> None:
    class Drawn(Pairs):
        """Pairs of this family's samples."""

        def pairs(self, index: int, size: int) -> tuple[Tensor, Tensor, Tensor]:
            picture, *rest = super().pairs(index, size)
            z, x0 = (part.flatten()[: size * count].reshape(size, *shape) for part in rest)
            return picture, z, x0

    shape = task_of(family, BASE).teacher.sample_shape
    count = int(torch.tensor(shape).prod())
    plain = float(task_of(family, BASE).generator_loss(1, random())[0].detach())
    task = task_of(family, replace(BASE, regression_steps=4, regression_weight=3.0), pairs=Drawn())
    loss, values = task.generator_loss(1, random())
    picture, z, x0 = Drawn().pairs(1, 2)
    with torch.no_grad():
        state = task.generator.encode_condition(task.codec.condition(picture))
        near = (task.generator.predict(z, torch.full((2,), 999), state, "x0") - x0).square().mean()
    assert float(values["regression"]) == pytest.approx(float(near), rel=1e-5)
    assert float(loss.detach()) == pytest.approx(0.75 * 3 * float(near) + 0.25 * plain, rel=1e-5)
    task = task_of(family, replace(BASE, adversarial_weight=0.5), pairs=Drawn())
    loss, values = task.generator_loss(1, random())
    assert float(loss.detach()) == pytest.approx(plain + 0.5 * float(values["adversarial"]), rel=1e-5)


def test_the_full_family_takes_dropped_conditions_and_references() -> None:
    FULL.check(Stage1Options(drop=0.1, student_guidance=1.5, reference="at-t"))
