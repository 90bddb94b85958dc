"""TripoSR through the pipeline, as a model folder: a known density comes out the right way round."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from geco.cameras import Lens
from geco.evaluate.job import Job
from geco.evaluate.methods import parse_methods
from geco.evaluate.worker import Worker
from geco.mesh.types import Mesh
from geco.photo.fit_camera import fit_input_camera
from geco.photo.input_camera import InputCamera
from geco.pipeline import GecoPipeline
from geco.public_weights import triposr
from geco.surface_to_asset import AssetOptions
from tests.cli_command import geco
from tests.public_weights import triposr_folder
from tests.reconstruct import tiny

SIZE = 32
LENS = Lens(40.0, 1.9 / 0.87)  # of TripoSR's renders, its cube made ours


def outlines() -> tuple[Tensor, Tensor, Tensor]:
    """Of an object that looks different from every side and upside down: xy, xz, yz, rows along the later
    axis.
    """
    axis = (torch.arange(SIZE) + 0.5) / SIZE * 2 - 1
    low, high = axis[None, :], axis[:, None]  # the earlier axis across, the later one down
    box = (low.abs() < 0.6) & (high.abs() < 0.6)
    xy = box & ~((low > 0.1) & (high > 0.2))  # nothing at +x, +y
    xz = box & ~((low < -0.2) & (high > 0.3))  # nothing at -x, +z
    yz = box & ~((low < 0.0) & (high < -0.1))  # nothing at -y, -z
    return xy, xz, yz


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("triposr")
    source = triposr_folder.write(place / "release", tiny.triposr_shape(*outlines()))
    triposr.convert(source, place / "model")
    return place / "model"


def picture() -> np.ndarray:
    """What the input camera sees of it: +y to the right, +z up."""
    yz = outlines()[2].numpy()[::-1]
    rgba = np.zeros((SIZE * 4, SIZE * 4, 4), np.uint8)
    rgba[..., :3] = (200, 60, 40)
    rgba[..., 3] = np.kron(yz, np.ones((4, 4))) * 255
    return rgba


def test_a_known_density_comes_out_the_right_way_round(folder: Path) -> None:
    pipeline = GecoPipeline.from_pretrained(folder)
    assert pipeline.card.background == 0.5
    assert pipeline.card.licence.endswith("MIT)")
    asset = pipeline(picture(), options=AssetOptions(resolution=64, texture_size=128, projection=False))
    vertices = asset.mesh.vertices
    assert np.abs(vertices).max() == pytest.approx(0.6, abs=0.06)
    for (first, second), outline in zip(((0, 1), (0, 2), (1, 2)), outlines()):
        for corner in [(-1, -1), (-1, 1), (1, -1), (1, 1)]:
            wanted = outline[int((corner[1] * 0.5 + 1) / 2 * SIZE), int((corner[0] * 0.5 + 1) / 2 * SIZE)]
            there = (vertices[:, first] * corner[0] > 0.45) & (vertices[:, second] * corner[1] > 0.45)
            assert there.any() == bool(wanted), (first, second, corner)
    assert asset.mesh.texture is not None
    middle = asset.mesh.texture[asset.mesh.texture.sum(axis=2) > 0].mean(axis=0) / 255
    np.testing.assert_allclose(middle, torch.sigmoid(torch.tensor([2.0, 0.0, -2.0])), atol=0.02)


@pytest.fixture(scope="module")
def photo(folder: Path) -> np.ndarray:
    """(256, 256, 4) the object in red, as TripoSR's lens sees it from its height."""
    options = AssetOptions(resolution=64, texture_size=64, projection=False)
    mesh = GecoPipeline.from_pretrained(folder)(picture(), options=options).mesh
    camera = InputCamera(0.0, fov=LENS.fov, radius=LENS.radius, scale=0.8)
    rgba = np.zeros((256, 256, 4), np.float32)
    rgba[..., :3] = (0.8, 0.2, 0.1)
    rgba[..., 3] = camera.rasterize(mesh, 256).mask
    return rgba


@pytest.mark.parametrize("on_device", [False, True])
def test_the_picture_is_laid_on_from_where_triposr_sees_it(
    folder: Path, photo: np.ndarray, on_device: bool
) -> None:
    options = AssetOptions(resolution=64, texture_size=128, on_device=on_device)
    asset = GecoPipeline.from_pretrained(folder)(photo, options=options)
    found = asset.facts["input_camera"]
    assert (found["fov"], found["radius"]) == (LENS.fov, round(LENS.radius, 4))
    assert asset.facts["projected"] and found["iou"] > 0.97
    assert abs(found["elevation"]) <= 2.5
    # what the picture shows is red now; what it does not show kept the model's colour
    assert asset.mesh.texture is not None
    texels = asset.mesh.texture.astype(int)
    red, own = (np.abs(texels - color).max(axis=2) < 12 for color in ((204, 51, 26), (225, 128, 30)))
    assert red.mean() > 0.03 and own.mean() > 0.2


def test_another_lens_does_not_fit_as_well(folder: Path, photo: np.ndarray) -> None:
    options = AssetOptions(resolution=64, texture_size=64, projection=False)
    mesh = GecoPipeline.from_pretrained(folder)(picture(), options=options).mesh
    assert fit_input_camera(mesh, photo, LENS).iou > fit_input_camera(mesh, photo).iou + 0.02


def test_the_picture_is_framed_as_triposr_frames_it(folder: Path) -> None:
    """On grey, the longer side at 0.85, whole levels rounded down, then torch's bilinear filter with
    antialias.
    """
    rng = np.random.default_rng(0)
    rgba = np.zeros((170, 170, 4), np.uint8)
    inner = slice(0, 170)
    rgba[inner, 40:130, :3] = rng.integers(0, 256, (170, 90, 3))
    rgba[inner, 40:130, 3] = 255
    seen = GecoPipeline.from_pretrained(folder).see(rgba).condition
    # the public code's steps: pad to 170 / 0.85 = 200 pixels, compose, 8 bits, resize
    square = np.zeros((200, 200, 4), np.float32)
    square[15:185, 15:185] = rgba / np.float32(255)
    composed = square[..., :3] * square[..., 3:] + (1 - square[..., 3:]) * 0.5
    levels = torch.from_numpy((composed * 255).astype(np.uint8)).permute(2, 0, 1)[None].float() / 255
    wanted = F.interpolate(levels, (32, 32), mode="bilinear", antialias=True)[0].permute(1, 2, 0).numpy()
    assert np.abs(seen.rgb - wanted).max() < 1.5 / 255
    assert (seen.rgb[0, 0] == np.float32(127 / 255)).all()


def test_its_one_view_is_the_picture_that_it_saw(folder: Path, tmp_path: Path) -> None:
    pipeline = GecoPipeline.from_pretrained(folder)
    seen = pipeline.see(picture())
    views = next(iter(pipeline.views(seen, [0])))
    views.save(tmp_path / "views.png")
    saved = np.asarray(Image.open(tmp_path / "views.png").convert("RGB")) / np.float32(255)
    np.testing.assert_allclose(saved, seen.condition.rgb, atol=1 / 255)


@pytest.mark.slow
def test_the_commands_convert_run_and_evaluate_it(tmp_path: Path) -> None:
    release = triposr_folder.write(tmp_path / "release", tiny.triposr_shape(*outlines()))
    converted = geco("convert", "--triposr", release, "-o", tmp_path / "model")
    assert converted.returncode == 0 and "MIT" in converted.stdout
    Image.fromarray(picture()).save(tmp_path / "thing.png")
    more = ("--device", "cpu", "--resolution", "48", "--views", "--json", "-o", tmp_path / "thing.glb")
    ran = geco("run", tmp_path / "thing.png", "--model", tmp_path / "model", *more)
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "thing.glb").read_bytes()[:4] == b"glTF"
    steered = geco("run", tmp_path / "thing.png", "--model", tmp_path / "model", "--steps", "3")
    assert steered.returncode == 2 and steered.stderr.startswith("geco: ")


def test_the_evaluation_runs_it_once_an_object(folder: Path) -> None:
    method = parse_methods([f"triposr={folder}"])[0]
    assert method.deterministic
    with Worker(method, ("bare", "projection")) as worker:
        answer = worker.ask(Job(picture(), 0))
    bare = answer.meshes["bare"]
    assert isinstance(bare, Mesh) and np.abs(bare.vertices).max() == pytest.approx(0.6, abs=0.06)
