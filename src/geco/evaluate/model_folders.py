"""Where the model of a method lies."""

from __future__ import annotations

from pathlib import Path

from geco.errors import WeightsError
from geco.model_files.card import CARD, read_model_card
from geco.model_files.hub import is_hub_id
from geco.model_files.products import find_product, offer


def role_folder(model: str, role: str) -> str | None:
    """The folder of that name in a model's, where it is a model too."""
    folder = Path(model) / role
    return str(folder) if (folder / CARD).is_file() else None


def model_folder(folder: str) -> str:
    """What was named, checked: a folder of a model, a public model that is here, or a hub id."""
    if folder == "small" or (Path(folder) / CARD).is_file():
        return folder
    if (product := find_product(folder)) is not None and not is_hub_id(folder) and not product.is_here():
        raise offer(product)
    if product is not None or is_hub_id(folder):
        return folder
    raise WeightsError(
        f"{folder!r} is no folder of a model: it has no {CARD}",
        "Give a folder written by training, or small.",
    )


def draws(folder: Path) -> bool:
    """Whether a model makes views; what is wrong with its card is said when it is loaded."""
    try:
        return bool(read_model_card(folder)["facts"].get("views", True))
    except WeightsError:
        return True
