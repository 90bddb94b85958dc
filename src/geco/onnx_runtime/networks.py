"""The small generator and reconstructor on ONNX Runtime, numpy around them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from geco.errors import WeightsError
from geco.multiview.steps import start_of, steps_of
from geco.noise import Noise, stream
from geco.onnx_runtime.card import ExportedCard, exported_card
from geco.onnx_runtime.session import Network
from geco.reconstruct.small.fields import SmallFields
from geco.sampling import Sampling
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

    Args:
        folder: of an exported model. card: its own. threads: see :class:`Network`.
    """

    def __init__(self, folder: Path, card: ExportedCard | None = None, threads: int | None = None) -> None:
        self.card = card or exported_card(folder)
        self.sampling = self.card.sampling
        self._write = Network(folder / "condition.onnx", self.card.manifest, threads, once=True)
        self._write.expect(["picture"], None)
        self._read = Network(folder / "generate.onnx", self.card.manifest, threads).expect(["x_t", "t"], 1)
        self._stored = self._read.inputs[2:]

    def generate(self, picture: Floats, seeds: Sequence[int], sampling: Sampling | None = None) -> Floats:
        """Picture (S, S, 3) in [0, 1] on white -> views (len(seeds), 6, S, S, 3) in [0, 1]; all
        seeds run as one batch.

        ``sampling`` takes the place of the exported one.
        """
        noise = Noise([stream(seed, "views") for seed in seeds])
        size = self.card.view_size
        return self.sample(picture, noise((len(seeds), 6, 3, size, size)), noise, sampling or self.sampling)

    def sample(self, picture: Floats, z: Floats, noise: Noise, sampling: Sampling) -> Floats:
        """From standard normal z (K, 6, 3, S, S) to views (K, 6, S, S, 3); ``noise`` gives the steps' fresh
        numbers.
        """
        guidance = sampling.guidance_scale
        stored = [np.repeat(array, len(z), axis=0) for array in self.encode(picture, guidance != 1)]
        x = start_of(sampling, self.card, z).astype(np.float32, copy=False)
        for step in steps_of(sampling, self.card):
            x0 = self.denoise(x, step.t, stored, guidance)
            if sampling.clip is not None:
                np.clip(x0, -sampling.clip, sampling.clip, out=x0)
            signal, noisy = np.float32(math.sqrt(step.alpha)), np.float32(math.sqrt(1 - step.alpha))
            eps = ((x - signal * x0) / noisy).astype(np.float32, copy=False)
            x = step.move(x0, eps, noise(x.shape) if step.eta else None)
        return np.ascontiguousarray(np.moveaxis((np.clip(x, -1, 1) + 1) / 2, 2, -1), np.float32)

    def encode(self, picture: Floats, guided: bool) -> list[Floats]:
        """The write pass: picture (S, S, 3) in [0, 1] -> what every step reads, batch 1, or 2 with guidance
        (unconditional first).
        """
        condition = np.moveaxis(picture, -1, 0)[None].astype(np.float32) * 2 - 1
        pictures = np.concatenate([np.zeros_like(condition), condition]) if guided else condition
        return self._write(picture=np.ascontiguousarray(pictures))

    def denoise(self, x: Floats, t: int, stored: list[Floats], guidance: float) -> Floats:
        """x0 after guidance; ``stored`` of batch K, or 2 K with guidance."""
        both = len(stored[0]) // len(x)
        noisy = np.concatenate([x] * both) if both > 1 else x
        arrays = dict(zip(self._stored, stored))
        (x0,) = self._read(x_t=noisy, t=np.full(len(noisy), t, np.float32), **arrays)
        check_output(self._read, x0, noisy.shape)
        if both == 1:
            return x0
        unconditional, conditional = np.split(x0, 2)
        guided: Floats = unconditional + np.float32(guidance) * (conditional - unconditional)
        return guided


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
