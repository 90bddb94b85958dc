"""From noise to x0: a seed's random numbers, levels of noise, and the steps between them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

# noisy views (B, ...), timestep, references noised to it or () -> x0 and eps after guidance
Denoise = Callable[[Tensor, int], tuple[Tensor, Tensor]]


class SeedNoise:
    """Standard normal numbers, one stream a seed: a seed gives the same views here as in GECO itself.

    A stream is PCG64 over a SeedSequence of the seed and of the word "views" (32 bits of its SHA-256), each
    told with its length.
    """

    def __init__(self, seeds: Sequence[int]) -> None:
        word = int.from_bytes(hashlib.sha256(b"views").digest()[:4], "little")
        self.streams = []
        for seed in seeds:
            words = [part for number in (int(seed), 1, word) for part in (number.bit_length(), number)]
            self.streams.append(np.random.Generator(np.random.PCG64(np.random.SeedSequence(words))))

    def __call__(self, shape: Sequence[int]) -> Tensor:
        """(B, ...) float32 on the CPU; B a multiple of the seeds' number, block by block."""
        batch, *item = shape
        blocks = batch // len(self.streams)
        draws = [each.standard_normal((blocks, *item), np.float32) for each in self.streams]
        return torch.from_numpy(np.stack(draws, axis=1).reshape(batch, *item))


class Levels:
    """alpha_bar at timesteps 0 to 999, variance preserving: x_t = signal * x0 + level * eps."""

    def __init__(self, schedule: Mapping[str, Any]) -> None:
        match schedule["kind"]:
            case "linear":
                betas = np.linspace(schedule["beta_start"], schedule["beta_end"], 1000, dtype=np.float64)
                self.alphas = np.cumprod(1.0 - betas)
            case "cosine":
                u = (np.arange(1000) + 1) / 1000
                shift = schedule.get("noise_shift", 1.0)
                log_snr = -2.0 * np.log(np.tan(np.pi / 2 * u)) - 2.0 * np.log(shift)
                self.alphas = 1.0 / (1.0 + np.exp(-np.clip(log_snr, -15.0, 15.0)))
            case _:
                self.alphas = np.asarray(schedule["alphas_cumprod"], np.float64)
        self.signal, self.level = (
            torch.from_numpy(values.astype(np.float32))
            for values in (np.sqrt(self.alphas), np.sqrt(1.0 - self.alphas))
        )

    def at(self, t: int, like: Tensor) -> tuple[Tensor, Tensor]:
        """Signal and level of noise at ``t``, on the device of ``like``."""
        return self.signal[t].to(like.device), self.level[t].to(like.device)


@dataclass(frozen=True)
class Step:
    """From alpha_bar ``alpha`` at timestep ``t`` to ``alpha_next``; ``eta`` of the removed noise renewed."""

    t: int
    alpha: float
    alpha_next: float
    eta: float

    def move(self, x0: Tensor, eps: Tensor, noise: Tensor | None) -> Tensor:
        """The next x_t (arXiv 2010.02502, equation 16)."""
        renewed = 0.0
        if self.alpha_next < 1.0:
            ratio = (1 - self.alpha_next) / (1 - self.alpha) * (1 - self.alpha / self.alpha_next)
            renewed = self.eta * math.sqrt(max(ratio, 0.0))
        kept = math.sqrt(max(1 - self.alpha_next - renewed**2, 0.0))
        moved = math.sqrt(self.alpha_next) * x0 + kept * eps
        return moved if noise is None else moved + renewed * noise


def plan(sampling: Mapping[str, Any], alphas: np.ndarray[Any, Any]) -> list[Step]:
    """Steps of many, on trailing timesteps."""
    steps = int(sampling["steps"])
    spaced = np.round(np.arange(1000, 0, -1000 / steps)).astype(np.int64) - 1
    times = [int(t) for t in spaced[:steps]]
    if sampling["kind"] == "ddim":
        nexts = [t - 1000 // steps for t in times]
        ends = [float(alphas[n]) if n >= 0 else 1.0 for n in nexts]
        return [Step(t, float(alphas[t]), end, float(sampling["eta"])) for t, end in zip(times, ends)]
    ends = [float(alphas[t]) for t in times[1:]] + [1.0]
    return [Step(t, float(alphas[t]), end, 1.0) for t, end in zip(times, ends)]


def trained_at(sampling: Mapping[str, Any]) -> list[int]:
    """The timesteps of a generator of one step or few."""
    if sampling.get("timesteps") is not None:
        return [int(t) for t in sampling["timesteps"]]
    first = 999 if sampling.get("timestep") is None else int(sampling["timestep"])
    steps = int(sampling["steps"])
    return [(first + 1) * (steps - at) // steps - 1 for at in range(steps)]


def is_generator(sampling: Mapping[str, Any]) -> bool:
    """Whether x0 comes in one step or few, instead of by a sampler's many."""
    return sampling["kind"] in ("one-step", "few-step")


def generated(
    sampling: Mapping[str, Any],
    levels: Levels,
    x: Tensor,
    predict: Callable[[Tensor, int], Tensor],
    noise: SeedNoise,
) -> Tensor:
    """x0 of a generator: where it has several steps, x0 noised again for each."""
    first, *further = trained_at(sampling)
    x0 = predict(x, first)
    for t in further:
        signal, level = levels.at(t, x0)
        x0 = predict(signal * x0 + level * noise(x0.shape).to(x0), t)
    return x0


def start(sampling: Mapping[str, Any], alphas: np.ndarray[Any, Any], z: Tensor) -> Tensor:
    """The first x_t from standard normal z."""
    if is_generator(sampling):
        return z * float(sampling["truncation"])
    return z if sampling["kind"] == "ddim" else z * math.sqrt(1 - float(alphas[-1]))


def walk(
    sampling: Mapping[str, Any], levels: Levels, x: Tensor, denoise: Denoise, noise: SeedNoise
) -> Tensor:
    """x0 after many steps."""
    for step in plan(sampling, levels.alphas):
        x0, eps = denoise(x, step.t)
        if (clip := sampling.get("clip")) is not None:
            signal, level = levels.at(step.t, x)
            x0 = x0.clamp(-clip, clip)
            eps = (x - signal * x0) / level
        x = step.move(x0, eps, noise(x.shape).to(x.device) if step.eta else None)
    return x


def settings(own: Mapping[str, Any], steps: int | None, guidance: float | None) -> dict[str, Any]:
    """A model's own way of sampling with other steps or guidance."""
    changed = dict(own)
    if steps is not None and steps != own["steps"]:
        if is_generator(own):
            raise ValueError("a generator of one step or few takes no other steps")
        changed["steps"] = steps
    if guidance is not None:
        changed["guidance_scale"] = guidance
    return changed
