"""What the rows of `benchmarks.gpu` ask of a device, counted on fake tensors."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu_rates import combined
from benchmarks.gpu_rows import Measurable
from benchmarks.gpu_where import Where
from geco.simulated import Part, simulated

Account = dict[str, tuple[Part, float]]  # work by row, and how often it is done in one
LIBRARIES = ("diffusers", "transformers", "accelerate")


@dataclass(frozen=True)
class Group:
    """Rows that share networks.

    Attributes:
        rows: their names. build: (where, folder) -> what to measure.
        needs: libraries beside torch. fake: whether it runs on fake tensors, too.
    """

    rows: tuple[str, ...]
    build: Callable[[Any, Path], Iterator[Measurable]]
    needs: Sequence[str] = LIBRARIES
    fake: bool = False


def lacking(group: Group) -> list[str]:
    """The libraries that the group needs and that are not here."""
    return [library for library in group.needs if importlib.util.find_spec(library) is None]


def foretold(asked: dict[str, Group], dtype: torch.dtype, size: str) -> Account:
    """Work by row, and how often it is done in one."""
    found: Account = {}
    for group in asked.values():
        if not group.fake or lacking(group):
            continue
        networks = hollow_ones(group, size)
        # Frozen networks take no gradients; where these are allowed, a CPU's own attention gives way to SDPA.
        with torch.enable_grad(), simulated() as run:
            card = torch.device("meta")  # any but a CPU: decoders then take a card's way
            where = Where(torch.device("cpu"), dtype, size, run.placed, networks, card)
            for row in group.build(where, Path()):
                with run.part(row.name) as part:
                    row.run()
                found[row.name] = (part, row.times)
    if "surface" in asked:
        from benchmarks.gpu_assets import counted_on_device

        found["surface to GLB, device"] = (counted_on_device(), 1)
    return found | {name: (combined(*pieces), 1) for name, pieces in _wholes(found).items()}


def _wholes(found: Account) -> dict[str, list[tuple[float, Part]]]:
    """Rows that are others put together, where those were counted.

    Training: a pass is forwards, a backward pass two; Stage I's generator and student take ten, and two
    more for activations computed again; a pair of Stage II four of the planes (batch 4), renders and
    LPIPS left out.
    """
    wholes = {
        "picture to GLB on disk, one step": {
            "views, one step": 1,
            "planes": 1,
            "SDF on the grid": 1,
            "colours": 1,
            "surface to GLB, device": 1,
        },
        "TripoSR, picture to GLB on disk": {"TripoSR planes": 1, "surface to GLB, device": 1},
        "Stage I, a step": {"write": 12, "read": 12, "CLIP": 2, "VAE encode": 2},
        "Stage II, a step": {"planes": 16, "views, one step": 4},
    }
    return {
        name: [(times, found[part][0]) for part, times in pieces.items()]
        for name, pieces in wholes.items()
        if pieces.keys() <= found.keys()
    }


def hollow_ones(group: Group, size: str) -> Any:
    """The full family for a group that needs its libraries."""
    if not group.needs:
        return None
    from benchmarks.untrained import hollow

    return hollow("full" if size == "full" else "tiny")
