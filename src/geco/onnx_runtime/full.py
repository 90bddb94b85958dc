"""A :class:`geco.backend.Backend` of the full family on ONNX Runtime, on the CPU and without torch: the same
steps and the same noise as on torch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from geco.backend import Footprint
from geco.cameras import camera_vectors, rig
from geco.memory import resident
from geco.multiview.steps import start_of, steps_of
from geco.noise import Noise, stream
from geco.onnx_runtime.full_card import FullExported
from geco.onnx_runtime.full_fields import FullFields
from geco.onnx_runtime.full_pictures import prepared, views_of
from geco.onnx_runtime.networks import check_output
from geco.onnx_runtime.session import Network
from geco.reconstruct.instantmesh.config import InstantMeshConfig
from geco.sampling import OnStep, Sampling
from geco.types import Floats, Pictures

State = tuple[Floats, list[Floats]]  # text states and the stored tokens of every self-attention


class FullGenerator:
    """Condition picture and seeds to six views a seed."""

    def __init__(self, exported: FullExported) -> None:
        self.exported = exported
        self._unet = exported.network("unet").expect(["sample", "t", "text"], None)
        self._encode, self._decode, self._vision = (
            exported.network(name).expect(inputs, 1)
            for name, inputs in (("encode", ["image"]), ("decode", ["x0"]), ("vision", ["picture"]))
        )
        text = exported.arrays("multiview", "text")
        self._text, self._ramp = (text[name].astype(np.float32) for name in ("text_states", "ramp"))
        self._stored = self._unet.inputs[3:]

    def generate(
        self, picture: Floats, seeds: Sequence[int], sampling: Sampling, on_step: OnStep | None = None
    ) -> Floats:
        """Picture (S, S, 3) in [0, 1] -> views (len(seeds), 6, S, S, 3) in [0, 1], as one batch."""
        noise = Noise([stream(seed, "views") for seed in seeds])
        x = start_of(sampling, self.exported, noise((len(seeds), *self.exported.views["sample_shape"])))
        x = x.astype(np.float32, copy=False)
        latents, text = self._conditions(picture, sampling.guidance_scale)
        own = "noised" if self.exported.views["noised_reference"] else "clean"
        noised = not sampling.is_generator and (sampling.reference or own) == "noised"
        state = None if noised else self._write(latents, text, 0, len(seeds))
        for done, step in enumerate(steps_of(sampling, self.exported), 1):
            if noised:
                repeated = np.repeat(latents, len(seeds), axis=0)
                signal, level = self._levels(step.t)
                drawn = signal * repeated + level * noise(repeated.shape)
                state = self._write(drawn, np.repeat(text, len(seeds), axis=0), step.t, 1)
            assert state is not None
            x0, eps = self._predicted(x, step.t, state, sampling)
            x = step.move(x0, eps, noise(x.shape) if step.eta else None).astype(np.float32, copy=False)
            if on_step is not None and sampling.steps > 1:
                on_step(done, sampling.steps)
        return np.stack([views_of(self._decode(x0=item[None])[0]) for item in x])

    def _predicted(self, x: Floats, t: int, state: State, sampling: Sampling) -> tuple[Floats, Floats]:
        """x0 and eps after guidance."""
        text, tokens = state
        both = np.concatenate([x] * (len(text) // len(x)))
        v = self._run(both, t, text, tokens)[0]
        check_output(self._unet, v, both.shape)
        if len(both) > len(x):
            without, seen = np.split(v, 2)
            v = without + np.float32(sampling.guidance_scale) * (seen - without)
        signal, level = self._levels(t)
        x0 = signal * x - level * v
        if sampling.clip is None:
            return x0, level * x + signal * v
        bound = np.float32(sampling.clip)
        x0 = np.clip(x0, -bound, bound)
        eps: Floats = ((x - signal * x0) / level).astype(np.float32, copy=False)
        return x0, eps

    def _conditions(self, picture: Floats, scale: float) -> tuple[Floats, Floats]:
        """Latents (G, ...) and text states (G, T, E) of the picture, and before it, where there is guidance,
        of a grey one.
        """
        about = self.exported.views
        (latent,) = self._encode(image=prepared(picture, about["for_vae"]))
        (embedding,) = self._vision(picture=prepared(picture, about["for_vision"]))
        added = self._ramp[:, None] * embedding[:, None]
        text: Floats = (self._text + added).astype(np.float32, copy=False)
        if scale == 1.0:
            return latent, text
        factor = 2 ** (len(about["vae"]["block_out_channels"]) - 1)
        grey = np.zeros((1, 3, *(factor * side for side in latent.shape[2:])), np.float32)
        latents = np.concatenate([self._encode(image=grey)[0], latent])
        return latents, np.concatenate([self._text, text])

    def _write(self, latents: Floats, text: Floats, t: int, count: int) -> State:
        """The write pass, for ``count`` samples of each."""
        widths = self._unet.widths[3:]
        empty = [np.zeros((len(latents), 0, width), np.float32) for width in widths]
        tokens = self._run(latents.astype(np.float32, copy=False), t, text, empty)[1:]
        return np.repeat(text, count, axis=0), [np.repeat(each, count, axis=0) for each in tokens]

    def _run(self, sample: Floats, t: int, text: Floats, tokens: Sequence[Floats]) -> list[Floats]:
        times = np.full(len(sample), t, np.int64)
        return self._unet(sample=sample, t=times, text=text, **dict(zip(self._stored, tokens, strict=True)))

    def _levels(self, t: int) -> tuple[np.float32, np.float32]:
        alpha = float(self.exported.alphas_cumprod[t])
        return np.float32(math.sqrt(alpha)), np.float32(math.sqrt(1 - alpha))


class FullOnnxBackend:
    """Both halves of an exported folder.

    Args:
        folder: written by the exporter. name: what the card shall call it.
        threads: of one operator; None: see :func:`geco.onnx_runtime.session.own_threads`.

    Raises:
        WeightsError: a file is missing, truncated or damaged.
    """

    joins_pictures = False

    def __init__(self, folder: Path, name: str, threads: int | None = None) -> None:
        exported = FullExported(folder, threads)
        self.card, self.sampling = exported.described(name), exported.sampling
        self._generator = FullGenerator(exported)
        self._config = InstantMeshConfig.from_fields(exported.reconstructor.fields("config"))
        self._planes: Network = exported.network("planes").expect(["views", "cameras"], 1)
        self._fields = exported.network("fields").expect(["planes", "points"], 3)
        self._cubes = exported.network("cubes").expect(["planes", "corners", "cubes"], 1)
        cameras = rig(exported.views["rig"])
        self._vectors = camera_vectors(cameras.poses(), cameras.fov)[None].astype(np.float32)

    @property
    def distilled(self) -> bool:
        """A one-step generator is."""
        return self.sampling.is_generator or bool(self.card.facts.get("distilled", False))

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
        """Each (S, S, 3) over the card's background -> (len(seeds), 6, S, S, 3), all in [0, 1]; one sample
        after the other, to save memory.
        """
        how, each = sampling or self.sampling, len(seeds) // len(pictures)
        views = [
            self._generator.generate(np.asarray(pictures[row // each]), [seed], how, on_step)
            for row, seed in enumerate(seeds)
        ]
        return np.concatenate(views)

    def footprint(self, sampling: Sampling | None) -> Footprint:
        """A set at a time; what one takes has not been measured, so the bound counts what is there now."""
        kept = 6 * 3 * 4 * self.card.view_size**2
        return Footprint(resident(), 0, 0, kept, 0, keeps=True)

    def reconstruct(self, views: Pictures, picture: Pictures) -> FullFields:
        """(6, S, S, 3) in [0, 1] -> the surface's fields; the picture is not looked at."""
        rows = np.ascontiguousarray(np.moveaxis(np.asarray(views, np.float32), -1, 1))[None]
        (planes,) = self._planes(views=rows, cameras=self._vectors)
        return FullFields(self._fields, self._cubes, self._config, planes)
