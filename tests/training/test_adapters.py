"""Low-rank adapters: whatever their rank, an update counts as much."""

from __future__ import annotations

import pytest

from geco.training.adapters import RANK, SCALE, SharedBackbone
from tests.training.build import tiny_teacher


@pytest.mark.parametrize("rank", [4, RANK])
def test_the_scale_of_an_update_does_not_depend_on_the_rank(rank: int) -> None:
    pytest.importorskip("peft")
    backbone = SharedBackbone(tiny_teacher(), ("student",), rank)
    scales = {scale for layer in backbone._layers for scale in layer.scaling.values()}
    assert scales == {SCALE} and pytest.approx(108 / 64) == SCALE
