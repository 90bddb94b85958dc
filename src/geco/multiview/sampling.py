"""Sampling in many steps on torch, one loop for both families of networks, by the steps of
:mod:`geco.multiview.steps`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from geco.errors import ConfigError
from geco.multiview.guidance import read, write
from geco.multiview.interface import Condition, ConditionState, MultiViewNetwork
from geco.multiview.noise import NoiseSource
from geco.multiview.schedule import Schedule
from geco.multiview.steps import Sampler, Step
from geco.sampling import Reference


@dataclass(frozen=True)
class Trace:
    """What one step did, for progress bars, picture grids and parity tests; tensors (B,
    *sample_shape) float32.
    """

    index: int
    step: Step
    x_t: Tensor
    prediction: Tensor  # after guidance, of the network's native type
    x0: Tensor
    x_next: Tensor


@dataclass(frozen=True)
class Walk:
    """The way from noise to x0.

    Attributes:
        steps: 1 to 1000.
        sampler: the rule for them; deterministic DDIM.
        guidance_scale: 1 is none; else an unconditional condition is needed.
        clip: bound on the predicted |x0|; None (as the public models) leaves latents alone, 1 suits pixels.
        start: (B * per_picture, *sample_shape) standard normal z to start from, instead of a draw.
        begin: leave out the steps before this timestep; ``start`` is then the x_t of the first one left
            (:meth:`Sampler.first`).
        reference: "clean", written once for all steps, or "noised" to each step's level; None: the network's
            own way.
    """

    steps: int = 75
    sampler: Sampler = field(default_factory=Sampler)
    guidance_scale: float = 1.0
    clip: float | None = None
    start: Tensor | None = None
    begin: int | None = None
    reference: Reference | None = None

    def plan(self, schedule: Schedule) -> list[Step]:
        """The steps to take."""
        steps = self.sampler.plan(schedule, self.steps)
        return [step for step in steps if self.begin is None or step.t <= self.begin]


@torch.no_grad()
def sample(
    network: MultiViewNetwork,
    condition: Condition,
    noise: NoiseSource,
    walk: Walk,
    unconditional: Condition | None = None,
    per_picture: int = 1,
    on_step: Callable[[Trace], None] | None = None,
) -> Tensor:
    """Sample views for every picture of ``condition``; float32 x0 (B * per_picture, *sample_shape).

    Args:
        condition: of B pictures, on the network's device and of its dtype.
        noise: source of the start, the noised references and the ancestral noise, in this order and step by
            step.
        walk: how to get there.
        unconditional: what guidance pushes away from; needed where its scale is not 1.
        per_picture: samples of each picture, as one batch; a clean reference is encoded once for all of them.
        on_step: called after every step.
    """
    if walk.guidance_scale == 1.0:
        conditions = [condition]
    elif unconditional is None:
        raise ConfigError(
            f"guidance {walk.guidance_scale} needs an unconditional condition", "Give one, or guidance 1."
        )
    else:
        conditions = [unconditional, condition]
    like = condition.picture if condition.picture is not None else condition.text
    if like is None:
        raise ConfigError("a condition needs a picture or text states", "Make it with the model's codec.")
    batch, device = like.shape[0] * per_picture, like.device
    z = noise((batch, *network.sample_shape)) if walk.start is None else walk.start
    x_t = walk.sampler.start(network.schedule, z.to(device).float())
    noised = network.noised_reference if walk.reference is None else walk.reference == "noised"
    clean = [] if noised else [state.expand(per_picture) for state in write(network, conditions)]
    repeated = [c.expand(per_picture) for c in conditions] if noised else []
    for index, step in enumerate(walk.plan(network.schedule)):
        t = torch.full((batch,), step.t, device=device, dtype=torch.long)
        states = clean or _noised_states(network, repeated, t, noise)
        prediction, x0, eps = _predicted(network, x_t, t, states, walk)
        x_next = step.move(x0, eps, noise(x_t.shape).to(device) if step.eta else None)
        if on_step is not None:
            on_step(Trace(index, step, x_t, prediction, x0, x_next))
        x_t = x_next
    return x_t


def _predicted(
    network: MultiViewNetwork, x_t: Tensor, t: Tensor, states: Sequence[ConditionState], walk: Walk
) -> tuple[Tensor, Tensor, Tensor]:
    """The native prediction after guidance, and x0 (clipped) and eps that go with it."""
    schedule, native = network.schedule, network.native_prediction
    prediction = read(network, x_t, t, states, walk.guidance_scale, native).float()
    x0 = schedule.convert(prediction, x_t, t, native, "x0")
    if walk.clip is None:
        return prediction, x0, schedule.convert(prediction, x_t, t, native, "eps")
    x0 = x0.clamp(-walk.clip, walk.clip)
    return prediction, x0, schedule.convert(x0, x_t, t, "x0", "eps")


def _noised_states(
    network: MultiViewNetwork, conditions: list[Condition], t: Tensor, noise: NoiseSource
) -> Sequence[ConditionState]:
    """Write passes of references noised to ``t``; the noise of all conditions is one draw, unconditional
    first.
    """
    pictures = [c.picture for c in conditions if c.picture is not None]
    draw = noise((sum(len(p) for p in pictures), *pictures[0].shape[1:])) if pictures else torch.zeros(0)
    parts: list[Tensor | None] = []
    for condition in conditions:
        count = 0 if condition.picture is None else len(condition.picture)
        part, draw = draw[:count], draw[count:]
        parts.append(part.to(t.device) if count else None)
    return write(network, conditions, t, parts)
