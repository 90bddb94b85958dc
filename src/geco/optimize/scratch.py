"""Objects from nothing, by score and picture."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from geco.optimize.options import OptimizeOptions
from geco.optimize.particle import REPACK, Particle
from geco.optimize.scores import Scores, Teacher, Values
from geco.types import Floats


class Scratch:
    """Particles that share the scores; a :class:`geco.optimize.run.Task`.

    Args:
        condition: (3, H, W) in [0, 1], the picture as the teacher reads it.
        rgba: (P, P, 4) in [0, 1], the same square cut out.
    """

    def __init__(
        self, teacher: Teacher, condition: Tensor, rgba: Floats, options: OptimizeOptions, seed: int
    ) -> None:
        self.scores = Scores(teacher, condition, options, seed)
        self.particles = [Particle(teacher, rgba, options, seed, n) for n in range(options.particles)]
        self.steps = options.steps * len(self.particles)
        self.whole = REPACK * len(self.particles)

    def step(self, index: int) -> Values:
        """The particles take turns."""
        turn, number = divmod(index, len(self.particles))
        return self.particles[number].step(self.scores, turn)

    def settles(self, index: int) -> bool:
        """Whether only details still change, so that the run may end early."""
        return self.particles[index % len(self.particles)].is_mesh

    def preview(self, index: int) -> Floats:
        """A row a particle: picture, input view, six views; (H, W, 3) in [0, 1]."""
        rows = []
        for particle in self.particles:
            views, own = particle.views(index // len(self.particles))
            picture = particle.picture.at(own.shape[0])[0].clamp(0, 1).cpu().numpy()
            rows.append(np.concatenate([picture, own, *views], axis=1))
        widest = max(row.shape[1] for row in rows)
        return np.concatenate([row for row in rows if row.shape[1] == widest])

    def state_dict(self) -> dict[str, Any]:
        """At a multiple of :attr:`whole`."""
        return {"scores": self.scores.state_dict(), "particles": [p.state_dict() for p in self.particles]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Of :meth:`state_dict`."""
        self.scores.load_state_dict(state["scores"])
        for particle, known in zip(self.particles, state["particles"], strict=True):
            particle.load_state_dict(known)
