"""The small generator and reconstructor on ONNX Runtime, numpy around them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from geco.errors import WeightsError
from geco.multiview.steps import start_of, steps_of
from geco.noise import Noise, stream
from geco.onnx_runtime.card import ExportedModel
from geco.onnx_runtime.session import Network
from geco.reconstruct.small.fields import SmallFields
from geco.sampling import OnStep, Sampling
from geco.types import Floats

MOST_VOXELS = 256  # a side of the coarse field


def check_output(network: Network, found: Any, shape: tuple[int, ...]) -> None:
    """Raise WeightsError unless a graph gave finite numbers of this shape."""
    if not isinstance(found, np.ndarray) or found.shape != shape or found.dtype != np.float32:
        raise WeightsError(
            f"{network.path} gives something of another shape than {shape}", "Export the model again."
        )
    if not np.isfinite(found).all():
        raise WeightsError(
            f"{network.path} gives numbers that are not finite", "Train or export the model again."
        )


class SmallGenerator:
    """Condition picture and seeds to six views a seed: the same steps and the same noise as on torch
    (:func:`geco.multiview.generate.generate_views`), in numpy.
    """

    def __init__(self, exported: ExportedModel) -> None:
        self.exported = exported
        self._views = exported.network("views").expect(["picture", "x_t", "t"], 1)

    def generate(
        self,
        picture: Floats,
        seeds: Sequence[int],
        sampling: Sampling | None = None,
        on_step: OnStep | None = None,
    ) -> Floats:
        """Picture (S, S, 3) in [0, 1] on white -> views (len(seeds), 6, S, S, 3) in [0, 1]; all
        seeds run as one batch.

        ``sampling`` takes the place of the exported one.
        """
        noise = Noise([stream(seed, "views") for seed in seeds])
        size = self.exported.views.size
        z = noise((len(seeds), 6, 3, size, size))
        return self.sample(picture, z, noise, sampling or self.exported.sampling, on_step)

    def sample(
        self,
        picture: Floats,
        z: Floats,
        noise: Noise,
        sampling: Sampling,
        on_step: OnStep | None = None,
    ) -> Floats:
        """From standard normal z (K, 6, 3, S, S) to views (K, 6, S, S, 3); ``noise`` gives the steps' fresh
        numbers.
        """
        x = start_of(sampling, self.exported, z).astype(np.float32, copy=False)
        for done, step in enumerate(steps_of(sampling, self.exported), 1):
            x0 = self.denoise(picture, x, step.t, sampling.guidance_scale)
            if sampling.clip is not None:
                np.clip(x0, -sampling.clip, sampling.clip, out=x0)
            signal, noisy = np.float32(math.sqrt(step.alpha)), np.float32(math.sqrt(1 - step.alpha))
            eps = ((x - signal * x0) / noisy).astype(np.float32, copy=False)
            x = step.move(x0, eps, noise(x.shape) if step.eta else None)
            if on_step is not None and sampling.steps > 1:
                on_step(done, sampling.steps)
        return np.ascontiguousarray(np.moveaxis((np.clip(x, -1, 1) + 1) / 2, 2, -1), np.float32)

    def denoise(self, picture: Floats, x: Floats, t: int, guidance: float) -> Floats:
        """x0 (K, 6, 3, S, S) after guidance, from x_t of that shape and the picture (S, S, 3) in [0, 1]."""
        condition = np.moveaxis(picture, -1, 0)[None].astype(np.float32) * 2 - 1
        if guidance == 1:
            return self._predict(condition, x, t)
        unconditional, conditional = np.split(
            self._predict(np.concatenate([np.zeros_like(condition), condition]), x, t), 2
        )
        guided: Floats = unconditional + np.float32(guidance) * (conditional - unconditional)
        return guided

    def _predict(self, pictures: Floats, x: Floats, t: int) -> Floats:
        """x0 (G K, ...) of each of G pictures, (G, 3, S, S) in [-1, 1]."""
        each = np.repeat(pictures, len(x), axis=0)
        noisy = np.concatenate([x] * len(pictures))
        (x0,) = self._views(picture=each, x_t=noisy, t=np.array([t], np.float32))
        check_output(self._views, x0, noisy.shape)
        return x0


class SmallReconstructor:
    """Six views and the condition picture to fields."""

    def __init__(self, exported: ExportedModel) -> None:
        self.half_extent = exported.model.reconstructor.half_extent
        inputs = ["table", "volume", "points"]
        self._encode = exported.network("reconstruct").expect(["views", "picture"], 3)
        # Points are asked piece by piece, and pieces side by side: threads within one would wait for each
        # other fifty times in a millisecond.
        self._workers = exported.threads
        self._shape = exported.network("shape", threads=1).expect(inputs, 1)
        self._color = exported.network("color", threads=1).expect(inputs, 1)

    def reconstruct(self, views: Floats, picture: Floats) -> SmallFields:
        """views (6, S, S, 3) and picture (S, S, 3), in [0, 1] on white."""
        table, volume, coarse = self._encode(
            views=views.astype(np.float32), picture=picture.astype(np.float32)
        )
        check_output(self._encode, coarse, (min(max(len(coarse), 2), MOST_VOXELS),) * 3)

        def shape(points: Floats) -> Floats:
            (found,) = self._shape(table=table, volume=volume, points=points)
            check_output(self._shape, found, (len(points),))
            return found

        def color(points: Floats) -> Floats:
            (found,) = self._color(table=table, volume=volume, points=points)
            check_output(self._color, found, (len(points), 3))
            return found

        return SmallFields(coarse, shape, color, self.half_extent, self._workers)
