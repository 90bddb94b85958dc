"""A step of Stage I and one of Stage II by the recipe ``paper``, on random weights, pictures and pairs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.gpu_rows import Measurable
from benchmarks.gpu_where import PICTURE, Where
from benchmarks.surface import laden_figure
from geco.cameras import random_poses
from geco.metrics.lpips import Lpips
from geco.noise import stream
from geco.recipes.paper import paper
from geco.training.full_family import FULL
from geco.training.full_surfaces import differentiable_mesh, trained_shape
from geco.training.halves import Surfaces, Views
from geco.training.inputs import Inputs
from geco.training.machine import Machine
from geco.training.pairs import noise_of
from geco.training.stage1 import Stage1Task
from geco.training.stage2 import Stage2Task
from geco.training.task import Task

PAIRS, RENDERS = 4, 50


def training_rows(where: Where, stage: str) -> Iterator[Measurable]:
    """``stage`` 1 or 2; weights are float32, products in the recipe's format where the device has it."""
    recipe = paper()
    # fp16 would need the loss' scale, which settles over many steps
    machine = Machine("bf16", str(where.device))
    networks = where.networks
    network, codec = (where.made(part, torch.float32) for part in (networks.network, networks.codec))
    views: Any = Views(network, codec)  # type: ignore[arg-type]
    facts = {"precision": machine.precision, "weights": "float32"}
    if stage == "stage1":
        options = recipe.stage1 if where.size == "full" else replace(recipe.stage1, checkpointing=False)
        FULL.prepare(views, options)
        task: Task = Stage1Task(options, Inputs(machine), views, Pictures(), _unsaved)
        yield Measurable("Stage I, a step", _step(task, machine), facts=lambda: facts | {"batch": task.batch})
        return
    size, resolution = (recipe.pairs.size, recipe.resolution) if where.size == "full" else (64, 32)
    model: Any = where.made(networks.model, torch.float32).requires_grad_(True)
    _with_a_figure(model.synthesizer, resolution, where.device)
    own = (model, "zero123plus-v1.2", resolution, machine)
    surfaces = Surfaces(model, differentiable_mesh(*own), trained_shape(*own))
    model.transformer.gradient_checkpointing = True
    options2 = recipe.stage2 if where.size == "full" else replace(recipe.stage2, batch=1)
    pairs: Any = RandomPairs(size, codec)
    distance = Lpips("vgg").to(where.device)
    task = Stage2Task(options2, Inputs(machine), views, surfaces, pairs, distance, _unsaved)
    yield Measurable("Stage II, a step", _step(task, machine), facts=lambda: facts | {"batch": task.batch})


class Pictures:
    """Random condition pictures."""

    def conditions(self, index: int, size: int, rng: torch.Generator) -> Tensor:
        return torch.rand(size, 3, PICTURE, PICTURE)


class RandomPair(dict[str, np.ndarray]):
    """As :class:`geco.training.pair_files.Pair`."""

    def renders(self, cameras: Sequence[int], names: Sequence[str]) -> dict[str, np.ndarray]:
        return {name: self[name][list(cameras)] for name in names}


class RandomPairs:
    """As :class:`geco.training.pairs.Pairs` reads them."""

    def __init__(self, size: int, codec: Any) -> None:
        self.settings = {"renders": RENDERS, "seed": 0, "geometry": False}
        rng = np.random.default_rng(0)
        drawn = rng.integers(0, 256, (RENDERS, size, size, 3), np.uint8)
        self._item = RandomPair(
            picture=rng.integers(0, 256, (3, PICTURE, PICTURE), np.uint8),
            rgb=drawn,
            mask=drawn[..., 0],
            poses=random_poses(RENDERS, stream(0, "poses")).astype(np.float32),
        )

    def __getitem__(self, index: int) -> RandomPair:
        return self._item

    def split(self) -> tuple[list[int], list[int]]:
        return list(range(PAIRS)), []

    def noise(self, index: int, shape: tuple[int, ...]) -> Tensor:
        return noise_of(0, [index])((1, *shape))


def _step(task: Task, machine: Machine) -> Any:
    """One update of every part, as the loop makes it, without its log and its moving average."""
    parts = task.parts()
    rng = torch.Generator(machine.draws).manual_seed(0)

    def run() -> None:
        for part in parts:
            part.network.train()
            for turn in range(part.repeats):
                for piece in range(part.pieces):
                    loss, _ = part.loss(turn * part.pieces + piece, rng)
                    machine.backward(loss / part.pieces)
                machine.clip(part.parameters, part.clip)
                for optimizer in part.optimizers:
                    optimizer.step()
                    optimizer.zero_grad(set_to_none=True)

    return run


def _with_a_figure(synthesizer: nn.Module, resolution: int, device: torch.device) -> None:
    """Its signed distance becomes the figure's, and follows its own a little."""
    axis = np.linspace(-1, 1, resolution + 1)
    volume = laden_figure(*np.meshgrid(axis, axis, axis, indexing="ij")).reshape(1, -1, 1)
    figure, own = torch.from_numpy(volume.astype(np.float32)).to(device), synthesizer.sdf
    object.__setattr__(synthesizer, "sdf", lambda *given: figure + 1e-3 * own(*given))  # type: ignore


def _unsaved(*_: Any) -> None:
    """Nothing is kept."""
