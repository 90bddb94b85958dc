"""Sampling in many steps on torch, one loop for both families of networks, by the steps of
:mod:`geco.multiview.steps`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from geco.errors import ConfigError
from geco.multiview.guidance import guided
from geco.multiview.interface import Condition, ConditionState, MultiViewNetwork
from geco.multiview.noise import NoiseSource
from geco.multiview.steps import Sampler, Step


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


@torch.no_grad()
def sample(
    network: MultiViewNetwork,
    condition: Condition,
    noise: NoiseSource,
    *,
    steps: int = 75,
    sampler: Sampler | None = None,
    unconditional: Condition | None = None,
    guidance_scale: float = 1.0,
    per_picture: int = 1,
    start: Tensor | None = None,
    clip: float | None = None,
    begin: int | None = None,
    on_step: Callable[[Trace], None] | None = None,
) -> Tensor:
    """Sample views for every picture of ``condition``; float32 x0 (B * per_picture, *sample_shape).

    Args:
        condition: of B pictures, on the network's device and of its dtype.
        noise: source of the start, the noised references and the ancestral noise, in this order and step by
            step.
        sampler: deterministic DDIM unless given.
        unconditional: what guidance pushes away from; needed where ``guidance_scale`` is not 1.
        per_picture: samples of each picture, as one batch; a clean reference is encoded once for all of them.
        start: (B * per_picture, *sample_shape) standard normal z to start from, instead of a draw.
        begin: leave out the steps before this timestep; ``start`` is then the x_t of the first one left
            (:meth:`Sampler.first`).
        clip: bound on the predicted |x0|; None (as the public models) leaves latents alone, 1 suits pixels.
        on_step: called after every step.
    """
    if guidance_scale != 1.0 and unconditional is None:
        raise ConfigError(
            f"guidance {guidance_scale} needs an unconditional condition", "Give one, or guidance 1."
        )
    told = (condition,) if guidance_scale == 1.0 or unconditional is None else (unconditional, condition)
    reference = condition.picture if condition.picture is not None else condition.text
    if reference is None:
        raise ConfigError("a condition needs a picture or text states", "Make it with the model's codec.")
    batch, device = reference.shape[0] * per_picture, reference.device
    sampler = sampler or Sampler()

    z = (noise((batch, *network.sample_shape)) if start is None else start).to(device).float()
    x_t = sampler.start(network.schedule, z)
    clean = (
        [] if network.noised_reference else [network.encode_condition(c).expand(per_picture) for c in told]
    )
    repeated = [c.expand(per_picture) for c in told] if network.noised_reference else []
    plan = [step for step in sampler.plan(network.schedule, steps) if begin is None or step.t <= begin]
    for index, step in enumerate(plan):
        t = torch.full((batch,), step.t, device=device, dtype=torch.long)
        *without, state = clean or _noised_states(network, repeated, t, noise)
        native = network.native_prediction
        prediction = guided(
            network, x_t, t, state, without[0] if without else None, guidance_scale, native
        ).float()
        x0 = network.schedule.convert(prediction, x_t, t, native, "x0")
        if clip is None:
            eps = network.schedule.convert(prediction, x_t, t, native, "eps")
        else:
            x0 = x0.clamp(-clip, clip)
            eps = network.schedule.convert(x0, x_t, t, "x0", "eps")
        fresh = noise(x_t.shape).to(device) if step.eta else None
        x_next = step.move(x0, eps, fresh)
        if on_step is not None:
            on_step(Trace(index, step, x_t, prediction, x0, x_next))
        x_t = x_next
    return x_t


def _noised_states(
    network: MultiViewNetwork, told: list[Condition], t: Tensor, noise: NoiseSource
) -> list[ConditionState]:
    """Write passes of references noised to ``t``; the noise of all conditions is one draw,
    unconditional first.
    """
    pictures = [c.picture for c in told if c.picture is not None]
    draw = noise((sum(len(p) for p in pictures), *pictures[0].shape[1:])) if pictures else torch.zeros(0)
    states, used = [], 0
    for condition in told:
        if condition.picture is None:
            states.append(network.encode_condition(condition))
            continue
        count = len(condition.picture)
        part = draw[used : used + count].to(condition.picture.device)
        states.append(network.encode_condition(condition, t, part))
        used += count
    return states
