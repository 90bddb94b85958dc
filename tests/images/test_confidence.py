"""How likely a cut-out is right: higher where it is, in words where it is not."""

from __future__ import annotations

import numpy as np
import pytest

from geco.images import cut_out, load_picture
from geco.images.confidence import DOUBTFUL, LOST, REASONS, WEIGHTS, judge
from tests.cases import BUGS
from tests.images.pictures import backdrop, clutter, disc, iou, opaque, over, textured

SIZE = 240


def random() -> np.random.Generator:
    return np.random.default_rng(11)


def test_a_clear_object_on_a_plain_background_is_believed() -> None:
    cut = cut_out(opaque(over(disc(SIZE, 0.3), textured(SIZE, random()), np.ones((SIZE, SIZE, 3)))))
    assert cut.confidence > 0.9 and cut.doubt is None


def test_the_confidence_falls_with_the_contrast() -> None:
    truth = disc(SIZE, 0.3)
    found = []
    for difference in (0.6, 0.3, 0.15, 0.08, 0.03):
        grey = np.full((SIZE, SIZE, 3), 0.9)
        found.append(cut_out(opaque(over(truth, grey - difference, grey))).confidence)
    assert found == sorted(found, reverse=True) and found[0] > 0.8 and found[-1] < DOUBTFUL


def test_right_cuts_are_believed_more_than_wrong_ones() -> None:
    right, wrong = [], []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        truth = disc(SIZE, rng.uniform(0.15, 0.35), *rng.uniform(0.35, 0.65, 2))
        color = tuple(rng.uniform(0.1, 1, 3))
        for back in (backdrop(SIZE, color, "gradient", rng), clutter(SIZE, rng)):  # type: ignore[arg-type]
            cut = cut_out(opaque(over(truth, textured(SIZE, rng), back)))
            (right if iou(cut.rgba[..., 3], truth) > 0.9 else wrong).append(cut.confidence)
    assert len(right) >= 8 and float(np.mean(right)) > 0.6
    assert not wrong or float(np.mean(wrong)) < float(np.mean(right)) - 0.15


def test_what_is_doubtful_says_why() -> None:
    truth = disc(SIZE, 0.5, x=0.8, y=0.8)
    cut = cut_out(opaque(over(truth, textured(SIZE, random()), np.ones((SIZE, SIZE, 3)))))
    assert cut.confidence < DOUBTFUL and cut.doubt == "the object touches the frame"
    mug = cut_out(load_picture(BUGS / "cutout" / "white_mug_on_white.png"))
    assert mug.confidence < DOUBTFUL and mug.doubt is not None and "hardly differ" in mug.doubt


@pytest.mark.parametrize("method", sorted(WEIGHTS))
def test_every_confidence_is_a_probability_and_every_low_one_has_a_reason(method: str) -> None:
    rng = random()
    for _ in range(60):
        height, width = (int(side) for side in rng.integers(16, 200, 2))
        image = rng.random((3, height, width)).astype(np.float32) ** rng.choice([0.1, 1])
        mask = rng.random((height, width)) < rng.choice([0.001, 0.5, 0.999])
        mask[: height // 3] |= rng.random() < 0.3
        confidence, doubt = judge(method, image, mask, float(rng.random()), float(rng.random()))
        assert 0 <= confidence <= 1
        assert (doubt is not None) == (confidence < DOUBTFUL)
        assert doubt is None or doubt in {*REASONS.values(), LOST}


def test_alpha_and_the_whole_picture_are_taken_at_their_word() -> None:
    rgba = np.dstack([textured(SIZE, random()), disc(SIZE, 0.3)]).astype(np.float32)
    for method in ("alpha", "none"):
        cut = cut_out(rgba, method)
        assert cut.facts() == {"cutout": method, "cutout_confidence": 1.0, "cutout_doubt": None}


def test_the_same_picture_has_the_same_facts() -> None:
    picture = opaque(over(disc(SIZE, 0.3), textured(SIZE, random()), clutter(SIZE, random())))
    assert cut_out(picture).facts() == cut_out(picture).facts()
