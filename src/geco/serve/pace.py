"""How long one mesh takes, as measured."""

from __future__ import annotations

FIRST_GUESS = 1.0  # seconds, before any was measured: the embedded model on two cores
# Share of a new measurement in the running mean: it rises fast and falls slowly, so that many quick refusals
# between two long works do not make the server promise, or admit, too much.
RISING, FALLING = 0.5, 0.05


class Pace:
    """Running means of the seconds of one mesh.

    Attributes:
        mean: of all. means: by the model.
    """

    def __init__(self) -> None:
        self.mean = FIRST_GUESS
        self.means: dict[str, float] = {}

    def of(self, model: str) -> float:
        """Of a model; of all where it was not measured yet, or is not known ("")."""
        return self.means.get(model, self.mean)

    def learn(self, model: str, seconds: float) -> None:
        """One more measurement."""
        if model:
            self.means[model] = _moved(self.of(model), seconds)
        self.mean = _moved(self.mean, seconds)


def _moved(mean: float, seconds: float) -> float:
    return mean + (RISING if seconds > mean else FALLING) * (seconds - mean)
