"""A second teacher of single views: views that do not see each other, the term as its formula, and nothing
else changed; in both families.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from geco.errors import ConfigError, WeightsError
from geco.model_files.card import MULTIVIEW
from geco.multiview.interface import Condition
from geco.multiview.small.network import SmallMultiView
from geco.multiview.small.weights import save_small
from geco.multiview.zero123plus.latents import encode_picture
from geco.public_weights.single_view import load_single_view
from geco.training.full_family import FULL
from geco.training.halves import Views
from geco.training.single_views import find_second
from geco.training.small_family import SMALL
from geco.training.stage1 import Stage1Task
from geco.training.vsd import draw_timesteps
from tests.multiview import tiny as full
from tests.training.build import TINY, Pictures, tiny_teacher
from tests.training.test_stage1_switches import BASE, FAMILIES, random, task_of

ON = replace(BASE, second_weight=0.5)


def apart() -> SmallMultiView:
    network = SmallMultiView(replace(TINY, apart=True))
    network.load_state_dict(tiny_teacher().state_dict())
    return network.eval()


def folder_of(family: str, folder: Path) -> Path:
    """A second teacher on disk: another apart network, or a UNet in diffusers' layout."""
    if family == "small":
        save_small(apart(), folder / MULTIVIEW)
        return folder
    full.network().unet.save_pretrained(folder / "unet")
    (folder / "scheduler").mkdir()
    betas = '"beta_start": 0.00085, "beta_end": 0.012'
    text = f'{{"beta_schedule": "scaled_linear", "prediction_type": "v_prediction", {betas}}}'
    (folder / "scheduler" / "scheduler_config.json").write_text(text)
    return folder


def with_second(family: str, folder: Path, options: Any = ON) -> Stage1Task:
    plain = task_of(family, BASE)
    views = Views(plain.teacher, plain.codec)
    found = find_second((SMALL if family == "small" else FULL).single_views, options, folder, views)
    return task_of(family, options, found.second)


@torch.no_grad()
def test_views_apart_do_not_see_each_other_and_six_together_do() -> None:
    x_t, t = torch.randn(1, 6, 3, 16, 16), torch.tensor([400])
    other = x_t.clone()
    other[:, 3] += 1
    for network, meet in ((apart(), False), (tiny_teacher().eval(), True)):
        state = network.encode_condition(Condition(torch.rand(1, 3, 16, 16)))
        changed = network.predict(x_t, t, state, "x0") != network.predict(other, t, state, "x0")
        assert changed[0, 3].any() and bool(changed[0, [0, 1, 2, 4, 5]].any()) == meet
    with pytest.raises(ConfigError, match="volume"):
        replace(TINY, apart=True, volume=8)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_term_is_its_formula_and_nothing_else_changes(family: str, tmp_path: Path) -> None:
    plain, task = task_of(family, BASE), with_second(family, folder_of(family, tmp_path / "second"))
    assert task.second is not None
    with torch.no_grad():
        for parameter in task.second.student.parameters():  # type: ignore[attr-defined]
            parameter.mul_(1.05)
    assert torch.equal(plain.student_loss(0, random())[0], task.student_loss(0, random())[0])
    without, _ = plain.generator_loss(0, random())
    loss, values = task.generator_loss(0, random())
    assert "second_step_size" in values
    # what the term itself draws comes last, from the same random numbers
    rng = random()
    told = task.codec.condition(Pictures().conditions(0, 2, rng))
    x = task.samples.fresh(told, rng)
    task.scores.noised(x.detach(), rng)
    single = task.second._single
    views, network, student = single.split(x), single.network, task.second.student
    t = draw_timesteps(len(views), rng)
    signal, level = network.schedule.levels(t, views)
    x_t = (signal * views + level * torch.randn(views.shape, generator=rng)).detach()
    with torch.no_grad():
        real, fake = (
            each.predict(x_t, t, each.encode_condition(single.told(told)), "x0")
            for each in (network, student)
        )
    gradient = (signal * level * (fake - real)).detach()
    by_hand = 0.5 * gradient.square().mean()
    assert float(loss.detach()) == pytest.approx(float(without.detach()) + 0.5 * float(by_hand), rel=1e-4)
    grads = []
    for scalar in (loss - without_of(task), 0.5 * (views * gradient).sum() / views.numel()):
        scalar.backward(retain_graph=True)
        found = [p.grad.clone() for p in task.generator.parameters() if p.grad is not None]  # type: ignore
        task.generator.zero_grad()  # type: ignore[attr-defined]
        grads.append(torch.cat([each.flatten() for each in found]))
    assert float(grads[1].abs().max()) > 0
    torch.testing.assert_close(grads[0], grads[1], rtol=1e-3, atol=1e-4 * float(grads[1].abs().max()))


def without_of(task: Stage1Task) -> Tensor:
    """The same task's loss without the term, of the same draws."""
    second, task.second = task.second, None
    try:
        return task.generator_loss(0, random())[0]
    finally:
        task.second = second


@pytest.mark.parametrize("family", FAMILIES)
def test_its_student_learns_alone_and_the_second_teacher_stays(family: str, tmp_path: Path) -> None:
    task = with_second(family, folder_of(family, tmp_path / "second"))
    assert task.second is not None
    assert [part.name for part in task.parts()] == ["student", "second_student", "generator"]
    task.second_student_loss(0, random())[0].backward()
    network = task.second._single.network
    assert any(p.grad is not None for p in task.second.student.parameters())  # type: ignore[attr-defined]
    for frozen in (network, task.teacher, task.student, task.generator):
        assert all(parameter.grad is None for parameter in frozen.parameters())  # type: ignore[attr-defined]


def test_latents_of_single_views_are_stable_diffusions_own() -> None:
    """Encoding what was decoded gives Stable Diffusion's scale, not the sheet's."""
    codec = full.codec()
    picture = torch.rand(1, 3, 8, 8)
    found = encode_picture(codec.vae, picture)
    mean = codec.vae.encode(picture * 2 - 1).latent_dist.mean
    assert torch.equal(found, mean * 0.18215) and found.shape == (1, 4, 4, 4)


def test_what_cannot_be_a_second_teacher_is_refused(tmp_path: Path) -> None:
    small, room = tiny_teacher(), tmp_path / "six"
    save_small(small, room / MULTIVIEW)
    views = Views(small, task_of("small", BASE).codec)
    with pytest.raises(ConfigError, match="apart"):
        find_second(SMALL.single_views, ON, room, views)
    for options, folder in ((ON, None), (BASE, room)):
        with pytest.raises(ConfigError, match="second_weight"):
            find_second(SMALL.single_views, options, folder, views)
    sheet = Views(full.network(), full.codec())
    with pytest.raises(ConfigError, match="not told the picture"):
        find_second(FULL.single_views, replace(ON, second_guidance=2.0), room, sheet)
    with pytest.raises(WeightsError, match="unet"):
        find_second(FULL.single_views, ON, room, sheet)
    with pytest.raises(WeightsError, match="text of 24"):
        load_single_view(folder_of("full", tmp_path / "sd"), (4, 4, 4), 32, torch.device("cpu"))


def test_scaled_linear_betas_and_both_predictions_are_diffusers_own(tmp_path: Path) -> None:
    from diffusers import DDPMScheduler

    folder = folder_of("full", tmp_path / "sd")
    theirs = DDPMScheduler.from_pretrained(folder / "scheduler")
    network = load_single_view(folder, (4, 4, 4), 24, torch.device("cpu"))
    assert network.native_prediction == "v"
    torch.testing.assert_close(
        torch.tensor(network.schedule.alphas_cumprod).float(), theirs.alphas_cumprod, rtol=1e-4, atol=1e-6
    )
    path = folder / "scheduler" / "scheduler_config.json"
    path.write_text(path.read_text().replace("v_prediction", "epsilon"))
    assert load_single_view(folder, (4, 4, 4), 24, torch.device("cpu")).native_prediction == "eps"
