"""Which optimiser trains a network of Stage I, and how many bytes its state takes."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor

from geco.errors import ConfigError, MissingExtraError
from geco.training.copies import really
from geco.training.stage1_options import Stage1Options


def optimizers_of(network: nn.Module, rate: float, options: Stage1Options) -> list[torch.optim.Optimizer]:
    """Adam over all parameters of ``network``, without weight decay (GECO, section 4.1), as
    ``options.optimizer`` says:

    - "adamw": torch's plain one; its state is 8 bytes a parameter, and on CUDA each step takes 4 more (which
      a simulation does not count).
    - "fused": the same in one kernel, without the 4.
    - "adam8bit": bitsandbytes' (Dettmers et al., arXiv 2110.02861): 2 bytes a parameter, of blocks of 256.

    Raises:
        MissingExtraError: bitsandbytes is not installed. ConfigError: it does not know the device.
    """
    parameters = list(network.parameters())
    settings: dict[str, Any] = {"lr": rate, "betas": options.betas, "weight_decay": 0.0}
    match options.optimizer:
        case "adamw":
            # a simulation has no number of the step, which the plain one reads
            simulated = any(isinstance(parameter, FakeTensor) for parameter in parameters)
            return [torch.optim.AdamW(parameters, fused=simulated or None, **settings)]
        case "fused":
            return [torch.optim.AdamW(parameters, fused=True, **settings)]
        case "adam8bit":
            return [_eight_bits(parameters, settings)]


def _eight_bits(parameters: list[nn.Parameter], settings: dict[str, Any]) -> torch.optim.Optimizer:
    elsewhere = {parameter.device.type for parameter in parameters} - {"cuda", "cpu"}
    if elsewhere:
        raise ConfigError(
            f"adam8bit does not run on {', '.join(sorted(elsewhere))}", "Add --set optimizer=fused."
        )
    try:
        with really():  # its tables of 256 numbers are made here
            from bitsandbytes.optim import AdamW8bit

            made: torch.optim.Optimizer = AdamW8bit(parameters, **settings)
    except ImportError as error:
        raise MissingExtraError("bitsandbytes", "train", "the optimiser adam8bit") from error
    return made
