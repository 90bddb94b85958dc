"""The product in one class: ``GecoPipeline.from_pretrained("small")(picture, seed=0) -> Asset``."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from geco import batches
from geco.asset import Asset
from geco.backend import Backend, ModelCard
from geco.best import choose
from geco.images import Picture, cut_out, load_picture, prepare
from geco.loading import load_backend
from geco.marks import Source
from geco.sampling import OnStep, Sampling, Steering
from geco.seen import Seen, Views, source_of
from geco.surface_to_asset import AssetOptions, Beside, surface_to_asset
from geco.timing import Stopwatch

# side of the cut-out picture kept for projection: more than a 512 texture can show of one side
PROJECTION_SIZE = 384


class GecoPipeline:
    """A loaded model. Calling it turns a picture into an :class:`Asset`; it may be called any number of
    times. A call is three verbs, which may be used alone: :meth:`see` the picture, draw its :meth:`views`,
    :meth:`finish` the mesh.
    """

    def __init__(self, backend: Backend, max_memory: str | int | None = None) -> None:
        self.backend, self.max_memory = backend, batches.bound_of(max_memory)

    @property
    def card(self) -> ModelCard:
        """Name, sizes, licence and facts of the model."""
        return self.backend.card

    @classmethod
    def from_pretrained(
        cls,
        model: str | os.PathLike[str] = "small",
        device: str | None = None,
        max_memory: str | int | None = None,
        threads: int | None = None,
    ) -> GecoPipeline:
        """Load a model.

        Args:
            model: "small" (embedded, runs without torch); a folder made by ``geco get``, ``geco convert``,
                training or the exporter; the name of a model that ``geco get`` made ready; or a hub id
                (``sudo-ai/zero123plus-v1.2``), which is fetched at first use and needs the extra ``torch``.
            device: None chooses; "cpu", "cuda", "mps" for models that run on torch; "cuda", "directml",
                "coreml", "openvino" for those with graphs, where that provider of ONNX Runtime is installed.
            max_memory: bytes, or "8GB": as many sets of views are drawn together as it allows
                (:meth:`at_once`); None: :data:`geco.batches.BATCH`.
            threads: of a model with graphs; None: the cores, up to four. More change the last bits.

        Raises:
            WeightsError: nothing is there, or it is broken.
            MissingExtraError: the model needs torch and it is not installed. ConfigError: ``max_memory`` is
                no size, or ``threads`` are fewer than one.
        """
        batches.bound_of(max_memory)  # before anything is loaded
        return cls(load_backend(model, device, threads), max_memory)

    def __call__(
        self,
        picture: Any,
        seed: int = 0,
        options: AssetOptions | None = None,
        cutout: str = "auto",
        on_step: OnStep | None = None,
        **asked: Any,
    ) -> Asset:
        """One picture to one asset.

        Args:
            picture: a path, bytes, a PIL image or an array (H, W, 3 or 4), uint8 or float in [0, 1]; or a
                Picture, read before.
            seed: of the noise, 0 to 2**32 - 1.
            options: what the mesh shall be like.
            cutout: how the background is removed; see :func:`geco.images.cut_out`.
            on_step: called with the steps done and the steps in all, after each of a model of many.
            asked: steps, guidance, sampler, reference, truncation: what of the model's own way of drawing
                views shall be otherwise (:class:`geco.sampling.Steering`).

        Raises:
            InputImageError: the picture cannot be used. MeshError: no surface came out. ConfigError: an
                option is out of range, or the model has no such thing.
        """
        return next(self.samples(picture, [seed], options, cutout, on_step, **asked))

    def samples(
        self,
        picture: Any,
        seeds: Sequence[int],
        options: AssetOptions | None = None,
        cutout: str = "auto",
        on_step: OnStep | None = None,
        **asked: Any,
    ) -> Iterator[Asset]:
        """One asset a seed, as each is ready: :meth:`see` once, :meth:`views` in batches, :meth:`best` of
        each's; arguments and errors as of a call. Where each is the best of several, those are its seed and
        the ones that follow it, so seeds must be so far apart (:func:`geco.batches.candidates`).
        """
        options, sampling = options or AssetOptions(), self.sampling(**asked)
        drawn = batches.candidates(seeds, options.best_of)
        seen = self.see(picture, cutout)
        views = self.views(seen, drawn, sampling, on_step, self.at_once(options, sampling))
        for _ in seeds:
            yield self.best(islice(views, options.best_of), seen, options)

    def see(self, picture: Any, cutout: str = "auto", source: Source | None = None) -> Seen:
        """The first verb: read a picture, cut its object out and frame it as the model was trained to see it.

        Args:
            picture, cutout: as of a call.
            source: what files shall say that they were made from; None: the picture's own file, where it is
                one.

        Raises:
            InputImageError: the picture cannot be used.
        """
        watch, sizes = Stopwatch(), (self.card.picture_size, self.card.foreground_ratio)
        with watch.stage("picture"):
            loaded = picture if isinstance(picture, Picture) else load_picture(picture)
            cut = cut_out(loaded, method=cutout)
            condition = prepare(cut, *sizes, self.card.background, self.card.eight_bits)
            detailed = condition.rgba(PROJECTION_SIZE)
            read = self.backend.place(condition.rgb)
        return Seen(condition, detailed, read, source or source_of(picture), watch.seconds["picture"])

    def views(
        self,
        seen: Seen,
        seeds: Sequence[int],
        sampling: Sampling | None = None,
        on_step: OnStep | None = None,
        at_once: int = batches.BATCH,
    ) -> Iterator[Views]:
        """The second verb: what the model draws of a picture, one item a seed, a few seeds at a time.

        Args:
            seen: of :meth:`see`. seeds: see :func:`geco.batches.check_seeds`.
            sampling: of :meth:`sampling`; None: the model's own.
            on_step: as of a call; each batch begins anew.
            at_once: seeds that are drawn together.

        Raises:
            ConfigError: a seed is out of range.
        """
        batches.check_seeds(seeds)
        for start in range(0, len(seeds), at_once):
            yield from self.views_together([seen], seeds[start : start + at_once], sampling, on_step)[0]

    def views_together(
        self,
        seen: Sequence[Seen],
        seeds: Sequence[int],
        sampling: Sampling | None = None,
        on_step: OnStep | None = None,
    ) -> list[list[Views]]:
        """:meth:`views` of several pictures as one batch: for each picture an item a seed; seconds are shared
        out to the pictures.
        """
        sampling, watch = sampling or self.backend.sampling, Stopwatch()
        with watch.stage("views"):
            pictures = [each.read for each in seen]
            generated = self.backend.generate(pictures, [*seeds] * len(seen), sampling, on_step)
        seconds, count = watch.seconds["views"] / len(seen), len(seeds)
        return [
            [
                Views(int(seed), generated[row * count + place], sampling, each.source, seconds)
                for place, seed in enumerate(seeds)
            ]
            for row, each in enumerate(seen)
        ]

    def finish(
        self,
        views: Views,
        seen: Seen,
        options: AssetOptions | None = None,
        watch: Stopwatch | None = None,
    ) -> Asset:
        """The third verb: views to a textured mesh that keeps to the picture.

        Args:
            views: of :meth:`views`, or any others of the model's rig and size.
            seen: the picture.
            options: what the mesh shall be like.
            watch: collects the seconds of this verb's stages, also of those before an error.

        Raises:
            MeshError: no surface came out. ConfigError: an option does not go with the model.
        """
        return self.best([views], seen, options, watch)

    def best(
        self,
        views: Iterable[Views],
        seen: Seen,
        options: AssetOptions | None = None,
        watch: Stopwatch | None = None,
    ) -> Asset:
        """:meth:`finish` of one of ``options.best_of`` seeds' views: of those whose surface has most of the
        picture's outline before it is made to keep to it (:func:`geco.best.choose`). The others cost their
        views, their fields and a look at these. Arguments and errors as of :meth:`finish`.
        """
        options, watch, card = options or AssetOptions(), watch or Stopwatch(), self.card
        size, texture = options.resolution or card.resolution, options.texture_size or card.texture_size
        chosen = choose(self.backend, views, seen, options.best_of, size, watch)
        finest = self.max_memory and batches.finest_within(self.max_memory, texture, size)
        beside = Beside(seen.detail, chosen.rough, finest)
        mesh, facts = surface_to_asset(chosen.fields, seen.picture, options, size, texture, watch, beside)
        return Asset(
            mesh,
            chosen.views.drawn,
            seen.picture,
            watch.finish({"picture": seen.seconds, "views": chosen.seconds}),
            chosen.views.seed,
            card.name,
            {**seen.facts, **chosen.views.facts, **facts, **chosen.facts},
            seen.source,
        )

    def at_once(self, options: AssetOptions | None = None, sampling: Sampling | None = None) -> int:
        """How many sets of views are drawn together: as many as ``max_memory`` allows, of the device that the
        model runs on, or of the process where that is the CPU. ``options`` and ``sampling``, as of the verbs,
        take memory too. Raises ConfigError: it does not even allow one.
        """
        if self.max_memory is None:
            return batches.BATCH
        options, card = options or AssetOptions(), self.card
        texture_size = 0 if options.vertex_colors else options.texture_size or card.texture_size
        needed = batches.finishing(texture_size, options.resolution or card.resolution)
        footprint = self.backend.footprint(sampling or self.backend.sampling)
        most = batches.BATCH if footprint.keeps else batches.MOST_AT_ONCE
        return batches.at_once(footprint, needed, self.max_memory, most)

    def sampling(self, **asked: Any) -> Sampling | None:
        """The model's own way of drawing views with what is asked in its place (as of
        :class:`geco.sampling.Steering`); None of a model without views, of which nothing can be asked.

        Raises:
            ConfigError: a value is out of range, or the model has no such thing.
        """
        return Steering(**asked).of(self.backend.sampling, self.card.name, self.card.references)
