"""Small things that several tests of training need: a teacher, pictures, pairs, a ball."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from geco.multiview.small.codec import PixelCodec
from geco.multiview.small.config import SmallConfig
from geco.multiview.small.network import SmallMultiView
from geco.multiview.small.weights import save_small
from geco.training.halves import Validation, Views
from geco.training.inputs import Inputs
from geco.training.machine import Machine
from geco.training.stage1 import Stage1Task
from geco.training.stage1_options import Stage1Options

TINY = SmallConfig(size=16, channels=16, width=24, stages=1, heads=3, embedding=32)
OPTIONS = Stage1Options(
    batch=2, rate=1e-3, student_rate=1e-3, guidance_scale=2.0, weighting="dmd", student_limit=5.0, average=0.9
)


class Pictures:
    """Random pictures that depend on the index."""

    def conditions(self, index: int, size: int, generator: torch.Generator) -> Tensor:
        return torch.rand(size, 3, 16, 16, generator=torch.Generator().manual_seed(index))


class Pairs:
    def pairs(self, index: int, size: int) -> tuple[Tensor, Tensor, Tensor]:
        generator = torch.Generator().manual_seed(index)
        z = torch.randn(size, 6, 3, 16, 16, generator=generator)
        return torch.rand(size, 3, 16, 16, generator=generator), z, z.clamp(-1, 1) * 0.5


def tiny_teacher() -> SmallMultiView:
    torch.manual_seed(0)
    network = SmallMultiView(TINY)
    for parameter in network.parameters():  # the head starts at zero, which would hide the rest
        torch.nn.init.normal_(parameter, std=0.1)
    return network


def make_task(options: Stage1Options = OPTIONS, **more: object) -> Stage1Task:
    checks = Validation(torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(9)))
    inputs, teacher = Inputs(Machine(device="cpu", threads=1)), Views(tiny_teacher(), PixelCodec(16))
    given: Any = {"validation": checks, **more}

    def save(network: Any, folder: Path, _: object) -> None:
        save_small(network, folder)

    return Stage1Task(options, inputs, teacher, Pictures(), save, **given)
