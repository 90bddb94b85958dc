"""What must survive a crash: whole checkpoints, written atomically, and random numbers that follow from seed
and step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from geco.errors import WeightsError
from geco.files import atomic_path
from geco.noise import seed_of
from geco.public_weights.ckpt import read_torch_file


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write the state whole or not at all; raises OutputError."""
    with atomic_path(path) as temporary:
        torch.save(state, temporary)


def load_checkpoint(path: Path, parts: set[str]) -> dict[str, Any]:
    """Read a state of tensors and plain values; raises WeightsError for a broken file, or one
    whose trained parts are others.
    """
    try:
        state: dict[str, Any] = read_torch_file(path)
    except WeightsError as error:
        raise WeightsError(
            f"cannot read the checkpoint {path}: {error.problem}", "Delete it to start again."
        ) from error
    parts_found = state.get("parts")
    found = set(map(str, parts_found)) if isinstance(parts_found, dict) else set()
    if found != parts:
        raise WeightsError(
            f"{path} holds the parts {sorted(found)}, this stage trains {sorted(parts)}",
            "Choose another run folder.",
        )
    return state


def rng_of(seed: int, *names: str | int, device: torch.device | str = "cpu") -> torch.Generator:
    """Torch's random numbers of ``seed`` for one purpose (:func:`geco.noise.stream` has numpy's)."""
    return torch.Generator(device).manual_seed(seed_of(seed, *names))


@contextmanager
def first_weights(seed: int, *names: str | int) -> Iterator[None]:
    """Networks made inside get weights of ``seed``; torch's own random numbers are left as they were."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed_of(seed, "weights", *names))
        yield


def standard_normal(shape: Sequence[int], rng: torch.Generator) -> Tensor:
    """Noise, float32, drawn where ``rng`` is."""
    return torch.randn(*shape, generator=rng, device=rng.device)
