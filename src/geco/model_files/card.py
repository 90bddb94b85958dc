"""The folder of a model on torch: a card that says what it is, and its halves, each in its own folder.

    MODEL/config.json        the card: family, licence, facts (how it is used, its training)
    MODEL/multiview/         config.json and network.safetensors; absent in a regressor
    MODEL/reconstructor/     config.json and model.safetensors; absent before it is trained
    MODEL/autoencoder/       config.json and network.safetensors; alone in a run of ``geco train autoencoder``

``geco convert`` and every stage of training write it; ``geco run --model``, ``geco evaluate`` and the
exporter read it. Each half's config.json holds the manifest of its weights.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geco.errors import WeightsError
from geco.files import atomic_write
from geco.foreign import Fields, read_fields
from geco.sampling import Sampling

FORMAT = "geco-model-1"
CARD, MULTIVIEW, RECONSTRUCTOR = "config.json", "multiview", "reconstructor"
ONNX = "onnx"  # the folder of an exported model's graphs
HALF_ABOVE = 256  # tensors of more values than this are stored in float16 where a model is handed on
AUTOENCODER = "autoencoder"  # the folder, and the family of a run that holds nothing else
PIXELNERF = "pixelnerf"  # the family
PARTS = (MULTIVIEW, RECONSTRUCTOR, AUTOENCODER, ONNX)  # every folder that a model may have
RESOLUTIONS, TEXTURE_SIZES = (8, 512), (16, 4096)  # what a card may give as a model's own
REMEDY = "Convert or train the model again."


@dataclass(frozen=True)
class Usage:
    """How a model is used where nobody says otherwise: facts that every card of a model holds, in the folder
    of a torch model and in that of an exported one.

    Attributes:
        resolution: cubes a side of the surface grid.
        texture_size: texels a side of the texture.
        sampling: how its views are sampled; None where it makes none.
    """

    resolution: int
    texture_size: int
    sampling: Sampling | None = None

    def to_dict(self) -> dict[str, Any]:
        """As facts of a card."""
        sampling = {} if self.sampling is None else {"sampling": self.sampling.to_dict()}
        return {"resolution": self.resolution, "texture_size": self.texture_size, **sampling}

    @classmethod
    def from_fields(cls, facts: Fields) -> Usage:
        """From a card's facts; raises the fields' own error where one is missing or out of range."""
        sampling = facts.fields("sampling", None)
        return cls(
            facts.integer("resolution", *RESOLUTIONS),
            facts.integer("texture_size", *TEXTURE_SIZES),
            None if sampling is None else Sampling.from_fields(sampling),
        )

    def drawing(self, where: str) -> Sampling:
        """``sampling`` of a model that makes views; raises WeightsError, which begins with ``where``, without
        one.
        """
        if self.sampling is None:
            raise WeightsError(f"{where} does not say how views are sampled: it has no sampling", REMEDY)
        return self.sampling


def usage_of(card: dict[str, Any], folder: Path) -> Usage:
    """Of a card that :func:`read_model_card` read from ``folder``; raises WeightsError."""
    return Usage.from_fields(Fields(card["facts"], f"{folder / CARD}: facts", WeightsError, REMEDY))


def write_model_card(
    folder: Path, family: str, licence: str, facts: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Write the folder's card, after both halves are there."""
    card = {"format": FORMAT, "family": family, "licence": licence, "facts": facts or {}}
    atomic_write(folder / CARD, json.dumps(card, indent=1).encode())
    return card


def read_model_card(folder: Path) -> dict[str, Any]:
    """The folder's card: format, family, licence and facts; raises :class:`WeightsError` naming
    what is wrong.
    """
    path = folder / CARD
    if not os.path.lexists(path):
        raise WeightsError(f"{path} does not exist", "Give a folder written by geco convert or by training.")
    card = read_fields(path, WeightsError, REMEDY)
    if card.text("format") != FORMAT:
        raise WeightsError(
            f"{path} describes {card.text('format')!r}, not {FORMAT!r}", "Give the model's top folder."
        )
    facts = card.fields("facts", None)
    if facts is not None:
        check_facts(facts)
    values = {} if facts is None else facts.values
    return {
        **card.values,
        "family": card.text("family"),
        "licence": card.text("licence", 10_000),
        "facts": values,
    }


def is_model(folder: Path) -> bool:
    """Whether a folder has a card that can be read."""
    try:
        read_model_card(folder)
    except WeightsError:
        return False
    return True


def check_facts(facts: Fields) -> None:
    """Raise the fields' own error where one of the facts that programs read is not what they take it for."""
    facts.flag("views", True)
    facts.flag("distilled", False)
    facts.integer("resolution", *RESOLUTIONS, None)
    facts.integer("texture_size", *TEXTURE_SIZES, None)
    for name in ("stage", "recipe"):
        facts.text(name, default="")
    sampling = facts.fields("sampling", None)
    if sampling is not None:
        Sampling.from_fields(sampling)
    for name in ("overrides", "data"):
        told = facts.fields(name, None)
        for stage in told or ():
            told.fields(stage)


def is_exported(folder: Path) -> bool:
    """Whether a model folder holds graphs, so that it runs without torch."""
    return os.path.lexists(folder / ONNX)


def shown_name(folder: Path) -> str:
    """What a model is called to others: its folder's name, not where that lies on this machine."""
    name = folder.resolve().name or "model"
    # a name that is no UTF-8 can stand in no file of ours
    return os.fsencode(name).decode("utf-8", "replace")
