"""A Zero123++ pipeline folder as diffusers saves it, part by part, strictly.

The folder holds ``model_index.json`` (with the ramping coefficients), ``unet/``, ``vae/``, ``vision_encoder/``,
``text_encoder/``, ``tokenizer/``, ``scheduler/``, ``feature_extractor_vae/`` and ``feature_extractor_clip/``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPVisionConfig, CLIPVisionModelWithProjection

from geco.errors import WeightsError
from geco.multiview.schedule import Schedule
from geco.multiview.zero123plus.preprocess import Preprocess
from geco.public_weights.ckpt import check_state, read_torch_file
from geco.weights import read_safetensors

_REMEDY = "Give the folder of a Zero123++ pipeline as diffusers saves it, complete."

Model = TypeVar("Model", bound=nn.Module)


@dataclass
class DiffusersFolder:
    """The parts that are kept, on the CPU, in the precision they were stored in."""

    unet: UNet2DConditionModel
    vae: AutoencoderKL
    vision: CLIPVisionModelWithProjection
    schedule: Schedule
    text_states: Tensor  # (1, T, E) float32, of the empty prompt
    ramp: Tensor  # (T,) float32
    for_vae: Preprocess
    for_vision: Preprocess


def read_diffusers_folder(folder: Path) -> DiffusersFolder:
    """Read all parts; the text encoder runs once and is dropped.

    Raises:
        WeightsError: a part is missing, damaged or of another model.
    """
    index = _read_json(folder / "model_index.json")
    coefficients = index.get("ramping_coefficients")
    if not isinstance(coefficients, list):
        raise WeightsError(f"{folder / 'model_index.json'} has no list 'ramping_coefficients'", "Is it a Zero123++ pipeline?")
    schedule = _schedule(folder / "scheduler" / "scheduler_config.json")
    extractors = [_read_json(folder / f"feature_extractor_{kind}" / "preprocessor_config.json") for kind in ("vae", "clip")]
    for_vae, for_vision = (Preprocess.from_transformers(extractor) for extractor in extractors)
    text_states = _empty_prompt_states(folder)
    if text_states.shape[1] != len(coefficients):
        raise WeightsError(f"{folder}: {len(coefficients)} ramping coefficients for {text_states.shape[1]} text tokens", _REMEDY)
    unet = _module(folder / "unet", UNet2DConditionModel.from_config)
    vae = _module(folder / "vae", AutoencoderKL.from_config, _modern_vae_key)
    vision = _module(folder / "vision_encoder", lambda c: CLIPVisionModelWithProjection(CLIPVisionConfig.from_dict(c)))
    ramp = torch.tensor(coefficients, dtype=torch.float32)
    return DiffusersFolder(unet, vae, vision, schedule, text_states, ramp, for_vae, for_vision)


def _schedule(path: Path) -> Schedule:
    config = _read_json(path)
    wanted = {"num_train_timesteps": 1000, "beta_schedule": "linear", "prediction_type": "v_prediction"}
    for key, value in wanted.items():
        if config.get(key) != value:
            raise WeightsError(f"{path}: {key!r} is {config.get(key)!r}, Zero123++ has {value!r}", _REMEDY)
    return Schedule.linear(config.get("beta_start", 0.00085), config.get("beta_end", 0.012))


@torch.no_grad()
def _empty_prompt_states(folder: Path) -> Tensor:
    """(1, T, E) float32: what the text encoder says to nothing, padded to its full length."""
    tokens = torch.tensor([empty_prompt_tokens(folder / "tokenizer")])
    encoder = _module(folder / "text_encoder", lambda c: CLIPTextModel(CLIPTextConfig.from_dict(c)))
    return encoder.float()(tokens)[0].clone()


def empty_prompt_tokens(folder: Path) -> list[int]:
    """What a CLIP tokenizer makes of "": start, end, padding to the full length. Read off its files; nothing to split.

    Stable Diffusion 2 pads with "!", so the padding token has to be looked up.
    """
    vocabulary = _read_json(folder / "vocab.json")
    config = _read_json(folder / "tokenizer_config.json")
    extra = folder / "special_tokens_map.json"
    config = {**config, **(_read_json(extra) if extra.is_file() else {})}

    def token(role: str) -> int:
        named = config.get(role, "<|endoftext|>")
        text = named["content"] if isinstance(named, dict) else named
        if not isinstance(vocabulary.get(text), int):
            raise WeightsError(f"{folder / 'vocab.json'} has no token {text!r}, the {role}", _REMEDY)
        return int(vocabulary[text])

    length = config.get("model_max_length", 77)
    if not isinstance(length, int) or not 2 <= length <= 100_000:
        raise WeightsError(f"{folder / 'tokenizer_config.json'}: model_max_length is {length!r}", _REMEDY)
    return [token("bos_token"), token("eos_token")] + [token("pad_token")] * (length - 2)


def _module(folder: Path, build: Callable[[dict[str, Any]], Model], rename: Callable[[str], str] = str) -> Model:
    """A part of a diffusers folder: its config.json built without allocating, its weights loaded strictly."""
    path = folder / "config.json"
    config = _read_json(path)
    try:
        module = on_meta(lambda: build(config))
    except (TypeError, ValueError, KeyError) as error:
        raise WeightsError(f"{path} does not describe the expected part: {error}", _REMEDY) from error
    weights = weights_file(folder)
    return filled(module, {rename(key): value for key, value in read_state(weights).items()}, weights)


def on_meta(build: Callable[[], Model]) -> Model:
    """What ``build`` makes, without allocating its parameters."""
    # Parameters only: buffers that are computed, not stored, must stay real.
    from accelerate import init_empty_weights

    with init_empty_weights(include_buffers=False):
        return build()


def filled(module: Model, state: Mapping[str, Tensor], source: Path) -> Model:
    """``module`` with ``state`` for its parameters; keys are first brought to the installed transformers' naming."""
    wanted = module.state_dict()
    # CLIP's position numbers were stored once and are computed now; its text model lost a prefix in transformers 5.
    own = {key: value for key, value in state.items() if not key.endswith("embeddings.position_ids")}
    prefix = "text_model."
    if all(key.startswith(prefix) for key in own) and not any(key.startswith(prefix) for key in wanted):
        own = {key.removeprefix(prefix): value for key, value in own.items()}
    elif all(key.startswith(prefix) for key in wanted) and not any(key.startswith(prefix) for key in own):
        own = {prefix + key: value for key, value in own.items()}
    check_state(own, wanted, source)
    module.load_state_dict(own, strict=True, assign=True)
    return module.eval()


def _modern_vae_key(key: str) -> str:
    """diffusers renamed the VAE's attention layers in 0.16; folders saved before have the old names."""
    if ".attentions." in key:
        for old, new in (("query", "to_q"), ("key", "to_k"), ("value", "to_v"), ("proj_attn", "to_out.0")):
            key = key.replace(f".{old}.", f".{new}.")
    return key


def weights_file(folder: Path) -> Path:
    """The weights in a part's folder; WeightsError if there are none."""
    stems = ("diffusion_pytorch_model", "model", "pytorch_model")
    names = [f"{stem}{ending}" for ending in (".safetensors", ".bin") for stem in stems]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise WeightsError(f"{folder} holds no weights (looked for {', '.join(names)})", _REMEDY)


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a .safetensors or torch file that holds nothing else; raises :class:`WeightsError`."""
    if path.suffix == ".safetensors":
        return read_safetensors(path)
    found = read_torch_file(path)
    for key, value in found.items():
        if not isinstance(value, Tensor):
            raise WeightsError(f"{path}: {key!r} is no tensor", "Give a file that holds the UNet's weights and nothing else.")
    return {key: value for key, value in found.items() if isinstance(value, Tensor)}


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise WeightsError(f"{path} is missing", _REMEDY)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise WeightsError(f"{path} is not readable JSON: {error}", _REMEDY) from error
    if not isinstance(found, dict):
        raise WeightsError(f"{path} is no JSON object", _REMEDY)
    return found
