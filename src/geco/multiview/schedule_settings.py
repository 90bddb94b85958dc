"""What a noise schedule's settings in a config.json may be. No torch here."""

from __future__ import annotations

import itertools

from geco.foreign import Fields
from geco.sampling import TIMESTEPS


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
