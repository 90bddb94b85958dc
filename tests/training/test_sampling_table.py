"""The table's numbers on pictures whose scores are known."""

from __future__ import annotations

import math

import pytest
import torch
from benchmarks.sampling_table import passes, resize, scores, variation

from geco.sampling import Sampling
from geco.training.augment import composite


def squares() -> torch.Tensor:
    """Two objects, six views each: a red and a white square of 8 x 8 in 16 x 16."""
    targets = torch.zeros(2, 6, 4, 16, 16)
    targets[:, :, 3, 4:12, 4:12] = 1
    targets[0, :, 0] = 1
    targets[1, :, :3] = 1
    return targets


def test_truth_is_perfect_and_a_shift_is_counted() -> None:
    targets = squares()[:1]
    truth = composite(targets)
    perfect = scores(truth, targets)
    assert perfect["iou"] == 1 and perfect["area"] == 1 and perfect["psnr"] == pytest.approx(100, abs=1e-3)
    shifted = scores(truth.roll(4, dims=-1), targets)
    assert shifted["iou"] == pytest.approx(1 / 3) and shifted["area"] == 1
    # half of the square's pixels are white instead of red: two of three channels are wrong by 1
    assert shifted["object_psnr"] == pytest.approx(-10 * math.log10(0.5 * 2 / 3), abs=1e-4)
    assert shifted["psnr"] == pytest.approx(-10 * math.log10(2 * 32 / 256 * 2 / 3), abs=1e-4)


def test_scores_are_means_over_objects() -> None:
    targets = squares()
    views = composite(targets)
    views[0] = 1  # the red square missing entirely
    views[1, :, :, 0, 0] = 0  # a black speck on nothing: the white square has no silhouette of its own
    result = scores(views, targets)
    assert result["iou"] == 0 and result["area"] == pytest.approx(1 / 64)


def test_passes() -> None:
    assert passes(Sampling("ddim", 4)) == 4 and passes(Sampling("ddim", 4, 1.5)) == 8


def test_a_blur_loses_sharpness_and_equal_seeds_do_not_vary() -> None:
    targets = squares()[:1]
    truth = composite(targets)
    soft = torch.nn.functional.avg_pool2d(truth.flatten(0, 1), 3, 1, 1, count_include_pad=False).reshape(
        truth.shape
    )
    assert scores(truth, targets)["sharpness"] == pytest.approx(1)
    # a step of 1 becomes three steps of 1/3: a third of the energy, a little less at the corners
    assert 0.2 < scores(soft, targets)["sharpness"] < 1 / 3 + 1e-6
    assert variation(truth, truth) == 0 and variation(truth, truth + 0.1) == pytest.approx(0.1, abs=1e-6)


def test_pictures_of_another_size_keep_what_they_show() -> None:
    truth = composite(squares())
    assert torch.equal(resize(truth, 16), truth)
    large = resize(truth, 32)
    assert large.shape == (2, 6, 3, 32, 32)
    # its edge is blurred by a pixel on either side: 32 x 32 of at most 34 x 34
    targets = squares()[:1].repeat_interleave(4, dim=-1).repeat_interleave(4, dim=-2)
    again = resize(resize(composite(targets), 128), 64)
    assert (32 / 34) ** 2 - 1e-6 < scores(again, targets)["iou"] <= 1
    inside = resize(truth[:, 0], 8)[0, :, 3:5, 3:5]  # the middle of the red square
    assert inside[0].min() > 0.99 and inside[1:].max() < 0.01
