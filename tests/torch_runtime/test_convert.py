"""``geco convert``'s sources, as people have them: found, looked at first, and no half model where one is
wrong.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file

from geco.cli.main import main
from geco.errors import OutputError, WeightsError
from geco.model_files.card import CARD, MULTIVIEW, ONNX, RECONSTRUCTOR, is_exported, write_model_card
from geco.public_weights import instantmesh, triposr
from geco.public_weights.instantmesh_yaml import read_settings
from geco.reconstruct.instantmesh.config import RELEASED, InstantMeshConfig
from geco.torch_runtime.convert import Halves, convert_public, usual_unet
from tests.public_weights import instantmesh_checkpoint, triposr_folder, zero123plus_folder
from tests.reconstruct import tiny

UNET = "diffusion_pytorch_model.bin"


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("views")
    zero123plus_folder.write(folder)
    return folder


@pytest.fixture
def downloaded(tmp_path: Path, views: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What ``hf download TencentARC/InstantMesh --local-dir DIR`` leaves, at tiny size."""
    folder = tmp_path / "InstantMesh"
    folder.mkdir()
    for name, layers in (("instant-mesh-large", 2), ("instant-mesh-base", 1)):
        config = tiny.config("mesh", transformer_layers=layers)
        monkeypatch.setitem(RELEASED, name, config)
        made = tiny.model("mesh", transformer_layers=layers)
        instantmesh_checkpoint.write(folder / instantmesh.FILES[name], made)
    torch.save(load_file(views / "unet" / "diffusion_pytorch_model.safetensors"), folder / UNET)
    (folder / ".cache" / "huggingface").mkdir(parents=True)
    return folder


def convert(*words: str | Path) -> int:
    return main(["convert", *map(str, words)])


def name_in(folder: Path) -> str:
    return str(json.loads((folder / RECONSTRUCTOR / CARD).read_text())["name"])


def test_a_downloaded_folder_is_a_reconstructor_and_brings_its_unet(
    views: Path, downloaded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a line: Zero123++ and InstantMesh both lie here (findings F2 and F17 of the audit)."""
    out = tmp_path / "out"
    assert convert("--multiview", views, "--reconstructor", downloaded, "-o", out) == 0
    assert name_in(out) == "instant-mesh-large" and "grey" not in capsys.readouterr().err
    card = json.loads((out / MULTIVIEW / CARD).read_text())
    assert card["unet_source"] == UNET and card["background"] == 1.0
    assert convert("--multiview", views, "--reconstructor", downloaded / "instant-mesh-base", "-o", out) == 0
    assert name_in(out) == "instant-mesh-base"
    whole = "instant_mesh_base.ckpt"
    assert usual_unet(views, downloaded / whole) == downloaded / UNET
    assert sorted(path.name for path in out.iterdir()) == [CARD, MULTIVIEW, RECONSTRUCTOR]


def test_a_folder_without_the_usual_checkpoint_says_what_it_holds(tmp_path: Path, downloaded: Path) -> None:
    (downloaded / "instant_mesh_large.ckpt").unlink()
    assert instantmesh.find(downloaded).name == "instant_mesh_base.ckpt"  # the only one
    (downloaded / "another.ckpt").write_bytes(b"")
    with pytest.raises(WeightsError, match=r"2 of them and not instant_mesh_large\.ckpt"):
        instantmesh.find(downloaded)
    with pytest.raises(WeightsError, match="holds none"):
        instantmesh.find(tmp_path)


@pytest.mark.parametrize("wrong", ["reconstructor", "unet", "multiview", "config", "checkpoint"])
def test_nothing_is_written_where_a_source_is_wrong(
    views: Path, downloaded: Path, tmp_path: Path, wrong: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out, typo = tmp_path / "out", tmp_path / "typo"
    words = {"multiview": views, "reconstructor": downloaded, "unet": downloaded / UNET}
    if wrong == "checkpoint":
        path = downloaded / "instant_mesh_large.ckpt"
        os.truncate(path, path.stat().st_size // 2)
    else:
        words[wrong] = typo
    assert convert(*(word for name, path in words.items() for word in (f"--{name}", path)), "-o", out) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert ("typo" in said or "instant_mesh_large.ckpt" in said) and not out.exists()


def test_a_failure_on_the_way_leaves_the_model_that_was_there(
    views: Path, downloaded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    halves = Halves(views, downloaded, downloaded / UNET)
    convert_public(halves, out)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}

    def full(*_: object) -> None:
        raise OutputError("no space left on device")

    monkeypatch.setattr(instantmesh, "write", full)
    with pytest.raises(OutputError, match="no space"):
        convert_public(halves, out, "float32")
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    with pytest.raises(OutputError, match="no space"):
        convert_public(halves, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_what_a_killed_conversion_left_is_cleared(views: Path, downloaded: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / ".making" / MULTIVIEW).mkdir(parents=True)
    (out / ".making" / MULTIVIEW / "unet.safetensors").write_bytes(b"half")
    convert_public(Halves(views, downloaded, downloaded / UNET), out)
    assert sorted(path.name for path in out.iterdir()) == [CARD, MULTIVIEW, RECONSTRUCTOR]


def test_nothing_of_another_model_is_left_in_the_folder(
    views: Path, downloaded: Path, tmp_path: Path
) -> None:
    """An exported model's graphs would be run in the new one's place."""
    out = tmp_path / "out"
    write_model_card(out, "small", "test")
    (out / ONNX).mkdir()
    (out / ONNX / CARD).write_text("{}")
    (out / "notes.txt").write_text("mine")
    convert_public(Halves(views, downloaded, downloaded / UNET), out)
    assert not is_exported(out) and (out / "notes.txt").exists()
    assert convert("--triposr", triposr_folder.write(tmp_path / "TripoSR", tiny.triposr()), "-o", out) == 0
    assert sorted(path.name for path in out.iterdir()) == [CARD, "notes.txt", RECONSTRUCTOR]
    source = triposr_folder.write(out / ONNX / "release", tiny.triposr())
    with pytest.raises(OutputError, match="input of this run"):
        triposr.convert(source, out)
    assert (source / "model.ckpt").exists()


def test_half_precision_where_the_public_pipelines_run_half(
    views: Path, downloaded: Path, tmp_path: Path
) -> None:
    halves = Halves(views, downloaded, downloaded / UNET)
    convert_public(halves, tmp_path / "half")
    convert_public(halves, tmp_path / "whole", "float32")
    for part in ("unet", "vae", "vision"):
        half = load_file(tmp_path / "half" / MULTIVIEW / f"{part}.safetensors")
        whole = load_file(tmp_path / "whole" / MULTIVIEW / f"{part}.safetensors")
        assert {value.dtype for value in half.values() if value.is_floating_point()} == {torch.float16}
        assert {value.dtype for value in whole.values() if value.is_floating_point()} == {torch.float32}
        assert all(torch.equal(value, whole[key].to(value.dtype)) for key, value in half.items())
    kept = load_file(tmp_path / "half" / RECONSTRUCTOR / "model.safetensors")
    assert {value.dtype for value in kept.values()} == {torch.float32}


def test_numbers_that_float16_does_not_hold_are_refused(
    views: Path, downloaded: Path, tmp_path: Path
) -> None:
    state = torch.load(downloaded / UNET)
    state["conv_in.bias"][0] = 1e5
    torch.save(state, downloaded / UNET)
    halves = Halves(views, downloaded, downloaded / UNET)
    with pytest.raises(WeightsError, match=r"too large for torch\.float16"):
        convert_public(halves, tmp_path / "out")
    convert_public(halves, tmp_path / "out", "float32")


def yaml_of(config: InstantMeshConfig, **changes: object) -> str:
    """As InstantMesh's configs/*.yaml have it."""
    own = ("transformer_dim", "transformer_layers", "transformer_heads", "triplane_low_res")
    own += ("triplane_high_res", "triplane_dim", "rendering_samples_per_ray", "grid_res", "grid_scale")
    params = {"encoder_feat_dim": 768, "encoder_freeze": False, "encoder_model_name": "facebook/dino-vitb16"}
    params |= {name: getattr(config, name) for name in own} | changes
    target = "src.models.lrm_mesh.InstantMesh" if config.kind == "mesh" else "src.models.lrm.InstantNeRF"
    model = {"target": target, "params": params}
    return yaml.safe_dump({"model_config": model, "infer_config": {"texture_resolution": 1024}})


def test_settings_of_the_public_code_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    for config in RELEASED.values():
        path.write_text(yaml_of(config))
        found = read_settings(path)
        assert found == config
    path.write_text(yaml_of(RELEASED["instant-mesh-base"], grid_res=96, transformer_layers=3))
    assert (read_settings(path).grid_res, read_settings(path).transformer_layers) == (96, 3)


@pytest.mark.parametrize("where", ["beside", "named", "json"])
def test_a_reconstructor_of_other_sizes_with_its_settings(
    tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the image encoder is the released one in every .yaml; here it is as small as the rest
    encoder = tiny.config("mesh").vit
    monkeypatch.setattr("geco.public_weights.instantmesh_yaml.ENCODER_SETTINGS", encoder)
    made = tiny.model("mesh", transformer_layers=3, grid_res=10)
    checkpoint = instantmesh_checkpoint.write(tmp_path / "fine_tune.ckpt", made)
    with pytest.raises(WeightsError, match="3 transformer blocks, which none of the released ones is"):
        instantmesh.open_checkpoint(checkpoint)
    settings = None
    if where == "beside":
        (tmp_path / "fine-tune.yaml").write_text(yaml_of(made.config))
    elif where == "named":
        (tmp_path / "other.yaml").write_text(yaml_of(made.config))
        settings = read_settings(tmp_path / "other.yaml")
    else:
        (tmp_path / "other.json").write_text(json.dumps({"config": made.config.to_dict()}))
        settings = read_settings(tmp_path / "other.json")
    found = instantmesh.open_checkpoint(checkpoint, settings)
    assert found.settings == made.config and found.facts["name"] == "fine_tune"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [1", "no plain YAML"),
        ("- 1", "not an object"),
        ("a: &x 1\nb: *x", "anchors"),
        ("model_config: {params: {encoder_model_name: facebook/dinov2-base}}", "image encoder"),
        ("model_config: {params: {transformer_dim: 1.0e+9}}", "transformer_dim"),
        ("model_config: {params: {more: 1}}", "more"),
        ("infer_config: {}", "model_config"),
        ("!!python/object/apply:os.system ['true']", "no plain YAML"),
    ],
)
def test_settings_that_are_none_are_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(WeightsError, match=said):
        read_settings(tmp_path / "a.yaml")


def test_triposr_from_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = triposr_folder.write(tmp_path / "TripoSR", tiny.triposr())
    assert convert("--triposr", source, "-o", tmp_path / "out") == 0
    assert json.loads((tmp_path / "out" / CARD).read_text())["family"] == "triposr"
    assert convert("--triposr", source, "--unet", "own", "-o", tmp_path / "other") == 2
    assert "--triposr does not go with --unet" in capsys.readouterr().err
    assert convert("--triposr", tmp_path / "nowhere", "-o", tmp_path / "other") == 2
    assert not (tmp_path / "other").exists()
