"""TripoSR's rows; its network needs torch alone."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from benchmarks.gpu_rows import Measurable
from benchmarks.gpu_where import Where
from geco.reconstruct.triposr.config import RELEASED, TripoSRConfig
from geco.reconstruct.triposr.model import TripoSR
from geco.reconstruct.vit_config import ViTConfig


def triposr_rows(where: Where) -> Iterator[Measurable]:
    """Picture to planes, planes to colours."""
    model = triposr_model(where)
    picture = where.random(1, 3, model.config.cond_image_size, model.config.cond_image_size)
    yield Measurable("TripoSR planes", lambda: model(picture))
    planes, points = model(picture).float(), where.random(1, 16_384, 3) / 3
    yield Measurable("TripoSR, colours of 16,384 points", lambda: model.color(planes, points))


def triposr_model(where: Where) -> TripoSR:
    """TripoSR, its decoder in float32 as its backend has it."""
    tiny = TripoSRConfig(
        cond_image_size=64,
        vit=ViTConfig(hidden_size=48, num_hidden_layers=2, num_attention_heads=3, intermediate_size=96),
        channels=64,
        heads=4,
        head_dim=16,
        layers=2,
        plane_size=8,
    )
    hollow_one = TripoSR.on_meta(RELEASED if where.size == "full" else tiny)
    model = where.made(hollow_one, where.dtype)
    assert isinstance(model, TripoSR)
    model.decoder = where.made(hollow_one.decoder, torch.float32)
    return model.eval().requires_grad_(False)
