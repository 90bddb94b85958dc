"""The two halves of a model in distillation, as every family hands them to the stages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from geco.errors import MeshError
from geco.multiview.few_step import generator_of
from geco.multiview.interface import Condition, MultiViewNetwork, ViewCodec
from geco.multiview.one_step import OneStepGenerator
from geco.sampling import Reference, Sampling

# Views (6, 3, H, W) and picture (3, S, S) in [0, 1] -> vertices (V, 3), faces (F, 3), colour of points; may
# raise MeshError.
MakeMesh = Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Callable[[Tensor], Tensor]]]
# Views and what is added to the cameras' numbers (6, 16), or None -> the shape; may raise EmptyShapeError.
MakeShape = Callable[[Tensor, "Tensor | None"], "Shape"]
Distance = Callable[[Tensor, Tensor], Tensor]  # (B, 3, H, W) twice, in [0, 1] -> (B,)


class EmptyShapeError(MeshError):
    """A reconstruction without a surface.

    Attributes:
        penalty: scalar with gradients, of a signed distance that has one sign everywhere; None where the
            network knows none.
    """

    def __init__(self, penalty: Tensor | None = None) -> None:
        super().__init__("the reconstruction has no surface", "Another seed or picture may have one.")
        self.penalty = penalty


@dataclass(frozen=True)
class Shape:
    """A mesh in training: vertices (V, 3), faces (F, 3), colour of points (N, 3) -> (N, 3), and penalties of
    its fields by name, scalars.
    """

    vertices: Tensor
    faces: Tensor
    color: Callable[[Tensor], Tensor]
    penalties: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class SingleViews:
    """A second teacher as a family hands it to Stage I.

    Attributes:
        network: scores items whose views do not see each other. codec: of its conditions.
        split: x0 (B, *sample_shape) of the generator -> what the network works on, (N, *its sample_shape);
            differentiable.
        told: the generator's condition of batch B -> the network's of batch N.
    """

    network: MultiViewNetwork
    codec: ViewCodec
    split: Callable[[Tensor], Tensor]
    told: Callable[[Condition], Condition]


@dataclass(frozen=True)
class Views:
    """The multi-view half.

    Attributes:
        network: teacher or generator. codec: between pictures and its space.
        sampling: how its views are sampled.
        about: what the family keeps beside the weights.
        origin: folder of the model that ``codec`` is of, where no stage changes that.
        second: of a teacher in Stage I: another that scores single views beside it.
    """

    network: MultiViewNetwork
    codec: ViewCodec
    sampling: Sampling = field(default_factory=Sampling)
    about: Mapping[str, Any] = field(default_factory=dict)
    origin: Path | None = None
    second: SingleViews | None = None

    def generator(self) -> OneStepGenerator:
        """A distilled network as ``sampling`` says it is used."""
        return generator_of(self.network, self.sampling)


@dataclass(frozen=True)
class Surfaces:
    """The reconstructor half: its module, its differentiable mesh, and the same with penalties of its shape,
    where it knows any.
    """

    network: nn.Module
    mesh: MakeMesh
    shape: MakeShape | None = None


@dataclass(frozen=True)
class Validation:
    """How Stage I is looked at.

    Attributes:
        pictures: fixed condition pictures (N, 3, H, W) in [0, 1] for the picture grid; None makes none.
        measure: numbers of the generator, called with it in evaluation mode; None takes none.
        held_out: condition pictures (N, 3, H, W) of which the generator is compared with the teacher's
            samples; None compares none.
        reference: how the teacher itself reads them; None is the network's own way.
    """

    pictures: Tensor | None = None
    measure: Callable[[Any], dict[str, Any]] | None = None
    held_out: Tensor | None = None
    reference: Reference | None = None


class ConditionSource(Protocol):
    """Where condition pictures come from."""

    def conditions(self, index: int, size: int, rng: torch.Generator) -> Tensor:
        """Micro-batch ``index``: (size, 3, H, W) in [0, 1] over the codec's background, augmented."""


class PictureSource(ConditionSource, Protocol):
    """One that can be asked for single pictures too, as pairs need them."""

    def picture(self, number: int) -> tuple[str, Tensor]:
        """Picture ``number`` of the order, (3, H, W), and its object's name."""

    def true_views(self, number: int) -> Tensor:
        """(6, 3, H, W) in [0, 1]: the true views of :meth:`picture`; raises ConfigError where none are."""
