"""Schedule and samplers against diffusers 0.20.2's Euler ancestral, DDIM and DDPM schedulers; latent scaling.
Bound 1e-4.

The reference keeps Euler's latents in variance exploding form; ours are always what the network sees, so its
latents are ours times sqrt(1 + sigma^2).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from geco.multiview.schedule import Schedule
from geco.multiview.steps import Sampler, Step
from geco.multiview.zero123plus import latents
from tests.reference.result import Result, largest_error

BOUND = 1e-4
_KIND = re.compile(r"(euler|ddim)(\d+)\.(.+)")
_STEP = re.compile(r"(?:one([01])\.)?step(\d+)\.(\w+)")
_DDPM = re.compile(r"ddpm\.t(\d+)\.(add_noise|velocity)")


def run(tensors: dict[str, np.ndarray], meta: dict[str, Any]) -> Iterator[Result]:
    """Every tensor but the inputs is recomputed from the settings in its name."""
    schedule = schedule_of(meta["config"])
    inputs = {
        name: torch.from_numpy(tensors[name])
        for name in ("step.sample", "step.model_output", "step.noise")
        if name in tensors
    }
    for name, reference in tensors.items():
        if name in inputs or name == "scale.x":
            continue
        yield Result(name, largest_error(_recompute(name, tensors, inputs, schedule), reference), BOUND)


def schedule_of(config: dict[str, Any]) -> Schedule:
    """The schedule that a diffusers scheduler config describes; settings we do not have are
    refused, not ignored.
    """
    expected = {
        "num_train_timesteps": 1000,
        "beta_schedule": "linear",
        "prediction_type": "v_prediction",
        "timestep_spacing": "trailing",
    }
    odd = {key: config[key] for key, value in expected.items() if config.get(key, value) != value}
    if odd:
        raise ValueError(f"unsupported scheduler settings {odd}")
    return Schedule.linear(config["beta_start"], config["beta_end"])


def exploding(x_t: Tensor, alpha: float) -> Tensor:
    """A variance preserving x_t at alpha_bar ``alpha`` as Euler's sampler keeps it."""
    return x_t / alpha**0.5


def _recompute(
    name: str, tensors: dict[str, np.ndarray], inputs: dict[str, Tensor], schedule: Schedule
) -> Any:
    if name == "alphas_cumprod":
        return schedule.alphas_cumprod
    if name.startswith("scale."):
        return getattr(latents, name.removeprefix("scale."))(torch.from_numpy(tensors["scale.x"]))
    if match := _DDPM.fullmatch(name):
        x0, noise, t = inputs["step.sample"], inputs["step.noise"], torch.tensor(int(match[1]))
        signal, level = schedule.levels(t, x0)
        return schedule.add_noise(x0, noise, t) if match[2] == "add_noise" else signal * noise - level * x0
    match = _KIND.fullmatch(name)
    if match is None:
        raise ValueError(f"no rule for {name}")
    euler, count, what = match[1] == "euler", int(match[2]), match[3]
    plan = Sampler("euler-ancestral" if euler else "ddim").plan(schedule, count)
    levels = np.sqrt((1.0 - schedule.alphas_cumprod) / schedule.alphas_cumprod)  # as k-diffusion has them
    sigmas = [levels[step.t] for step in plan]
    if what == "timesteps":
        return [step.t for step in plan]
    if what == "sigmas":
        return [*sigmas, 0.0]
    if what == "init_noise_sigma":
        return sigmas[0]
    step_match = _STEP.fullmatch(what)
    if step_match is None:
        raise ValueError(f"no rule for {name}")
    sampler = Sampler("euler-ancestral" if euler else "ddim", ends_clean=step_match[1] != "0")
    return _one_step(
        sampler.plan(schedule, count)[int(step_match[2])], step_match[3], euler, inputs, schedule
    )


def _one_step(step: Step, what: str, euler: bool, inputs: dict[str, Tensor], schedule: Schedule) -> Tensor:
    # The recorded step starts from step.sample as the model input, which Euler holds times sqrt(1 + sigma^2).
    x_t, v, noise, t = (
        inputs["step.sample"],
        inputs["step.model_output"],
        inputs["step.noise"],
        torch.tensor(step.t),
    )
    x0 = schedule.convert(v, x_t, t, "v", "x0")
    match what:
        case "in":
            return exploding(x_t, step.alpha)
        case "scaled_input":
            return exploding(x_t, step.alpha) * step.alpha**0.5
        case "x0":
            return x0
        case "prev":
            moved = step.move(x0, schedule.convert(v, x_t, t, "v", "eps"), noise if euler else None)
            return exploding(moved, step.alpha_next) if euler else moved
        case "add_noise":
            noisy = schedule.add_noise(x_t, noise, t)
            return exploding(noisy, step.alpha) if euler else noisy
        case _:
            raise ValueError(f"no rule for {what}")
