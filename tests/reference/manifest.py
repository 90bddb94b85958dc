"""Released checkpoints: our classes, built on the meta device, must have exactly their keys, shapes and
parameter counts.

``manifest_triposr_UNVERIFIED`` holds the configuration from general knowledge of the release;
``manifest_zero123plus_unet_UNVERIFIED`` is built by diffusers from the configuration in the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tests.reference.result import Result

BOUND = 0.0


def run(tensors: dict[str, np.ndarray], meta: dict[str, Any]) -> Iterator[Result]:
    """Keys, shapes and counts of one manifest; errors are 0 (equal) or inf."""
    if "tokenizer_cls" in meta.get("config", {}):
        ours, entries = _triposr(meta), meta["tensors"]
    else:
        ours, entries = _unet(meta) if "UNVERIFIED" in meta else _reconstructor(meta), meta["state_dict"]
    theirs = {name: tuple(entry["shape"]) for name, entry in entries.items()}
    yield _equal("keys", set(ours), set(theirs))
    yield _equal("shapes", ours, theirs)
    yield _equal("number of tensors", len(ours), meta.get("n_tensors", len(entries)))
    yield _equal("parameters", sum(int(np.prod(shape)) for shape in ours.values()), meta["total_parameters"])
    for module, count in meta.get("params_by_module", {}).items():
        yield _equal(
            f"parameters of {module}",
            sum(int(np.prod(s)) for k, s in ours.items() if k.startswith(f"{module}.")),
            count,
        )


def _reconstructor(meta: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    from geco.reconstruct.instantmesh.model import InstantMesh
    from tests.reference.lrm import config_of

    kind = "mesh" if any(".net_sdf." in key for key in meta["state_dict"]) else "nerf"
    config = config_of(kind, meta["model_params"], meta["vit_config"])
    return {name: tuple(value.shape) for name, value in InstantMesh.on_meta(config).state_dict().items()}


def _triposr(meta: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    from geco.reconstruct.triposr.model import TripoSR
    from tests.reference.triposr import config_of

    model = TripoSR.on_meta(config_of(dict(meta)))
    return {name: tuple(value.shape) for name, value in model.state_dict().items()}


def _unet(meta: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    import torch
    from diffusers import UNet2DConditionModel

    with torch.device("meta"):
        unet = UNet2DConditionModel(**meta["config"])
    return {name: tuple(value.shape) for name, value in unet.state_dict().items()}


def _equal(case: str, ours: Any, theirs: Any) -> Result:
    return Result(case, 0.0 if ours == theirs else float("inf"), BOUND)
