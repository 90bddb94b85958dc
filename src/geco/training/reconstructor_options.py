"""Every number of the reconstructor's training, with where it is from."""

from __future__ import annotations

from dataclasses import dataclass

from geco.checked import Checked, amount, count, decay, inner, share, wholes
from geco.errors import ConfigError
from geco.sampling import TIMESTEPS

LEVELS = (400, TIMESTEPS)  # timesteps of predictions from noised true views, the second not included


@dataclass(frozen=True)
class ViewFaults(Checked):
    """How far views are made worse, as a generator errs; standard deviations at full strength, of which each
    sample gets a uniform part (``--set faults.bend=2``).

    All of it is the prototype's: our own choice, not tuned.

    Attributes:
        bend: pixels; of a view's 5 x 5 places that pull it out of shape.
        shift: pixels; of a whole view. scale: of its size, relative.
        blur: how much of two boxes of 3 pixels is mixed in; what exceeds 1 counts as 1.
        tint: of the darkness of each channel, and once more of all three together, relative.
        noise: of each pixel, in [0, 1]; of the condition picture's too.
    """

    bend: float = amount(1.6)
    shift: float = amount(1.0)
    scale: float = share(0.03)
    blur: float = amount(1.5)
    tint: float = share(0.06)
    noise: float = share(0.03)


@dataclass(frozen=True)
class ReconstructorOptions(Checked):
    """Numbers of the small recipe.

    Attributes:
        batch: samples a step.
        points: labelled points a sample. surface: coloured surface points a sample.
        worsen: share of samples whose views are made worse (geco.training.reconstructor_data.worsen), by
            ``faults``.
        predicted_share: share of samples whose views --init's network predicts from the true ones, noised to
            a random timestep.
        predicted_levels: from which timestep to before which; 999,1000 with Stage I's generator makes its own
            samples.
        inside_weight: an inside point taken for outside costs this much more than the reverse: a missing leg
            is worse than a thick one, and views that disagree leave many points near one half.
        distance_weight, coarse_weight, color_weight: of the fine field's distance, of all that is asked of
            the coarse field (whose distance has distance_weight too), and of the colours; occupancy has 1.
            From the prototype: our own choice, not tuned.
        faults: how far views are made worse.
        rate_scale: of both optimisers' rates (geco.training.muon); 0.2 to go on from trained weights.
        average: decay of the weights' moving average. clip: largest gradient norm (Muon's matrices do not
            mind).
    """

    batch: int = count(4)
    points: int = count(2048)
    surface: int = count(768)
    worsen: float = share(0.65)
    predicted_share: float = share(0.0)
    predicted_levels: tuple[int, int] = wholes(LEVELS, 0, TIMESTEPS, 2, 2)
    inside_weight: float = amount(2.0)
    distance_weight: float = amount(10.0)
    coarse_weight: float = amount(0.5)
    color_weight: float = amount(3.0)
    average: float = decay(0.998)
    clip: float = amount(5.0)
    rate_scale: float = amount(1.0)
    faults: ViewFaults = inner(ViewFaults)

    def check(self) -> None:
        """There is a timestep to predict from."""
        if self.predicted_levels[0] >= self.predicted_levels[1]:
            raise ConfigError(
                f"predicted_levels {self.predicted_levels} hold no timestep",
                "The smaller number comes first.",
            )
