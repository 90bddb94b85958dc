"""A Stable Diffusion UNet as the teacher of single views: the same network class as Zero123++'s, which reads
no reference where none is written.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

from geco.errors import ConfigError, WeightsError
from geco.foreign import Fields
from geco.multiview.schedule import PredictionType, Schedule
from geco.multiview.zero123plus.network import Zero123PlusNetwork
from geco.public_weights.diffusers_folder import read_fields_of, read_module
from geco.sampling import TIMESTEPS

REMEDY = "Give a folder of a Stable Diffusion pipeline as diffusers saves it: unet/ and scheduler/."
PREDICTIONS: dict[str, PredictionType] = {"v_prediction": "v", "epsilon": "eps"}


def load_single_view(
    folder: Path, shape: tuple[int, ...], text_width: int, device: torch.device
) -> Zero123PlusNetwork:
    """``folder/unet`` with the schedule of ``folder/scheduler``, float32.

    Args:
        shape: (4, h, w) latents of one view. text_width: of the text states that it will be given.

    Raises:
        WeightsError: a part is missing, damaged, or of another kind of model.
    """
    if not (folder / "unet").is_dir():
        raise WeightsError(f"{folder} holds no unet/", REMEDY)
    scheduler = read_fields_of(folder / "scheduler" / "scheduler_config.json")
    unet = read_module(folder / "unet", UNet2DConditionModel.from_config)
    found = (unet.config["in_channels"], unet.config["cross_attention_dim"])
    if found != (shape[0], text_width):
        raise WeightsError(
            f"{folder / 'unet'} takes {found[0]} channels and text of {found[1]} numbers, the model in "
            f"--init has {shape[0]} and {text_width}",
            "Take one of Stable Diffusion 2, whose text encoder Zero123++ has too.",
        )
    network = Zero123PlusNetwork(unet.float(), schedule_of(scheduler), shape, noised_reference=False)
    network.native_prediction = prediction_of(scheduler)
    return network.to(device)


def prediction_of(scheduler: Fields) -> PredictionType:
    """What the UNet was trained to predict."""
    name = scheduler.choice("prediction_type", tuple(PREDICTIONS), "epsilon")
    return PREDICTIONS[name]


def schedule_of(scheduler: Fields) -> Schedule:
    """Betas as diffusers makes them: evenly spaced, or their square roots are ("scaled_linear")."""
    if scheduler.integer("num_train_timesteps", 1, 1 << 20, TIMESTEPS) != TIMESTEPS:
        raise scheduler.wrong(f"has not {TIMESTEPS} timesteps")
    kind = scheduler.choice("beta_schedule", ("linear", "scaled_linear"), "linear")
    start, end = (
        scheduler.number("beta_start", 1e-6, 0.5, 0.0001),
        scheduler.number("beta_end", 1e-6, 0.5, 0.02),
    )
    try:
        if kind == "linear":
            return Schedule.linear(start, end)
        betas = np.linspace(start**0.5, end**0.5, TIMESTEPS, dtype=np.float64) ** 2
        return Schedule(np.cumprod(1.0 - betas))
    except ConfigError as error:
        raise scheduler.wrong(f"is no schedule: {error.problem}") from error
