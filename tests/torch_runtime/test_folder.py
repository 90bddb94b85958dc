"""The whole pipeline on torch, both families at tiny size with random weights, from folders as
users have them.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from geco import Asset, GecoPipeline
from geco.cli.convert import unet_of
from geco.cli.main import main
from geco.errors import WeightsError
from geco.mesh.manifold import manifold_report
from geco.render.shade_numpy import surface_colors
from geco.surface_to_asset import AssetOptions
from geco.torch_runtime.convert import usual_unet
from tests.pictures import ball_picture
from tests.torch_runtime.build import full_folder, small_folder

OPTIONS = AssetOptions(resolution=16, texture_size=64)


def assert_textured(asset: Asset) -> None:
    mesh = asset.mesh
    assert len(mesh.faces) > 10 and np.isfinite(mesh.vertices).all()
    assert mesh.uvs is not None and mesh.texture is not None and mesh.texture.shape == (64, 64, 3)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A full-family model folder made from a diffusers folder and a checkpoint, views of 32 px."""
    return full_folder(tmp_path_factory.mktemp("full"))


def test_full_family(full: Path, tmp_path: Path) -> None:
    pipeline = GecoPipeline.from_pretrained(full, device="cpu")
    # Zero123++ without InstantMesh's UNet stands on grey
    assert pipeline.card.background == pytest.approx(127 / 255)
    asset = pipeline(ball_picture(64), seed=1, options=OPTIONS)
    assert asset.views.shape == (6, 32, 32, 3) and asset.views.min() >= 0 and asset.views.max() <= 1
    assert_textured(asset)
    asset.save(tmp_path / "full.glb")
    assert (tmp_path / "full.glb").stat().st_size > 1000


def test_the_full_familys_mesh_is_the_same_made_on_the_device(full: Path) -> None:
    pipeline = GecoPipeline.from_pretrained(full, device="cpu")
    seen = pipeline.see(ball_picture(64))
    (views,) = pipeline.views(seen, [1])
    host, made = (pipeline.finish(views, seen, replace(OPTIONS, on_device=where)) for where in (False, True))
    np.testing.assert_allclose(made.mesh.triangles, host.mesh.triangles, atol=1e-5)
    assert_textured(made)
    assert made.facts["projected"] == host.facts["projected"]
    assert (
        manifold_report(made.mesh, weld=True).watertight == manifold_report(host.mesh, weld=True).watertight
    )
    numbers = np.arange(len(host.mesh.faces))
    middle = np.full((len(numbers), 3), 1 / 3, np.float32)
    colors = [surface_colors(asset.mesh, numbers, middle) for asset in (host, made)]
    assert np.abs(np.subtract(*colors)).mean() < 0.02  # texels of 64 x 64 are coarse, and lie elsewhere


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


@pytest.mark.parametrize(
    ("asked", "multiview", "unet"),
    [
        (None, "sudo-ai/zero123plus-v1.2", "TencentARC/InstantMesh"),
        (None, "downloads/zero123plus-v1.2", "TencentARC/InstantMesh"),
        (None, "sudo-ai/zero123plus-v1.1", None),
        ("own", "sudo-ai/zero123plus-v1.2", None),
        ("unet.bin", "sudo-ai/zero123plus-v1.2", "unet.bin"),
    ],
)
def test_the_default_pairs_a_white_unet_with_the_reconstructor(
    asked: str | None, multiview: str, unet: str | None
) -> None:
    assert unet_of(asked, multiview) == unet
    if "/zero" in multiview and asked is None:
        assert usual_unet(multiview) == unet  # what a hub id on the command line takes


def test_convert_says_when_grey_views_will_meet_a_white_reconstructor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["convert", "--multiview", str(tmp_path / "none"), "-o", str(tmp_path / "out")]
    assert main([*words, "--unet", "own"]) == 2
    assert "paints on grey" in capsys.readouterr().err.splitlines()[0]
    assert main(words) == 2
    said = capsys.readouterr().err
    assert "paints on grey" not in said and "none" in said and not (tmp_path / "out").exists()


def test_public_weights_that_cannot_be_fetched_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(WeightsError, match=r"sudo-ai/zero123plus-v1\.2"):
        GecoPipeline.from_pretrained("sudo-ai/zero123plus-v1.2", device="cpu")
    assert not list(tmp_path.rglob("config.json"))
