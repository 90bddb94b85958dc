"""Interpolation of the ViT's position embeddings. Bound 2e-5. Names: train{S}_to_{H}x{W}.pos and .out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.reference.result import Result, largest_error

BOUND = 2e-5
_CASE = re.compile(r"train(\d+)_to_(\d+)x(\d+)")


def run(tensors: dict[str, np.ndarray], meta: dict[str, Any]) -> Iterator[Result]:
    """Every stored grid that has an interpolated one."""
    import torch

    from geco.reconstruct.vit import interpolate_positions

    for name in [n.removesuffix(".out") for n in tensors if n.endswith(".out")]:
        match = _CASE.fullmatch(name)
        if match is None:
            raise ValueError(f"the sizes of {name} cannot be read from its name")
        trained, height, width = (int(x) for x in match.groups())
        stored = torch.from_numpy(tensors[f"{name}.pos"])
        patch = trained // round((stored.shape[1] - 1) ** 0.5)
        ours = interpolate_positions(stored, height // patch, width // patch, square=height == width)
        yield Result(name, largest_error(ours, tensors[f"{name}.out"]), BOUND)
