"""A Zero123++ pipeline folder as diffusers saves it, part by part, strictly.

The folder holds ``model_index.json`` (with the ramping coefficients), ``unet/``, ``vae/``,
``vision_encoder/``, ``text_encoder/``, ``tokenizer/``, ``scheduler/``, ``feature_extractor_vae/`` and
``feature_extractor_clip/``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPVisionConfig, CLIPVisionModelWithProjection

from geco.errors import ConfigError, WeightsError
from geco.foreign import Fields, read_fields
from geco.memory import is_shortage
from geco.model_files.folder import read_safetensors
from geco.multiview.schedule import Schedule
from geco.multiview.zero123plus.preprocess import Preprocess
from geco.public_weights.ckpt import read_torch_file
from geco.public_weights.library_models import Model, check_library_config, part

MOST_TOKENS = 4096  # of a text encoder; CLIP's has 77
_REMEDY = "Give the folder of a Zero123++ pipeline as diffusers saves it, complete."


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


def read_diffusers_folder(folder: Path, unet: Path | None = None) -> DiffusersFolder:
    """Read all parts; the text encoder runs once and is dropped.

    Args:
        unet: weights in place of the folder's own UNet's, which then need not be there.

    Raises:
        WeightsError: a part is missing, damaged or of another model.
    """
    index = read_fields_of(folder / "model_index.json")
    if "ramping_coefficients" not in index:
        raise index.wrong("has no list 'ramping_coefficients': is it a Zero123++ pipeline?")
    coefficients = index.numbers("ramping_coefficients", -1000.0, 1000.0, MOST_TOKENS)
    schedule = _schedule(folder / "scheduler" / "scheduler_config.json")
    paths = [folder / f"feature_extractor_{kind}" / "preprocessor_config.json" for kind in ("vae", "clip")]
    for_vae, for_vision = (Preprocess.from_transformers(read_fields_of(path)) for path in paths)
    text_states = _empty_prompt_states(folder)
    if text_states.shape[1] != len(coefficients):
        raise WeightsError(
            f"{folder}: {len(coefficients)} ramping coefficients for {text_states.shape[1]} text tokens",
            _REMEDY,
        )
    network = read_module(folder / "unet", UNet2DConditionModel.from_config, weights=unet)
    vae = read_module(folder / "vae", AutoencoderKL.from_config, _modern_vae_key)
    vision = read_module(
        folder / "vision_encoder", lambda c: CLIPVisionModelWithProjection(CLIPVisionConfig.from_dict(c))
    )
    ramp = torch.tensor(coefficients, dtype=torch.float32)
    return DiffusersFolder(network, vae, vision, schedule, text_states, ramp, for_vae, for_vision)


def _schedule(path: Path) -> Schedule:
    config = read_fields_of(path)
    wanted = {"num_train_timesteps": 1000, "beta_schedule": "linear", "prediction_type": "v_prediction"}
    for key, value in wanted.items():
        if config.values.get(key) != value:
            raise config.wrong(f"does not say that {key!r} is {value!r}, as Zero123++ has it")
    start, end = config.number("beta_start", 1e-6, 0.5, 0.00085), config.number("beta_end", 1e-6, 0.5, 0.012)
    try:
        return Schedule.linear(start, end)
    except ConfigError as error:
        raise config.wrong(f"is no schedule: {error.problem}") from error


@torch.no_grad()
def _empty_prompt_states(folder: Path) -> Tensor:
    """(1, T, E) float32: what the text encoder says to nothing, padded to its full length."""
    tokens = torch.tensor([empty_prompt_tokens(folder / "tokenizer")])
    encoder = read_module(folder / "text_encoder", lambda c: CLIPTextModel(CLIPTextConfig.from_dict(c)))
    try:
        return encoder.float()(tokens)[0].clone()
    except (IndexError, ValueError, RuntimeError) as error:  # tokens or more of them than the encoder knows
        if is_shortage(error):
            raise
        why = (str(error) or type(error).__name__).splitlines()[0]
        raise WeightsError(
            f"{folder}: its text encoder does not take its tokenizer's tokens ({why})", _REMEDY
        ) from error


def empty_prompt_tokens(folder: Path) -> list[int]:
    """What a CLIP tokenizer makes of "": start, end, padding to the full length. Read off its files; nothing
    to split.

    Stable Diffusion 2 pads with "!", so the padding token has to be looked up.
    """
    vocabulary = read_fields_of(folder / "vocab.json")
    config = read_fields_of(folder / "tokenizer_config.json")
    extra = folder / "special_tokens_map.json"
    values = {**config.values, **(read_fields_of(extra).values if extra.is_file() else {})}

    def token(role: str) -> int:
        named = values.get(role, "<|endoftext|>")
        text = named.get("content") if isinstance(named, dict) else named
        if not isinstance(text, str) or text not in vocabulary:
            raise vocabulary.wrong(f"has no token {str(text)[:60]!r}, the {role}")
        return int(vocabulary.integer(text, 0, 10_000_000))

    length = config.integer("model_max_length", 2, MOST_TOKENS, 77)
    return [token("bos_token"), token("eos_token")] + [token("pad_token")] * (length - 2)


def read_module(
    folder: Path,
    build: Callable[[dict[str, Any]], Model],
    rename: Callable[[str], str] = str,
    weights: Path | None = None,
) -> Model:
    """A part of a diffusers folder: its config.json built without allocating, its weights (or others in their
    place) loaded strictly.
    """
    config = read_fields_of(folder / "config.json")
    check_library_config(config)
    weights = weights or weights_file(folder)
    state = {rename(key): value for key, value in read_state(weights).items()}
    return part(lambda: build(dict(config.values)), state, weights, config)


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
        if os.path.lexists(folder / name):
            return folder / name
    raise WeightsError(f"{folder} holds no weights (looked for {', '.join(names)})", _REMEDY)


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a .safetensors or torch file that holds nothing else; raises :class:`WeightsError`."""
    if path.suffix == ".safetensors":
        return read_safetensors(path)
    found = read_torch_file(path)
    for key, value in found.items():
        if not isinstance(value, Tensor) or not isinstance(key, str):
            problem = f"{path}: {str(key)[:60]!r} is no tensor"
            raise WeightsError(problem, "Give a file that holds the UNet's weights and nothing else.")
    return {key: value for key, value in found.items() if isinstance(value, Tensor)}


def read_fields_of(path: Path) -> Fields:
    """The fields of a JSON file of the folder; WeightsError where it is missing or broken."""
    if not os.path.lexists(path):
        raise WeightsError(f"{path} is missing", _REMEDY)
    return read_fields(path, WeightsError, _REMEDY)
