"""Backends draw views with other settings than their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from geco.pipeline import GecoPipeline
from geco.sampling import Sampling, Steering


def test_the_embedded_model_takes_other_settings() -> None:
    backend = GecoPipeline.from_pretrained("small").backend
    own = backend.sampling
    assert own == Sampling(truncation=0.3) and backend.distilled
    picture = np.ones((96, 96, 3), np.float32)
    picture[24:72, 24:72] = [0.8, 0.2, 0.1]
    default = backend.generate([picture], [3])
    np.testing.assert_array_equal(backend.generate([picture], [3], own), default)
    sampled = [Sampling("ddim", *how, clip=1.0) for how in ((2,), (2, 1.0, 1.0), (3, 1.5, 1.0))]
    for other in (Sampling(guidance_scale=1.5), *sampled):
        views = backend.generate([picture], [3], other)
        assert views.shape == default.shape and views.min() >= 0 and views.max() <= 1
        assert np.abs(views - default).max() > 0.01, other
    # asking for others changes nothing
    np.testing.assert_array_equal(backend.generate([picture], [3]), default)


def test_torch_models_take_other_settings(tmp_path: Path) -> None:
    from geco.torch_runtime.backend import TorchBackend
    from tests.torch_runtime.build import small_folder

    backend = GecoPipeline.from_pretrained(small_folder(tmp_path / "model"), device="cpu").backend
    assert isinstance(backend, TorchBackend) and not backend.distilled
    size = backend.card.picture_size
    picture = np.random.default_rng(0).random((size, size, 3)).astype(np.float32)
    own = np.asarray(backend.generate([picture], [1]))
    np.testing.assert_array_equal(backend.generate([picture], [1], backend.sampling), own)
    assert np.abs(np.asarray(backend.generate([picture], [1], Sampling("ddim", 5))) - own).max() > 1e-3
    backend.sampling = Sampling()
    assert backend.distilled


def test_a_method_with_a_truncation_of_its_own() -> None:
    from geco.evaluate.job import Job
    from geco.evaluate.methods import parse_methods
    from geco.evaluate.worker import Worker

    picture = np.zeros((96, 96, 4), np.float32)
    picture[24:72, 24:72] = [0.8, 0.2, 0.1, 1]
    with_noise, without = (Worker(method, ("bare",)) for method in parse_methods(["geco@1", "geco@0"]))
    try:
        first, other = (with_noise.ask(Job(picture, seed)).views for seed in (0, 1))
        assert first is not None and other is not None and np.abs(first - other).max() > 0.01
        assert with_noise.facts["sampling"]["truncation"] == 1
        first, other = (without.ask(Job(picture, seed)).views for seed in (0, 1))
        assert first is not None and other is not None and np.abs(first - other).max() < 1e-4
    finally:
        with_noise.close(), without.close()


def test_a_teacher_is_steered_in_its_own_process(tmp_path: Path) -> None:
    from geco.errors import ConfigError
    from geco.evaluate.methods import parse_methods
    from geco.evaluate.worker import _Runner
    from tests.torch_runtime.build import small_folder

    folder = small_folder(tmp_path / "model")
    (method,) = parse_methods([f"teacher-3={folder}"], asked=Steering(guidance=2.5))
    facts = _Runner(method, ("bare",), "cpu").facts
    assert facts["sampling"] == Sampling("ddim", 3, 2.5, clip=1.0).to_dict()
    (method,) = parse_methods([f"teacher-3@noised={folder}"])
    with pytest.raises(ConfigError, match="clean reference alone"):
        _Runner(method, ("bare",), "cpu")
