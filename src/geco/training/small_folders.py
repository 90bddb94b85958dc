"""What a small stage expects of the folder it starts from, and how its run folder becomes a model folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from geco.data.dataset import GridViews
from geco.errors import ConfigError
from geco.files import writing
from geco.model_files.card import CARD, MULTIVIEW, RECONSTRUCTOR, read_card, usage_of, write_card
from geco.multiview.interface import MultiViewNetwork
from geco.multiview.one_step import OneStepGenerator

# of weights trained on objects that allow it; the objects' own licences are in the shards
LICENCE = "Apache-2.0"


def one_step(network: MultiViewNetwork, folder: Path) -> OneStepGenerator:
    """Stage I's generator as its card says it is used; raises ConfigError where ``folder`` is not
    distilled.
    """
    card = read_card(folder)
    if not card["facts"].get("distilled"):
        raise ConfigError(f"{folder} is not a one-step generator", "Give the run folder of Stage I.")
    how = usage_of(card, folder).drawing(str(folder / CARD))
    return OneStepGenerator(network, how.timestep, how.guidance_scale, how.truncation)


def check_size(size: int, shards: GridViews, init: Path | None) -> None:
    """Raises ConfigError where the network in ``init`` sees views of another size than the shards hold."""
    if size != shards.size:
        raise ConfigError(
            f"{init} sees views of {size} px, the shards hold {shards.size} px", f"Render with --size {size}."
        )


def check_teacher(init: Path) -> None:
    """Raises ConfigError where ``init`` is distilled already."""
    if read_card(init)["facts"].get("distilled"):
        raise ConfigError(
            f"{init} is a one-step generator, not a teacher", "Give the run of the reconstructor as --init."
        )


def carry_along(source: Path, target: Path, copy: Callable[[str, str], str] = shutil.copy2) -> None:
    """Copy a folder whole or not at all; raises OutputError."""
    temporary = target.with_name(f".{target.name}-partial")
    try:
        with writing(target):
            shutil.rmtree(temporary, ignore_errors=True)
            shutil.copytree(source, temporary, copy_function=copy)
            temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def finish(folder: Path, carry: Path | None, facts: dict[str, Any]) -> None:
    """Make a run folder a model folder: the half that was not trained comes from ``carry``; the
    card is written last.
    """
    known: dict[str, Any] = read_card(carry)["facts"] if carry is not None and (carry / CARD).exists() else {}
    for half in (MULTIVIEW, RECONSTRUCTOR):
        if carry is not None and (carry / half).exists() and not (folder / half).exists():
            carry_along(carry / half, folder / half)
    write_card(folder, "small", LICENCE, known | facts)
