"""Classifier-free guidance: push the prediction away from what the network says without the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from geco.multiview.interface import (
    Condition,
    ConditionState,
    MultiViewNetwork,
    PredictionType,
    ViewCodec,
)


def without_picture(codec: ViewCodec, condition: Condition, scale: float) -> Condition | None:
    """What guidance at ``scale`` pushes away from; None at scale 1, which is no guidance."""
    return None if scale == 1.0 else codec.unconditional(condition)


def dropped(codec: ViewCodec, condition: Condition, keep: Tensor) -> Condition:
    """``condition`` where ``keep`` (B,) bool says so, elsewhere what guidance pushes away from."""
    without = codec.unconditional(condition)
    if without.keep is not None:
        return replace(condition, keep=keep)

    def chosen(kept: Tensor | None, other: Tensor | None) -> Tensor | None:
        if kept is None or other is None:
            return kept
        return torch.where(keep.reshape(-1, *(1,) * (kept.dim() - 1)), kept, other)

    return Condition(chosen(condition.picture, without.picture), chosen(condition.text, without.text))


def write(
    network: MultiViewNetwork,
    told: Sequence[Condition],
    t: Tensor | None = None,
    noise: Sequence[Tensor | None] = (),
) -> tuple[ConditionState, ...]:
    """The write pass of one condition, or of an unconditional one and the condition: as one batch, and as one
    state, where they join; else one after the other.

    Args:
        told: the conditional one last.
        t: (B,) of noised references. noise: of each, of its picture's shape.
    """
    if len(told) == 2 and told[0].joins(told[1]):
        draws = [part for part in noise if part is not None]
        if t is None or not draws:
            return (network.encode_condition(told[0].join(told[1])),)
        return (network.encode_condition(told[0].join(told[1]), torch.cat([t, t]), torch.cat(draws)),)
    states = []
    for each, part in zip(told, noise or [None] * len(told), strict=True):
        states.append(network.encode_condition(each, None if part is None else t, part))
    return tuple(states)


def read(
    network: MultiViewNetwork,
    x_t: Tensor,
    t: Tensor,
    states: Sequence[ConditionState],
    scale: float,
    prediction_type: PredictionType,
) -> Tensor:
    """u + scale * (c - u), where u and c are the predictions without and with the picture; c at scale 1.

    Args:
        x_t: (B, *sample_shape). t: (B,).
        states: of :func:`write`, of batch B each, or of 2 B where there is one for both.
        scale: Zero123++'s default is 4; its rescaling of the result is off (0) and not offered.

    Both predictions run as one batch where they have one state, else one after the other.
    """
    if scale == 1.0:
        return network.predict(x_t, t, states[-1], prediction_type)
    if len(states) == 1:
        both = network.predict(torch.cat([x_t, x_t]), torch.cat([t, t]), states[0], prediction_type)
        without, with_picture = both.chunk(2)
    else:
        without, with_picture = (network.predict(x_t, t, state, prediction_type) for state in states)
    return without + scale * (with_picture - without)


def guided(
    network: MultiViewNetwork,
    x_t: Tensor,
    t: Tensor,
    state: ConditionState,
    unconditional: ConditionState | None,
    scale: float,
    prediction_type: PredictionType,
) -> Tensor:
    """:func:`read` of two states that were written apart, each of batch B; one plain prediction without
    ``unconditional``.
    """
    if unconditional is None or scale == 1.0:
        return read(network, x_t, t, [state], 1.0, prediction_type)
    joined = unconditional.joins(state)
    states = [unconditional.join(state)] if joined else [unconditional, state]
    return read(network, x_t, t, states, scale, prediction_type)
