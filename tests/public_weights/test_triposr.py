"""TripoSR's release, in the small: converted and loaded exactly; whatever is wrong is named."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from geco.errors import ConfigError, GecoError, OutputError, WeightsError
from geco.foreign import Fields
from geco.model_files.card import read_model_card
from geco.model_files.hub import PINNED, TRIPOSR
from geco.public_weights import triposr
from geco.public_weights.triposr_settings import read_settings, settings_of
from geco.reconstruct.triposr.config import RELEASED
from geco.reconstruct.triposr.model import TripoSR
from geco.reconstruct.vit_config import ViTConfig
from tests.public_weights import triposr_folder
from tests.reconstruct import tiny


@pytest.fixture(scope="module")
def model() -> TripoSR:
    return tiny.triposr()


@pytest.fixture(scope="module")
def release(model: TripoSR, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return triposr_folder.write(tmp_path_factory.mktemp("release"), model)


def test_what_comes_out_is_what_went_in(model: TripoSR, release: Path, tmp_path: Path) -> None:
    card = triposr.convert(release, tmp_path / "out")
    assert card == read_model_card(tmp_path / "out")
    assert card["family"] == "triposr"
    assert "MIT" in card["licence"]
    assert card["facts"]["resolution"] == 256
    loaded = triposr.load(tmp_path / "out" / "reconstructor")
    assert loaded.config == model.config
    for key, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value), key
    # a model.ckpt by its own path is the same, and converting again writes over what was converted
    assert triposr.convert(release / "model.ckpt", tmp_path / "out")["family"] == "triposr"


def test_the_released_settings_are_read() -> None:
    values = triposr_folder.settings(RELEASED)
    del values["backbone"]["norm_num_groups"]  # the file leaves it to the default
    assert settings_of(Fields(values, "a.yaml", WeightsError), ViTConfig()) == RELEASED


KEY = "backbone.transformer_blocks.0.norm2.weight"


def _drop(state: dict[str, Any]) -> None:
    del state[KEY]


def _add(state: dict[str, Any]) -> None:
    state["backbone.more"] = torch.zeros(1)


def _reshape(state: dict[str, Any]) -> None:
    state[KEY] = torch.zeros(5)


def _no_tensor(state: dict[str, Any]) -> None:
    state[KEY] = 3


def _nested(state: dict[str, Any]) -> None:
    inner = dict(state)
    state.clear()
    state["state_dict"] = inner


@pytest.mark.parametrize(
    ("change", "said"),
    [(_drop, KEY), (_add, "backbone.more"), (_reshape, KEY), (_no_tensor, KEY), (_nested, "of a training")],
)
def test_a_wrong_key_is_named_with_its_file_and_nothing_is_written(
    model: TripoSR, change: triposr_folder.Change, said: str, tmp_path: Path
) -> None:
    source = triposr_folder.write(tmp_path / "wrong", model, change)
    with pytest.raises(WeightsError) as caught:
        triposr.convert(source, tmp_path / "out")
    assert said in str(caught.value)
    assert "model.ckpt" in str(caught.value)
    assert caught.value.remedy
    assert not (tmp_path / "out").exists()


def _set(part: str, name: str, value: Any) -> triposr_folder.Change:
    return lambda values: values[part].update({name: value})


def _without(part: str) -> triposr_folder.Change:
    return lambda values: values.pop(part) and None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_set("decoder", "activation", "gelu"), "activation"),
        (_set("decoder", "depth", 3), "depth"),
        (_set("decoder", "in_channels", 7), "in_channels"),
        (_set("backbone", "in_channels", "${tokenizer.width}"), "width"),
        (_set("backbone", "only_cross_attention", True), "only_cross_attention"),
        (_set("backbone", "num_layers", 10_000), "num_layers"),
        (_set("renderer", "density_activation", "trunc_exp"), "density_activation"),
        (_set("renderer", "radius", "wide"), "radius"),
        (_set("renderer", "density_activation", "sigmoid"), "never reaches the level"),
        (_without("tokenizer"), "tokenizer"),
        (lambda values: values.update(decoder_cls="os.system"), "os.system"),
        (_without("cond_image_size"), "cond_image_size"),
        (lambda values: values.clear(), "lacks image_tokenizer"),
        (_set("image_tokenizer", "pretrained_model_name_or_path", "google/vit"), "google/vit"),
        (_set("image_tokenizer", "pretrained_model_name_or_path", "../secret"), "secret"),
    ],
)
def test_settings_that_are_not_known_are_named(
    model: TripoSR, change: triposr_folder.Change, said: str, tmp_path: Path
) -> None:
    triposr_folder.write(tmp_path, model, change_settings=change)
    with pytest.raises(WeightsError, match=said) as caught:
        read_settings(tmp_path / "config.yaml")
    assert "config.yaml" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        b"a: [1",
        b"- 1\n- 2",
        b"\xff\xfe\x00",
        b"a: !!python/object/apply:os.system [true]",
        b"[" * 1200,
        b"x" * 9_000,
        b"",
    ],
)
def test_a_file_that_is_no_settings_is_refused(text: bytes, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_bytes(text)
    with pytest.raises(WeightsError, match=r"config\.yaml"):
        read_settings(tmp_path / "config.yaml")


def test_a_half_of_the_release_is_not_enough(release: Path, tmp_path: Path) -> None:
    for missing in ("config.yaml", "model.ckpt"):
        copy = shutil.copytree(release, tmp_path / missing.replace(".", "-"))
        (copy / missing).unlink()
        with pytest.raises(WeightsError, match=f"has no {missing}"):
            triposr.convert(copy, tmp_path / "out")
    with pytest.raises(WeightsError, match=r"do not exist.*stabilityai/TripoSR"):
        triposr.convert(tmp_path / "absent", tmp_path / "out")
    (release / "text").mkdir()
    (release / "text" / "config.yaml").write_bytes((release / "config.yaml").read_bytes())
    (release / "text" / "model.ckpt").write_text("no weights")
    with pytest.raises(WeightsError, match=r"model\.ckpt"):
        triposr.convert(release / "text", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_release_is_not_written_over(release: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="input of this run"):
        triposr.convert(release, release)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(OutputError, match="did not write"):
        triposr.convert(release, tmp_path)


def test_a_damaged_folder_is_named(release: Path, tmp_path: Path) -> None:
    triposr.convert(release, tmp_path / "out")
    weights = tmp_path / "out" / "reconstructor" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-9])
    with pytest.raises(WeightsError, match=r"model\.safetensors"):
        triposr.load(tmp_path / "out" / "reconstructor")


def test_the_hub_repository_is_pinned_with_the_hashes_of_its_files() -> None:
    assert set(PINNED[TRIPOSR].sha256) == {"config.yaml", "model.ckpt"}
    assert triposr.licence_of(TRIPOSR) == "MIT"


def test_an_encoder_of_another_activation_is_refused(model: TripoSR, tmp_path: Path) -> None:
    triposr_folder.write(tmp_path, model)
    encoder = tmp_path / "encoder" / "config.json"
    encoder.write_text(encoder.read_text().replace('"gelu"', '"relu"'))
    with pytest.raises(WeightsError, match="hidden_act"):
        read_settings(tmp_path / "config.yaml")


def test_errors_of_settings_are_the_callers() -> None:
    with pytest.raises(ConfigError):
        settings_of(Fields({}, "here", ConfigError), ViTConfig())
    assert issubclass(WeightsError, GecoError)
