"""A checkpoint in the layout of the public InstantMesh."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from geco.reconstruct.instantmesh.model import InstantMesh


def write(
    path: Path, model: InstantMesh, change: Callable[[dict[str, Any]], None] = lambda state: None
) -> Path:
    """A checkpoint in the public layout, with what its training left in it."""
    state: dict[str, Any] = {f"lrm_generator.{key}": value for key, value in model.state_dict().items()}
    state["lpips.net.0.weight"] = torch.zeros(3)
    change(state)
    torch.save({"state_dict": state, "epoch": 3, "global_step": 7}, path)
    return path
