"""The smallest real task, a line fitted to points: ``python -m tests.training.line RUN STEPS
ACCUMULATE``, also by torchrun.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import nn

from geco.training.loop import LoopOptions, train
from geco.training.machine import Machine
from geco.training.task import Loss, Part


class Line:
    """Micro-batch ``index`` holds the points of that number, whichever process asks."""

    batch = 4

    def __init__(self, machine: Machine, average: float | None = 0.9) -> None:
        torch.manual_seed(0)
        self.network, self.machine, self.average = nn.Linear(3, 1), machine, average

    def parts(self) -> Sequence[Part]:
        return [
            Part(
                "line",
                self.network,
                [torch.optim.SGD(self.network.parameters(), lr=0.1)],
                self.loss,
                average=self.average,
                clip=9,
            )
        ]

    def loss(self, index: int, generator: torch.Generator) -> Loss:
        points = torch.randn(self.batch, 3, generator=torch.Generator().manual_seed(index))
        with self.machine.autocast():
            found = self.network(points)
        wanted = points @ torch.tensor([[1.0], [-2.0], [0.5]]) + 0.3
        return (found.float() - wanted).square().mean(), {}

    def report(self) -> tuple[dict[str, Any], Image.Image | None]:
        return {"weight": float(self.network.weight[0, 0])}, Image.new("RGB", (4, 4))

    def save_model(self, folder: Path) -> None:
        torch.save(self.network.state_dict(), folder / "line.pt")


if __name__ == "__main__":
    place = Machine(device="cpu", threads=1, parallel="fsdp" if "fsdp" in sys.argv[4:] else "ddp")
    options = LoopOptions(
        Path(sys.argv[1]), steps=int(sys.argv[2]), accumulate=int(sys.argv[3]), decay_part=0.0, log_steps=1
    )
    train(Line(place), options, place, quiet=True)
