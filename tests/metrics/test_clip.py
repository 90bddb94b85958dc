"""CLIP similarity through the real loading code, on a tiny CLIP of random weights."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from geco.errors import WeightsError
from geco.metrics.clip import ClipImages, preprocess
from tests.pictures import ball_picture

transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole CLIP, text tower too, as the hub's repositories hold it."""
    torch.manual_seed(0)
    small = {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "projection_dim": 8,
    }
    config = transformers.CLIPConfig(
        text_config={**small, "vocab_size": 20, "max_position_embeddings": 8},
        vision_config={**small, "image_size": 32, "patch_size": 8},
        projection_dim=8,
    )
    path = tmp_path_factory.mktemp("clip") / "tiny"
    transformers.CLIPModel(config).save_pretrained(path)
    return path


def picture(size: int = 48) -> np.ndarray:
    rgba = np.asarray(ball_picture(size), np.float32) / 255
    return rgba[..., :3] * rgba[..., 3:] + 1 - rgba[..., 3:]


def test_embeddings_are_those_of_the_whole_clip(folder: Path) -> None:
    clip = ClipImages(folder)
    pictures = np.stack([picture(), 1 - picture(), np.ones((48, 48, 3), np.float32)])
    whole = transformers.CLIPModel.from_pretrained(folder).eval()
    with torch.no_grad():
        tower = whole.vision_model(pixel_values=preprocess(pictures, 32)).pooler_output
        wanted = torch.nn.functional.normalize(whole.visual_projection(tower), dim=-1).numpy()
    found = clip.embed(pictures, batch=2)
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(found, axis=-1), 1, atol=1e-5)


def test_similarity_is_one_for_equal_pictures_and_less_for_others(folder: Path) -> None:
    clip = ClipImages(folder)
    views = np.stack([picture(), picture()[:, ::-1], 1 - picture()])[None]
    found = clip.similarity(views, picture())
    assert found.shape == (1, 3)
    assert found[0, 0] == pytest.approx(1, abs=1e-5)
    assert -1 <= found[0, 2] < 1 - 1e-4


@pytest.mark.parametrize("shape", [(48, 48), (50, 80), (90, 37), (20, 20)])
def test_preparation_is_clips(shape: tuple[int, int]) -> None:
    processors = pytest.importorskip("transformers.models.clip.image_processing_pil_clip")
    levels = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    theirs = processors.CLIPImageProcessorPil(
        size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
    )
    wanted = theirs(Image.fromarray(levels), return_tensors="pt")["pixel_values"]
    np.testing.assert_allclose(
        preprocess(levels[None].astype(np.float32) / 255, 32).numpy(), wanted.numpy(), atol=1e-5
    )


def test_missing_incomplete_and_foreign_folders_are_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(WeightsError, match=r"no config\.json.*hf download"):
        ClipImages(tmp_path)
    shutil.copy(folder / "config.json", tmp_path)
    with pytest.raises(WeightsError, match=r"no model\.safetensors"):
        ClipImages(tmp_path)
    (tmp_path / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:500])
    with pytest.raises(WeightsError, match="truncated or damaged"):
        ClipImages(tmp_path)
    state = load_file(folder / "model.safetensors")
    del state["visual_projection.weight"]
    save_file(state, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(WeightsError, match="visual_projection"):
        ClipImages(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "bert"')
    with pytest.raises(WeightsError, match="not readable JSON"):
        ClipImages(tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    with pytest.raises(WeightsError, match="hub cannot be reached"):
        ClipImages("geco-tests/not-there")
