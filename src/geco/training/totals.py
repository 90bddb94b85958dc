"""What a training has cost so far: steps, samples, time and memory, over all pieces of a resumed run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Totals:
    """Sums since the run's first step. Steps that a killed run did after its last checkpoint are repeated and
    not counted.

    Attributes:
        steps: done.
        samples: seen, by all processes together.
        stepping: seconds inside steps, without reports and checkpoints.
        peak: bytes, the largest of all pieces: of the GPU's tensors where there is one, else of the whole
            process, what it read and prepared before the first step included; of the first process.
        machines: what it ran on, in the order of first use; more than one where a run was resumed elsewhere.
    """

    steps: int = 0
    samples: int = 0
    stepping: float = 0.0
    peak: int = 0
    machines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._logged = self.samples, self.stepping

    def add(self, samples: int, seconds: float) -> None:
        """One step, or what of it this process had to wait for: a device may still be at work."""
        self.steps += 1
        self.samples += samples
        self.stepping += seconds

    def samples_a_second(self) -> float:
        """Over the steps since this was last asked for, after a wait for the device."""
        samples, seconds = self.samples - self._logged[0], self.stepping - self._logged[1]
        self._logged = self.samples, self.stepping
        return samples / max(seconds, 1e-9)

    def seen_on(self, machine: str, peak: int) -> None:
        """Note where this piece runs and the memory that it has taken so far."""
        self.peak = max(self.peak, peak)
        if machine not in self.machines:
            self.machines.append(machine)

    def state_dict(self) -> dict[str, Any]:
        """Plain values for a checkpoint."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: dict[str, Any], step: int, elapsed: float, samples: int) -> Totals:
        """From a checkpoint's ``totals``; one of before there were any says ``step``, ``elapsed``
        seconds, ``samples`` a step.
        """
        return cls(**state) if state else cls(step, step * samples, elapsed)

    def facts(self, elapsed: float) -> dict[str, Any]:
        """For log.jsonl and training.json.

        Args:
            elapsed: seconds of training, reports and checkpoints included.
        """
        return {
            "steps": self.steps,
            "samples": self.samples,
            "seconds_a_step": round(self.stepping / max(self.steps, 1), 6),
            "minutes": round(elapsed / 60, 4),
            "peak_memory_mib": round(self.peak / 2**20, 1),
            "machine": "; then ".join(self.machines),
        }


def describe(facts: dict[str, Any]) -> str:
    """:meth:`Totals.facts` as the line at the end of a run."""
    return (
        f"{facts['steps']} steps, {facts['samples']} samples, {facts['seconds_a_step']:.3g} s a step, "
        f"{facts['minutes']:.1f} minutes, peak memory {facts['peak_memory_mib']:.0f} MiB, on "
        f"{facts['machine']}"
    )


def mean_values(values: Mapping[str, list[float]]) -> dict[str, float]:
    """The mean of each, without what is NaN: of a micro-batch that had no sample to take it from. One that is
    nothing else is left out, a loss or norm never.
    """
    means: dict[str, float] = {}
    for name, found in values.items():
        counted = found if name.endswith(("loss", "norm")) else [value for value in found if value == value]
        if counted:
            means[name] = sum(counted) / len(counted)
    return means
