"""How a model's views are drawn: one set of settings for every runtime, stage, card and command."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from geco.checked import Checked, choice, real, whole
from geco.errors import ConfigError

Kind = Literal["one-step", "euler-ancestral", "ddim"]
TIMESTEPS = 1000  # noise levels of every model here, as of Stable Diffusion


@dataclass(frozen=True)
class Sampling(Checked):
    """How views are sampled from a network of noise levels; stored in the model's card.

    Attributes:
        kind: "one-step" for a GECO generator: x0 from noise in one pass. Else a teacher's sampler on trailing
            timesteps: "ddim" (arXiv 2010.02502), or "euler-ancestral", which is DDIM at eta 1.
        steps: passes, 1 to 1000; 1 for "one-step". GECO's teacher takes 75, Zero123++'s page suggests 28 to
            75 and more for fine detail.
        guidance_scale: of classifier-free guidance; 1 is none (a generator that has it baked in), 4
            Zero123++'s.
        eta: of "ddim", 0 is deterministic, 1 renews as much noise as DDPM.
        clip: bound on the predicted |x0| between steps; None for latents, 1 suits pixels.
        timestep: of "one-step", where its noise stands; None for the last.
        truncation: of "one-step", factor of its noise: less keeps samples near the likeliest one (BigGAN's
            trick, arXiv 1809.11096); 1 in the paper.
    """

    kind: Kind = choice("one-step", get_args(Kind))
    steps: int = whole(1, 1, TIMESTEPS)
    guidance_scale: float = real(1.0, 0.0, 100.0)
    eta: float = real(0.0, 0.0, 1.0)
    clip: float | None = real(None, 0.0, 1000.0)
    timestep: int | None = whole(None, 0, TIMESTEPS - 1)
    truncation: float = real(1.0, 0.0, 1.0)

    def check(self) -> None:
        """One step has no sampler's settings, and a sampler none of one step's."""
        if self.kind == "one-step":
            if self.steps != 1:
                raise ConfigError(f"one step is not {self.steps} steps", "Ask for ddim, or for 1 step.")
            if self.eta:
                raise ConfigError(f"eta {self.eta:g} is for samplers of many steps", "Leave it out.")
        elif self.timestep is not None or self.truncation != 1:
            what = "timestep" if self.timestep is not None else "truncation"
            raise ConfigError(
                f"{what} is for a one-step generator, not for the sampler {self.kind}", "Leave it out."
            )
