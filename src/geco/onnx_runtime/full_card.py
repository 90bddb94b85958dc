"""An exported model of the full family: a model folder with graphs of it beside the weights that they run on.

MODEL/config.json, multiview/, reconstructor/    a model folder as any other
MODEL/onnx/config.json                           the card of the graphs: manifest
MODEL/onnx/unet.onnx ...                         graphs without weights
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from geco.backend import ModelCard
from geco.cameras import RIGS
from geco.foreign import Fields
from geco.full_model import described
from geco.model_files.card import CARD, MULTIVIEW, ONNX, RECONSTRUCTOR, read_model_card, usage_of
from geco.model_files.manifest import Manifest
from geco.model_files.part import read_arrays, read_part_card
from geco.multiview.schedule_settings import alphas_of, check_schedule
from geco.onnx_runtime.session import Network, own_threads
from geco.sampling import Reference, Sampling
from geco.types import Array, Doubles

FORMAT = "geco-onnx-full-1"
# graph -> its half and the file there that holds its weights
FULL_HALVES = {
    "unet": (MULTIVIEW, "unet"),
    "encode": (MULTIVIEW, "vae"),
    "decode": (MULTIVIEW, "vae"),
    "vision": (MULTIVIEW, "vision"),
    "planes": (RECONSTRUCTOR, "model"),
    "fields": (RECONSTRUCTOR, "model"),
    "cubes": (RECONSTRUCTOR, "model"),
}


class FullExported:
    """An exported folder, its cards checked; graphs and weights are read when they are asked for.

    Args:
        folder: written by the exporter. threads: None takes
            :func:`geco.onnx_runtime.session.own_threads`.

    Raises:
        WeightsError: a card is missing, damaged, of another format, or a field is missing or out of its
            range.
    """

    def __init__(self, folder: Path, threads: int | None = None) -> None:
        self.folder, self.threads = folder, threads or own_threads()
        self.card = read_model_card(folder)
        self.views = _checked(read_part_card(folder / MULTIVIEW, "geco-zero123plus-1"))
        self.reconstructor = read_part_card(folder / RECONSTRUCTOR, "geco-instantmesh-1")
        self.usage = usage_of(self.card, folder)
        self.sampling: Sampling = self.usage.drawing(f"{folder / CARD}: facts")
        if self.sampling.reference is None and not self.sampling.is_generator:
            own: Reference = "noised" if self.views["noised_reference"] else "clean"
            self.sampling = replace(self.sampling, reference=own)
        self.alphas_cumprod: Doubles = alphas_of(self.views["schedule"])
        self._manifest = Manifest(read_part_card(folder / ONNX, FORMAT))
        self._weights: dict[tuple[str, str], dict[str, Array]] = {}

    def described(self, name: str) -> ModelCard:
        """What the pipeline asks."""
        return described(name, self.card, self.views, self.usage, {})

    def arrays(self, half: str, stem: str) -> dict[str, Array]:
        """The tensors of one weights file, as stored."""
        if (half, stem) not in self._weights:
            card = read_part_card(self.folder / half)
            self._weights[half, stem] = read_arrays(self.folder / half, card, stem)
        return self._weights[half, stem]

    def network(self, graph: str) -> Network:
        """A graph of :data:`FULL_HALVES` with its weights, open; raises WeightsError."""
        path = self.folder / f"{graph}.onnx"
        data = self._manifest.read(path)
        return Network(path, data, self.arrays(*FULL_HALVES[graph]), {}, self.threads)


def _checked(card: Fields) -> dict[str, Any]:
    """The multi-view half's settings that this runtime reads."""
    card.choice("rig", RIGS)
    card.number("foreground_ratio", 0.1, 1.0)
    card.number("background", 0.0, 1.0)
    card.flag("noised_reference")
    card.integers("sample_shape", 1, 1024, 3)
    check_schedule(card.fields("schedule"))
    card.fields("vae").integers("block_out_channels", 1, 65536, 16)
    for name in ("for_vae", "for_vision"):
        card.fields(name)
    return card.values
