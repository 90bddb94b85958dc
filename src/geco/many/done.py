"""What decides the bytes of a run's results, as one digest: what was asked, and the model by its files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from geco.loading import folder_of
from geco.many.results import Setup
from geco.model_files.card import CARD

LENGTH = 16  # hex digits


def described(setup: Setup, seeds: Sequence[int]) -> dict[str, Any]:
    """What was asked, for people who read the manifest."""
    asked = setup.asked
    given = {**asdict(asked.mesh), **asked.views.asked, **asked.picture, **asked.file}
    return {
        "model": setup.model,
        "device": setup.device,
        "seeds": list(seeds),
        "asked": {name: value for name, value in given.items() if value is not None},
    }


def choices_digest(setup: Setup, seeds: Sequence[int]) -> str:
    """Of all that and of the model's files, which its cards list with their hashes. Where the files lie does
    not count, nor do workers and threads.

    Raises:
        WeightsError: there is no such model.
    """
    folder = folder_of(setup.model)
    cards = sorted({folder / CARD, *folder.glob(f"*/{CARD}")})
    digest = hashlib.sha256()
    for card in cards:
        digest.update(card.read_bytes() if card.is_file() else b"")
    asked = {name: value for name, value in described(setup, seeds).items() if name != "model"}
    digest.update(json.dumps(asked, sort_keys=True, default=str).encode())
    return digest.hexdigest()[:LENGTH]
