"""Weights of a reference's file in a network of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch


def state_dict(tensors: dict[str, np.ndarray], prefix: str) -> dict[str, torch.Tensor]:
    """The stored weights whose names start with ``prefix``, without it."""
    import torch

    return {
        name.removeprefix(prefix): torch.from_numpy(value)
        for name, value in tensors.items()
        if name.startswith(prefix)
    }


def fill(model: torch.nn.Module, tensors: dict[str, np.ndarray], meta: dict[str, Any]) -> None:
    """Load ``sd.*`` strictly, for inference; of a trimmed file a whole module may be absent, never a part of
    it.

    Raises:
        ValueError: the file has more, or lacks a module without being trimmed, or the model has another
            number of parameters than the reference's.
    """
    for name, module in model.named_children():
        if own := state_dict(tensors, f"sd.{name}."):
            module.load_state_dict(own, strict=True)
        elif "trimmed" not in meta:
            raise ValueError(f"the file holds nothing of {name}")
    modules = tuple(f"sd.{name}." for name, _ in model.named_children())
    unknown = sorted(name for name in tensors if name.startswith("sd.") and not name.startswith(modules))
    if unknown:
        raise ValueError(f"the model has no {unknown[0]}")
    if "total_parameters" in meta and sum(p.numel() for p in model.parameters()) != meta["total_parameters"]:
        raise ValueError("the model has another number of parameters than the reference's")
    model.eval().requires_grad_(False)
