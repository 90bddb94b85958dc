"""The folder of a model on torch: a card that says what it is, and its halves, each in its own folder.

    MODEL/config.json        the card: family, licence, facts (stage, sampler, training)
    MODEL/multiview/         config.json and network.safetensors; absent in a regressor
    MODEL/reconstructor/     config.json and model.safetensors; absent before it is trained
    MODEL/autoencoder/       config.json and network.safetensors; alone in a run of ``geco train autoencoder``, which is no model

``geco convert`` and every stage of training write it; ``geco run --model``, ``geco evaluate`` and the exporter read it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from geco.errors import WeightsError
from geco.files import atomic_write

FORMAT = "geco-model-1"
CARD, MULTIVIEW, RECONSTRUCTOR = "config.json", "multiview", "reconstructor"
HALF_ABOVE = 256  # tensors of more values than this are stored in float16 where a model is handed on
AUTOENCODER = "autoencoder"  # the folder, and the family of a run that holds nothing else


def write_card(folder: Path, family: str, licence: str, facts: dict[str, Any] | None = None) -> dict[str, Any]:
    """Write the folder's card, after both halves are there."""
    card = {"format": FORMAT, "family": family, "licence": licence, "facts": facts or {}}
    atomic_write(folder / CARD, json.dumps(card, indent=1).encode())
    return card


def read_card(folder: Path) -> dict[str, Any]:
    """The folder's card; raises :class:`WeightsError` naming what is wrong."""
    path = folder / CARD
    if not path.is_file():
        raise WeightsError(f"{path} does not exist", "Give a folder written by geco convert or by training.")
    try:
        card = json.loads(path.read_text())
        if card["format"] != FORMAT:
            raise WeightsError(f"{path} describes {card['format']!r}, not {FORMAT!r}", "Give the model's top folder.")
        return {"facts": {}, **card, "family": str(card["family"]), "licence": str(card["licence"])}
    except (ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{path} is not a model card: {error!r}", "Convert or train the model again.") from error
