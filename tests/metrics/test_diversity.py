"""Diversity over seeds on samples whose spread is known."""

from __future__ import annotations

import numpy as np
import pytest

from geco.cameras import ZERO123PLUS_V11, ZERO123PLUS_V12
from geco.metrics.diversity import diversity, pairwise_variation, side_of
from geco.metrics.perceptual import pyramid_distance

AZIMUTHS = ZERO123PLUS_V12.azimuths


def samples_with(offsets: list[float], views: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Flat grey truth (6, 16, 16, 3); sample k is brighter by offsets[k] in ``views`` only."""
    truth = np.full((6, 16, 16, 3), 0.4, np.float32)
    samples = np.repeat(truth[None], len(offsets), axis=0)
    for sample, offset in zip(samples, offsets):
        sample[views] += offset
    return samples, truth


@pytest.mark.parametrize("rig", [ZERO123PLUS_V12, ZERO123PLUS_V11])
def test_the_sides_of_the_rigs(rig) -> None:
    sides = side_of(rig.azimuths)
    assert np.asarray(rig.azimuths)[sides["input"]].tolist() == [30, 330]
    assert np.asarray(rig.azimuths)[sides["far"]].tolist() == [150, 210]
    assert side_of([-30, 390, 190, -90, 450])["input"].tolist() == [True, True, False, False, False]


def test_equal_samples_have_no_variation() -> None:
    samples, truth = samples_with([0.1, 0.1, 0.1], [0, 1, 2, 3, 4, 5])
    found = diversity(samples, AZIMUTHS, truth)
    assert all(found[f"{side}_{kind}"] == 0 for side in ("input", "far") for kind in ("rmse", "pyramid"))
    assert found["far_psnr"] == pytest.approx(20, abs=1e-4) == found["far_psnr_best"]


def test_variation_is_the_mean_over_pairs_and_stays_on_its_side() -> None:
    samples, truth = samples_with([0.0, 0.1, 0.3], [2, 3])  # azimuths 150 and 210
    found = diversity(samples, AZIMUTHS, truth)
    assert found["far_rmse"] == pytest.approx((0.1 + 0.3 + 0.2) / 3, abs=1e-6)
    assert found["input_rmse"] == 0 and found["input_psnr"] == 100
    assert found["far_psnr"] == pytest.approx((100 + 20 - 20 * np.log10(0.3)) / 3, abs=1e-3)
    assert found["far_psnr_best"] == 100


def test_the_best_sample_is_one_sample_not_the_best_of_each_view() -> None:
    truth = np.full((6, 16, 16, 3), 0.4, np.float32)
    samples = np.repeat(truth[None], 2, axis=0)
    samples[0, 2] += 0.1  # each sample is wrong in one of the two far views
    samples[1, 3] += 0.1
    assert diversity(samples, AZIMUTHS, truth)["far_psnr_best"] == pytest.approx(60, abs=1e-3)


def test_pairs_by_view_are_those_of_the_distances() -> None:
    samples = np.random.default_rng(0).random((3, 2, 16, 16, 3), np.float32)
    found = pairwise_variation(samples)
    for view in range(2):
        a, b, c = samples[:, view]
        wanted = np.mean([pyramid_distance(a, b), pyramid_distance(a, c), pyramid_distance(b, c)])
        assert found["pyramid"][view] == pytest.approx(wanted, abs=1e-9)
    shuffled = pairwise_variation(samples[[2, 0, 1]])
    np.testing.assert_allclose(shuffled["rmse"], found["rmse"], atol=1e-9)


def test_rigs_without_a_side_and_wrong_shapes() -> None:
    samples, truth = samples_with([0.0, 0.1], [0])
    assert np.isnan(diversity(samples, [0] * 6)["far_rmse"])
    for wrong in (samples[:1], samples[0]):
        with pytest.raises(ValueError, match="at least two samples"):
            diversity(wrong, AZIMUTHS)
    with pytest.raises(ValueError, match="azimuths"):
        diversity(samples, AZIMUTHS[:5])
    with pytest.raises(ValueError, match="true views"):
        diversity(samples, AZIMUTHS, truth[:, :8])
