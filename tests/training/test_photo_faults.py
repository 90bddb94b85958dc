"""What is put onto condition pictures as photos have it."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from geco.training.augment import Jitter, photograph
from geco.training.photo_faults import DARKEST, jpeg, miscut, shade


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def uniform_of(batch: int, generator: torch.Generator) -> Callable[..., Tensor]:
    return lambda low, high, *shape: low + (high - low) * torch.rand(batch, *shape, generator=generator)


def test_a_shadow_darkens_one_side_and_no_more_than_it_may() -> None:
    white = torch.ones(64, 3, 32, 32)
    shaded = shade(white, uniform_of(64, rng()))
    assert shaded.max() <= 1 and shaded.min() >= 1 - DARKEST - 1e-6
    torch.testing.assert_close(shaded[:, :1].expand_as(shaded), shaded)  # of all channels alike
    lit, dark = shaded.flatten(1).max(1).values, shaded.flatten(1).min(1).values
    assert (lit > 0.98).float().mean() > 0.7 and ((lit - dark) > 0.1).float().mean() > 0.6


def test_a_wrong_cut_out_moves_the_edge_and_leaves_the_inside() -> None:
    alpha = torch.zeros(64, 1, 32, 32)
    alpha[:, :, 8:24, 8:24] = 1
    rgb = torch.full((64, 3, 32, 32), 0.25) * alpha
    color, found = miscut(rgb, alpha, uniform_of(64, rng(1)), rng(2))
    assert (found[:, :, 12:20, 12:20] > 0.99).all()  # well inside
    outside = torch.ones(32, 32, dtype=torch.bool)
    outside[4:28, 4:28] = False
    assert (found[:, 0, outside] < 0.01).all()
    assert ((found < 0.5) & (alpha > 0)).flatten(1).any(1).float().mean() > 0.9  # eaten
    kept = (found > 0.5) & (alpha == 0)
    assert kept.flatten(1).any(1).float().mean() > 0.9
    # What is kept has the background's one colour, what was there its own.
    spread = [color[i][:, kept[i, 0]].std(dim=1).max() for i in range(64) if kept[i].sum() > 1]
    assert max(spread) < 1e-6
    torch.testing.assert_close(color * alpha, rgb)


@pytest.mark.parametrize("quality", [35, 50, 80])
def test_the_loss_is_that_of_jpeg_itself(quality: int) -> None:
    """A grey picture, as Pillow's own encoder loses it."""
    steps = np.add.outer(np.sin(np.arange(32) / 3), np.cos(np.arange(32) / 2))
    grey = np.clip(128 + 50 * steps + np.random.default_rng(0).normal(0, 12, (32, 32)), 0, 255).astype(
        np.uint8
    )
    stream = io.BytesIO()
    Image.fromarray(grey).save(stream, "JPEG", quality=quality)
    truth = np.asarray(Image.open(stream)).astype(np.float32)
    picture = torch.from_numpy(grey.astype(np.float32) / 255).expand(1, 3, 32, 32)
    ours = (
        jpeg(picture, lambda low, high, *shape: torch.full((1, *shape), float(quality)))[0, 0].numpy() * 255
    )
    lost = float(np.sqrt(np.mean((grey - truth) ** 2)))
    assert np.sqrt(np.mean((ours - truth) ** 2)) < 0.25 * lost and lost > 2


def test_what_fills_no_block_stays() -> None:
    picture = torch.rand(2, 3, 20, 20, generator=rng())
    lossy = jpeg(picture, uniform_of(2, rng(1)))
    torch.testing.assert_close(lossy[..., 16:, :], picture[..., 16:, :])
    assert (lossy[..., :16, :16] - picture[..., :16, :16]).abs().mean() > 0.02
    small = torch.rand(1, 3, 6, 6, generator=rng())
    assert jpeg(small, uniform_of(1, rng())) is small


def test_faults_come_to_their_share_of_the_pictures() -> None:
    condition = torch.zeros(128, 4, 32, 32)
    condition[:, :3, 8:24, 8:24] = torch.rand(128, 3, 16, 16, generator=rng())
    condition[:, 3, 8:24, 8:24] = 1
    still = {"exposure": 0.0, "contrast": 0.0, "balance": 0.0, "moved": 0.0, "soft": 0.0}
    for name in ("shaded", "miscut", "lossy"):
        changed = photograph(condition, rng(3), Jitter(**still, **{name: 0.4}))
        assert changed.shape == condition.shape and torch.isfinite(changed).all()
        over_white = changed[:, :3] * changed[:, 3:] + 1 - changed[:, 3:]
        before = condition[:, :3] * condition[:, 3:] + 1 - condition[:, 3:]
        touched = (over_white - before).abs().flatten(1).max(1).values > 0.02
        assert 0.25 < touched.float().mean() < 0.55, name
    untouched = photograph(condition, rng(3), Jitter(**still))
    torch.testing.assert_close(untouched, condition, rtol=0, atol=1e-6)
