"""The small reconstructor on torch, asked in numpy: the same fields as those of the exported graphs."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from geco.reconstruct.small.fields import SmallFields
from geco.reconstruct.small.model import SceneFeatures, SmallReconstructor
from geco.types import Floats


def fields_of(model: SmallReconstructor, features: SceneFeatures) -> SmallFields:
    """The fields of one object, without gradients.

    Args:
        model: in evaluation mode.
        features: of one object (batch 1), on the model's device.
    """
    features = SceneFeatures(*(part.detach() for part in features))

    @torch.no_grad()
    def ask(field: Callable[[SceneFeatures, Tensor], Tensor], points: Floats) -> Floats:
        where = torch.from_numpy(points)[None].to(features.volume.device)
        answer: Floats = field(features, where)[0].float().cpu().numpy()
        return answer

    return SmallFields(
        (features.volume[0, 0] * 0.1).cpu().numpy(),
        lambda points: ask(model.sdf, points),
        lambda points: ask(model.color, points).clip(0, 1),
        model.config.half_extent,
    )
