"""The product in one class: ``GecoPipeline.from_pretrained("small")(picture, seed=0) -> Asset``."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from geco.asset import Asset
from geco.backend import Backend, ModelCard
from geco.errors import ConfigError, WeightsError
from geco.images import Picture, Prepared, cut_out, load_picture, prepare, save_views
from geco.marks import Source, digest_of, mark_text
from geco.model_files.card import is_exported, read_card, shown_name
from geco.model_files.hub import is_hub_id
from geco.sampling import Sampling
from geco.surface_to_asset import AssetOptions, surface_to_asset
from geco.timing import Stopwatch

EMBEDDED = Path(__file__).parent / "assets" / "small"
MOST_SAMPLES = 1000  # of one picture; more is a slip of the keyboard, and a run of many minutes
BATCH = 8  # seeds at a time: memory stays level however many there are
# side of the cut-out picture kept for projection: more than a 512 texture can show of one side
PROJECTION_SIZE = 384


class GecoPipeline:
    """A loaded model. Calling it turns a picture into an :class:`Asset`; it may be called any
    number of times.
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    @property
    def card(self) -> ModelCard:
        """Name, sizes, licence and facts of the model."""
        return self.backend.card

    @classmethod
    def from_pretrained(
        cls, model: str | os.PathLike[str] = "small", device: str | None = None
    ) -> GecoPipeline:
        """Load a model.

        Args:
            model: "small" (embedded, runs without torch); a folder made by ``geco convert``, by training or
                by the exporter; or a hub id of public weights (``sudo-ai/zero123plus-v1.2``), which needs the
                extra ``torch``.
            device: None chooses; "cpu", "cuda", "mps" for models that run on torch.

        Raises:
            WeightsError: nothing is there, or it is broken.
            MissingExtraError: the model needs torch and it is not installed.
        """
        if str(model) == "small":
            return cls(_folder_backend(EMBEDDED, device))
        folder = Path(model)
        if folder.is_dir():
            return cls(_folder_backend(folder, device))
        if is_hub_id(model):
            return cls(_torch_backend(os.fspath(model), device))
        raise WeightsError(
            f"no model {str(model)!r}: neither 'small', a model folder, nor a hub id",
            "See `geco info` for what is there.",
        )

    def __call__(
        self,
        picture: Any,
        seed: int = 0,
        options: AssetOptions | None = None,
        cutout: str = "auto",
        truncation: float | None = None,
    ) -> Asset:
        """One picture to one asset.

        Args:
            picture: a path, bytes, a PIL image or an array (H, W, 3 or 4), uint8 or float in [0, 1]; or a
                Picture, read before.
            seed: of the noise, 0 to 2**32 - 1.
            options: what the mesh shall be like.
            cutout: how the background is removed; see :func:`geco.images.cut_out`.
            truncation: 0 (the likeliest object, the same for every seed) to 1 (the most different ones);
                None: the model's.

        Raises:
            InputImageError: the picture cannot be used. MeshError: no surface came out. ConfigError: an
                option is out of range.
        """
        return next(self.samples(picture, [seed], options, cutout, truncation=truncation))

    def samples(
        self,
        picture: Any,
        seeds: Sequence[int],
        options: AssetOptions | None = None,
        cutout: str = "auto",
        steps: str | None = None,
        truncation: float | None = None,
        source: Source | None = None,
    ) -> Iterator[Asset]:
        """One asset a seed, as each is ready. The picture is read once; the seeds run in batches of
        :data:`BATCH`.

        ``steps`` names a folder to write what the model saw (picture, cut-out, condition, views). ``source``
        is what the files say that they were made from; None: the picture's own file, where it is one.
        """
        options = options or AssetOptions()
        check_seeds(seeds)
        sampling = self._sampling(truncation)
        shared = Stopwatch()
        card = self.card
        with shared.stage("picture"):
            loaded = picture if isinstance(picture, Picture) else load_picture(picture)
            source = source or _source_of(picture)
            cut = cut_out(loaded, method=cutout)
            condition = prepare(cut, card.picture_size, card.foreground_ratio, card.background)
            detailed = condition.rgba(PROJECTION_SIZE)
        texture_size = options.texture_size or card.texture_size
        for start in range(0, len(seeds), BATCH):
            batch = seeds[start : start + BATCH]
            with shared.stage("views"):
                all_views = self.backend.generate(condition.rgb, batch, sampling)
            if steps is not None:
                _save_steps(Path(steps), condition, all_views, start, mark_text("step", source))
            for seed, views in zip(batch, all_views):
                watch = Stopwatch()
                with watch.stage("reconstruct"):
                    fields = self.backend.reconstruct(views, condition.rgb)
                mesh, facts = surface_to_asset(
                    fields, detailed, options, card.resolution, texture_size, watch
                )
                facts = {**cut.facts(), **({} if truncation is None else {"truncation": truncation}), **facts}
                yield Asset(
                    mesh, views, detailed, watch.finish(shared.seconds), seed, card.name, facts, source
                )

    def _sampling(self, truncation: float | None) -> Sampling | None:
        """The model's, at another truncation where one is given; raises ConfigError where it has none."""
        own = self.backend.sampling
        if truncation is None or own is None:
            if truncation is not None:
                raise ConfigError(f"{self.card.name} draws no views", "Leave truncation out.")
            return own
        return replace(own, truncation=truncation)


def check_seeds(seeds: Sequence[int]) -> None:
    """Raises ConfigError: none, more than :data:`MOST_SAMPLES`, or one that is no whole number
    from 0 to 2**32 - 1.
    """
    if not 1 <= len(seeds) <= MOST_SAMPLES:
        raise ConfigError(
            f"{len(seeds)} samples of a picture are out of range", f"Ask for 1 to {MOST_SAMPLES}."
        )
    for seed in seeds:
        if not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**32:
            raise ConfigError(
                f"the seed {seed!r} is out of range", "Choose whole numbers from 0 to 4294967295."
            )


def _folder_backend(folder: Path, device: str | None) -> Backend:
    """A folder with graphs on ONNX Runtime, on the CPU; on torch where another device is asked for, or there
    are none.
    """
    read_card(folder)  # what is wrong with it is said before torch is asked for
    if device in (None, "cpu") and is_exported(folder):
        from geco.onnx_runtime.backend import OnnxBackend

        return OnnxBackend(folder, shown_name(folder))
    return _torch_backend(str(folder), device)


def _torch_backend(source: str, device: str | None) -> Backend:
    from geco.errors import MissingExtraError

    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("torch", "torch", f"the model {source!r}") from error
    from geco.torch_runtime.folder import load_backend

    return load_backend(source, device)


def _source_of(picture: Any) -> Source:
    """What the files will say that they were made from; the picture has been read, so its file is
    one of a bearable size.
    """
    if isinstance(picture, bytes):
        return Source(digest=digest_of(picture))
    if isinstance(picture, str | os.PathLike):
        path = Path(picture)
        with contextlib.suppress(OSError):  # gone since it was read
            if not path.is_file():
                return Source(path.name)  # a pipe gives its bytes once
            return Source(path.name, digest_of(path.read_bytes()))
    return Source()


def _save_steps(folder: Path, condition: Prepared, all_views: np.ndarray, first: int, mark: str) -> None:
    if first == 0:
        condition.save_steps(folder, mark)
    for index, views in enumerate(all_views, first):
        save_views(views, folder / f"views-{index}.png", mark)
