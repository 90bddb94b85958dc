"""What Stage I is measured by while it runs: samples of the teacher that are kept aside, and how far the
generator's of the same pictures and noise are from them.

Nothing in VSD ties the two by the noise, so the PSNR has a ceiling that is no fault of the generator; drift
of mean and saturation, the known failure, needs no such tie. Our measure: the paper names none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from geco.metrics.pyramid import perceptual_loss
from geco.multiview.guidance import without_picture
from geco.multiview.interface import Condition, MultiViewNetwork, ViewCodec
from geco.multiview.sampling import Walk, sample
from geco.multiview.steps import Sampler
from geco.training.halves import Validation
from geco.training.machine import Machine
from geco.training.pairs import noise_of
from geco.training.stage1_options import Stage1Options

SEED = 0  # of the noise: the same in every run, so that runs compare
SMALLEST_ERROR = 1e-10  # a PSNR of 100 dB

Generate = Callable[[Tensor, Condition], Tensor]  # z (1, *shape) and its condition -> x0 of that shape


@dataclass(frozen=True)
class HeldOutPair:
    """One picture's: z (1, *shape) on the host, and the teacher's views (6, 3, H, W) in [0, 1]."""

    condition: Condition
    z: Tensor
    views: Tensor


class HeldOut:
    """Pairs of the teacher, made at the first look, one at a time.

    Args:
        teacher, codec: on the machine's device. pictures: (N, 3, H, W) in [0, 1].
        walk: how it samples; its noise follows from a pair's number alone.
        machine: in whose number format the networks compute; the codec's decoder stays in float32.
    """

    def __init__(
        self,
        teacher: MultiViewNetwork,
        codec: ViewCodec,
        pictures: Tensor,
        walk: Walk,
        machine: Machine,
    ) -> None:
        self._teacher, self._codec, self._walk = teacher, codec, walk
        self._pictures, self._machine = pictures, machine
        self._pairs: list[HeldOutPair] = []

    @torch.no_grad()
    def compare(self, generate: Generate) -> dict[str, float]:
        """Numbers of :func:`differences`, means over the pairs."""
        if not self._pairs:
            count, steps = len(self._pictures), self._walk.steps
            print(f"sampling the teacher of {count} held-out pictures, {steps} steps each, once", flush=True)
            self._pairs = [self._pair(number) for number in range(count)]
        found = []
        for pair in self._pairs:
            with self._machine.autocast():
                x0 = generate(pair.z.to(self._machine.device), pair.condition)
            made = self._codec.decode(x0.float())[0]
            found.append(differences(made, pair.views.to(made.device)))
        return {name: round(sum(each[name] for each in found) / len(found), 4) for name in found[0]}

    def _pair(self, number: int) -> HeldOutPair:
        condition = self._codec.condition(self._pictures[number][None].to(self._machine.device))
        shape = (1, *self._teacher.sample_shape)
        unconditional = without_picture(self._codec, condition, self._walk.guidance_scale)
        with self._machine.autocast():
            x0 = sample(self._teacher, condition, noise_of(SEED, [number]), self._walk, unconditional)
        return HeldOutPair(condition, noise_of(SEED, [number])(shape), self._codec.decode(x0)[0].cpu())


def kept_aside(
    teacher: MultiViewNetwork,
    codec: ViewCodec,
    validation: Validation,
    options: Stage1Options,
    machine: Machine,
) -> HeldOut | None:
    """Of ``validation``'s pictures, if any, the teacher's own samples: with its own reference, whatever its
    scores read.
    """
    if validation.held_out is None:
        return None
    walk = Walk(options.held_out_steps, Sampler("ddim"), options.guidance_scale, options.teacher_clip)
    walk = replace(walk, reference=validation.reference)
    return HeldOut(teacher, codec, validation.held_out, walk, machine)


def differences(made: Tensor, true: Tensor) -> dict[str, float]:
    """Views (6, 3, H, W) in [0, 1] against the teacher's.

    Returns:
        "psnr" (dB) of all six as one picture; "perceptual", the mean pyramid distance in [0, 1];
        "mean_drift" and "saturation_drift", how much brighter and how much more colourful they are in the
        mean over all pixels (saturation: the largest channel less the smallest), signed.
    """
    made, true = made.float(), true.float()
    error = (made - true).square().mean().clamp(min=SMALLEST_ERROR)

    def saturation(views: Tensor) -> Tensor:
        return (views.amax(dim=1) - views.amin(dim=1)).mean()

    return {
        "psnr": float(-10 * error.log10()),
        "perceptual": float(perceptual_loss(made, true).mean()),
        "mean_drift": float(made.mean() - true.mean()),
        "saturation_drift": float(saturation(made) - saturation(true)),
    }
