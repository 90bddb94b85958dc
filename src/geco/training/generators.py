"""A one-step generator in a run folder: how it is used, and which it is."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from geco.errors import ConfigError
from geco.model_files.card import CARD, MULTIVIEW, read_model_card, usage_of
from geco.sampling import Sampling
from geco.training.run_folder import fingerprint


def generator_sampling(folder: Path) -> Sampling:
    """How the one-step generator in ``folder`` is used; raises ConfigError where it is not distilled."""
    card = read_model_card(folder)
    if not card["facts"].get("distilled"):
        raise ConfigError(f"{folder} is not a one-step generator", "Give the run folder of Stage I.")
    return usage_of(card, folder).drawing(str(folder / CARD))


def generator_id(run: Path) -> str:
    """12 digits of a generator's weights and of how it is used; raises ConfigError where ``run`` is none."""
    told = [fingerprint(run / MULTIVIEW), generator_sampling(run).to_dict()]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:12]
