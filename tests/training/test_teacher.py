"""A whole training at 16 px: it learns, it stops and resumes bit for bit, its folder is a model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from geco.data.dataset import GridViews, SixViewBatch
from geco.data.dataset.grid import GRID_SETS
from geco.data.dataset.order import Order
from geco.data.render import lens
from geco.errors import WeightsError
from geco.model_files.card import MULTIVIEW
from geco.multiview.small.config import SmallConfig
from geco.multiview.small.network import SmallMultiView, resized
from geco.multiview.small.weights import load_small, save_small
from geco.training.inputs import Inputs
from geco.training.loop import LoopOptions, train
from geco.training.machine import Machine
from geco.training.small_stages import teacher
from geco.training.state import first_weights, load_checkpoint
from geco.training.teacher import TeacherOptions, TeacherTask, denoising_psnr
from tests.data.dots import write_dots

TINY = SmallConfig(size=16, channels=16, width=32, stages=1, heads=2, embedding=32)


class Squares(GridViews):
    """Objects that are one coloured square, at a height that all views share; no files."""

    def __init__(self, count: int = 32) -> None:
        rng = np.random.default_rng(0)
        self.colors = rng.integers(0, 256, (count, 3))
        self.heights = rng.integers(2, 9, count)
        self.names = [str(i) for i in range(count)]
        self.order = Order(count)

    def sample(self, index: int, azimuth: int, variant: int, mirror: bool) -> tuple[np.ndarray, np.ndarray]:
        picture = np.zeros((16, 16, 4), np.uint8)
        picture[self.heights[index] : self.heights[index] + 6, 5:11] = (*self.colors[index], 255)
        return picture, np.stack([picture] * 6)

    def cameras(self, index: int, azimuth: int, variant: int, mirror: bool) -> tuple[np.ndarray, np.ndarray]:
        return np.tile(np.eye(4, dtype=np.float32), (7, 1, 1)), lens(30.0, 7)

    def fixed(self, count: int, seed: int = 0) -> SixViewBatch:
        return self._stack([(index % len(self), 0, 0, False) for index in range(count)])


def make_task(autocast: bool = False, compiles: bool = False) -> TeacherTask:
    torch.manual_seed(0)
    machine = Machine("bf16" if autocast else "no", "cpu", 1, compiles)
    options = TeacherOptions(batch=8, average=0.95)
    checks = {"squares": Squares()}
    return TeacherTask(options, Inputs(machine), SmallMultiView(TINY), Squares(), validation=checks)


def test_training_learns_the_condition(tmp_path: Path) -> None:
    task = make_task()
    before = denoising_psnr(task.network, task.data)
    train(task, LoopOptions(tmp_path, steps=80, warmup_steps=5, log_steps=5))
    network = load_small(tmp_path)
    after = denoising_psnr(network, task.data)
    assert after["999"] > before["999"] + 3  # from pure noise: it must have read the picture
    assert after["249"] > before["249"] + 5
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in lines if "loss" in line]
    # a batch of eight: what it loses depends on the timesteps that it drew
    assert np.median(losses[-5:]) < 0.5 * losses[0]
    assert lines[-1]["report"]["squares"]["999"] == pytest.approx(after["999"], abs=0.01)
    assert (tmp_path / "grid_000080.png").exists()
    assert lines[-2]["rate"] < 0.05  # the rates fell to nothing by the end


def test_a_stopped_run_continues_bit_for_bit(tmp_path: Path) -> None:
    options = LoopOptions(tmp_path / "whole", steps=9, warmup_steps=2)
    train(make_task(), options)
    broken = make_task()
    plain = broken.loss

    def stop(step: int, generator: torch.Generator) -> tuple[torch.Tensor, dict[str, float]]:
        if step == 5:
            raise KeyboardInterrupt
        return plain(step, generator)

    broken.loss = stop  # type: ignore[method-assign]
    parts = replace(options, folder=tmp_path / "parts", checkpoint_minutes=0.0)  # a checkpoint every step
    with pytest.raises(KeyboardInterrupt):
        train(broken, parts)
    assert load_checkpoint(tmp_path / "parts" / "checkpoint.pt", {"multiview"})["step"] == 5
    torch.manual_seed(77)  # whatever the new process starts from
    train(make_task(), parts)
    whole, resumed = (
        load_checkpoint(tmp_path / name / "checkpoint.pt", {"multiview"}) for name in ("whole", "parts")
    )
    _assert_equal(whole["parts"], resumed["parts"], "parts")


def _assert_equal(a: object, b: object, where: str) -> None:
    if isinstance(a, torch.Tensor):
        assert isinstance(b, torch.Tensor) and torch.equal(a, b), where
    elif isinstance(a, dict):
        assert isinstance(b, dict) and a.keys() == b.keys(), where
        for key in a:
            _assert_equal(a[key], b[key], f"{where}.{key}")
    elif isinstance(a, (list, tuple)):
        assert isinstance(b, (list, tuple)) and len(a) == len(b), where
        for index, pair in enumerate(zip(a, b)):
            _assert_equal(*pair, f"{where}[{index}]")
    else:
        assert a == b, where


def test_time_budget_ends_the_run_and_the_rates(tmp_path: Path) -> None:
    train(make_task(), LoopOptions(tmp_path, budget_minutes=0.03, warmup_steps=1, log_steps=1))
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    rates = [line["rate"] for line in lines if "rate" in line]
    assert rates[0] == 1.0 and min(rates) >= 0.0
    assert lines[-1]["elapsed"] < 60


def test_weights_of_the_loss_are_those_of_the_v_loss() -> None:
    """Where the clip does not bind, x0 error over noise_level^2 is the error of v."""
    task = make_task()
    schedule = task.network.schedule
    t = torch.tensor([500, 999])
    x0, guess, eps = (
        torch.randn(2, 6, 3, 16, 16, generator=torch.Generator().manual_seed(i)) for i in range(3)
    )
    x_t = schedule.add_noise(x0, eps, t)
    signal, level = schedule.levels(t, x0)
    v_error = (schedule.convert(guess, x_t, t, "x0", "v") - (signal * eps - level * x0)) ** 2
    torch.testing.assert_close((guess - x0) ** 2 / level**2, v_error, atol=1e-3, rtol=1e-3)
    assert (signal < 1).all()


def test_broken_checkpoint_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(b"PK\3\4 half a file")
    with pytest.raises(WeightsError, match="Delete it"):
        train(make_task(), LoopOptions(tmp_path, steps=1))


@pytest.mark.slow
def test_a_compiled_network_learns_the_same(tmp_path: Path) -> None:
    losses = []
    for compiles in (False, True):
        task, folder = make_task(compiles=compiles), tmp_path / str(compiles)
        train(task, LoopOptions(folder, steps=6, warmup_steps=2, log_steps=1), quiet=True)
        lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
        losses.append([line["loss"] for line in lines if "loss" in line])
        assert load_small(folder) is not None  # what is saved has the names of the plain network
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)


def test_a_batch_without_a_sample_at_the_last_level_logs_none_there(tmp_path: Path) -> None:
    logged = []
    for last_part in (0.0, 1.0):
        task = make_task()
        task.options = replace(task.options, last_part=last_part)
        folder = tmp_path / str(last_part)
        train(task, LoopOptions(folder, steps=3, warmup_steps=1, log_steps=1), quiet=True)
        lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
        logged.append([line.get("mse_last") for line in lines if "loss" in line])
        assert all(line["loss"] > 0 and line["samples_s"] > 0 for line in lines if "loss" in line)
    assert logged[0] == [None] * 3 and all(value > 0 for value in logged[1])


def test_training_goes_on_with_views_of_another_size(tmp_path: Path) -> None:
    """As the progressive recipe does it: everything but the positions is carried over."""
    with first_weights(0, "grown"):
        small = SmallMultiView(TINY)
    small.position.data += torch.linspace(-1, 1, 2)[:, None]  # rows differ
    assert resized(small, 16) is small
    save_small(small, tmp_path / "start" / MULTIVIEW)
    shards = write_dots(tmp_path / "dots", GRID_SETS, objects=3, size=32)
    inputs = Inputs(Machine(device="cpu", threads=1), data=shards, init=tmp_path / "start")
    task = teacher(TeacherOptions(batch=2), inputs)
    assert task.network.sample_shape == (6, 3, 32, 32)
    grown, before = task.network.state_dict(), small.state_dict()
    assert grown["position"].shape == (1, 32, 4, 4)
    height = grown["position"].mean(dim=(0, 1, 3))
    assert (height.diff() > 0).all() and abs(float(height[0] + height[-1])) < 0.1
    assert all(torch.equal(grown[name], before[name]) for name in before if name != "position")
    loss, _ = task.loss(0, torch.Generator().manual_seed(0))
    assert torch.isfinite(loss)
