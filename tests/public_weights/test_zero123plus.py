from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import CLIPTokenizer

from geco.errors import WeightsError
from geco.multiview.generate import generate_views
from geco.multiview.zero123plus.codec import GREY
from geco.multiview.zero123plus.network import ZERO123PLUS_UNET, Zero123PlusNetwork
from geco.public_weights.diffusers_folder import empty_prompt_tokens
from geco.public_weights.zero123plus import convert_zero123plus
from geco.public_weights.zero123plus_folder import Zero123Plus, load_zero123plus, save_zero123plus
from geco.sampling import Sampling
from tests.multiview import tiny
from tests.public_weights import zero123plus_folder

PICTURE = torch.rand(3, 20, 20, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, torch.nn.Module]]:
    folder = tmp_path_factory.mktemp("source") / "zero123plus-v1.1"
    return folder, zero123plus_folder.write(folder)


@pytest.fixture
def source(made: tuple[Path, dict[str, torch.nn.Module]], tmp_path: Path) -> Path:
    return Path(shutil.copytree(made[0], tmp_path / "source"))


@pytest.fixture(scope="module")
def converted(
    made: tuple[Path, dict[str, torch.nn.Module]], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("converted") / "model"
    convert_zero123plus(made[0], folder)
    return folder


def test_every_weight_arrives(made: tuple[Path, dict[str, torch.nn.Module]], converted: Path) -> None:
    model, parts = load_zero123plus(converted), made[1]
    for ours, theirs in (
        (model.network.unet, "unet"),
        (model.codec.vae, "vae"),
        (model.codec.vision, "vision_encoder"),
    ):
        expected = parts[theirs].state_dict()
        assert ours.state_dict().keys() == expected.keys()
        assert all(torch.equal(value, expected[key]) for key, value in ours.state_dict().items())
    assert model.card["rig"] == "zero123plus-v1.1" and model.codec.background == GREY
    assert model.network.noised_reference
    # the sheet of 960 x 640 through this VAE, which halves once
    assert model.network.sample_shape == (4, 480, 320)
    assert "CC-BY-NC" in model.card["licence"]


def test_the_empty_prompt_is_what_the_text_encoder_says(
    made: tuple[Path, dict[str, torch.nn.Module]], converted: Path
) -> None:
    ids = torch.tensor([[4, 5] + [0] * (zero123plus_folder.TOKENS - 2)])  # start, end, padding "!"
    with torch.no_grad():
        expected = made[1]["text_encoder"](ids).last_hidden_state
    text = load_file(converted / "text.safetensors")
    torch.testing.assert_close(text["text_states"], expected, rtol=0, atol=1e-6)
    torch.testing.assert_close(text["ramp"], torch.arange(9) / 9)
    assert {path.name for path in converted.iterdir()} == {
        "config.json",
        *(f"{p}.safetensors" for p in ("unet", "vae", "vision", "text")),
    }


@pytest.mark.parametrize("padding", ["!", "<|endoftext|>", {"content": "a", "lstrip": False}])
def test_tokens_of_the_empty_prompt_are_the_tokenizers(source: Path, padding: object) -> None:
    folder = source / "tokenizer"
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        zero123plus_folder.write_json(
            folder / name, {**json.loads((folder / name).read_text()), "pad_token": padding}
        )
    theirs = CLIPTokenizer.from_pretrained(folder)(
        "", padding="max_length", max_length=zero123plus_folder.TOKENS
    ).input_ids
    assert empty_prompt_tokens(folder) == theirs and len(theirs) == zero123plus_folder.TOKENS


def test_a_loaded_model_makes_views(converted: Path) -> None:
    model = load_zero123plus(converted)
    model.network.sample_shape = tiny.SHEET
    views = generate_views(
        model.network, model.codec, PICTURE[None], [0], Sampling("euler-ancestral", 2, 4.0)
    )
    assert views.shape == (1, 6, 3, 8, 8) and torch.isfinite(views).all()


def test_a_generator_is_saved_and_loaded_as_itself(converted: Path, tmp_path: Path) -> None:
    model = load_zero123plus(converted)
    model.network.noised_reference = False
    model.network.sample_shape = tiny.SHEET
    generator = Zero123Plus(model.network, model.codec, {**model.card, "stage": "1"})
    save_zero123plus(tmp_path / "generator", generator)
    again = load_zero123plus(tmp_path / "generator")
    assert not again.network.noised_reference
    assert again.card["stage"] == "1" and again.card["rig"] == "zero123plus-v1.1"
    views = [generate_views(m.network, m.codec, PICTURE[None], [3], Sampling()) for m in (generator, again)]
    assert torch.equal(*views)


def test_bfloat16_and_stored_half_precision(source: Path, tmp_path: Path) -> None:
    path = source / "unet" / "diffusion_pytorch_model.safetensors"
    save_file({key: value.half() for key, value in load_file(path).items()}, path)
    convert_zero123plus(source, tmp_path / "model")
    assert load_file(tmp_path / "model" / "unet.safetensors")["conv_in.weight"].dtype == torch.float16
    model = load_zero123plus(tmp_path / "model", dtype=torch.bfloat16)
    model.network.sample_shape = tiny.SHEET
    assert {
        p.dtype for p in [*model.network.parameters(), *model.codec.parameters(), model.codec.text_states]
    } == {torch.bfloat16}
    views = generate_views(model.network, model.codec, PICTURE[None], [0], Sampling("ddim", 2, 4.0))
    assert views.dtype == torch.float32 and torch.isfinite(views).all()


@pytest.mark.parametrize("ending", [".bin", ".safetensors"])
def test_instantmeshs_unet_takes_the_place(source: Path, tmp_path: Path, ending: str) -> None:
    state = {
        key: value + 1
        for key, value in load_file(source / "unet" / "diffusion_pytorch_model.safetensors").items()
    }
    other = tmp_path / f"diffusion_pytorch_model{ending}"
    torch.save(state, other) if ending == ".bin" else save_file(state, other)
    card = convert_zero123plus(source, tmp_path / "model", unet=other)
    model = load_zero123plus(tmp_path / "model")
    assert all(torch.equal(value, state[key]) for key, value in model.network.unet.state_dict().items())
    assert model.codec.background == card["background"] == 1.0 and "UNet: " in card["licence"]
    state.pop("conv_in.weight")
    torch.save(state, other)
    if ending == ".bin":
        with pytest.raises(WeightsError, match=r"diffusion_pytorch_model.bin.*conv_in.weight"):
            convert_zero123plus(source, tmp_path / "bad", unet=other)


def test_old_names_of_the_vaes_attention(
    source: Path, tmp_path: Path, made: tuple[Path, dict[str, torch.nn.Module]]
) -> None:
    path = source / "vae" / "diffusion_pytorch_model.safetensors"
    names = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    state = load_file(path)
    for new, old in names.items():
        state = {key.replace(f".{new}.", f".{old}."): value for key, value in state.items()}
    assert any(".proj_attn." in key for key in state)
    save_file(state, path)
    convert_zero123plus(source, tmp_path / "model")
    expected = made[1]["vae"].state_dict()
    assert all(
        torch.equal(value, expected[key])
        for key, value in load_zero123plus(tmp_path / "model").codec.vae.state_dict().items()
    )


PARTS = [
    "model_index.json",
    "unet/config.json",
    "unet/diffusion_pytorch_model.safetensors",
    "vae/diffusion_pytorch_model.safetensors",
    "vision_encoder/model.safetensors",
    "text_encoder/model.safetensors",
    "tokenizer/vocab.json",
    "scheduler/scheduler_config.json",
    "feature_extractor_vae/preprocessor_config.json",
    "feature_extractor_clip/preprocessor_config.json",
]


@pytest.mark.parametrize("part", PARTS)
def test_a_missing_part_is_named(source: Path, tmp_path: Path, part: str) -> None:
    (source / part).unlink()
    with pytest.raises(WeightsError) as caught:
        convert_zero123plus(source, tmp_path / "model")
    assert str((source / part).parent) in caught.value.problem and caught.value.remedy
    assert not (tmp_path / "model" / "config.json").exists()


@pytest.mark.parametrize("part", PARTS)
def test_a_truncated_part_is_named(source: Path, tmp_path: Path, part: str) -> None:
    os.truncate(source / part, (source / part).stat().st_size // 2)
    with pytest.raises(WeightsError) as caught:
        convert_zero123plus(source, tmp_path / "model")
    assert str((source / part).parent) in caught.value.problem and caught.value.remedy
    assert not (tmp_path / "model" / "config.json").exists()


@pytest.mark.parametrize("change", ["missing", "extra", "shape"])
@pytest.mark.parametrize("part", ["unet", "vae", "vision_encoder", "text_encoder"])
def test_keys_and_shapes_are_strict(source: Path, tmp_path: Path, part: str, change: str) -> None:
    path = next((source / part).glob("*.safetensors"))
    state = load_file(path)
    key = next(key for key in sorted(state) if key.endswith("weight"))
    if change == "missing":
        del state[key]
    elif change == "extra":
        key = "text_model.intruder" if part == "text_encoder" else "intruder"
        state[key] = torch.zeros(1)
    else:
        state[key] = torch.zeros(3)
    save_file(state, path)
    with pytest.raises(WeightsError) as caught:
        convert_zero123plus(source, tmp_path / "model")
    assert (
        str(path) in caught.value.problem
        and key.removeprefix("text_model.") in caught.value.problem
        and caught.value.remedy
    )


def test_a_file_with_code_in_it_is_not_run(source: Path, tmp_path: Path) -> None:
    marker = tmp_path / "ran"

    class Bomb:
        def __reduce__(self) -> tuple[object, ...]:
            return (marker.touch, ())

    torch.save({"conv_in.weight": Bomb()}, tmp_path / "bad.bin")
    with pytest.raises(WeightsError, match=r"bad\.bin"):
        convert_zero123plus(source, tmp_path / "model", unet=tmp_path / "bad.bin")
    assert not marker.exists()


def test_other_pipelines_are_refused(source: Path, tmp_path: Path) -> None:
    scheduler = source / "scheduler" / "scheduler_config.json"
    config = json.loads(scheduler.read_text())
    zero123plus_folder.write_json(scheduler, {**config, "prediction_type": "epsilon"})
    with pytest.raises(WeightsError, match="prediction_type"):
        convert_zero123plus(source, tmp_path / "model")
    zero123plus_folder.write_json(scheduler, config)
    zero123plus_folder.write_json(source / "model_index.json", {"_class_name": "StableDiffusionPipeline"})
    with pytest.raises(WeightsError, match="ramping_coefficients"):
        convert_zero123plus(source, tmp_path / "model")
    with pytest.raises(WeightsError, match="neither a folder nor a hub id"):
        convert_zero123plus(tmp_path / "nowhere", tmp_path / "model")


@pytest.mark.parametrize(
    "change",
    [{"sample_shape": None}, {"unet": {"block_out_channels": [7]}}, {"for_vae": {"size": "magic"}}],
)
def test_a_card_that_makes_no_sense_is_refused(
    converted: Path, tmp_path: Path, change: dict[str, object]
) -> None:
    folder = Path(shutil.copytree(converted, tmp_path / "model"))
    card = json.loads((folder / "config.json").read_text())
    zero123plus_folder.write_json(folder / "config.json", {**card, **change})
    with pytest.raises(WeightsError, match=r"config.json|unet"):
        load_zero123plus(folder)


def full_size_on_meta() -> Zero123PlusNetwork:
    """The released UNet's shape, without allocating any of its parameters."""
    with torch.device("meta"):
        return Zero123PlusNetwork.from_config(ZERO123PLUS_UNET)


def test_the_full_size_network_has_the_published_size_and_allocates_nothing() -> None:
    network = full_size_on_meta()
    assert sum(p.numel() for p in network.parameters()) == 865_910_724
    assert len(network.self_attentions) == 16 and {p.device.type for p in network.parameters()} == {"meta"}


@pytest.mark.shared
def test_the_full_size_network_has_the_recorded_keys_and_shapes() -> None:
    manifest = json.loads(
        (Path(os.environ["GECO_SHARED"]) / "reference/manifest_zero123plus_unet_UNVERIFIED.json").read_text()
    )
    network = full_size_on_meta()
    ours = {key: list(value.shape) for key, value in network.unet.state_dict().items()}
    assert (
        ours == {key: entry["shape"] for key, entry in manifest["state_dict"].items()}
        and len(ours) == manifest["n_tensors"]
    )
    stored = [
        name.removesuffix(".processor") for name in manifest["self_attention_processors_that_store_reference"]
    ]
    assert sorted(network.self_attentions) == sorted(stored)


def test_a_tokenizer_of_another_text_encoder_is_refused(source: Path, tmp_path: Path) -> None:
    path = source / "tokenizer" / "vocab.json"
    zero123plus_folder.write_json(path, {**json.loads(path.read_text()), "!": 9000})
    with pytest.raises(WeightsError, match="tokens"):
        convert_zero123plus(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()
