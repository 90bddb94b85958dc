"""The whole pipeline on torch, both families at tiny size with random weights, from folders as
users have them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from geco import Asset, GecoPipeline
from geco.errors import WeightsError
from geco.model_files.card import MULTIVIEW, RECONSTRUCTOR, Usage, write_card
from geco.multiview.small.config import SmallConfig
from geco.multiview.small.network import SmallMultiView
from geco.multiview.small.weights import save_small
from geco.public_weights import instantmesh
from geco.public_weights.zero123plus import convert_zero123plus, load_zero123plus, save_zero123plus
from geco.reconstruct.small.config import SmallReconstructorConfig
from geco.reconstruct.small.model import SmallReconstructor
from geco.sampling import Sampling
from geco.surface_to_asset import AssetOptions
from tests.cli_command import geco
from tests.pictures import ball_picture
from tests.public_weights import test_instantmesh, zero123plus_folder
from tests.reconstruct import tiny

OPTIONS = AssetOptions(resolution=16, texture_size=64)


def assert_textured(asset: Asset) -> None:
    mesh = asset.mesh
    assert len(mesh.faces) > 10 and np.isfinite(mesh.vertices).all()
    assert mesh.uvs is not None and mesh.texture is not None and mesh.texture.shape == (64, 64, 3)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A full-family model folder made from a diffusers folder and a checkpoint, views of 32 px."""
    folder = tmp_path_factory.mktemp("full")
    zero123plus_folder.write(folder / "source")
    convert_zero123plus(folder / "source", folder / "converted")
    model = load_zero123plus(folder / "converted")
    model.network.sample_shape = (4, 48, 32)  # 96 x 64 pixels behind the tiny VAE
    save_zero123plus(folder / "model" / MULTIVIEW, model)
    reconstructor = tiny.model("mesh")
    checkpoint = test_instantmesh.write(folder / "tiny.ckpt", reconstructor)
    instantmesh.convert(checkpoint, folder / "model" / RECONSTRUCTOR, reconstructor.config)
    write_card(folder / "model", "full", "test", Usage(16, 64, Sampling("euler-ancestral", 2, 4.0)).to_dict())
    return folder / "model"


def test_full_family(full: Path, tmp_path: Path) -> None:
    pipeline = GecoPipeline.from_pretrained(full, device="cpu")
    # Zero123++ without InstantMesh's UNet stands on grey
    assert pipeline.card.background == pytest.approx(127 / 255)
    asset = pipeline(ball_picture(64), seed=1, options=OPTIONS)
    assert asset.views.shape == (6, 32, 32, 3) and asset.views.min() >= 0 and asset.views.max() <= 1
    assert_textured(asset)
    asset.save(tmp_path / "full.glb")
    assert (tmp_path / "full.glb").stat().st_size > 1000


def small_folder(folder: Path) -> Path:
    """A small-family model folder with random weights."""
    import torch

    torch.manual_seed(0)
    network = SmallMultiView(
        SmallConfig(size=16, patch=2, channels=16, width=24, stages=1, fine_up=1, heads=2, embedding=16)
    )
    # starts at zero, which would make every view the same
    torch.nn.init.normal_(network.head.weight, std=0.1)
    config = SmallReconstructorConfig(
        view_size=16,
        widths=(8, 8, 16),
        depths=(1, 1, 1),
        volume_size=8,
        volume_widths=(8, 8, 8),
        volume_channels=4,
        lift_channels=4,
    )
    model = SmallReconstructor(config)
    with torch.no_grad():  # an untrained field may hold nothing: make half of the points inside
        model.eval()
        features = model.encode(torch.rand(1, 6, 3, 16, 16), torch.rand(1, 3, 16, 16))
        middle = model.sdf(features, torch.rand(1, 500, 3) * 1.2 - 0.6).median()
        last = [m for m in model.field.modules() if isinstance(m, torch.nn.Linear) and m.out_features == 1]
        if last:
            last[-1].bias -= middle
    save_small(network, folder / MULTIVIEW)
    model.save(folder / RECONSTRUCTOR)
    write_card(folder, "small", "test", Usage(16, 64, Sampling("ddim", 2, clip=1.0)).to_dict())
    return folder


def test_small_family_and_its_seeds(tmp_path: Path) -> None:
    pipeline = GecoPipeline.from_pretrained(small_folder(tmp_path / "model"), device="cpu")
    picture = ball_picture(64)
    first, other = pipeline.samples(picture, [0, 5], OPTIONS)
    again = pipeline(picture, seed=5, options=OPTIONS)
    assert_textured(first)
    assert not np.allclose(first.views, other.views)
    assert np.allclose(other.views, again.views, atol=1e-5)  # a seed does not depend on its neighbours
    rounded = GecoPipeline.from_pretrained(tmp_path / "model", device="cpu,bf16")(
        picture, seed=5, options=OPTIONS
    )
    assert 0 < np.abs(rounded.views - again.views).mean() < 0.02


def test_broken_folders_are_named(tmp_path: Path, full: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(WeightsError, match=r"config\.json"):
        GecoPipeline.from_pretrained(tmp_path / "empty")
    (tmp_path / "empty" / "config.json").write_text(
        '{"format": "geco-model-1", "family": "huge", "licence": ""}'
    )
    with pytest.raises(WeightsError, match="huge"):
        GecoPipeline.from_pretrained(tmp_path / "empty")


def test_convert_names_what_is_missing(tmp_path: Path) -> None:
    result = geco("convert", "--multiview", tmp_path / "nowhere", "-o", tmp_path / "out")
    assert (
        result.returncode == 2
        and "nowhere" in result.stderr
        and not (tmp_path / "out" / "config.json").exists()
    )


def test_public_weights_that_cannot_be_fetched_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(WeightsError, match=r"sudo-ai/zero123plus-v1\.2"):
        GecoPipeline.from_pretrained("sudo-ai/zero123plus-v1.2", device="cpu")
    assert not list(tmp_path.rglob("config.json"))
