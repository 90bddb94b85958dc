"""The numbers of Stage II."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from geco.checked import Checked, amount, choice, count, decay, decays, or_none
from geco.errors import ConfigError
from geco.training.average import Place
from geco.training.optimizers import Optimizer

# InstantMesh's own mesh training, in the units of the options: src/model_mesh.py, compute_loss and
# prepare_batch_data, commit 3ff94c9. Its pictures lie in [-1, 1], so its squared error is four times ours.
# Its depth (0.5) and its penalty for an empty shape are computed and left out of the sum.
INSTANTMESH = {
    "mse": 4.0,
    "perceptual": 2.0,
    "mask": 1.0,
    "normal": 0.2,
    "depth": 0.0,
    "sdf": 0.01,
    "surface": 0.5,
    "weights": 0.1,
    "empty": 0.0,
    "jitter": 0.02,
}
# Terms that ask something of the pairs, and of the reconstructor.
OF_GEOMETRY, OF_SHAPE = ("normal", "depth"), ("sdf", "surface", "weights", "empty", "jitter")


@dataclass(frozen=True)
class Stage2Options(Checked):
    """Numbers of the stage; defaults are the paper's appendix where it names them. The terms' weights are
    those of :data:`INSTANTMESH` where its training shall be repeated; the paper names RGB alone.

    Attributes:
        batch: pairs a step (4 a card in the appendix, 8 in the main text); each has a backward pass of its
            own, so a step takes the memory of one.
        views: random renders a pair and step (GECO: 4 of 50).
        rate: Adam's (1e-6 in the paper, for InstantMesh).
        mse: weight of the squared error of pictures in [0, 1].
        perceptual: lambda; the paper gives none. InstantMesh's 2 stands against pictures in [-1, 1], so 0.5
            here where ``mse`` is 1. 2 is the small recipe's, with another distance.
        mask: weight of the silhouettes' squared error.
        normal: of 1 - |cosine| of the normals where the truth shows something. depth: of the mean absolute
            difference of the depths there, world units. Both need pairs with ``geometry``; where those have
            it they are in the log at any weight.
        sdf: of the cross-entropy of signs along the grid's edges that the surface cuts. surface: of
            FlexiCubes' L_dev. weights: of the mean square of FlexiCubes' weights, of the cubes that the
            surface cuts (InstantMesh: of all). The full family's.
        empty: of the mean |sdf| where a shape has no surface; at 0 such a pair is left out, and counted.
        jitter: the reconstructor is told of cameras that are off by up to this, each number of them: the full
            family's.
        generator_rate: of G where it is trained too; None freezes it (our decision: the paper is silent).
        average: decay of the moving averages. clip: largest gradient norm.
        average_on, optimizer: as of :class:`geco.training.stage1_options.Stage1Options`; InstantMesh-large
            has 379 million weights, so its average takes 1.5 GB, and Adam's state 3.0 or 0.8.
    """

    batch: int = count(4)
    views: int = count(4)
    rate: float = amount(1e-6)
    betas: tuple[float, float] = decays((0.9, 0.999))
    mse: float = amount(1.0)
    perceptual: float = amount(2.0)
    mask: float = amount(1.0)
    normal: float = amount(0.0)
    depth: float = amount(0.0)
    sdf: float = amount(0.0)
    surface: float = amount(0.0)
    weights: float = amount(0.0)
    empty: float = amount(0.0)
    jitter: float = amount(0.0)
    generator_rate: float | None = amount(None)
    average: float | None = or_none(decay(0.99))
    average_on: Place = choice("device", get_args(Place))
    optimizer: Optimizer = choice("adamw", get_args(Optimizer))
    clip: float = amount(1.0)

    def fit(self, geometry: bool, shapes: bool) -> None:
        """Raise ConfigError where a term needs pairs with geometry, or a reconstructor of the full family."""
        asked = [name for name in OF_GEOMETRY if getattr(self, name)]
        if asked and not geometry:
            raise ConfigError(
                f"Stage II's {asked[0]} compares geometry that the pairs do not have",
                f"Make pairs with --set geometry=true, or leave {asked[0]} out.",
            )
        asked = [name for name in OF_SHAPE if getattr(self, name)]
        if asked and not shapes:
            raise ConfigError(f"{asked[0]} suits the full family's reconstructor", "Set it to 0.")
