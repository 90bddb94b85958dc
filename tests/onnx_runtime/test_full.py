"""The full family's graphs: what ONNX Runtime makes of a picture is what torch makes of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from geco.cli.main import main
from geco.loading import load_backend
from geco.model_files.card import read_model_card
from geco.onnx_runtime.full import FullOnnxBackend
from geco.onnx_runtime.full_pictures import prepared
from geco.public_weights.zero123plus_folder import load_zero123plus
from geco.sampling import Sampling
from geco.torch_runtime.backend import TorchBackend
from geco.torch_runtime.folder import load_backend as on_torch
from tests.multiview import tiny
from tests.training.build_full import full_room

WAYS = [
    Sampling(),
    Sampling("few-step", 3, 3.0, timestep=500, truncation=0.7),
    Sampling("euler-ancestral", 3, 4.0),
    Sampling("ddim", 3, 4.0, reference="clean"),
    Sampling("ddim", 2, 1.0, eta=0.5, clip=1.0),
]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("graphs")
    init = full_room(folder) / "init"
    assert main(["export", str(init), "-o", str(folder / "out"), "--precision", "float16"]) == 0
    return folder / "out"


@pytest.fixture(scope="module")
def both(exported: Path) -> tuple[FullOnnxBackend, TorchBackend]:
    ours = load_backend(exported)
    assert isinstance(ours, FullOnnxBackend)
    return ours, on_torch(exported, "cpu")


@pytest.mark.parametrize("how", WAYS, ids=str)
def test_views_are_those_of_torch(both: tuple[FullOnnxBackend, TorchBackend], how: Sampling) -> None:
    ours, theirs = both
    picture = np.random.default_rng(0).random((512, 512, 3), np.float32)
    found, wanted = (np.asarray(each.generate([picture], [3, 5], how)) for each in (ours, theirs))
    assert found.shape == wanted.shape == (2, 6, 32, 32, 3) and wanted.std() > 0.1
    assert np.abs(found - wanted).max() < 1e-4


def test_fields_and_card_are_those_of_torch(both: tuple[FullOnnxBackend, TorchBackend]) -> None:
    ours, theirs = both
    rng = np.random.default_rng(0)
    views, picture = rng.random((6, 32, 32, 3), np.float32), rng.random((512, 512, 3), np.float32)
    found, wanted = (each.reconstruct(views, picture) for each in (ours, theirs))
    assert found.half_extent == wanted.half_extent
    one, other = found.grid(12), wanted.grid(12)
    assert np.array_equal(one.cubes, other.cubes) and len(one.cubes) > 50
    for name in ("vertices", "sdf", "beta", "alpha", "gamma"):
        assert np.allclose(getattr(one, name), getattr(other, name), atol=1e-5), name
    points = rng.random((70, 3), np.float32) * 2 - 1
    assert np.allclose(found.color(points), wanted.color(points), atol=1e-5)
    assert vars(ours.card) == vars(theirs.card) and ours.sampling == theirs.sampling


def test_the_folder_holds_its_weights_once_and_graphs_without_numbers(exported: Path) -> None:
    weights = sum(path.stat().st_size for path in exported.rglob("*.safetensors"))
    graphs = [path.read_bytes() for path in exported.glob("*.onnx")]
    assert len(graphs) == 7 and sum(map(len, graphs)) < 0.5 * weights
    card = json.loads((exported / "onnx" / "config.json").read_text())
    assert card["export_error"].keys() == {path.stem for path in exported.glob("*.onnx")}
    assert read_model_card(exported)["family"] == "full"


def test_onnx_runtime_opens_a_graph_by_its_name_alone(exported: Path) -> None:
    decode = onnxruntime.InferenceSession(exported / "decode.onnx")
    x0 = np.random.default_rng(0).standard_normal((1, 4, 48, 32), np.float32)
    (sheet,) = decode.run(None, {"x0": x0})
    views = load_zero123plus(exported / "multiview").codec.decode(torch.from_numpy(x0))
    assert np.abs(sheet[0, :, :32, :32] - views[0, 0].numpy()).max() < 1e-5 and sheet.std() > 0.1


@pytest.mark.parametrize("settings", [tiny.FOR_VAE, tiny.FOR_VISION], ids=["vae", "clip"])
def test_pictures_are_prepared_as_on_torch(settings: tiny.Preprocess) -> None:
    picture = np.random.default_rng(0).random((40, 30, 3), np.float32)
    wanted = settings(torch.from_numpy(picture).permute(2, 0, 1)[None]).numpy()
    assert np.allclose(prepared(picture, settings.config()), wanted, atol=1e-6)


def test_what_has_no_graphs_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tests.torch_runtime.build import full_folder

    model = full_folder(tmp_path, "nerf")
    assert main(["export", str(model), "-o", str(tmp_path / "out")]) == 2
    assert "NeRF variant has no graphs" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
