"""A :class:`geco.backend.Backend` on ONNX Runtime: the embedded model, and any model exported like it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geco.backend import ModelCard, Sampling
from geco.errors import ConfigError, WeightsError
from geco.onnx_runtime.networks import SmallGenerator, SmallReconstructor
from geco.onnx_runtime.session import CARD, read_card
from geco.reconstruct.interface import SurfaceFields

Floats = NDArray[np.float32]


class OnnxBackend:
    """Generator and reconstructor of an exported folder.

    Args:
        folder: written by the exporter.
        name: what the card shall call it.
        device: None or "cpu": ONNX Runtime's CPU build is what the base install brings.

    Raises:
        WeightsError: a file is missing, truncated or damaged. ConfigError: another device is asked for.
    """

    def __init__(self, folder: Path, name: str, device: str | None = None) -> None:
        if device not in (None, "cpu"):
            raise ConfigError(f"the exported model {name!r} runs on the CPU, not on {device}", "Leave --device out.")
        card = read_card(folder)
        try:
            self.card = ModelCard(
                name=name,
                picture_size=int(card["view_size"]),
                foreground_ratio=float(card["foreground_ratio"]),
                resolution=int(card["resolution"]),
                texture_size=int(card["texture_size"]),
                licence=str(card["licence"]),
                facts={"rig": card.get("rig"), "sampler": card.get("sampler"), **card.get("facts", {})},
            )
        except (KeyError, TypeError, ValueError) as error:
            raise WeightsError(f"{folder / CARD} lacks or garbles {error}", "Export the model again.") from error
        self._generator = SmallGenerator(folder, card)
        self._reconstructor = SmallReconstructor(folder, card)

    @property
    def sampling(self) -> Sampling:
        """The exported sampler."""
        return self._generator.sampling

    @property
    def distilled(self) -> bool:
        """As the exporter wrote it among the facts."""
        return bool(self.card.facts.get("distilled", False))

    def generate(self, picture: Floats, seeds: Sequence[int], sampling: Sampling | None = None) -> Floats:
        """(S, S, 3) over white -> (len(seeds), 6, S, S, 3), all in [0, 1]."""
        return self._generator.generate(picture, seeds, sampling)

    def reconstruct(self, views: Floats, picture: Floats) -> SurfaceFields:
        """(6, S, S, 3) and (S, S, 3) in [0, 1] -> the surface's fields."""
        return self._reconstructor.reconstruct(views, picture)
