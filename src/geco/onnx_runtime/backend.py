"""A :class:`geco.backend.Backend` on ONNX Runtime: the embedded model, and any model exported like it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from geco.errors import ConfigError
from geco.onnx_runtime.card import exported_card
from geco.onnx_runtime.networks import SmallGenerator, SmallReconstructor
from geco.reconstruct.fields import SurfaceFields
from geco.sampling import Sampling
from geco.types import Floats


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
            raise ConfigError(
                f"the exported model {name!r} runs on the CPU, not on {device}", "Leave --device out."
            )
        card = exported_card(folder, name)
        self.card = card.model
        self._generator = SmallGenerator(folder, card)
        self._reconstructor = SmallReconstructor(folder, card)

    @property
    def sampling(self) -> Sampling:
        """As the exported card says."""
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
