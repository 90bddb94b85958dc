"""A model folder of the full family as both runtimes see it: its cards and sizes. No torch here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from geco.backend import ModelCard
from geco.cameras import rig
from geco.model_files.card import Usage

# Cubes a side and texture of the full model: InstantMesh's released grid (its configs), and a texture its 320
# px views can fill.
FULL_RESOLUTION, FULL_TEXTURE_SIZE, FULL_PICTURE_SIZE, FULL_VIEW_SIZE = 128, 1024, 512, 320


def described(
    name: str, card: Mapping[str, Any], views: Mapping[str, Any], usage: Usage, more: Mapping[str, Any]
) -> ModelCard:
    """What the pipeline asks.

    Args:
        name: what the model shall be called. card: its own. views: of its multi-view half. usage: how it is
            used where nobody says otherwise. more: facts of the runtime.
    """
    return ModelCard(
        name,
        FULL_PICTURE_SIZE,
        views["foreground_ratio"],
        usage.resolution,
        usage.texture_size,
        card["licence"],
        {"rig": rig(views["rig"]).name, **card["facts"], **more},
        views["background"],
        FULL_VIEW_SIZE,
        ("clean", "noised"),
    )
