"""Every number of Stage I, with where it is from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from geco.checked import (
    MOST,
    Checked,
    amount,
    choice,
    count,
    decay,
    decays,
    flag,
    inner,
    or_none,
    share,
    shares,
    whole,
    wholes,
)
from geco.errors import ConfigError
from geco.sampling import FEW, TIMESTEPS, Sampling
from geco.training.augment import Jitter
from geco.training.average import Place
from geco.training.machine import Parallel
from geco.training.optimizers import Optimizer
from geco.training.vsd import T_RANGE, Weighting

# "clean": as it is, written at the cleanest timestep (GECO, section 3.1); "noised": to the level of x_t, as
# the public Zero123++ was trained; "at-t": clean, but written at x_t's timestep.
ScoreReference = Literal["clean", "noised", "at-t"]
Format = Literal["float32", "bfloat16"]


@dataclass(frozen=True)
class Stage1Options(Checked):
    """Numbers of the stage; defaults are the paper's where it names them.

    Attributes:
        batch: samples a micro-batch (not stated in the paper).
        rate, student_rate: Adam's, equal in the paper (1e-6, "crucial to balance them") for 866 M parameters.
        betas: Adam's (GECO, section 4.1).
        student_repeats: updates of the student a step; 1 in the paper, 5 to 10 in DMD2: the first remedy when
            G's colours drift.
        guidance_scale: of the teacher's score (4 in the paper).
        generator_guidance: of G itself; 1 bakes the teacher's guidance into G, which then needs one pass (our
            decision; paper 4).
        student_guidance: 1 in the paper.
        timestep: where G's noise stands, from 0 to the schedule's last (999); None for the last.
        steps: of G, 1 to 4 (1 in the paper). Each sample trains one of them, drawn at random; the input of a
            later one is G's own x0 before it, noised again (DMD2's backward simulation).
        timesteps: all of them, falling; None for even steps down from ``timestep``.
        truncation: factor of z where the generator is used afterwards; training always sees all of the noise.
        t_range: of the gradient and of the student's training.
        weighting: see :func:`geco.training.vsd.vsd_gradient`.
        average: decay of G's moving average.
        average_on: where it is kept: the "device", or the "host"'s memory (3.5 GB for the full family).
        optimizer: "adamw", "fused" or "adam8bit", see :func:`geco.training.optimizers.adam`.
        clip: largest gradient norm, of both.
        reference: how the teacher reads the condition picture, see :data:`ScoreReference`; clean in the
            paper. The generator's own is always clean, as it is used.
        student_reference: the student's; None is as the teacher's, so that the two begin as one and their
            difference is the guidance.
        drop: part of the student's samples without condition; needed where student_guidance is not 1.
        student_limit: clip of the student's loss weight 1 / noise_level^2 (x0-predicting networks need one).
        teacher_clip: bound on the predicted |x0|, None for latents.
        regression_steps: micro-batches of regression on teacher pairs before (and, fading, during)
            distillation.
        regression_weight: of the regression while it lasts.
        rank: low-rank adapters of this rank on one frozen backbone instead of three networks; None trains in
            full (the paper).
        alpha: the adapters' updates are scaled by alpha / rank; None for 108 / 64 whatever the rank, as
            SwiftBrush's at rank 64.
        teacher_format: of the frozen weights: the teacher's, or with ``rank`` those of all three roles. What
            is trained stays in float32.
        adversarial_weight: of the adversarial term (DMD2; 0 in the paper), which needs teacher pairs.
        discriminator_rate: Adam's (our decision).
        second_weight: of the term of a second teacher, which scores every view by itself (Turbo3D); 0 in the
            paper. second_guidance: of its score; the full family's is not told the picture, so it has none.
        checkpointing: compute the full family's UNet activations again in the backward pass instead of
            keeping them.
        parallel: how several processes hold the three networks: "ddp" each all of them, "fsdp" each its
            pieces, gathered block by block when they are needed (FSDP2).
        jitter: of the small family's colours and condition pictures; the full family's are not augmented.
        held_out: pictures of which the teacher's samples are kept aside; at every report the generator is
            compared with them. 0 measures nothing.
        held_out_steps: of the teacher's deterministic DDIM there (our decision: a third of its 75; made once,
            at the first report).
    """

    batch: int = count(8)
    rate: float = amount(1e-6)
    student_rate: float = amount(1e-6)
    betas: tuple[float, float] = decays((0.9, 0.999))
    student_repeats: int = count(1)
    guidance_scale: float = amount(4.0)
    generator_guidance: float = amount(1.0)
    student_guidance: float = amount(1.0)
    timestep: int | None = whole(None, 0, TIMESTEPS - 1)
    steps: int = whole(1, 1, FEW)
    timesteps: tuple[int, ...] | None = wholes(None, 0, TIMESTEPS - 1, 2, FEW)
    truncation: float = share(1.0)
    t_range: tuple[float, float] = shares(T_RANGE, 2)
    weighting: Weighting = choice("sigma2", get_args(Weighting))
    average: float | None = or_none(decay(0.99))
    average_on: Place = choice("device", get_args(Place))
    optimizer: Optimizer = choice("adamw", get_args(Optimizer))
    clip: float = amount(1.0)
    reference: ScoreReference = choice("clean", get_args(ScoreReference))
    student_reference: ScoreReference | None = choice(None, get_args(ScoreReference))
    drop: float = share(0.0)
    student_limit: float | None = amount(None)
    teacher_clip: float | None = amount(None)
    regression_steps: int = whole(0, 0, MOST)
    regression_weight: float = amount(1.0)
    rank: int | None = count(None)
    alpha: float | None = amount(None)
    teacher_format: Format = choice("float32", get_args(Format))
    adversarial_weight: float = amount(0.0)
    discriminator_rate: float = amount(1e-4)
    second_weight: float = amount(0.0)
    second_guidance: float = amount(1.0)
    checkpointing: bool = flag(False)
    parallel: Parallel = choice("ddp", get_args(Parallel))
    jitter: Jitter = inner(Jitter)
    held_out: int = whole(8, 0, MOST)
    held_out_steps: int = whole(25, 1, TIMESTEPS)

    @property
    def references(self) -> tuple[ScoreReference, ScoreReference]:
        """The teacher's and the student's."""
        return self.reference, self.student_reference or self.reference

    @property
    def sampling(self) -> Sampling:
        """How G is used; ConfigError where its steps do not fit each other."""
        return Sampling(
            "one-step" if self.steps == 1 else "few-step",
            self.steps,
            self.generator_guidance,
            timestep=self.timestep,
            timesteps=self.timesteps,
            truncation=self.truncation,
        )

    def check(self) -> None:
        """G's steps fit each other; a guided student is taught what guidance pushes away from; the part of
        the timesteps is one.
        """
        assert self.sampling.trained_at
        if self.student_guidance != 1 and not self.drop:
            raise ConfigError(
                f"student_guidance {self.student_guidance:g} needs what the student says without a picture, "
                f"which drop=0 never teaches it",
                "Add --set drop=0.1, or leave student_guidance at 1.",
            )
        if self.parallel == "fsdp" and self.rank:
            raise ConfigError(
                "parallel=fsdp is for three whole networks; adapters share one, which every card can hold",
                "Take parallel=ddp, or rank=none.",
            )
        if self.parallel == "fsdp" and self.optimizer == "adam8bit":
            raise ConfigError(
                "adam8bit keeps blocks of numbers that cannot be cut into parallel=fsdp's pieces",
                "Take optimizer=fused: its state is cut too.",
            )
        if self.t_range[0] >= self.t_range[1]:
            raise ConfigError(
                f"t_range {self.t_range} is no part of the timesteps",
                "Two numbers in [0, 1], the smaller first.",
            )
