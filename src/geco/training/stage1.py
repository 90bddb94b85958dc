"""Stage I: the multi-view teacher distilled into a generator of one step or few by variational score
distillation.

Three networks from the teacher's weights: generator G, student (the score of G's samples, trained online) and
the frozen teacher. Only condition pictures are needed: no views, no 3D.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

import torch
from PIL import Image
from torch import Tensor, nn

from geco.errors import ConfigError
from geco.multiview.guidance import dropped
from geco.multiview.interface import Condition
from geco.training.adversarial import Discriminator, discriminator_loss, generator_term
from geco.training.grids import picture_rows
from geco.training.halves import ConditionSource, Validation, Views
from geco.training.held_out import kept_aside
from geco.training.inputs import Inputs
from geco.training.optimizers import optimizers_of
from geco.training.roles import module_of, roles_of
from geco.training.second_teacher import SecondTeacher
from geco.training.stage1_options import Stage1Options
from geco.training.stage1_samples import Samples
from geco.training.stage1_scores import Scores
from geco.training.state import rng_of, standard_normal
from geco.training.task import Loss, Part
from geco.training.vsd import denoising_loss, surrogate, vsd_gradient

UNSEEN = Validation()


class PairSource(Protocol):
    """Teacher pairs (condition, z, x0) for the regression warm-up."""

    def pairs(self, index: int, size: int) -> tuple[Tensor, Tensor, Tensor]:
        """Pictures (size, 3, H, W) in [0, 1]; noise and the x0 of the teacher's deterministic
        sampler (size, *sample_shape).
        """


class Stage1Task:
    """A :class:`geco.training.task.Task`.

    Args:
        teacher: frozen here, and its second; its copies become G and the student.
        data: condition pictures.
        save: writes a network as a model folder, with facts about it for its card.
        pairs: needed where options.regression_steps or options.adversarial_weight is not 0.
        validation: how G is looked at.

    Raises:
        ConfigError: a regression warm-up or an adversarial term without pairs, or a timestep that the
            schedule does not have.
    """

    def __init__(
        self,
        options: Stage1Options,
        inputs: Inputs,
        teacher: Views,
        data: ConditionSource,
        save: Callable[[Any, Path, Mapping[str, Any]], None],
        pairs: PairSource | None = None,
        validation: Validation = UNSEEN,
    ) -> None:
        if pairs is None and (options.regression_steps or options.adversarial_weight):
            raise ConfigError(
                "regression_steps and adversarial_weight learn from teacher pairs",
                "Give pairs, or set both to 0.",
            )
        network, machine = teacher.network, inputs.machine
        if options.timestep is not None and not 0 <= options.timestep <= network.schedule.last:
            raise ConfigError(
                f"timestep {options.timestep} is not of the schedule", f"It ends at {network.schedule.last}."
            )
        self.codec, self.data, self.options, self.machine = teacher.codec, data, options, machine
        cast(nn.Module, network).to(machine.device).eval()
        self.roles = roles = roles_of(network, options, inputs.seed)
        if machine.shards and options.regression_steps % machine.world:
            raise ConfigError(  # in one step some would take the regression's passes, and others not
                f"regression_steps={options.regression_steps} ends within the pieces of {machine.world} "
                "processes",
                f"Take a multiple of {machine.world}.",
            )
        if not options.rank:  # one backbone's adapters are small enough
            for role in (roles.generator, roles.student, roles.teacher):
                machine.shard(cast(nn.Module, role))
        self.generator, self.student, self.teacher = roles.generator, roles.student, roles.teacher
        self.scores = Scores(roles, self.codec, options)
        self.samples = Samples(roles.generator, self.codec, options, machine.device)
        self._save, self._pairs, self._validation = save, pairs, validation
        self._held_out = kept_aside(self.teacher, self.codec, validation, options, machine)
        self._measured: dict[str, Any] = {}
        self.batch = options.batch
        self.second = SecondTeacher(teacher.second, options, machine, inputs.seed) if teacher.second else None
        self.discriminator = None
        if options.adversarial_weight:
            self.discriminator = Discriminator(network.sample_shape[-3], seed=inputs.seed).to(machine.device)

    def parts(self) -> Sequence[Part]:
        o = self.options
        generator, student = module_of(self.generator), module_of(self.student)
        of_student = optimizers_of(student, o.student_rate, o)
        parts = [Part("student", student, of_student, self.student_loss, o.student_repeats, clip=o.clip)]
        if (judge := self.discriminator) is not None:
            of_judge = optimizers_of(judge, o.discriminator_rate, o)
            parts.append(Part("discriminator", judge, of_judge, self.discriminator_loss, clip=o.clip))
        if self.second is not None:
            parts.append(self.second.part(self.second_student_loss))
        of_generator = optimizers_of(generator, o.rate, o)
        loss = self.generator_loss
        parts.append(Part("generator", generator, of_generator, loss, 1, o.average, o.clip, o.average_on))
        return parts

    def generator_loss(self, index: int, rng: torch.Generator) -> Loss:
        """The VSD surrogate on fresh samples; with the regression on teacher pairs while that lasts."""
        o, machine = self.options, self.machine
        condition = self._condition(index, rng)
        with machine.autocast():
            x = self.samples.fresh(condition, rng)
        t, x_t = self.scores.noised(x.detach(), rng)
        with torch.no_grad(), machine.autocast():
            told = self.scores.told(condition, t, rng)
            real = self.scores.teacher(x_t, told)
            fake = self.scores.student(x_t, told, o.student_guidance)
        gradient = vsd_gradient(x, real, fake, t, self.teacher.schedule, o.weighting)
        loss = surrogate(x, gradient)
        values: dict[str, float | Tensor] = {
            "step_size": gradient.square().mean().sqrt(),
            "mean": x.detach().mean(),
            "std": x.detach().std(),
        }
        if self._pairs is not None and index < o.regression_steps:
            fade = 1 - index / o.regression_steps
            near = self._regression(index, rng)
            loss = fade * o.regression_weight * near + (1 - fade) * loss
            values["regression"] = near.detach()
        if self.discriminator is not None:
            t, x_t = self.scores.noised(x, rng)
            term = generator_term(self.discriminator, x_t, self.teacher.schedule.levels(t, x_t)[1])
            loss = loss + o.adversarial_weight * term
            values["adversarial"] = term.detach()
        if self.second is not None:
            term, found = self.second.term(x, condition, rng)
            loss = loss + o.second_weight * term
            values |= found
        return loss, values

    def second_student_loss(self, index: int, rng: torch.Generator) -> Loss:
        """Plain denoising of G's single views, for the second teacher's student."""
        assert self.second is not None
        condition = self._condition(index, rng)
        with torch.no_grad(), self.machine.autocast():
            x = self.samples.fresh(condition, rng)
        return self.second.student_loss(x, condition, rng)

    def discriminator_loss(self, index: int, rng: torch.Generator) -> Loss:
        """The teacher's samples against G's of the same pictures, both noised alike."""
        assert self.discriminator is not None and self._pairs is not None
        picture, _, real = (part.to(self.machine.device) for part in self._pairs.pairs(index, self.batch))
        with torch.no_grad(), self.machine.autocast():
            fake = self.samples.fresh(self.codec.condition(picture), rng)
        logits = []
        for x in (real.float(), fake):
            t, x_t = self.scores.noised(x, rng)
            logits.append(self.discriminator(x_t, self.teacher.schedule.levels(t, x_t)[1]))
        right = torch.cat([(logits[0] > 0).flatten(), (logits[1] < 0).flatten()]).float().mean()
        return discriminator_loss(*logits), {"told_apart": right}

    def student_loss(self, index: int, rng: torch.Generator) -> Loss:
        """Plain denoising of G's samples."""
        o, machine = self.options, self.machine
        condition = self._condition(index, rng)
        with torch.no_grad(), machine.autocast():
            x = self.samples.fresh(condition, rng)
        t, x_t = self.scores.noised(x, rng)
        if o.drop:
            keep = (torch.rand(len(x), generator=rng, device=rng.device) >= o.drop).to(machine.device)
            condition = dropped(self.codec, condition, keep)
        with machine.autocast():
            prediction = self.scores.student_prediction(x_t, self.scores.told(condition, t, rng))
        return denoising_loss(x, prediction, t, self.student.schedule, o.student_limit), {}

    @torch.no_grad()
    def report(self) -> tuple[dict[str, Any], Image.Image | None]:
        """Measures of G, "held_out" as :func:`geco.training.held_out.differences` has them; the grid:
        condition, then G, the teacher's x0 and the student's x0 of the same noised samples.
        """
        pictures, measure = self._validation.pictures, self._validation.measure
        values = measure(self.generator) if measure else {}
        if self._held_out is not None:
            values["held_out"] = self._held_out.compare(self.samples.of_noise)
        self._measured = values
        if pictures is None:
            return values, None
        rng = rng_of(0, "validation")
        condition = self.codec.condition(pictures.to(self.machine.device))
        with self.machine.autocast():
            x = self.samples.used(condition, rng)
            t = torch.full((len(x),), self.teacher.schedule.last // 2, device=x.device)
            x_t = self.teacher.schedule.add_noise(x, standard_normal(x.shape, rng).to(x), t)
            told = self.scores.told(condition, t, rng)
            real = self.scores.teacher(x_t, told)
            fake = self.scores.student(x_t, told, 1.0)
        return values, picture_rows(pictures, [self.codec.decode(part.float()) for part in (x, real, fake)])

    def save_model(self, folder: Path) -> None:
        held_out = self._measured.get("held_out")
        network = self.machine.whole(self.roles.final())
        if network is not None:
            self._save(network, folder, {"held_out": held_out} if held_out else {})

    def _condition(self, index: int, rng: torch.Generator) -> Condition:
        pictures = self.data.conditions(index, self.batch, rng)
        if not self.codec.on_host:
            pictures = pictures.to(self.machine.device)
        return self.codec.condition(pictures)

    def _regression(self, index: int, rng: torch.Generator) -> Tensor:
        assert self._pairs is not None
        picture, z, x0 = (part.to(self.machine.device) for part in self._pairs.pairs(index, self.batch))
        with self.machine.autocast():
            generated = self.samples.of_a_step(z, self.codec.condition(picture), rng)
        return (generated - x0).square().mean()
