"""The small generator and reconstructor on ONNX Runtime, numpy around them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from geco.backend import Sampling
from geco.errors import WeightsError
from geco.multiview.schedule_settings import TIMESTEPS
from geco.onnx_runtime.card import ExportedCard, exported_card
from geco.onnx_runtime.fields import SmallFields
from geco.onnx_runtime.session import Network
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
    """Condition picture and seeds to six views a seed.

    The sampler is DDIM on trailing timesteps (the torch runtime's ``multiview.sampling``, of which this is
    the numpy twin): one step is the one-step generator, x0 from noise at the exported sampler's ``timestep``,
    without one at the last.

    Args:
        folder: of an exported model. card: its own. threads: see :class:`Network`.
    """

    def __init__(self, folder: Path, card: ExportedCard | None = None, threads: int | None = None) -> None:
        card = card or exported_card(folder)
        self.size, self.sampling, self.start, self.alphas = (
            card.view_size,
            card.sampling,
            card.start,
            card.alphas,
        )
        self._write = Network(folder / "condition.onnx", card.manifest, threads, once=True).expect(
            ["picture"], None
        )
        self._read = Network(folder / "generate.onnx", card.manifest, threads).expect(["x_t", "t"], 1)
        self._stored = self._read.inputs[2:]

    @property
    def steps(self) -> int:
        """Of the exported sampler."""
        return self.sampling.steps

    def encode(self, picture: Floats, guided: bool | None = None) -> list[Floats]:
        """The write pass: picture (S, S, 3) in [0, 1] -> what every step reads, batch 1, or 2
        with guidance (untold first).
        """
        guided = self.sampling.guidance_scale != 1 if guided is None else guided
        told = np.moveaxis(picture, -1, 0)[None].astype(np.float32) * 2 - 1
        pictures = np.concatenate([np.zeros_like(told), told]) if guided else told
        return self._write(picture=np.ascontiguousarray(pictures))

    def generate(self, picture: Floats, seeds: Sequence[int], sampling: Sampling | None = None) -> Floats:
        """Picture (S, S, 3) in [0, 1] on white -> views (len(seeds), 6, S, S, 3) in [0, 1]; all
        seeds run as one batch.
        """
        sampling = sampling or self.sampling
        shape = (6, 3, self.size, self.size)
        sources = [np.random.default_rng(seed) for seed in seeds]

        def noise() -> Floats:
            return np.stack([source.standard_normal(shape, np.float32) for source in sources])

        start = noise() * np.float32(sampling.truncation)
        return self.sample(self.encode(picture, sampling.guidance_scale != 1), start, sampling, noise)

    def sample(self, state: list[Floats], x: Floats, sampling: Sampling | int, noise: Any = None) -> Floats:
        """From x (K, 6, 3, S, S) at the last timestep to views (K, 6, S, S, 3); ``noise()`` gives fresh
        normals of x's shape.

        ``sampling`` as a number: the exported sampler at so many steps.
        """
        if isinstance(sampling, int):
            sampling = Sampling(sampling, self.sampling.guidance_scale, self.sampling.eta)
        stored = [np.repeat(array, len(x), axis=0) for array in state]
        for t, now, then in self.plan(sampling.steps):
            x0: Floats = np.clip(self.denoise(x, t, stored, sampling.guidance_scale), -1, 1)
            eps = (x - np.float32(math.sqrt(now)) * x0) / np.float32(math.sqrt(1 - now))
            # DDIM (arXiv 2010.02502), equation 16
            fresh = sampling.eta * math.sqrt(max((1 - then) / (1 - now) * (1 - now / then), 0.0))
            kept = math.sqrt(max(1 - then - fresh**2, 0.0))
            x = (math.sqrt(then) * x0 + kept * eps).astype(np.float32, copy=False)
            if fresh > 0:
                x = x + np.float32(fresh) * noise()
        return np.ascontiguousarray(np.moveaxis((np.clip(x, -1, 1) + 1) / 2, 2, -1), np.float32)

    def denoise(self, x: Floats, t: int, stored: list[Floats], guidance: float | None = None) -> Floats:
        """x0 with guidance (None: the exported one); ``stored`` of batch K, or 2 K with guidance."""
        guidance = self.sampling.guidance_scale if guidance is None else guidance
        both = len(stored[0]) // len(x)
        noisy = np.concatenate([x] * both) if both > 1 else x
        arrays = dict(zip(self._stored, stored))
        (x0,) = self._read(x_t=noisy.astype(np.float32), t=np.full(len(noisy), t, np.float32), **arrays)
        check_output(self._read, x0, noisy.shape)
        if both == 1:
            return x0
        untold, told = np.split(x0, 2)
        guided: Floats = untold + np.float32(guidance) * (told - untold)
        return guided

    def plan(self, steps: int) -> list[tuple[int, float, float]]:
        """(timestep, alpha_bar there, alpha_bar after the step), as diffusers' DDIM with trailing spacing."""
        if steps == 1:
            return [(self.start, float(self.alphas[self.start]), 1.0)]
        spaced = np.round(np.arange(TIMESTEPS, 0, -TIMESTEPS / steps)).astype(int)[:steps] - 1
        after = [int(t) - TIMESTEPS // steps for t in spaced]
        return [
            (int(t), float(self.alphas[t]), float(self.alphas[n]) if n >= 0 else 1.0)
            for t, n in zip(spaced, after)
        ]


class SmallReconstructor:
    """Six views and the condition picture to fields.

    Args:
        folder: of an exported model. card: its own. threads: see :class:`Network`.
    """

    def __init__(self, folder: Path, card: ExportedCard | None = None, threads: int | None = None) -> None:
        card = card or exported_card(folder)
        self.half_extent = card.half_extent
        inputs = ["table", "volume", "points"]
        self._encode = Network(folder / "reconstruct.onnx", card.manifest, threads, once=True)
        self._encode.expect(["views", "picture"], 3)
        self._shape = Network(folder / "shape.onnx", card.manifest, threads).expect(inputs, 1)
        self._color = Network(folder / "color.onnx", card.manifest, threads).expect(inputs, 1)

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

        return SmallFields(coarse, shape, color, self.half_extent)
