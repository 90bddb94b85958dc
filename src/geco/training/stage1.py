"""Stage I: the multi-view teacher distilled into a one-step generator by variational score distillation.

Three networks from the teacher's weights: generator G, student (the score of G's samples, trained online) and
the frozen
teacher. Only condition pictures are needed: no views, no 3D.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

import torch
from PIL import Image
from torch import Tensor, nn

from geco.errors import ConfigError
from geco.multiview.guidance import guided
from geco.multiview.interface import Condition, MultiViewNetwork, ViewCodec
from geco.multiview.one_step import OneStepGenerator
from geco.training.adapters import Role, SharedBackbone
from geco.training.adversarial import Discriminator, discriminator_loss, generator_term
from geco.training.grids import picture_rows
from geco.training.machine import Machine
from geco.training.stage1_options import Stage1Options
from geco.training.state import standard_normal
from geco.training.task import Loss, Part
from geco.training.vsd import denoising_loss, draw_timesteps, surrogate, vsd_gradient


class ConditionPictures(Protocol):
    """Where condition pictures come from."""

    def conditions(self, index: int, size: int, generator: torch.Generator) -> Tensor:
        """Micro-batch ``index``: (size, 3, H, W) in [0, 1] over the codec's background, augmented."""


class PairSource(Protocol):
    """Teacher pairs (condition, z, x0) for the regression warm-up."""

    def pairs(self, index: int, size: int) -> tuple[Tensor, Tensor, Tensor]:
        """Pictures (size, 3, H, W) in [0, 1]; noise and the x0 of the teacher's deterministic
        sampler (size, *sample_shape).
        """


class Stage1Task:
    """A :class:`geco.training.task.Task`.

    Args:
        teacher: frozen here; its copies become G and the student.
        codec: between pictures and the networks' space.
        data: condition pictures.
        options, machine: as they say.
        save: writes a network as a model folder.
        pairs: needed where options.regression_steps or options.adversarial_weight is not 0.
        checks: fixed condition pictures (N, 3, H, W) in [0, 1] for the picture grid.
        measure: validation of G, called with it in evaluation mode.

    Raises:
        ConfigError: a regression warm-up or an adversarial term without pairs, or a timestep that the
            schedule does not have.
    """

    def __init__(
        self,
        teacher: MultiViewNetwork,
        codec: ViewCodec,
        data: ConditionPictures,
        options: Stage1Options,
        machine: Machine,
        save: Callable[[Any, Path], None],
        pairs: PairSource | None = None,
        checks: Tensor | None = None,
        measure: Callable[[Any], dict[str, Any]] | None = None,
    ) -> None:
        if pairs is None and (options.regression_steps or options.adversarial_weight):
            raise ConfigError(
                "regression_steps and adversarial_weight learn from teacher pairs",
                "Give pairs, or set both to 0.",
            )
        if options.timestep is not None and not 0 <= options.timestep <= teacher.schedule.last:
            raise ConfigError(
                f"timestep {options.timestep} is not of the schedule", f"It ends at {teacher.schedule.last}."
            )
        self.codec, self.data, self.options, self.machine = codec, data, options, machine
        cast(nn.Module, teacher).to(machine.device).eval()
        self.backbone = (
            SharedBackbone(teacher, ("student", "generator"), options.rank) if options.rank else None
        )
        self.generator, self.student, self.teacher = self._roles(teacher)
        self._save, self._pairs, self._checks, self._measure = save, pairs, checks, measure
        self.batch = options.batch
        self.discriminator = (
            Discriminator(teacher.sample_shape[-3]).to(machine.device) if options.adversarial_weight else None
        )

    def parts(self) -> Sequence[Part]:
        o = self.options

        def adam(network: nn.Module, rate: float) -> list[torch.optim.Optimizer]:
            return [torch.optim.AdamW(network.parameters(), lr=rate, betas=o.betas, weight_decay=0.0)]

        modules = [
            role.module if isinstance(role, Role) else cast(nn.Module, role)
            for role in (self.student, self.generator)
        ]
        student, generator = adam(modules[0], o.student_rate), adam(modules[1], o.rate)
        parts = [
            Part("student", modules[0], student, self.student_loss, o.student_repeats, clip=o.clip),
            Part("generator", modules[1], generator, self.generator_loss, 1, o.average, o.clip),
        ]
        if (judge := self.discriminator) is not None:
            parts.insert(
                1,
                Part(
                    "discriminator",
                    judge,
                    adam(judge, o.discriminator_rate),
                    self.discriminator_loss,
                    clip=o.clip,
                ),
            )
        return parts

    def generator_loss(self, index: int, generator: torch.Generator) -> Loss:
        """The VSD surrogate on fresh samples; with the regression on teacher pairs while that lasts."""
        o, machine = self.options, self.machine
        condition = self._condition(index, generator)
        with machine.autocast():
            x = self._generate(condition, generator)
        t, x_t = self._noised(x.detach(), generator)
        with torch.no_grad(), machine.autocast():
            real = self._predict(self.teacher, x_t, t, condition, o.guidance_scale)
            fake = self._predict(self.student, x_t, t, condition, o.student_guidance)
        gradient = vsd_gradient(x, real, fake, t, self.teacher.schedule, o.weighting)
        loss = surrogate(x, gradient)
        values = {
            "step_size": float(gradient.square().mean().sqrt()),
            "mean": float(x.detach().mean()),
            "std": float(x.detach().std()),
        }
        if self._pairs is not None and index < o.regression_steps:
            fade = 1 - index / o.regression_steps
            near = self._regression(index * machine.world + machine.rank)
            loss = fade * o.regression_weight * near + (1 - fade) * loss
            values["regression"] = float(near.detach())
        if self.discriminator is not None:
            t, x_t = self._noised(x, generator)
            term = generator_term(self.discriminator, x_t, self.teacher.schedule.levels(t, x_t)[1])
            loss = loss + o.adversarial_weight * term
            values["adversarial"] = float(term.detach())
        return loss, values

    def discriminator_loss(self, index: int, generator: torch.Generator) -> Loss:
        """The teacher's samples against G's of the same pictures, both noised alike."""
        assert self.discriminator is not None and self._pairs is not None
        at = index * self.machine.world + self.machine.rank
        picture, _, real = (part.to(self.machine.device) for part in self._pairs.pairs(at, self.batch))
        with torch.no_grad(), self.machine.autocast():
            fake = self._generate(self.codec.condition(picture), generator)
        logits = []
        for x in (real.float(), fake):
            t, x_t = self._noised(x, generator)
            logits.append(self.discriminator(x_t, self.teacher.schedule.levels(t, x_t)[1]))
        told = torch.cat([(logits[0] > 0).flatten(), (logits[1] < 0).flatten()]).float().mean()
        return discriminator_loss(*logits), {"told_apart": float(told)}

    def student_loss(self, index: int, generator: torch.Generator) -> Loss:
        """Plain denoising of G's samples."""
        o, machine = self.options, self.machine
        condition = self._condition(index, generator)
        with torch.no_grad(), machine.autocast():
            x = self._generate(condition, generator)
        t, x_t = self._noised(x, generator)
        if o.drop:
            keep = (torch.rand(len(x), generator=generator, device=generator.device) >= o.drop).to(
                machine.device
            )
            condition = Condition(condition.picture, condition.text, keep)
        with machine.autocast():
            prediction = self.student.predict(x_t, t, self.student.encode_condition(condition), "x0")
        return denoising_loss(x, prediction, t, self.student.schedule, o.student_limit), {}

    @torch.no_grad()
    def report(self) -> tuple[dict[str, Any], Image.Image | None]:
        """Measures of G; the grid: condition, then G, the teacher's x0 and the student's x0 of
        the same noised samples.
        """
        values = self._measure(self.generator) if self._measure else {}
        if self._checks is None:
            return values, None
        generator = torch.Generator().manual_seed(0)
        condition = self.codec.condition(self._checks.to(self.machine.device))
        with self.machine.autocast():
            x = self._generate(condition, generator)
            t = torch.full((len(x),), self.teacher.schedule.last // 2, device=x.device)
            x_t = self.teacher.schedule.add_noise(x, standard_normal(x.shape, generator).to(x), t)
            real = self._predict(self.teacher, x_t, t, condition, self.options.guidance_scale)
            fake = self._predict(self.student, x_t, t, condition, 1.0)
        return values, picture_rows(
            self._checks, [self.codec.decode(part.float()) for part in (x, real, fake)]
        )

    def save_model(self, folder: Path) -> None:
        self._save(self.backbone.merged("generator") if self.backbone else self.generator, folder)

    def _roles(
        self, teacher: MultiViewNetwork
    ) -> tuple[MultiViewNetwork, MultiViewNetwork, MultiViewNetwork]:
        """Generator, student, teacher: three networks, or three faces of one."""
        if self.backbone is not None:
            return self.backbone.role("generator"), self.backbone.role("student"), self.backbone.role(None)
        trained = copy.deepcopy(teacher), copy.deepcopy(teacher)
        cast(nn.Module, teacher).requires_grad_(False)
        return *trained, teacher

    def _condition(self, index: int, generator: torch.Generator) -> Condition:
        pictures = self.data.conditions(index * self.machine.world + self.machine.rank, self.batch, generator)
        return self.codec.condition(pictures.to(self.machine.device))

    def _generate(self, condition: Condition, generator: torch.Generator) -> Tensor:
        """x0 (B, *sample_shape) float32 of fresh noise, by G."""
        assert condition.picture is not None
        z = standard_normal((len(condition.picture), *self.generator.sample_shape), generator).to(
            self.machine.device
        )
        return self._one_step(z, condition)

    def _one_step(self, z: Tensor, condition: Condition) -> Tensor:
        step = OneStepGenerator(self.generator, self.options.timestep, self.options.generator_guidance)
        without = self.codec.unconditional(condition) if self.options.generator_guidance != 1.0 else None
        return step(z, step.encode(condition), step.encode(without) if without else None)

    def _noised(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        t = draw_timesteps(len(x), generator, self.options.t_range).to(x.device)
        noise = standard_normal(x.shape, generator).to(x)
        return t, self.teacher.schedule.add_noise(x, noise, t)

    def _predict(self, network: Any, x_t: Tensor, t: Tensor, condition: Condition, scale: float) -> Tensor:
        """x0 by a scoring network, with guidance; references are clean (GECO, section 3.1)."""
        state = network.encode_condition(condition)
        without = network.encode_condition(self.codec.unconditional(condition)) if scale != 1.0 else None
        x0 = guided(network, x_t, t, state, without, scale, "x0").float()
        limit = self.options.teacher_clip
        return x0 if limit is None else x0.clamp(-limit, limit)

    def _regression(self, index: int) -> Tensor:
        assert self._pairs is not None
        picture, z, x0 = (part.to(self.machine.device) for part in self._pairs.pairs(index, self.batch))
        with self.machine.autocast():
            made = self._one_step(z, self.codec.condition(picture))
        return (made - x0).square().mean()
