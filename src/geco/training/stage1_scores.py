"""What the teacher and the student of Stage I say of a noised sample: which reference they read, with which
guidance, within which bounds.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from geco.multiview.guidance import guided, without_picture
from geco.multiview.interface import Condition, ConditionState, MultiViewNetwork, ViewCodec
from geco.training.roles import Roles
from geco.training.stage1_options import ScoreReference, Stage1Options
from geco.training.state import standard_normal
from geco.training.vsd import draw_timesteps


@dataclass(frozen=True)
class Told:
    """What a scoring network is told beside x_t, by teacher and student alike.

    Attributes:
        condition: of batch B. t: (B,).
        noise: of its picture, where a reference is noised; without: of the picture that guidance pushes away
            from, noised apart, as in the public pipeline.
    """

    condition: Condition
    t: Tensor
    noise: Tensor | None = None
    without: Tensor | None = None


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

    def told(self, condition: Condition, t: Tensor, rng: torch.Generator) -> Told:
        """Draws from ``rng`` where a reference is noised, and only there."""
        if "noised" not in self._options.references or condition.picture is None:
            return Told(condition, t)
        noise, without = (standard_normal(condition.picture.shape, rng).to(t.device) for _ in range(2))
        return Told(condition, t, noise, without)

    def teacher(self, x_t: Tensor, told: Told) -> Tensor:
        """x0 (B, *sample_shape) float32 by the teacher, with guidance."""
        reference, scale = self._options.reference, self._options.guidance_scale
        return self._x0(self._roles.teacher, x_t, told, reference, scale)

    def student(self, x_t: Tensor, told: Told, scale: float) -> Tensor:
        """The same by the student, with guidance ``scale``."""
        return self._x0(self._roles.student, x_t, told, self._options.references[1], scale)

    def student_prediction(self, x_t: Tensor, told: Told) -> Tensor:
        """x0 by the student as it is trained: one pass, with gradients, neither guided nor bounded."""
        student = self._roles.student
        state = written(student, self._options.references[1], told.condition, told.t, told.noise)
        return student.predict(x_t, told.t, state, "x0")

    def _x0(
        self, network: MultiViewNetwork, x_t: Tensor, told: Told, reference: ScoreReference, scale: float
    ) -> Tensor:
        state = written(network, reference, told.condition, told.t, told.noise)
        without = without_picture(self._codec, told.condition, scale)
        unconditional = None
        if without is not None:
            unconditional = written(network, reference, without, told.t, told.without)
        x0 = guided(network, x_t, told.t, state, unconditional, scale, "x0").float()
        limit = self._options.teacher_clip
        return x0 if limit is None else x0.clamp(-limit, limit)


def written(
    network: MultiViewNetwork,
    reference: ScoreReference,
    condition: Condition,
    t: Tensor,
    noise: Tensor | None,
) -> ConditionState:
    """The write pass of a reference as :data:`ScoreReference` says."""
    match reference:
        case "noised":
            return network.encode_condition(condition, t, noise)
        case "at-t":
            return network.encode_condition(condition, t)
        case "clean":
            return network.encode_condition(condition)
