"""The autoencoder's folder: back as it was, and every way it can be broken is an error with a remedy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from geco.errors import WeightsError
from geco.metrics.features.weights import load_autoencoder, load_distance, save_autoencoder
from geco.model_files.card import AUTOENCODER
from tests.metrics.features.build import CONFIG, network, pictures


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_autoencoder(network(), tmp_path / AUTOENCODER, "CC0-1.0", {"stage": "autoencoder"})
    return tmp_path / AUTOENCODER


def test_it_comes_back_as_it_was(folder: Path) -> None:
    loaded, (a, b) = load_autoencoder(folder), pictures(2, 16)
    assert loaded.config == CONFIG and not loaded.training
    assert torch.equal(loaded(a), network()(a))
    distance = load_distance(folder.parent)
    assert torch.equal(distance(a, b), load_distance(folder.parent)(a, b)) and not any(
        p.requires_grad for p in distance.parameters()
    )
    card = json.loads((folder / "config.json").read_text())
    assert card["licence"] == "CC0-1.0" and card["facts"] == {"stage": "autoencoder"}


def rewrite(folder: Path, **changes: Any) -> None:
    card = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**card, **changes}))


def test_what_is_broken_is_named(folder: Path) -> None:
    good = (folder / "config.json").read_text()
    for changes, message in (
        ({"format": "geco-other"}, "geco-other"),
        ({"config": {"widths": [4]}}, "at least 2"),
        ({"config": {"width": 4}}, "'width'"),
        ({"config": {"widths": "wide"}}, "no list"),
        ({"config": None}, "no object"),
        ({"config": {"widths": [4, 6, 9], "blocks": 1, "latent": 2}}, "shape"),
        ({"config": {"widths": [4, 6, 8], "blocks": 2, "latent": 2}}, "lacks"),
        ({"files": {}}, "manifest"),
    ):
        (folder / "config.json").write_text(good)
        rewrite(folder, **changes)
        with pytest.raises(WeightsError, match=message):
            load_autoencoder(folder)
    (folder / "config.json").write_text(good)
    path = folder / "network.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:-7])
    with pytest.raises(WeightsError, match="truncated"):
        load_autoencoder(folder)
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(WeightsError, match="damaged"):
        load_autoencoder(folder)
    path.unlink()
    with pytest.raises(WeightsError, match="missing"):
        load_autoencoder(folder)


def test_another_folder_is_not_a_run_of_this_stage(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(WeightsError, match="geco train autoencoder"):
            load_distance(folder)
