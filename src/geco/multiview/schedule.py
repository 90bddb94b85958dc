"""The noise schedule: how much signal and how much noise x_t holds at each of 1000 timesteps.

Variance preserving everywhere: x_t = signal * x0 + noise_level * eps with signal = sqrt(alpha_bar) and
noise_level = sqrt(1 - alpha_bar). Timestep 0 is nearly clean, timestep 999 nearly pure noise. Three
predictions are interchangeable given x_t: ``x0``, ``eps`` and ``v`` = signal * eps - noise_level * x0.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from geco.errors import ConfigError
from geco.foreign import Fields
from geco.multiview.schedule_settings import alphas_of, check_schedule, cosine_alphas, linear_alphas
from geco.sampling import TIMESTEPS
from geco.types import Doubles

PredictionType = Literal["v", "eps", "x0"]


class Schedule:
    """A table of alpha_bar for timesteps 0..999 and everything that follows from it. Tensors are computed in
    float32.

    Args:
        alphas_cumprod: (1000,) strictly inside (0, 1), not increasing; kept in float64.
        config: what was given to the constructor that made it; :meth:`from_config` reads it back.

    Raises:
        ConfigError: for a table that is not a schedule.
    """

    def __init__(self, alphas_cumprod: ArrayLike, config: dict[str, Any] | None = None) -> None:
        table = np.asarray(alphas_cumprod, np.float64)
        if table.shape != (TIMESTEPS,) or not ((table > 0) & (table < 1)).all() or (np.diff(table) > 0).any():
            raise ConfigError(
                f"a schedule needs {TIMESTEPS} values inside (0, 1) that do not increase", "Check the table."
            )
        self.alphas_cumprod: Doubles = table
        self.config: dict[str, Any] = config or {"kind": "table", "alphas_cumprod": table.tolist()}
        self._tables: dict[torch.device, tuple[Tensor, Tensor]] = {}

    def __deepcopy__(self, memo: dict[int, Any]) -> Schedule:
        """One of its own, without the tables that were brought to devices (a simulation's are not real)."""
        return Schedule(self.alphas_cumprod, dict(self.config))

    @classmethod
    def linear(cls, beta_start: float = 0.00085, beta_end: float = 0.012) -> Schedule:
        """Betas evenly spaced. The defaults are Zero123++'s (InstantMesh's fine-tuning code
        builds exactly these).
        """
        config = {"kind": "linear", "beta_start": beta_start, "beta_end": beta_end}
        return cls(linear_alphas(beta_start, beta_end), config)

    @classmethod
    def cosine(cls, noise_shift: float = 1.0) -> Schedule:
        """:func:`cosine_alphas`; ConfigError where ``noise_shift`` is not positive."""
        if not noise_shift > 0:
            raise ConfigError(
                f"noise_shift must be positive, not {noise_shift}", "1 is the plain cosine schedule."
            )
        return cls(cosine_alphas(noise_shift), {"kind": "cosine", "noise_shift": noise_shift})

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Schedule:
        """The schedule that ``config`` (from a model folder's config.json) describes; ConfigError
        for none.
        """
        check_schedule(Fields(config, "the schedule", ConfigError, "Known: linear, cosine, table."))
        return cls(alphas_of(config), dict(config))

    @property
    def last(self) -> int:
        """The last timestep, where the one-step generator starts."""
        return TIMESTEPS - 1

    def levels(self, t: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        """(signal, noise_level) at ``t`` in float32, shaped to broadcast against ``like``.

        Args:
            t: () or (B,) timesteps 0..999, any dtype holding whole numbers.
            like: (B, ...) the tensor that the levels will multiply; gives the device.
        """
        if like.device not in self._tables:
            # The square roots are taken in float64: 1 - alpha_bar loses digits in float32 near timestep 0.
            pair = (np.sqrt(self.alphas_cumprod), np.sqrt(1.0 - self.alphas_cumprod))
            signal, noise = (torch.from_numpy(p.astype(np.float32)).to(like.device) for p in pair)
            self._tables[like.device] = (signal, noise)
        signal, noise = self._tables[like.device]
        index = t.to(device=like.device, dtype=torch.long).reshape(-1)
        shape = (-1, *(1 for _ in like.shape[1:]))
        return signal[index].reshape(shape), noise[index].reshape(shape)

    def add_noise(self, x0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """x_t from clean ``x0`` (B, ...), standard normal ``noise`` of its shape and ``t`` () or
        (B,); x0's dtype.
        """
        signal, level = self.levels(t, x0)
        return (signal * x0.float() + level * noise.float()).to(x0.dtype)

    def convert(
        self, prediction: Tensor, x_t: Tensor, t: Tensor, source: PredictionType, target: PredictionType
    ) -> Tensor:
        """Say the same prediction another way; float32 result (untouched where source == target).

        Args:
            prediction: (B, ...) of type ``source``.
            x_t: (B, ...) the noisy input that it was made for.
            t: () or (B,) its timesteps.

        v -> x0 and v -> eps divide by nothing; eps -> x0 divides by the signal (0.04 at the last step of the
        linear schedule), x0 -> eps by the noise level (0.03 at the first).
        """
        check_prediction_type(source)
        check_prediction_type(target)
        if source == target:
            return prediction
        signal, level = self.levels(t, prediction)
        p, x = prediction.float(), x_t.float()
        match source, target:
            case "v", "x0":
                return signal * x - level * p
            case "v", "eps":
                return level * x + signal * p
            case "x0", "eps":
                return (x - signal * p) / level
            case "x0", "v":
                return (signal * x - p) / level
            case "eps", "x0":
                return (x - level * p) / signal
            case _:
                return (p - level * x) / signal


def check_prediction_type(name: str) -> None:
    """Raise ConfigError unless ``name`` is a prediction type."""
    if name not in get_args(PredictionType):
        raise ConfigError(
            f"unknown prediction type {name!r}", f"Known: {', '.join(get_args(PredictionType))}."
        )
