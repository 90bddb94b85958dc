"""TripoSR's config.yaml: read, and as our settings. What it may say is what the public code knows; anything
that would change the network and that this version does not have is refused.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any, get_args

from geco.errors import WeightsError
from geco.foreign import Fields, is_plain_name, read_fields
from geco.public_weights.yaml_file import read_yaml
from geco.reconstruct.triposr.config import Activation, FeedForward, Output, Reduction, TripoSRConfig
from geco.reconstruct.vit_config import ViTConfig

ENCODER = "facebook/dino-vitb16"  # of which the released file gives the name alone
# The parts of a model, and the one class that each may be (its last name; the package may be a copy's).
_CLASSES = {
    "image_tokenizer": "DINOSingleImageTokenizer",
    "tokenizer": "Triplane1DTokenizer",
    "backbone": "Transformer1D",
    "post_processor": "TriplaneUpsampleNetwork",
    "decoder": "NeRFMLP",
    "renderer": "TriplaneNeRFRenderer",
}
# Fields without an effect on what is computed from finished weights.
_TRAINING = {
    "backbone": ("dropout", "upcast_attention", "gradient_checkpointing", "out_channels"),
    "decoder": ("weight_init", "bias_init"),
    "renderer": ("randomized",),
}
_REFERENCE = re.compile(r"\$\{([a-z_]+)\.([a-z_]+)\}")
_REMEDY = "Is it the config.yaml that belongs to TripoSR's model.ckpt?"


def read_settings(path: Path) -> TripoSRConfig:
    """The settings in a config.yaml.

    Raises:
        WeightsError: missing, unreadable, or not of a TripoSR that this version knows.
        MissingExtraError: there is no YAML reader.
    """
    fields = read_yaml(path, WeightsError, _REMEDY)
    return settings_of(fields, _encoder(fields, path.parent))


def _encoder(values: Fields, folder: Path) -> ViTConfig:
    """The image encoder that the settings name: the released one, or one whose config.json (as transformers
    writes it) lies in a folder of that name beside the settings.
    """
    part = values.fields("image_tokenizer")
    name = part.text("pretrained_model_name_or_path", default=ENCODER)
    if name == ENCODER:
        return ViTConfig()
    if not is_plain_name(name) or not (folder / name / "config.json").is_file():
        raise part.wrong(f"names the image encoder {name!r}; known is {ENCODER}")
    own = read_fields(folder / name / "config.json", WeightsError, _REMEDY)
    own.choice("hidden_act", ["gelu"], "gelu")
    known = {each.name for each in dataclasses.fields(ViTConfig)}
    kept = {key: value for key, value in own.values.items() if key in known}
    return ViTConfig.from_dict(kept, own.where, WeightsError, _REMEDY)


def settings_of(values: Fields, vit: ViTConfig) -> TripoSRConfig:
    """The settings that a parsed config holds.

    Args:
        vit: of the image encoder, which the file only names.

    Raises:
        the fields' own error: a field is missing, of another type, unknown, or does not fit the others.
    """
    values.only(["cond_image_size", *_CLASSES, *(f"{part}_cls" for part in _CLASSES)])
    parts = {}
    for part, known in _CLASSES.items():
        found = values.text(f"{part}_cls", default=f".{known}")
        if found.rpartition(".")[2] != known:
            raise values.wrong(f"makes the {part} a {found}; known is {known}")
        parts[part] = Fields(_resolved(values, part), f"{values.where}: {part}", values.error, values.remedy)
    return _joined(values, parts, vit)


def _joined(values: Fields, parts: dict[str, Fields], vit: ViTConfig) -> TripoSRConfig:
    tokens = parts["tokenizer"].only(["plane_size", "num_channels"])
    channels = tokens.integer("num_channels", 1, 8192)
    backbone = _backbone(parts["backbone"], channels, vit)
    upsampler = parts["post_processor"].only(["in_channels", "out_channels"])
    _same(upsampler, "in_channels", channels)
    parts["image_tokenizer"].only(["pretrained_model_name_or_path", "enable_gradient_checkpointing"])
    found = {
        "cond_image_size": values.integer("cond_image_size", 16, 2048),
        "vit": vit,
        "plane_size": tokens.integer("plane_size", 1, 128),
        "channels": channels,
        "plane_channels": upsampler.integer("out_channels", 1, 1024),
        **backbone,
        **_decoder(parts["decoder"]),
        **_renderer(parts["renderer"]),
    }
    config = TripoSRConfig.from_dict(
        {**found, "vit": vit.to_dict()}, values.where, values.error, values.remedy
    )
    _same(parts["decoder"], "in_channels", config.features)
    return config


def _backbone(part: Fields, channels: int, vit: ViTConfig) -> dict[str, Any]:
    part.only(
        [
            *("num_attention_heads", "attention_head_dim", "in_channels", "num_layers", "norm_num_groups"),
            *("cross_attention_dim", "attention_bias", "activation_fn", "only_cross_attention"),
            *("double_self_attention", "norm_type", "norm_elementwise_affine"),
            *_TRAINING["backbone"],
        ]
    )
    _same(part, "in_channels", channels)
    _same(part, "cross_attention_dim", vit.hidden_size)
    for name, wanted in (("only_cross_attention", False), ("double_self_attention", False)):
        if part.flag(name, wanted) is not wanted:
            raise part.wrong(f"has {name}, which this version does not")
    if not part.flag("norm_elementwise_affine", True) or part.text("norm_type", default="layer_norm") != (
        "layer_norm"
    ):
        raise part.wrong("has norms other than LayerNorm with weights")
    return {
        "heads": part.integer("num_attention_heads", 1, 128, 16),
        "head_dim": part.integer("attention_head_dim", 1, 1024, 88),
        "layers": part.integer("num_layers", 0, 64, 1),
        "norm_groups": part.integer("norm_num_groups", 1, 1024, 32),
        "attention_bias": part.flag("attention_bias", False),
        "feed_forward": part.choice("activation_fn", get_args(FeedForward), "geglu"),
    }


def _decoder(part: Fields) -> dict[str, Any]:
    part.only(["in_channels", "n_neurons", "n_hidden_layers", "activation", "bias", *_TRAINING["decoder"]])
    return {
        "neurons": part.integer("n_neurons", 1, 4096),
        "hidden_layers": part.integer("n_hidden_layers", 1, 64),
        "activation": part.choice("activation", get_args(Activation), "relu"),
        "decoder_bias": part.flag("bias", True),
    }


def _renderer(part: Fields) -> dict[str, Any]:
    part.only(
        [
            *("radius", "feature_reduction", "density_activation", "density_bias", "color_activation"),
            *("num_samples_per_ray", *_TRAINING["renderer"]),
        ]
    )
    return {
        "radius": part.number("radius", 1e-3, 1e3),
        "feature_reduction": part.choice("feature_reduction", get_args(Reduction), "concat"),
        "density_activation": _activation(part, "density_activation"),
        "density_bias": part.number("density_bias", -1e3, 1e3, -1.0),
        "color_activation": _activation(part, "color_activation", "sigmoid"),
        "samples_per_ray": part.integer("num_samples_per_ray", 1, 4096, 128),
    }


def _activation(part: Fields, name: str, *default: str) -> str:
    """As the public code's ``get_activation`` takes it: any case, null for none."""
    if name in part and part.values[name] is None:
        return "none"
    low = part.text(name, 100, *default).lower()
    return Fields({name: low}, part.where, part.error, part.remedy).choice(name, get_args(Output))


def _same(part: Fields, name: str, wanted: int) -> None:
    if part.integer(name, 1, 2**20) != wanted:
        raise part.wrong(f"has {name} = {part.values[name]}, where the other parts make it {wanted}")


def _resolved(values: Fields, part: str) -> dict[str, Any]:
    """A part's fields, with what another part says in place of ``${PART.FIELD}``."""
    found = dict(values.fields(part).values)
    for name, value in found.items():
        match = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
        if match is not None:
            other = values.fields(match[1])
            found[name] = other.values.get(match[2])
            if not isinstance(found[name], int | float):
                raise other.wrong(f"has no number {match[2]}, which {part} refers to")
    return found
