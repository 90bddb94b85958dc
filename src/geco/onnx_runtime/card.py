"""An exported model: the folder of a small model with graphs of it beside the weights that they run on.

    MODEL/config.json, multiview/, reconstructor/    a model folder as any other
    MODEL/onnx/config.json                           the card of the graphs: manifest, forms of weights
    MODEL/onnx/views.onnx ...                        graphs without weights

A graph asks for weights by the names that they have in its half's file; where it wants one moved (its axes in
another order, another shape), the card says so under "forms".
"""

from __future__ import annotations

from pathlib import Path

from geco.errors import WeightsError
from geco.model_files.card import CARD, MULTIVIEW, ONNX, RECONSTRUCTOR
from geco.model_files.manifest import Manifest
from geco.model_files.part import read_part_card
from geco.multiview.schedule_settings import alphas_of
from geco.multiview.small.config import SmallConfig
from geco.onnx_runtime.providers import Provider
from geco.onnx_runtime.session import Network, own_threads
from geco.onnx_runtime.weights import Form
from geco.sampling import Sampling
from geco.small_model import read_small_model
from geco.types import Array, Doubles

FORMAT = "geco-onnx-3"
HALVES = {"views": MULTIVIEW, "reconstruct": RECONSTRUCTOR, "shape": RECONSTRUCTOR, "color": RECONSTRUCTOR}


class ExportedModel:
    """An exported folder, its cards checked; graphs and weights are read when they are asked for.

    Args:
        folder: written by the exporter. threads: None takes
            :func:`geco.onnx_runtime.session.own_threads`. provider: runs the graphs that it is for; the
            others run on the CPU, and without one all.

    Raises:
        WeightsError: a card is missing, damaged, of another format, or a field is missing or out of its
            range.
    """

    def __init__(self, folder: Path, threads: int | None = None, provider: Provider | None = None) -> None:
        self.model = read_small_model(folder)
        if self.model.views is None:
            raise WeightsError(f"{folder} makes no views", "Regressors run on torch: export a whole model.")
        self.views: SmallConfig = self.model.views
        self.sampling: Sampling = self.model.usage.drawing(f"{folder / CARD}: facts")
        self.alphas_cumprod: Doubles = alphas_of(self.views.schedule)
        self.threads, self._provider = threads or own_threads(), provider
        card = read_part_card(folder / ONNX, FORMAT)
        self._manifest = Manifest(card)
        forms = card.fields("forms")
        self._forms = {
            graph: {name: Form.from_fields(wanted.fields(name)) for name in wanted}
            for graph in HALVES
            for wanted in [forms.fields(graph)]
        }
        self._weights: dict[str, dict[str, Array]] = {}

    def network(self, graph: str, threads: int | None = None) -> Network:
        """A graph of HALVES with its weights, open.

        Args:
            threads: instead of the model's own.

        Raises:
            WeightsError: see :class:`Network`.
        """
        half = HALVES[graph]
        if half not in self._weights:
            self._weights[half] = self.model.arrays(half)
        path = self.model.folder / ONNX / f"{graph}.onnx"
        provider = self._provider if self._provider and graph in self._provider.graphs else None
        data, forms = self._manifest.read(path), self._forms[graph]
        return Network(path, data, self._weights[half], forms, threads or self.threads, provider)
