"""Which Adam trains the full family's networks, and how many bytes its state takes."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor

from geco.errors import ConfigError, MissingExtraError
from geco.training.copies import really

if TYPE_CHECKING:
    from geco.training.stage1_options import Stage1Options

Optimizer = Literal["adamw", "fused", "adam8bit"]


def optimizers_of(network: nn.Module, rate: float, options: Stage1Options) -> list[torch.optim.Optimizer]:
    """:func:`adam` over all parameters of a network of Stage I."""
    groups = [{"params": list(network.parameters()), "lr": rate}]
    return [adam(groups, options.optimizer, options.betas)]


def adam(
    groups: Iterable[dict[str, Any]], kind: Optimizer, betas: tuple[float, float]
) -> torch.optim.Optimizer:
    """Adam without weight decay (GECO, section 4.1):

    - "adamw": torch's plain one; its state is 8 bytes a parameter, and on CUDA each step takes 4 more (which
      a simulation does not count).
    - "fused": the same in one kernel, without the 4.
    - "adam8bit": bitsandbytes' (Dettmers et al., arXiv 2110.02861): 2 bytes a parameter, of blocks of 256.

    Args:
        groups: of parameters, each with its rate as "lr".

    Raises:
        MissingExtraError: bitsandbytes is not installed. ConfigError: it does not know the device.
    """
    groups = list(groups)
    parameters = [parameter for group in groups for parameter in group["params"]]
    settings: dict[str, Any] = {"betas": betas, "weight_decay": 0.0}
    match kind:
        case "adamw":
            # a simulation has no number of the step, which the plain one reads
            simulated = any(isinstance(parameter, FakeTensor) for parameter in parameters)
            return torch.optim.AdamW(groups, fused=simulated or None, **settings)
        case "fused":
            return torch.optim.AdamW(groups, fused=True, **settings)
        case "adam8bit":
            _check_devices(parameters)
    try:
        with really():  # its tables of 256 numbers are made here
            from bitsandbytes.optim import AdamW8bit

            made: torch.optim.Optimizer = AdamW8bit(groups, **settings)
    except ImportError as error:
        raise MissingExtraError("bitsandbytes", "train", "the optimiser adam8bit") from error
    return made


def check_installed(kind: Optimizer, rank: int | None) -> None:
    """Raise MissingExtraError where the optimiser, or adapters of this rank, lack their library: before
    gigabytes of weights are loaded.
    """
    if kind == "adam8bit" and find_spec("bitsandbytes") is None:
        raise MissingExtraError("bitsandbytes", "train", "the optimiser adam8bit")
    if rank and find_spec("peft") is None:
        raise MissingExtraError("peft", "train", "training with low-rank adapters")


def _check_devices(parameters: list[nn.Parameter]) -> None:
    elsewhere = {parameter.device.type for parameter in parameters} - {"cuda", "cpu"}
    if elsewhere:
        raise ConfigError(
            f"adam8bit does not run on {', '.join(sorted(elsewhere))}", "Add --set optimizer=fused."
        )
