"""The losses of every stage's first steps are the stored ones: a change of what is computed does
not go unseen.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from geco.recipes.recipe import Recipe, Stage
from geco.recipes.tiny import tiny
from tests.training.record_curves import STAGES, STORED, Curves, Stages

# Largest relative difference. Measured with torch, oneDNN and MKL held to SSE4 and to AVX2 against AVX-512:
# 1.1e-3 where Muon trains (its iteration is in bfloat16), 1.5e-3 (SSE4 against AVX2) in the autoencoder,
# where Adam trains layers that begin at zero, 3e-6 in the others. Every change below moves a loss by four
# times the tolerance or more.
TOLERANCE: dict[Stage, float] = {
    "teacher": 4e-3,
    "reconstructor": 4e-3,
    "regressor": 4e-3,
    "pixelnerf": 4e-3,
    "autoencoder": 5e-3,
    "stage1": 1e-4,
    "stage2": 1e-4,
}

Change = Callable[[Recipe], Recipe]
CHANGES: dict[str, tuple[Stage, Change]] = {
    "teacher: opacity_weight": (
        "teacher",
        lambda r: replace(r, teacher=replace(r.teacher, opacity_weight=0.25)),
    ),
    "autoencoder: gradient": (
        "autoencoder",
        lambda r: replace(r, autoencoding=replace(r.autoencoding, gradient=1.05)),
    ),
    "reconstructor: inside_weight": (
        "reconstructor",
        lambda r: replace(r, reconstruction=replace(r.reconstruction, inside_weight=2.2)),
    ),
    "regressor: inside_weight": (
        "regressor",
        lambda r: replace(r, regression=replace(r.regression, inside_weight=2.2)),
    ),
    "pixelnerf: mask_weight": (
        "pixelnerf",
        lambda r: replace(r, radiance=replace(r.radiance, mask_weight=0.55)),
    ),
    "reconstructor: color_weight": (
        "reconstructor",
        lambda r: replace(r, reconstruction=replace(r.reconstruction, color_weight=3.3)),
    ),
    "stage1: weighting": ("stage1", lambda r: replace(r, stage1=replace(r.stage1, weighting="sigma2"))),
    "stage1: guidance": ("stage1", lambda r: replace(r, stage1=replace(r.stage1, guidance_scale=1.51))),
    "stage2: perceptual": ("stage2", lambda r: replace(r, stage2=replace(r.stage2, perceptual=2.01))),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("curves")


def farthest(stage: Stage, curves: Curves) -> float:
    """Largest relative difference from the stored losses."""
    stored = json.loads(STORED.read_text())[stage]
    assert curves.keys() == stored.keys()
    return max(float(np.max(np.abs(np.divide(curves[name], stored[name]) - 1))) for name in stored)


@pytest.mark.parametrize("stage", STAGES)
def test_losses_are_the_stored_ones(stage: Stage, folder: Path) -> None:
    assert farthest(stage, Stages(folder).losses(stage)) < TOLERANCE[stage]


@pytest.mark.parametrize("stage", STAGES)
def test_another_learning_rate_is_seen(stage: Stage, folder: Path) -> None:
    assert farthest(stage, Stages(folder).losses(stage, faster=1.5)) > 4 * TOLERANCE[stage]


@pytest.mark.parametrize("name", CHANGES)
def test_another_weight_is_seen(name: str, folder: Path) -> None:
    stage, change = CHANGES[name]
    assert farthest(stage, Stages(folder, change(tiny())).losses(stage)) > 4 * TOLERANCE[stage]
