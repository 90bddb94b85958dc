"""Classifier-free guidance: push the prediction away from what the network says without the picture."""

from __future__ import annotations

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


def guided(
    network: MultiViewNetwork,
    x_t: Tensor,
    t: Tensor,
    state: ConditionState,
    unconditional: ConditionState | None,
    scale: float,
    prediction_type: PredictionType,
) -> Tensor:
    """u + scale * (c - u), where u and c are the predictions without and with the picture.

    Args:
        x_t: (B, *sample_shape). t: (B,).
        state, unconditional: of batch B; without ``unconditional``, or at scale 1, one plain prediction is
            made.
        scale: Zero123++'s default is 4; its rescaling of the result is off (0) and not offered.

    Both predictions run as one batch where the two states have the same tensors, else one after the other.
    """
    if unconditional is None or scale == 1.0:
        return network.predict(x_t, t, state, prediction_type)
    if unconditional.joins(state):
        both = network.predict(
            torch.cat([x_t, x_t]), torch.cat([t, t]), unconditional.join(state), prediction_type
        )
        without, with_picture = both.chunk(2)
    else:
        without = network.predict(x_t, t, unconditional, prediction_type)
        with_picture = network.predict(x_t, t, state, prediction_type)
    return without + scale * (with_picture - without)
