"""A generator whose views share a volume is exported as any other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from geco.model_files.card import Usage, write_model_card
from geco.multiview.interface import Condition
from geco.multiview.small.config import SmallConfig
from geco.multiview.small.network import SmallMultiView
from geco.multiview.small.weights import save_small
from geco.onnx_runtime.backend import OnnxBackend
from geco.onnx_runtime.card import ExportedModel
from geco.onnx_runtime.export import export_small
from geco.onnx_runtime.networks import SmallGenerator
from geco.pipeline import GecoPipeline
from geco.reconstruct.small.model import SmallReconstructor
from geco.sampling import Sampling
from tests.onnx_runtime.conftest import SIZE, USAGE, randomize


def test_the_exported_volume_gives_what_torch_gives(
    networks: tuple[SmallMultiView, SmallReconstructor], tmp_path: Path
) -> None:
    config = SmallConfig(
        size=SIZE, patch=2, channels=16, width=24, stages=1, heads=3, embedding=32, volume=8, volume_width=8
    )
    network = SmallMultiView(config).eval()
    randomize(network, 2)
    save_small(network, tmp_path / "torch" / "multiview")
    networks[1].save(tmp_path / "torch" / "reconstructor")
    write_model_card(tmp_path / "torch", "small", "test", USAGE.to_dict())
    card = export_small(tmp_path / "torch", tmp_path / "onnx")
    assert card["export_error"]["views"] < 2e-4
    generator = SmallGenerator(ExportedModel(tmp_path / "onnx"))
    rng = np.random.default_rng(0)
    picture = rng.random((SIZE, SIZE, 3), np.float32)
    x_t = rng.standard_normal((3, 6, 3, SIZE, SIZE), np.float32)  # another batch than at export
    told = torch.from_numpy(picture).permute(2, 0, 1)[None] * 2 - 1
    with torch.no_grad():
        state = network.encode_condition(Condition(told)).expand(3)
        wanted = network.predict(torch.from_numpy(x_t), torch.full((3,), 700), state, "x0").numpy()
    found = generator.denoise(picture, x_t, 700, 1.0)
    assert np.abs(found - wanted).max() < 1e-3 * np.abs(wanted).max()


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(guidance_scale=2.0, timestep=600, truncation=0.4),
        Sampling("ddim", 7, 3.0, 0.5, 1.0),
        Sampling("euler-ancestral", 4),
    ],
)
def test_the_exported_card_is_used_as_the_models_own(
    networks: tuple[SmallMultiView, SmallReconstructor], tmp_path: Path, sampling: Sampling
) -> None:
    save_small(networks[0], tmp_path / "torch" / "multiview")
    networks[1].save(tmp_path / "torch" / "reconstructor")
    usage = Usage(24, 128, sampling)
    write_model_card(tmp_path / "torch", "small", "test", usage.to_dict())
    export_small(tmp_path / "torch", tmp_path / "onnx")
    first, other = (
        GecoPipeline.from_pretrained(tmp_path / name, device="cpu").backend for name in ("torch", "onnx")
    )
    for backend in (first, other):
        assert backend.sampling == sampling
        assert (backend.card.resolution, backend.card.texture_size) == (24, 128)


def test_a_distilled_model_is_exported_as_one(
    networks: tuple[SmallMultiView, SmallReconstructor], tmp_path: Path
) -> None:
    save_small(networks[0], tmp_path / "torch" / "multiview")
    networks[1].save(tmp_path / "torch" / "reconstructor")
    write_model_card(
        tmp_path / "torch",
        "small",
        "Apache-2.0",
        {"stage": "stage2", "distilled": True, **Usage(16, 64, Sampling()).to_dict()},
    )
    export_small(tmp_path / "torch", tmp_path / "onnx")
    backend = OnnxBackend(tmp_path / "onnx", "made")
    assert backend.distilled and backend.sampling == Sampling() and backend.card.facts["stage"] == "stage2"
