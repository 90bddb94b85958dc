"""The full family's views as a diffusers folder, and back: Zero123++'s layout with our pipeline's code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from geco.cameras import RIGS
from geco.errors import WeightsError
from geco.foreign import Fields, read_fields
from geco.model_files.card import CARD, MULTIVIEW
from geco.model_files.folder import read_safetensors
from geco.model_files.part import read_part_card
from geco.multiview.schedule import Schedule
from geco.multiview.zero123plus.codec import Zero123PlusCodec
from geco.multiview.zero123plus.network import Zero123PlusNetwork
from geco.multiview.zero123plus.preprocess import Preprocess
from geco.public_weights.diffusers_files import REMEDY, WEIGHTS, Component, Exported, index_of
from geco.public_weights.library_models import check_library_config, part
from geco.public_weights.zero123plus_folder import FORMAT, Zero123Plus

KIND = "GecoFullPipeline"
TRANSFORMERS_WEIGHTS = "model.safetensors"
EXTRACTOR = "preprocessor_config.json"
# settings of our multi-view half that the pipeline's index holds under the same names
KEPT = ("sample_shape", "background", "noised_reference", "rig", "foreground_ratio", "licence")
ORIGIN = ("source", "unet_source", "revision", "unet_revision")  # of the weights, where the card tells it


def exported(folder: Path, sampling: dict[str, Any]) -> Exported:
    """What a model folder of the full family becomes.

    Args:
        sampling: how its views are drawn.

    Raises:
        WeightsError: it is no such folder, or its schedule is none that diffusers' schedulers can say.
    """
    half = folder / MULTIVIEW
    card = read_part_card(half, FORMAT).values
    schedule = card["schedule"]
    if schedule.get("kind") != "linear":
        raise WeightsError(
            f"{half / CARD} has a schedule of the kind {schedule.get('kind')!r}",
            "Only Zero123++'s, which is linear, can be said to diffusers.",
        )
    text = read_safetensors(half / "text.safetensors")
    settings = {key: card[key] for key in KEPT} | {key: card[key] for key in ORIGIN if card.get(key)}
    settings |= {"ramping_coefficients": text["ramp"].tolist(), "sampling": sampling}
    return Exported(
        KIND,
        _components(half, card, text["text_states"].shape),
        settings,
        ("sampling", "layout", "pictures", "attention", "full_pipeline"),
        str(card["licence"]),
    )


def _components(half: Path, card: Mapping[str, Any], states: torch.Size) -> dict[str, Component]:
    """Of a multi-view half and its card; ``states`` is the shape of the empty prompt's, (1, T, E)."""
    _, tokens, width = states
    components = {
        "unet": _library("UNet2DConditionModel", card["unet"], (half, "unet")),
        "vae": _library("AutoencoderKL", card["vae"], (half, "vae")),
        "vision_encoder": Component(
            "transformers",
            "CLIPVisionModelWithProjection",
            {"architectures": ["CLIPVisionModelWithProjection"], **card["vision"]},
            source=(half, "vision"),
            weights=TRANSFORMERS_WEIGHTS,
        ),
        "prompt": Component(
            "geco_prompt",
            "GecoPrompt",
            {"_class_name": "GecoPrompt", "tokens": tokens, "width": width},
            source=(half, "text"),
            rename={"text_states": "states"},
            code=("prompt",),
        ),
        "scheduler": Component(
            "diffusers",
            "EulerAncestralDiscreteScheduler",
            _scheduler(card["schedule"]),
            config_name="scheduler_config.json",
        ),
    }
    for name, key in (("vae", "for_vae"), ("clip", "for_vision")):
        components[f"feature_extractor_{name}"] = Component(
            "transformers", "CLIPImageProcessor", _extractor(card[key]), config_name=EXTRACTOR
        )
    return components


def read(folder: Path) -> Zero123Plus:
    """The multi-view half of what :func:`exported` became, tensors in the files' formats.

    Raises:
        WeightsError: a part is missing, damaged, or does not fit the others.
    """
    index = index_of(folder)
    _check(index)
    unet = _module(folder / "unet", UNet2DConditionModel.from_config)
    vae = _module(folder / "vae", AutoencoderKL.from_config)
    vision = _module(
        folder / "vision_encoder",
        lambda settings: CLIPVisionModelWithProjection(CLIPVisionConfig.from_dict(settings)),
        TRANSFORMERS_WEIGHTS,
    )
    scheduler = read_fields(folder / "scheduler" / "scheduler_config.json", WeightsError, REMEDY)
    betas = [scheduler.number(key, 1e-6, 0.5) for key in ("beta_start", "beta_end")]
    for_vae, for_vision = (
        Preprocess.from_transformers(
            read_fields(folder / f"feature_extractor_{name}" / EXTRACTOR, WeightsError, REMEDY)
        )
        for name in ("vae", "clip")
    )
    states = read_safetensors(folder / "prompt" / WEIGHTS)["states"].float()
    ramp = torch.tensor(index.numbers("ramping_coefficients", -1000.0, 1000.0, states.shape[1]))
    if states.shape != (1, len(ramp), unet.config["cross_attention_dim"]):
        raise index.wrong("has ramping_coefficients that do not fit the prompt's states or the UNet")
    network = Zero123PlusNetwork(
        unet, Schedule.linear(*betas), tuple(index.integers("sample_shape", 1, 1024, 3)), index.flag(KEPT[2])
    )
    codec = Zero123PlusCodec(
        vae, vision, states, ramp, for_vae, for_vision, index.number("background", 0.0, 1.0)
    )
    card = {key: index.values[key] for key in (*KEPT, *ORIGIN) if key in index}
    return Zero123Plus(network, codec, card)


def _check(index: Fields) -> None:
    index.choice("rig", RIGS)
    index.text("licence", 10_000)
    index.number("foreground_ratio", 0.1, 1.0)
    shape = index.integers("sample_shape", 1, 1024, 3)
    if len(shape) != 3 or shape[1] % 3 or shape[2] % 2:
        raise index.wrong("has no sample_shape of (channels, 3 h, 2 w)")
    for key in ORIGIN:
        index.text(key, default="")


def _library(kind: str, config: Mapping[str, Any], source: tuple[Path, str]) -> Component:
    return Component("diffusers", kind, {"_class_name": kind, **config}, source=source)


def _scheduler(schedule: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "_class_name": "EulerAncestralDiscreteScheduler",
        "beta_start": schedule["beta_start"],
        "beta_end": schedule["beta_end"],
        "beta_schedule": "linear",
        "num_train_timesteps": 1000,
        "prediction_type": "v_prediction",
        "timestep_spacing": "trailing",
    }


def _extractor(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Our preprocessing in the words of transformers' CLIPImageProcessor."""
    about: dict[str, Any] = {"image_processor_type": "CLIPImageProcessor", "do_convert_rgb": True}
    about |= {"do_rescale": True, "rescale_factor": 1 / 255, "resample": settings["resample"]}
    about |= {"do_normalize": True, "image_mean": list(settings["mean"]), "image_std": list(settings["std"])}
    exact, crop = settings["exact"], settings["crop"]
    about["do_resize"] = bool(exact or settings["shortest"])
    if exact:
        about["size"] = {"height": exact[0], "width": exact[1]}
    elif settings["shortest"]:
        about["size"] = {"shortest_edge": settings["shortest"]}
    about["do_center_crop"] = bool(crop)
    if crop:
        about["crop_size"] = {"height": crop[0], "width": crop[1]}
    return about


def _module(folder: Path, build: Any, weights: str = WEIGHTS) -> Any:
    config = check_library_config(read_fields(folder / CARD, WeightsError, REMEDY))
    return part(
        lambda: build(dict(config.values)), read_safetensors(folder / weights), folder / weights, config
    )
