"""Muon for the matrices, AdamW for the rest. Jordan et al., "Muon: an optimizer for hidden
layers" (2024); our own lines.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from geco.device import has_bf16

# Coefficients of the quintic Newton-Schulz iteration, from the Muon note: fastest growth of small singular
# values.
_A, _B, _C = 3.4445, -4.7750, 2.0315
MATRIX_RATE, RATE = 0.02, 1e-3  # of Muon and of AdamW, as in the prototype


def orthogonalize(matrix: Tensor, steps: int = 5) -> Tensor:
    """The nearest matrix with all singular values about 1 (0.7 to 1.2), (..., m, n), by
    Newton-Schulz; no decomposition.
    """
    # As published: the iteration forgives bfloat16's rounding, which halves its time where the device has
    # that format.
    x = (matrix / (matrix.norm(dim=(-2, -1), keepdim=True) + 1e-12)).to(
        torch.bfloat16 if has_bf16(matrix.device) else torch.float32
    )
    tall = x.shape[-2] > x.shape[-1]
    x = x.mT if tall else x
    for _ in range(steps):
        gram = x @ x.mT
        x = _A * x + (_B * gram + _C * gram @ gram) @ x
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Momentum whose matrix is orthogonalised; kernels are flattened to (out, in x k x k).

    Args:
        params: parameters of two dimensions or more.
        lr: step as a share of unit spectral norm.
        momentum: Nesterov's.
    """

    def __init__(self, params: Iterable[Tensor], lr: float = 0.02, momentum: float = 0.95) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            # by shape: a GPU takes them all in the time of one
            alike: dict[torch.Size, list[tuple[Tensor, Tensor]]] = {}
            for parameter in group["params"]:
                gradient = parameter.grad
                if gradient is None:
                    continue
                state = self.state[parameter]
                buffer = state.setdefault("momentum", torch.zeros_like(gradient))
                buffer.mul_(group["momentum"]).add_(gradient)
                update = (gradient + group["momentum"] * buffer).flatten(1)
                alike.setdefault(update.shape, []).append((parameter, update))
            for (high, wide), found in alike.items():
                scale = max(1.0, high / wide) ** 0.5
                updates = orthogonalize(torch.stack([update for _, update in found]))
                for (parameter, _), update in zip(found, updates):
                    parameter.add_(
                        update.reshape(parameter.shape).to(parameter.dtype), alpha=-group["lr"] * scale
                    )


def split_parameters(model: nn.Module, adam_names: tuple[str, ...] = ()) -> tuple[list[Tensor], list[Tensor]]:
    """(for Muon, for AdamW): matrices and kernels, but for modules whose name starts with one of
    ``adam_names``, and all else.
    """
    matrices: list[Tensor] = []
    rest: list[Tensor] = []
    kernels = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.ConvTranspose3d)
    for name, module in model.named_modules():
        for key, parameter in module.named_parameters(recurse=False):
            if not parameter.requires_grad:
                continue
            chosen = isinstance(module, kernels) and key == "weight" and not name.startswith(adam_names)
            (matrices if chosen else rest).append(parameter)
    return matrices, rest


def make_optimizers(
    network: nn.Module, adam_names: tuple[str, ...] = (), matrix_rate: float = MATRIX_RATE, rate: float = RATE
) -> list[torch.optim.Optimizer]:
    """Muon for matrices and kernels, AdamW for the rest and for modules whose name starts with
    one of ``adam_names``.
    """
    matrices, rest = split_parameters(network, adam_names)
    adam = torch.optim.AdamW(rest, lr=rate, betas=(0.9, 0.98), weight_decay=0.0)
    return [Muon(matrices, lr=matrix_rate), adam] if matrices else [adam]
