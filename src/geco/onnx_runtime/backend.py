"""A :class:`geco.backend.Backend` on ONNX Runtime: the embedded model, and any model exported like it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from geco.backend import Footprint
from geco.errors import ConfigError
from geco.memory import resident
from geco.onnx_runtime.card import ExportedModel
from geco.onnx_runtime.networks import SmallGenerator, SmallReconstructor
from geco.onnx_runtime.providers import Provider
from geco.reconstruct.fields import SurfaceFields
from geco.sampling import OnStep, Sampling
from geco.types import Floats, Pictures

SET, REBUILDING = 52 << 20, 100 << 20  # bytes; see OnnxBackend.footprint


class OnnxBackend:
    """Generator and reconstructor of an exported folder.

    Args:
        folder: written by the exporter.
        name: what the card shall call it.
        provider: where the networks run; None: on the CPU.
        threads: of one operator; None: see :func:`geco.onnx_runtime.session.own_threads`.

    Raises:
        WeightsError: a file is missing, truncated or damaged.
        ConfigError: the provider is not installed, does not start, or gives other views than the CPU.
    """

    def __init__(
        self, folder: Path, name: str, provider: Provider | None = None, threads: int | None = None
    ) -> None:
        if provider is not None:
            provider.check_installed()
        exported = ExportedModel(folder, threads, provider)
        self.card = exported.model.described(name)
        self._sampling = exported.sampling
        self._generator = SmallGenerator(exported)
        if provider is not None:
            _check_views(self._generator, SmallGenerator(ExportedModel(folder)), provider)
        self._reconstructor = SmallReconstructor(exported)

    @property
    def sampling(self) -> Sampling:
        """As the model's card says."""
        return self._sampling

    @property
    def distilled(self) -> bool:
        """As the card says."""
        return bool(self.card.facts.get("distilled", False))

    @property
    def joins_pictures(self) -> bool:
        """Not on a CPU: eight sets of the embedded model take 1.6 CPU seconds together, and 1.7 one after
        the other.
        """
        return False

    def place(self, pictures: Floats) -> Floats:
        """As they are: numpy is where this runtime works."""
        return pictures

    def generate(
        self,
        pictures: Sequence[Pictures],
        seeds: Sequence[int],
        sampling: Sampling | None = None,
        on_step: OnStep | None = None,
    ) -> Floats:
        """Each (S, S, 3) over white -> (len(seeds), 6, S, S, 3), all in [0, 1]. Picture by picture: on a CPU
        nothing is gained by more at a time.
        """
        each = len(seeds) // len(pictures)
        views = [
            self._generator.generate(
                np.asarray(picture), seeds[row * each : (row + 1) * each], sampling, on_step
            )
            for row, picture in enumerate(pictures)
        ]
        return views[0] if len(views) == 1 else np.concatenate(views)

    def footprint(self, sampling: Sampling | None) -> Footprint:
        """By what was measured of the embedded model, in proportion to the pixels of a view.

        ``geco run``'s process on Linux, onnxruntime 1.28 and numpy 2.4, one thread: 36 to 51 MB a set of
        views of 96 px, 1 to 32 at a time, which stay in ONNX Runtime's arena; 100 MB while it reconstructs.
        """
        side = self.card.view_size or self.card.picture_size
        share = (side / 96) ** 2
        guided = sampling is not None and sampling.guidance_scale != 1
        drawn = int(SET * share) * (2 if guided else 1)
        return Footprint(resident(), drawn, drawn, 6 * 3 * 4 * side**2, int(REBUILDING * share), keeps=True)

    def reconstruct(self, views: Pictures, picture: Pictures) -> SurfaceFields:
        """(6, S, S, 3) and (S, S, 3) in [0, 1] -> the surface's fields."""
        return self._reconstructor.reconstruct(np.asarray(views), np.asarray(picture))


def _check_views(ours: SmallGenerator, cpus: SmallGenerator, provider: Provider) -> None:
    """Raise ConfigError where a provider's views of a picture, a shaded ball, are not those of the CPU."""
    size = ours.exported.views.size
    x, y = np.meshgrid(*[(np.arange(size, dtype=np.float32) + 0.5) / size * 2.4 - 1.2] * 2)
    inside = x * x + y * y < 1
    shade = np.where(inside, 0.3 + 0.5 * np.sqrt(np.maximum(1 - x * x - y * y, 0)), 1)
    picture = shade[..., None] ** np.array([0.5, 1.0, 2.0], np.float32)
    found, wanted = (each.generate(picture.astype(np.float32), [0]) for each in (ours, cpus))
    reached = -10 * np.log10(max(float(np.square(found - wanted).mean()), 1e-12))
    if not reached >= provider.least:
        raise ConfigError(
            f"--device {provider.device} gives other views than the CPU: {reached:.0f} dB from them, "
            f"{provider.least:.0f} are asked for",
            f"Leave --device out, or try another version of {provider.package or 'onnxruntime'}.",
        )
