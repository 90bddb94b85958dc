"""What happens to gradients between the backward pass and the next: summed over the processes, clipped, taken
as a step.

They are summed explicitly, once an update, which stays plain when several networks take turns (as in Stage
I); networks in pieces have summed their own (:mod:`geco.training.sharding`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from geco.training.machine import Machine
from geco.training.sharding import is_piece, local
from geco.training.task import Part

BUCKET = 1 << 25  # elements a message: 128 MiB of float32


def sum_gradients(machine: Machine, parameters: Sequence[nn.Parameter]) -> None:
    """Over all processes, in place. A parameter that has a gradient in some processes counts as zero in the
    others; one that has none stays without, as in one process.
    """
    machine.settle()
    parameters = [parameter for parameter in parameters if not is_piece(parameter)]
    if machine.world == 1 or not parameters:
        return
    found = torch.tensor([p.grad is not None for p in parameters], dtype=torch.int32, device=machine.device)
    somewhere = machine.summed(found).tolist()
    for bucket in _buckets([p for p, there in zip(parameters, somewhere) if there]):
        for parameter in bucket:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        flat = machine.summed(torch.cat([cast(Tensor, parameter.grad).flatten() for parameter in bucket]))
        for parameter, part in zip(bucket, flat.split([parameter.numel() for parameter in bucket])):
            cast(Tensor, parameter.grad).copy_(part.view_as(parameter))


def clip(machine: Machine, part: Part) -> Tensor:
    """Scale all gradients of a part together so that their norm is at most ``part.clip``; the norm before."""
    if machine.scaler is not None:
        for optimizer in part.optimizers:
            machine.scaler.unscale_(optimizer)
    present = [parameter for parameter in part.parameters if parameter.grad is not None]
    gradients = [cast(Tensor, parameter.grad) for parameter in present]
    norm = torch.nn.utils.get_total_norm([local(gradient) for gradient in gradients])
    if any(is_piece(gradient) for gradient in gradients):  # all are: a network is whole or in pieces
        norm = machine.summed(norm.square()).sqrt()
        factor = (part.clip / (norm + 1e-6)).clamp(max=1.0)  # as torch's own
        torch._foreach_mul_([local(gradient) for gradient in gradients], factor)
    else:
        torch.nn.utils.clip_grads_with_norm_(present, part.clip, norm)
    return norm


def step(machine: Machine, optimizers: Sequence[torch.optim.Optimizer]) -> None:
    """One step of each with the gradients that are there, which are gone afterwards; none where they were not
    finite in float16.
    """
    for optimizer in optimizers:
        if machine.scaler is None:
            optimizer.step()
        else:
            machine.scaler.step(optimizer)
        optimizer.zero_grad(set_to_none=True)
    if machine.scaler is not None:
        machine.scaler.update()


def _buckets(parameters: list[nn.Parameter]) -> list[list[nn.Parameter]]:
    groups: list[list[nn.Parameter]] = [[]]
    size = 0
    for parameter in parameters:
        if groups[-1] and size + parameter.numel() > BUCKET:
            groups.append([])
            size = 0
        groups[-1].append(parameter)
        size += parameter.numel()
    return groups if groups[0] else []
