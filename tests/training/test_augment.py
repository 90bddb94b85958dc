"""Augmentations change what they say and leave cameras alone."""

from __future__ import annotations

import torch

from geco.training.augment import composite, photograph, recolor


def sample(batch: int = 64) -> tuple[torch.Tensor, torch.Tensor]:
    """An object whose every picture is one flat colour inside a square."""
    generator = torch.Generator().manual_seed(0)
    color = torch.rand(batch, 3, 1, 1, generator=generator)
    picture = torch.zeros(batch, 4, 16, 16)
    picture[:, :3] = color
    picture[:, 3, 4:12, 4:12] = 1
    return picture, picture[:, None].repeat(1, 6, 1, 1, 1)


def test_recolor_is_one_change_for_all_pictures_of_an_object() -> None:
    condition, targets = sample()
    generator = torch.Generator().manual_seed(1)
    changed, views = recolor(condition, targets, generator)
    assert torch.equal(changed[:, 3], condition[:, 3]) and torch.equal(views[:, :, 3], targets[:, :, 3])
    torch.testing.assert_close(views, changed[:, None].expand_as(views))
    untouched = (changed - condition).abs().flatten(1).max(1).values < 1e-4
    assert 0.1 < untouched.float().mean() < 0.6
    sorted_before, sorted_after = condition[:, :3, 0, 0].sort().values, changed[:, :3, 0, 0].sort().values
    permuted = ~untouched & ((sorted_before - sorted_after).abs().max(1).values < 1e-4)
    assert permuted.any()


def test_photograph_keeps_the_object_in_the_frame_and_its_colour_near() -> None:
    condition, _ = sample(128)
    changed = photograph(condition, torch.Generator().manual_seed(2))
    assert changed.shape == condition.shape and torch.isfinite(changed).all()
    area = changed[:, 3].sum((1, 2)) / condition[:, 3].sum((1, 2))
    assert area.min() > 0.8 and area.max() < 1.25
    middle = (changed[:, :3, 8, 8] - condition[:, :3, 8, 8]).abs()
    assert 0.01 < middle.mean() < 0.15 and middle.max() < 0.35
    assert (changed[:, 3] >= -1e-6).all() and (changed[:, 3] <= 1 + 1e-6).all()
    again = photograph(condition, torch.Generator().manual_seed(2))
    assert torch.equal(changed, again)


def test_composite_is_over_white() -> None:
    picture = torch.tensor([0.2, 0.4, 0.6, 0.5])[:, None, None].expand(4, 2, 2)
    torch.testing.assert_close(composite(picture)[:, 0, 0], torch.tensor([0.6, 0.7, 0.8]))
