"""What the teacher and the student of Stage I say of a noised sample: which reference they read, with which
guidance, within which bounds.
"""

from __future__ import annotations

import torch
from torch import Tensor

from geco.multiview.guidance import guided, without_picture
from geco.multiview.interface import Condition, MultiViewNetwork, ViewCodec
from geco.training.roles import Roles
from geco.training.stage1_options import Stage1Options
from geco.training.state import standard_normal
from geco.training.vsd import draw_timesteps


class Scores:
    """The scoring networks of ``roles``; conditions are of ``codec``."""

    def __init__(self, roles: Roles, codec: ViewCodec, options: Stage1Options) -> None:
        self._roles, self._codec, self._options = roles, codec, options
        self.schedule = roles.teacher.schedule

    def noised(self, x: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Timesteps (B,) of the part that scores are taken at, and x (B, ...) noised to them."""
        t = draw_timesteps(len(x), rng, self._options.t_range).to(x.device)
        noise = standard_normal(x.shape, rng).to(x)
        return t, self.schedule.add_noise(x, noise, t)

    def teacher(self, x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
        """x0 (B, *sample_shape) float32 by the teacher, with guidance."""
        return self._x0(self._roles.teacher, x_t, t, condition, self._options.guidance_scale)

    def student(self, x_t: Tensor, t: Tensor, condition: Condition, scale: float) -> Tensor:
        """The same by the student, with guidance ``scale``."""
        return self._x0(self._roles.student, x_t, t, condition, scale)

    def _x0(
        self, network: MultiViewNetwork, x_t: Tensor, t: Tensor, condition: Condition, scale: float
    ) -> Tensor:
        """References are clean (GECO, section 3.1)."""
        state = network.encode_condition(condition)
        without = without_picture(self._codec, condition, scale)
        unconditional = None if without is None else network.encode_condition(without)
        x0 = guided(network, x_t, t, state, unconditional, scale, "x0").float()
        limit = self._options.teacher_clip
        return x0 if limit is None else x0.clamp(-limit, limit)
