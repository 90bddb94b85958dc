"""How a model's views are drawn: one set of settings for every runtime, stage, card and command."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from geco.checked import Checked, choice, real, whole, wholes
from geco.errors import ConfigError

Kind = Literal["one-step", "few-step", "euler-ancestral", "ddim"]
Walking = Literal["euler-ancestral", "ddim"]  # the kinds of many steps
Reference = Literal["clean", "noised"]
OnStep = Callable[[int, int], None]  # steps done so far, steps in all; called after each
TIMESTEPS = 1000  # noise levels of every model here, as of Stable Diffusion
FEW = 4  # steps of a generator at most, as DMD2's


@dataclass(frozen=True)
class Sampling(Checked):
    """How views are sampled from a network of noise levels; stored in the model's card.

    Attributes:
        kind: "one-step" for a GECO generator: x0 from noise in one pass. "few-step" for one of 2 to 4 passes:
            x0, noised again to a lower timestep, x0 (arXiv 2405.14867, DMD2). Else a teacher's sampler on
            trailing timesteps: "ddim" (arXiv 2010.02502), or "euler-ancestral", which is DDIM at eta 1.
        steps: passes, 1 to 1000; 1 for "one-step", 2 to 4 for "few-step". GECO's teacher takes 75,
            Zero123++'s page suggests 28 to 75 and more for fine detail.
        guidance_scale: of classifier-free guidance; 1 is none (a generator that has it baked in), 4
            Zero123++'s.
        eta: of "ddim", 0 is deterministic, 1 renews as much noise as DDPM.
        clip: bound on the predicted |x0| between steps; None for latents, 1 suits pixels.
        timestep: of a generator, where its noise stands; None for the last.
        timesteps: of "few-step", all of them, falling; None for even steps down from ``timestep``.
        truncation: of a generator, factor of its noise: less keeps samples near the likeliest one (BigGAN's
            trick, arXiv 1809.11096); 1 in the paper.
        reference: how the condition picture is written: "clean", once for all steps (GECO's generator and
            what it is trained from), or "noised" to the level of each step anew (the public Zero123++). None
            is the network's own way; a generator's is always clean.
    """

    kind: Kind = choice("one-step", get_args(Kind))
    steps: int = whole(1, 1, TIMESTEPS)
    guidance_scale: float = real(1.0, 0.0, 100.0)
    eta: float = real(0.0, 0.0, 1.0)
    clip: float | None = real(None, 0.0, 1000.0)
    timestep: int | None = whole(None, 0, TIMESTEPS - 1)
    timesteps: tuple[int, ...] | None = wholes(None, 0, TIMESTEPS - 1, 2, FEW)
    truncation: float = real(1.0, 0.0, 1.0)
    reference: Reference | None = choice(None, get_args(Reference))

    def check(self) -> None:
        """A generator has no sampler's settings, and a sampler none of a generator's."""
        if self.is_generator:
            self._check_generator()
            return
        for name in ("timestep", "timesteps", "truncation"):
            if getattr(self, name) not in (None, 1.0):
                raise ConfigError(
                    f"{name} is for a one-step generator, not for the sampler {self.kind}", "Leave it out."
                )

    def _check_generator(self) -> None:
        what = "one step" if self.kind == "one-step" else "few steps"
        if self.kind == "one-step" and self.steps != 1:
            raise ConfigError(f"one step is not {self.steps} steps", "Ask for ddim, or for 1 step.")
        if self.kind == "few-step" and not 2 <= self.steps <= FEW:
            raise ConfigError(
                f"a generator of few steps takes 2 to {FEW}, not {self.steps}", "Take one-step."
            )
        if self.eta:
            raise ConfigError(f"eta {self.eta:g} is for samplers of many steps", "Leave it out.")
        if self.reference == "noised":
            raise ConfigError(f"the reference of {what} is always clean", "Leave it out.")
        if (given := self.timesteps) is None:
            return
        if len(given) != self.steps or list(given) != sorted(set(given), reverse=True):
            raise ConfigError(
                f"timesteps {given} are not {self.steps} that fall", f"Give {self.steps}, the largest first."
            )
        if self.timestep is not None:
            raise ConfigError("timestep and timesteps say the same", "Leave one of them out.")

    @property
    def is_generator(self) -> bool:
        """Whether it is how a GECO generator is used, in one step or few."""
        return self.kind in ("one-step", "few-step")

    @property
    def trained_at(self) -> tuple[int, ...]:
        """The timesteps of a generator: given ones, or as many even steps from the first one down (999, 749,
        499 and 249 for four).
        """
        if self.timesteps is not None:
            return self.timesteps
        first = TIMESTEPS - 1 if self.timestep is None else self.timestep
        return tuple((first + 1) * (self.steps - at) // self.steps - 1 for at in range(self.steps))

    def facts(self) -> dict[str, Any]:
        """What was used, without what was not: plain values, for files and reports."""
        return {name: value for name, value in self.to_dict().items() if value is not None}


@dataclass(frozen=True)
class Steering(Checked):
    """What a user asks of a model's sampling; None leaves the model's own.

    Attributes:
        steps: passes, 1 to 1000; they cost time in proportion.
        guidance: scale of classifier-free guidance, 0 to 100; 1 is none.
        sampler: "ddim", then deterministic, or "euler-ancestral".
        reference: see :class:`Sampling`.
        truncation: 0 (the likeliest object, the same for every seed) to 1 (the most different ones), of a
            generator of one step or few.
    """

    steps: int | None = whole(None, 1, TIMESTEPS)
    guidance: float | None = real(None, 0.0, 100.0)
    sampler: Walking | None = choice(None, get_args(Walking))
    reference: Reference | None = choice(None, get_args(Reference))
    truncation: float | None = real(None, 0.0, 1.0)

    @property
    def asked(self) -> dict[str, Any]:
        """What is not None, by name."""
        return {name: value for name, value in vars(self).items() if value is not None}

    def over(self, default: Steering) -> Steering:
        """Both, where they differ this one's."""
        return replace(default, **self.asked)

    def of(
        self, own: Sampling | None, model: str, references: Sequence[Reference] | None = None
    ) -> Sampling | None:
        """``own`` with what is asked in its place; ``own`` itself where nothing is.

        Args:
            own: the model's. model: its name, for messages.
            references: that the model's networks can read; None: not known.

        Raises:
            ConfigError: the model has no such thing: a regressor draws no views, a generator of one step or
                few takes no other steps, truncation is for generators, its networks read one reference alone.
        """
        if not self.asked:
            return own
        if own is None:
            raise ConfigError(
                f"{model} draws no views: it reads the picture alone", f"Leave {self._said(self.asked)} out."
            )
        if own.is_generator:
            self._check_generator(model, own.steps)
        changes = {name: value for name, value in self.asked.items() if name not in ("guidance", "sampler")}
        if self.guidance is not None:
            changes["guidance_scale"] = self.guidance
        if self.sampler is not None:
            changes |= {"kind": self.sampler, "eta": 0.0}
        found = replace(own, **changes)
        if references is not None and found.reference not in (None, *references):
            raise ConfigError(
                f"the networks of {model} read a {references[0]} reference alone", "Leave the reference out."
            )
        return found

    def _check_generator(self, model: str, steps: int) -> None:
        impossible = [name for name in ("steps", "sampler", "reference") if name in self.asked]
        if self.steps == steps:
            impossible.remove("steps")
        if self.reference == "clean":
            impossible.remove("reference")
        if impossible:
            what = "a one-step generator" if steps == 1 else f"a generator of {steps} steps"
            raise ConfigError(
                f"{model} is {what}: it takes no {self._said(impossible)}",
                "Leave it out, or give a teacher as the model: its folder (models/small/teacher), or "
                "what geco convert makes of public weights.",
            )

    def _said(self, names: Any) -> str:
        return ", ".join(f"{name} {self.asked[name]}" for name in names)
