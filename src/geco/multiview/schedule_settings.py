"""A noise schedule's settings as in a config.json: what they may be, and what they stand for. No torch
here.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np

from geco.foreign import Fields
from geco.sampling import TIMESTEPS
from geco.types import Doubles

# clip of the cosine schedule: alpha_bar stays within 3e-7 of 0 and 1, so every conversion is finite
LOG_SNR_LIMIT = 15.0


def check_schedule(fields: Fields) -> None:
    """Raise the fields' own error unless they describe a schedule: linear, cosine or a table of alpha_bar."""
    match fields.choice("kind", ("linear", "cosine", "table")):
        case "linear":
            fields.only(("kind", "beta_start", "beta_end"))
            start = fields.number("beta_start", 1e-6, 0.5, 0.00085)
            if fields.number("beta_end", 1e-6, 0.5, 0.012) < start:
                raise fields.wrong("has a beta_end below its beta_start")
        case "cosine":
            fields.only(("kind", "noise_shift")).number("noise_shift", 0.01, 100.0, 1.0)
        case _:
            check_alphas(fields.only(("kind", "alphas_cumprod")))


def check_alphas(fields: Fields) -> list[float]:
    """``alphas_cumprod``: what of the signal is left at each timestep, inside (0, 1), not increasing."""
    values: list[float] = fields.numbers("alphas_cumprod", 0.0, 1.0, TIMESTEPS)
    if len(values) != TIMESTEPS or values[0] >= 1 or values[-1] <= 0:
        raise fields.wrong(f"has no alphas_cumprod of {TIMESTEPS} values inside (0, 1)")
    if any(later > earlier for earlier, later in itertools.pairwise(values)):
        raise fields.wrong("has alphas_cumprod that increase")
    return values


def alphas_of(config: Mapping[str, Any]) -> Doubles:
    """alpha_bar (1000,) of settings that :func:`check_schedule` has passed."""
    settings = {name: value for name, value in config.items() if name != "kind"}
    match config["kind"]:
        case "linear":
            return linear_alphas(**settings)
        case "cosine":
            return cosine_alphas(**settings)
        case _:
            return np.asarray(settings["alphas_cumprod"], np.float64)


def linear_alphas(beta_start: float = 0.00085, beta_end: float = 0.012) -> Doubles:
    """alpha_bar (1000,) of betas evenly spaced."""
    betas: Doubles = np.linspace(beta_start, beta_end, TIMESTEPS, dtype=np.float64)
    return np.asarray(np.cumprod(1.0 - betas), np.float64)


def cosine_alphas(noise_shift: float = 1.0) -> Doubles:
    """alpha_bar (1000,) of the cosine schedule with its log-SNR lowered by 2 ln(noise_shift): more than 1
    means more noise at every timestep.

    u = (t + 1) / 1000, log-SNR = -2 ln tan(pi u / 2) - 2 ln noise_shift, clipped to +-15 (simple diffusion,
    arXiv 2301.11093, with noise_shift = image size / reference size). Timestep 999 is thus noise to 5e-4.
    """
    u = (np.arange(TIMESTEPS) + 1) / TIMESTEPS
    log_snr = -2.0 * np.log(np.tan(np.pi / 2 * u)) - 2.0 * np.log(noise_shift)
    clipped = np.clip(log_snr, -LOG_SNR_LIMIT, LOG_SNR_LIMIT)
    table: Doubles = 1.0 / (1.0 + np.exp(-clipped))
    return table
