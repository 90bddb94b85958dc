"""Every number of PixelNeRF's training, with where it is from."""

from __future__ import annotations

from dataclasses import dataclass

from geco.checked import Checked, amount, count, decay, inner, share, whole
from geco.training.augment import Jitter


@dataclass(frozen=True)
class StillJitter(Jitter):
    """As :class:`Jitter`, without zoom and shift: features are read where a point lies in the picture."""

    moved: float = share(0.0)


@dataclass(frozen=True)
class PixelNeRFOptions(Checked):
    """Numbers of the small recipe; ours unless said otherwise.

    Attributes:
        batch: objects a step (the paper's 4).
        rays: of each object's views (the paper's 128, of one view).
        inside: share of the rays that are drawn from the silhouettes (the paper draws from their boxes at
            first); the others from anywhere in the pictures.
        extra: views beside the six targets and the input that rays are drawn from: from above, below and
            between.
        views: most input views. A step of all but ``single`` of them sees 2 to so many, the condition picture
            and targets.
        single: share of steps with the condition picture alone, which is what ``geco run`` has.
        mask_weight: of the squared error of the opacity against the silhouette; the colour's has 1. The paper
            has none: its silhouettes are white pictures.
        coarse_weight: of both for the coarse samples alone (the paper's 1).
        elevation_weight: of the squared error of the elevation that is read off the picture, radians.
        rate: AdamW's (the paper's 1e-4, for networks with many times as many weights).
        average: decay of the weights' moving average. clip: largest gradient norm.
        jitter: of colours and condition pictures.
    """

    batch: int = count(8)
    rays: int = count(128)
    inside: float = share(0.5)
    extra: int = whole(2, 0, 12)
    views: int = whole(3, 1, 7)
    single: float = share(0.85)
    mask_weight: float = amount(0.5)
    coarse_weight: float = amount(0.5)
    elevation_weight: float = amount(1.0)
    rate: float = amount(1e-3)
    average: float = decay(0.998)
    clip: float = amount(1.0)
    jitter: Jitter = inner(StillJitter)
