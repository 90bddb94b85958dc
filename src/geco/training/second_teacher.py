"""Stage I's optional second teacher: it scores every view by itself, beside the one that scores all six.

After Turbo3D (arXiv 2412.04470), where a multi-view teacher alone loses photo-realism and a single-view
teacher recovers it: a second variational term with a student of its own, which learns the scores of the
generator's single views. The paper (GECO) has none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from geco.multiview.interface import Condition
from geco.training.halves import SingleViews
from geco.training.machine import Machine
from geco.training.optimizers import optimizers_of
from geco.training.roles import module_of, second_roles
from geco.training.stage1_options import Stage1Options
from geco.training.stage1_scores import Scores
from geco.training.task import Loss, Part
from geco.training.vsd import denoising_loss, surrogate, vsd_gradient


class SecondTeacher:
    """The term, and its student's loss.

    Args:
        single: its network is frozen here; a copy (or an adapter, with options.rank) becomes the student.
        seed: of adapters' first weights.
    """

    def __init__(self, single: SingleViews, options: Stage1Options, machine: Machine, seed: int) -> None:
        cast(nn.Module, single.network).to(machine.device).eval()
        roles = second_roles(single.network, options, seed)
        # references are clean, and its student is neither guided nor shown pictures without condition
        own = replace(
            options,
            guidance_scale=options.second_guidance,
            reference="clean",
            student_reference=None,
            student_guidance=1.0,
            drop=0.0,
        )
        self.student, self._single, self._options, self._machine = roles.student, single, own, machine
        self._scores = Scores(roles, single.codec, own)

    def part(self, loss: Callable[[int, torch.Generator], Loss]) -> Part:
        """Its student in training; ``loss`` ends in :meth:`student_loss`."""
        o, network = self._options, module_of(self.student)
        optimizers = optimizers_of(network, o.student_rate, o)
        return Part("second_student", network, optimizers, loss, o.student_repeats, clip=o.clip)

    def term(self, x: Tensor, condition: Condition, rng: torch.Generator) -> Loss:
        """The surrogate of x (B, *sample_shape) with gradients, through the split; not yet weighted."""
        views = checkpoint(self._single.split, x, use_reentrant=False)
        t, x_t = self._scores.noised(views.detach(), rng)
        with torch.no_grad(), self._machine.autocast():
            told = self._scores.told(self._single.told(condition), t, rng)
            real = self._scores.teacher(x_t, told)
            fake = self._scores.student(x_t, told, 1.0)
        gradient = vsd_gradient(views, real, fake, t, self._scores.schedule, self._options.weighting)
        return surrogate(views, gradient), {"second_step_size": gradient.square().mean().sqrt()}

    def student_loss(self, x: Tensor, condition: Condition, rng: torch.Generator) -> Loss:
        """Plain denoising of the single views of x (B, *sample_shape)."""
        with torch.no_grad():
            views = self._single.split(x)
        t, x_t = self._scores.noised(views, rng)
        with self._machine.autocast():
            told = self._scores.told(self._single.told(condition), t, rng)
            prediction = self._scores.student_prediction(x_t, told)
        return denoising_loss(views, prediction, t, self._scores.schedule, self._options.student_limit), {}
