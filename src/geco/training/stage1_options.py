"""Every number of Stage I, with where it is from."""

from __future__ import annotations

from dataclasses import dataclass

from geco.errors import ConfigError
from geco.training.vsd import T_RANGE, Weighting


@dataclass(frozen=True)
class Stage1Options:
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
        truncation: factor of z where the generator is used afterwards; training always sees all of the noise.
        t_range: of the gradient and of the student's training.
        weighting: see :func:`geco.training.vsd.vsd_gradient`.
        average: decay of G's moving average.
        clip: largest gradient norm, of both.
        drop: part of the student's samples without condition; only needed where student_guidance is not 1.
        student_limit: clip of the student's loss weight 1 / noise_level^2 (x0-predicting networks need one).
        teacher_clip: bound on the predicted |x0|, None for latents.
        regression_steps: micro-batches of regression on teacher pairs before (and, fading, during)
            distillation.
        regression_weight: of the regression while it lasts.
        rank: low-rank adapters of this rank on one frozen backbone instead of three networks; None trains in
            full (the paper).
        adversarial_weight: of the adversarial term (DMD2; 0 in the paper), which needs teacher pairs.
        discriminator_rate: Adam's (our decision).
    """

    batch: int = 8
    rate: float = 1e-6
    student_rate: float = 1e-6
    betas: tuple[float, float] = (0.9, 0.999)
    student_repeats: int = 1
    guidance_scale: float = 4.0
    generator_guidance: float = 1.0
    student_guidance: float = 1.0
    timestep: int | None = None
    truncation: float = 1.0
    t_range: tuple[float, float] = T_RANGE
    weighting: Weighting = "sigma2"
    average: float | None = 0.99
    clip: float = 1.0
    drop: float = 0.0
    student_limit: float | None = None
    teacher_clip: float | None = None
    regression_steps: int = 0
    regression_weight: float = 1.0
    rank: int | None = None
    adversarial_weight: float = 0.0
    discriminator_rate: float = 1e-4

    def __post_init__(self) -> None:
        if not 0 <= self.t_range[0] < self.t_range[1] <= 1:
            raise ConfigError(
                f"t_range {self.t_range} is no part of the timesteps",
                "Two numbers in [0, 1], the smaller first.",
            )
