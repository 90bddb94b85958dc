"""The small family's views as a diffusers folder, and back: its network as a file that runs alone."""

from __future__ import annotations

from pathlib import Path

import torch

from geco.errors import WeightsError
from geco.foreign import read_fields
from geco.model_files.card import CARD, MULTIVIEW, read_model_card
from geco.model_files.folder import read_safetensors
from geco.model_files.part import read_part_card
from geco.model_files.state import check_state
from geco.multiview.small.config import FORMAT, PART, SmallConfig
from geco.multiview.small.network import SmallMultiView
from geco.public_weights.diffusers_files import REMEDY, WEIGHTS, Component, Exported

KIND = "GecoSmallPipeline"


def exported(folder: Path, sampling: dict[str, object]) -> Exported:
    """What a model folder of the small family becomes.

    Args:
        sampling: how its views are drawn.

    Raises:
        WeightsError: it is no such folder.
    """
    half, licence = folder / MULTIVIEW, str(read_model_card(folder)["licence"])
    config = SmallConfig.from_fields(read_part_card(half, FORMAT).fields("config"))
    network = Component(
        "geco_small_network",
        "GecoSmallNetwork",
        {"_class_name": "GecoSmallNetwork", **config.to_dict()},
        source=(half, PART),
        more=constants(config),
        code=("small_network",),
    )
    settings = {"sampling": sampling, "licence": licence}
    return Exported(
        KIND, {"network": network}, settings, ("sampling", "layout", "pictures", "small_pipeline"), licence
    )


def read(folder: Path) -> tuple[SmallConfig, dict[str, torch.Tensor]]:
    """Settings and weights of what :func:`exported` became, in the file's formats; raises WeightsError."""
    path = folder / "network" / CARD
    fields = read_fields(path, WeightsError, REMEDY)
    known = {name: value for name, value in fields.values.items() if not name.startswith("_")}
    config = SmallConfig.from_fields(type(fields)(known, str(path), WeightsError, REMEDY))
    state = read_safetensors(folder / "network" / WEIGHTS)
    own = {name: value for name, value in state.items() if name not in constants(config)}
    with torch.device("meta"):
        wanted = SmallMultiView(config).state_dict()
    check_state(own, wanted, folder / "network" / WEIGHTS)
    return config, own


def constants(config: SmallConfig) -> dict[str, torch.Tensor]:
    """What the network computes of its cameras, and the travelling file finds among its weights."""
    network = SmallMultiView(config)
    names = ["view_angles"]
    if network.bridge is not None:
        names += [f"bridge.{name}" for name in ("lift_index", "draw_index", "waves")]
    return {name: network.get_buffer(name) for name in names}
