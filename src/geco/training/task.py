"""What a stage of training is, seen from the loop: the parts that are trained, how to show them,
how to save them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from PIL import Image
from torch import Tensor, nn

from geco.training.average import Place

# Values stay on the device until a line of the log wants them: to fetch one waits for everything before it.
Loss = tuple[Tensor, Mapping[str, float | Tensor]]


@dataclass
class Part:
    """One network in training. The parts of a stage are updated in turn, in their order, every step.

    Attributes:
        name: for the log and the checkpoint.
        network: its parameters that require gradients are trained.
        optimizers: over those parameters.
        loss: of micro-batch ``index`` (all that is random follows from the index and the random
            numbers given, which follow from the index too), and values for the log.
        repeats: updates of this part a step.
        average: decay of the moving average of its weights; None keeps none.
        average_on: where that is kept: the "device" of the network or the "host"'s memory.
        clip: largest norm of its gradient.
        pieces: calls of ``loss`` that one micro-batch takes, numbered through and each with a backward pass
            of its own: a batch then takes the memory of one of them.
    """

    name: str
    network: nn.Module
    optimizers: list[torch.optim.Optimizer]
    loss: Callable[[int, torch.Generator], Loss]
    repeats: int = 1
    average: float | None = None
    clip: float = 1.0
    average_on: Place = "device"
    pieces: int = 1

    @property
    def parameters(self) -> list[nn.Parameter]:
        return [parameter for parameter in self.network.parameters() if parameter.requires_grad]


class Task(Protocol):
    """One stage.

    Attributes:
        batch: samples of one micro-batch.
    """

    @property
    def batch(self) -> int: ...

    def parts(self) -> Sequence[Part]:
        """What is trained; called once."""

    def report(self) -> tuple[dict[str, Any], Image.Image | None]:
        """Validation numbers and a picture, with the averaged weights in place."""

    def save_model(self, folder: Path) -> None:
        """Write what was trained as a model folder, with the averaged weights in place."""
