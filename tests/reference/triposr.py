"""TripoSR: picture, tokens, backbone and planes 2e-5 of their spread; points and grids 2e-5, relative for
densities; renders 1e-4.

The spread is the standard deviation of what the reference recorded, so that a small bound stays small where a
few numbers are large.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from geco.errors import ConfigError
from geco.foreign import Fields
from tests.reference.result import Result, largest_error
from tests.reference.weights import fill

if TYPE_CHECKING:
    import torch

    from geco.reconstruct.triposr.config import TripoSRConfig
    from geco.reconstruct.triposr.model import TripoSR

BOUND = 2e-5
RENDER_BOUND = 1e-4
Tensors = dict[str, np.ndarray]


def config_of(meta: dict[str, Any]) -> TripoSRConfig:
    """Settings from a description's ``config`` and ``vit_config``."""
    from geco.public_weights.triposr_settings import settings_of
    from geco.reconstruct.vit_config import ViTConfig

    vit = dict(meta.get("vit_config", {}))
    if vit.pop("hidden_act", "gelu") != "gelu":
        raise ValueError("the image encoder has another activation than GELU")
    return settings_of(Fields(meta["config"], "config", ConfigError), ViTConfig.from_dict(vit))


def build(tensors: Tensors, meta: dict[str, Any]) -> TripoSR:
    """The model of the file."""
    from geco.reconstruct.triposr.model import TripoSR

    model = TripoSR(config_of(meta))
    fill(model, tensors, meta)
    return model


def run(tensors: Tensors, meta: dict[str, Any]) -> Iterator[Result]:
    """Every stage, from the reference's own input to it, and from the picture to the planes in one."""
    import torch

    model = build(tensors, meta)
    given = {name: torch.from_numpy(value) for name, value in tensors.items() if not name.startswith("sd.")}
    with torch.no_grad():
        for name, ours in _network(model, given).items():
            if name in tensors:
                yield Result(name, _of_spread(ours, tensors[name]), BOUND)
        if "scene_codes" in given:
            yield from _fields(model, given, tensors)
    yield from _rays(tensors, meta)


def _network(model: TripoSR, given: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Every recorded stage of the network, each from the recorded one before it."""
    found = {}
    if "image_u8" in given:
        picture = given["image_u8"].permute(2, 0, 1)[None].float() / 255
        found["cond"] = model.condition(picture).permute(0, 2, 3, 1)
        found["scene_codes"] = model(picture)
    if "cond" in given:
        found["image_tokens"] = model.image_tokenizer(given["cond"].permute(0, 3, 1, 2))
    if "triplane_tokens" in given:
        found["triplane_tokens"] = model.tokenizer(1)
    if "image_tokens" in given:
        found["backbone_tokens"] = model.backbone(model.tokenizer(1), given["image_tokens"])
    return found


def _fields(model: TripoSR, given: dict[str, torch.Tensor], tensors: Tensors) -> Iterator[Result]:
    import torch

    from geco.reconstruct.triposr.renderer import render

    config, planes = model.config, given["scene_codes"]
    if "backbone_tokens" in given:
        ours = model.post_processor(model.tokenizer.planes(given["backbone_tokens"]))
        yield Result("scene_codes of backbone_tokens", _of_spread(ours, tensors["scene_codes"]), BOUND)
    if "pts" in given:
        points = given["pts"].reshape(1, -1, 3)
        raw = model.outputs(planes, points)[0]
        for name, ours in (
            ("pts_density", raw[:, :1]),
            ("pts_features", raw[:, 1:]),
            ("pts_color", model.color(planes, points)[0]),
        ):
            if name in tensors:
                yield Result(name, largest_error(ours, tensors[name]), BOUND)
        if "pts_density_act" in tensors:
            ours = model.density(planes, points)[0][:, None]
            yield Result("pts_density_act", _relative(ours, tensors["pts_density_act"]), BOUND)
    if "grid_density" in tensors:
        # from [0, 1] into the cube, as the public code's marching cubes helper has it
        axis = torch.linspace(0, 1, len(tensors["grid_density"])) * (2 * config.radius) - config.radius
        lattice = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1)
        ours = model.density(planes, lattice.reshape(1, -1, 3)).reshape(lattice.shape[:3])
        yield Result("grid_density", _relative(ours, tensors["grid_density"]), BOUND)
    if "render_rgb" in tensors:
        ours = render(model.decoder, planes, given["rays_o"], given["rays_d"], config)
        yield Result("render_rgb", largest_error(ours, tensors["render_rgb"]), RENDER_BOUND)


def _rays(tensors: Tensors, meta: dict[str, Any]) -> Iterator[Result]:
    from geco.reconstruct.triposr.renderer import spherical_rays

    if "render" not in meta or "rays_o" not in tensors:
        return
    how = meta["render"]
    origins, directions = spherical_rays(
        how["n_views"],
        how["elevation_deg"],
        how["camera_distance"],
        how["fovy_deg"],
        how.get("height", how.get("size")),
        how.get("width", how.get("size")),
    )
    yield Result("rays_o", largest_error(origins, tensors["rays_o"]), BOUND)
    # The files of the first delivery record the middle ray for every pixel, which no field of view makes:
    # such rays are an input of the renders, and nothing to compare.
    if np.ptp(tensors["rays_d"][0].reshape(-1, 3), axis=0).max() > 1e-6:
        yield Result("rays_d", largest_error(directions, tensors["rays_d"]), BOUND)


def _of_spread(ours: Any, theirs: np.ndarray) -> float:
    return largest_error(ours, theirs) / max(float(theirs.std()), 1e-6)


def _relative(ours: Any, theirs: np.ndarray) -> float:
    """The largest error, of densities above 1 as a part of them: they are exponentials."""
    error = largest_error(ours, theirs)
    if not math.isfinite(error):
        return error
    values = np.asarray(ours.detach()).astype(np.float64)
    return float((np.abs(values - theirs) / np.maximum(np.abs(theirs), 1)).max())
