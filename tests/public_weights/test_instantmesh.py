"""Released InstantMesh checkpoints, in the small: converted and loaded exactly; whatever is wrong
is named.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from geco.errors import WeightsError
from geco.model_files.folder import write_folder
from geco.model_files.part import read_part_card
from geco.public_weights import instantmesh
from geco.reconstruct.instantmesh.config import RELEASED
from geco.reconstruct.instantmesh.model import InstantMesh
from tests.public_weights.instantmesh_checkpoint import write
from tests.reconstruct import tiny


@pytest.mark.parametrize("kind", ["nerf", "mesh"])
def test_what_comes_out_is_what_went_in(kind: tiny.Kind, tmp_path: Path) -> None:
    model = tiny.model(kind)
    source = write(tmp_path / "a.ckpt", model)
    assert instantmesh.convert(source, tmp_path / "out", model.config) == model.config
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["config.json", "model.safetensors"]
    loaded = instantmesh.load(tmp_path / "out")
    assert loaded.config == model.config
    assert list(loaded.state_dict()) == list(model.state_dict())
    for key, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value), key
    images, cameras = tiny.views()
    with torch.no_grad():
        assert torch.equal(loaded(images, cameras), model(images, cameras))
    half = instantmesh.load(tmp_path / "out", dtype=torch.bfloat16)
    assert half.transformer.layers[0].self_attn.out_proj.weight.dtype == torch.bfloat16
    assert half.transformer.norm.weight.dtype == torch.float32


def test_the_format_before_zip_archives_is_read(tmp_path: Path) -> None:
    model = tiny.model("mesh")
    state = {f"lrm_generator.{key}": value for key, value in model.state_dict().items()}
    torch.save({"state_dict": state}, tmp_path / "old.ckpt", _use_new_zipfile_serialization=False)
    assert instantmesh.read(tmp_path / "old.ckpt").keys() == model.state_dict().keys()


@pytest.mark.parametrize("name", sorted(RELEASED))
def test_released_models_are_recognised_by_their_shapes(name: str) -> None:
    assert instantmesh.recognize(InstantMesh.on_meta(RELEASED[name]).state_dict(), "a.ckpt") == name
    assert instantmesh.FILES[name] in {
        f"instant_{k}_{s}.ckpt" for k in ("nerf", "mesh") for s in ("base", "large")
    }


KEY = "transformer.layers.1.norm2.weight"


def _drop(state: dict[str, Any]) -> None:
    del state[f"lrm_generator.{KEY}"]


def _add(state: dict[str, Any]) -> None:
    state["lrm_generator.transformer.more"] = torch.zeros(1)


def _reshape(state: dict[str, Any]) -> None:
    state[f"lrm_generator.{KEY}"] = torch.zeros(5)


def _no_tensor(state: dict[str, Any]) -> None:
    state[f"lrm_generator.{KEY}"] = 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_drop, KEY),
        (_add, "transformer.more"),
        (_reshape, KEY),
        (_no_tensor, KEY),
        (dict.clear, "lrm_generator."),
    ],
)
def test_a_wrong_key_is_named_with_its_file_and_nothing_is_written(
    change: Any, said: str, tmp_path: Path
) -> None:
    model = tiny.model("mesh")
    source = write(tmp_path / "wrong.ckpt", model, change)
    with pytest.raises(WeightsError) as caught:
        instantmesh.convert(source, tmp_path / "out", model.config)
    assert said in str(caught.value)
    assert "wrong.ckpt" in str(caught.value)
    assert caught.value.remedy
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("keep", [0.0, 0.1, 0.5, 0.99])
def test_a_truncated_checkpoint_is_said_to_be_damaged(keep: float, tmp_path: Path) -> None:
    source = write(tmp_path / "cut.ckpt", tiny.model("nerf"))
    source.write_bytes(source.read_bytes()[: int(source.stat().st_size * keep)])
    with pytest.raises(WeightsError, match=r"cut\.ckpt.*Download it again"):
        instantmesh.read(source)


def test_files_that_are_something_else(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="is missing"):
        instantmesh.read(tmp_path / "absent.ckpt")
    (tmp_path / "text.ckpt").write_text("not weights at all")
    with pytest.raises(WeightsError, match=r"text\.ckpt"):
        instantmesh.read(tmp_path / "text.ckpt")
    torch.save([1, 2], tmp_path / "list.ckpt")
    with pytest.raises(WeightsError, match="list"):
        instantmesh.read(tmp_path / "list.ckpt")
    torch.save({"weights": {}}, tmp_path / "other.ckpt")
    with pytest.raises(WeightsError, match="state_dict"):
        instantmesh.read(tmp_path / "other.ckpt")
    with pytest.raises(WeightsError, match="none of the released"):
        instantmesh.convert(write(tmp_path / "tiny.ckpt", tiny.model("mesh")), tmp_path / "out")
    with pytest.raises(WeightsError, match=r"do not exist.*instant-nerf-base"):
        instantmesh.convert("instant-mesh-huge", tmp_path / "out")


class Harm:
    """Runs a command when unpickled by a careless reader."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_nothing_in_a_checkpoint_is_run(tmp_path: Path) -> None:
    torch.save({"state_dict": Harm(tmp_path / "harmed")}, tmp_path / "bad.ckpt")
    with pytest.raises(WeightsError, match=r"bad\.ckpt"):
        instantmesh.read(tmp_path / "bad.ckpt")
    assert not (tmp_path / "harmed").exists()


def _cut(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])


def _flip(folder: Path) -> None:
    weights = folder / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)


def _edit(folder: Path) -> None:
    card = read_part_card(folder).values
    state = load_file(folder / "model.safetensors")
    state["transformer.norm.bias"] = torch.zeros(3)
    write_folder(folder, card, {"model": state})


def _setting(folder: Path) -> None:
    card = json.loads((folder / "config.json").read_text())
    card["config"]["triplane_high_res"] = 9
    (folder / "config.json").write_text(json.dumps(card))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (shutil.rmtree, "config.json"),
        (lambda folder: (folder / "model.safetensors").unlink(), "model.safetensors"),
        (lambda folder: (folder / "config.json").write_text("{"), "config.json"),
        (lambda folder: (folder / "config.json").write_text('{"format": "other"}'), "other"),
        (_cut, "truncated"),
        (_flip, "SHA-256"),
        (_edit, "transformer.norm.bias"),
        (_setting, "triplane_high_res"),
    ],
)
def test_a_spoilt_folder_is_named(spoil: Callable[[Path], Any], said: str, tmp_path: Path) -> None:
    model = tiny.model("nerf")
    instantmesh.convert(write(tmp_path / "a.ckpt", model), tmp_path / "out", model.config)
    spoil(tmp_path / "out")
    with pytest.raises(WeightsError) as caught:
        instantmesh.load(tmp_path / "out")
    assert said in str(caught.value)
    assert caught.value.remedy
