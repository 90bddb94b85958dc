"""What a multi-view network is, whatever stands behind it: the full-size Zero123++ UNet or the small pixel
network.

One generation is: codec.condition(picture) -> Condition; network.encode_condition -> ConditionState (the
WRITE pass, once per picture); network.predict (the READ pass) once or once per sampling step; codec.decode ->
six views. Timesteps are whole numbers 0..999 in a (B,) tensor. x_t is what the family works on:

- full: (B, 4, 3h, 2w) latents of the 3x2 sheet, scaled as Zero123++ does;
- small: (B, 6, 3, S, S) pixels in [-1, 1].
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from geco.multiview.noise import NoiseSource
from geco.multiview.schedule import PredictionType, Schedule

__all__ = [
    "Condition",
    "ConditionState",
    "MultiViewNetwork",
    "NoiseSource",
    "PredictionType",
    "Schedule",
    "ViewCodec",
]


@dataclass(frozen=True)
class Condition:
    """What a network is told about a batch of pictures.

    Attributes:
        picture: (B, C, h, w) the picture as the network reads it: latent (full) or pixels in [-1, 1] (small).
            None for the full model means that no reference is attended at all (Zero123++'s
            ``is_cfg_guidance``).
        text: (B, T, E) cross-attention states of the full model; None for the small.
        keep: (B,) bool, False where the small model's condition is dropped; None keeps all.
    """

    picture: Tensor | None
    text: Tensor | None = None
    keep: Tensor | None = None

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> Condition:
        """Moved, and its floating tensors cast."""
        picture, text = (
            None if x is None else x.to(device=device, dtype=dtype) for x in (self.picture, self.text)
        )
        return replace(
            self, picture=picture, text=text, keep=None if self.keep is None else self.keep.to(device=device)
        )

    def expand(self, count: int) -> Condition:
        """Every item ``count`` times in a row: (B, ...) -> (B * count, ...)."""
        parts = (
            None if x is None else x.repeat_interleave(count, 0) for x in (self.picture, self.text, self.keep)
        )
        return Condition(*parts)

    def joins(self, other: Condition) -> bool:
        """Whether :meth:`join` is possible: the same tensors and, but for the batch, of the same shapes."""
        pairs = ((self.picture, other.picture), (self.text, other.text))
        return all(
            (a is None and b is None) or (a is not None and b is not None and a.shape[1:] == b.shape[1:])
            for a, b in pairs
        )

    def join(self, other: Condition) -> Condition:
        """Both batches in one, self first."""
        return Condition(
            _cat(self.picture, other.picture),
            _cat(self.text, other.text),
            None if self.keep is None and other.keep is None else torch.cat([self._kept(), other._kept()]),
        )

    def _kept(self) -> Tensor:
        """``keep``, spelled out."""
        if self.keep is not None:
            return self.keep
        like = self.picture if self.picture is not None else self.text
        assert like is not None
        return torch.ones(len(like), dtype=torch.bool, device=like.device)


def _cat(first: Tensor | None, second: Tensor | None) -> Tensor | None:
    return None if first is None or second is None else torch.cat([first, second.to(first)])


@dataclass(frozen=True)
class ConditionState:
    """The result of a write pass: named tensors whose first dimension is the batch; what ``predict`` reads.

    The full model stores the tokens of every self-attention by its name, and ``text``; the small model what
    it likes.
    """

    tensors: Mapping[str, Tensor]

    @property
    def batch(self) -> int:
        return next(iter(self.tensors.values())).shape[0]

    def map(self, function: Callable[[Tensor], Tensor]) -> ConditionState:
        """A state with ``function`` applied to every tensor."""
        return ConditionState({name: function(value) for name, value in self.tensors.items()})

    def expand(self, count: int) -> ConditionState:
        """Every item ``count`` times in a row, (B, ...) -> (B * count, ...): many seeds of one
        picture as one batch.
        """
        return self if count == 1 else self.map(lambda x: x.repeat_interleave(count, 0))

    def detach(self) -> ConditionState:
        return self.map(Tensor.detach)

    def joins(self, other: ConditionState) -> bool:
        """Whether :meth:`join` is possible: the same names and, but for the batch, the same shapes."""
        mine, theirs = self.tensors, other.tensors
        return mine.keys() == theirs.keys() and all(mine[k].shape[1:] == theirs[k].shape[1:] for k in mine)

    def join(self, other: ConditionState) -> ConditionState:
        """Both batches in one, self first."""
        return ConditionState(
            {name: torch.cat([value, other.tensors[name]]) for name, value in self.tensors.items()}
        )


class MultiViewNetwork(Protocol):
    """Noisy views, timestep, condition, prediction type -> prediction. Implementations are
    ``torch.nn.Module``s.

    Attributes:
        native_prediction: what the network itself was trained to predict.
        schedule: the noise schedule it was trained with.
        sample_shape: shape of one x_t without the batch: (4, 3h, 2w) or (6, 3, S, S).
        noised_reference: True for a network whose reference is noised to the level of x_t (Zero123++), so
            that every sampling step needs its own write pass; False where the reference is clean (GECO's
            generator, the small model).
    """

    native_prediction: PredictionType
    schedule: Schedule
    sample_shape: tuple[int, ...]
    noised_reference: bool

    def encode_condition(
        self, condition: Condition, t: Tensor | None = None, noise: Tensor | None = None
    ) -> ConditionState:
        """The write pass.

        Args:
            condition: of batch B.
            t: (B,) or () timesteps of a noised reference; None for a clean one. Without ``noise`` the picture
                stays clean and is only written at ``t`` (Zero123++; the small network refuses that).
            noise: standard normal, shape of condition.picture; never without ``t``.
        """

    def predict(
        self, x_t: Tensor, t: Tensor, state: ConditionState, prediction_type: PredictionType
    ) -> Tensor:
        """The read pass: prediction of ``prediction_type`` for x_t (B, *sample_shape) at t (B,) given a state
        of batch B.

        The result has x_t's shape; float32 when a conversion was needed.
        """


class ViewCodec(Protocol):
    """Between pictures and what the network works on.

    Attributes:
        background: grey level in [0, 1] that the model's pictures stand on: 1, or 127 / 255 for the original
            Zero123++.
        on_host: whether :meth:`condition` wants its pictures on the host and sends what it makes of them to
            the networks' device itself.
    """

    background: float
    on_host: bool

    def condition(self, picture: Tensor, noise: NoiseSource | None = None) -> Condition:
        """picture (B, 3, H, W) in [0, 1] over ``background`` -> Condition.

        ``noise`` feeds a VAE's posterior sample (public pipelines); None takes its mean, so nothing is
        random.
        """

    def unconditional(self, condition: Condition, noise: NoiseSource | None = None) -> Condition:
        """What guidance pushes away from, of ``condition``'s batch and sizes."""

    def encode(self, views: Tensor, noise: NoiseSource | None = None) -> Tensor:
        """views (B, 6, 3, S, S) in [0, 1] -> x0 (B, *sample_shape), for training."""

    def decode(self, x0: Tensor) -> Tensor:
        """x0 (B, *sample_shape) -> views (B, 6, 3, S, S) in [0, 1]. Differentiable."""
