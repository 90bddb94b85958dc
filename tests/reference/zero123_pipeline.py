"""Full sampling loops against the public Zero123++ pipelines, every intermediate value recorded. Bound 1e-4.

All random draws of the reference are fed in their order. Weights of the text encoder are not in the file; its
states of the empty prompt are. The preprocessing for CLIP is not in the file either; its result is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from geco.multiview.sampling import Trace, Walk, sample
from geco.multiview.steps import Sampler
from geco.multiview.zero123plus import latents
from geco.multiview.zero123plus.codec import GREY, WHITE, Zero123PlusCodec
from geco.multiview.zero123plus.network import Zero123PlusNetwork
from geco.multiview.zero123plus.preprocess import Preprocess
from tests.reference.result import Result, largest_error
from tests.reference.weights import state_dict
from tests.reference.zero123_refunet import load_network
from tests.reference.zero123_schedulers import exploding

BOUND = 1e-4
_BACKGROUNDS = {"zero123plus": ("image_rgb_gray_u8", GREY), "InstantMesh": ("image_rgb_white_u8", WHITE)}
_SAMPLERS = {
    "euler": Sampler("euler-ancestral"),
    "ddim0": Sampler("ddim", ends_clean=False),
    "ddim1": Sampler("ddim", ends_clean=True),
}
_DRAW = re.compile(r"draw(\d+)_\w+")
_INPUTS = ("init_latent", "clip_input")


class Recorded:
    """A noise source that gives the recorded draws of a run, in order, and insists on their shapes."""

    def __init__(self, given: dict[str, Tensor]) -> None:
        found = {int(match[1]): value for name, value in given.items() if (match := _DRAW.fullmatch(name))}
        self.draws = [found[index] for index in sorted(found)]

    def __call__(self, shape: Sequence[int]) -> Tensor:
        draw = self.draws.pop(0)
        if tuple(draw.shape) != tuple(shape):
            raise ValueError(
                f"asked for a draw of {tuple(shape)} where the reference drew {tuple(draw.shape)}"
            )
        return draw


@torch.no_grad()
def run(tensors: dict[str, np.ndarray], meta: dict[str, Any]) -> Iterator[Result]:
    """Every run whose tensors are in the file; a file without any is an error."""
    network = load_network(tensors, "sd.unet.", meta)
    vae, vision = _load_vae(tensors, meta), _load_vision(tensors, meta)
    for_vae = Preprocess.from_transformers(meta["feature_extractor_vae"])
    ramp, text = (torch.from_numpy(tensors[name]) for name in ("ramp", "text_states_empty_prompt"))
    ran = 0
    for name, settings in meta["runs"].items():
        given = {
            key.removeprefix(f"{name}."): torch.from_numpy(value)
            for key, value in tensors.items()
            if key.startswith(f"{name}.")
        }
        if not given:
            continue
        ran += 1
        picture_name, background = _BACKGROUNDS[settings["pipeline"]]
        codec = Zero123PlusCodec(vae, vision, text, ramp, for_vae, for_vae, background).eval()
        picture = torch.from_numpy(tensors[picture_name]).permute(2, 0, 1)[None] / 255
        if "image_rgba_u8" in tensors:
            rgba = torch.from_numpy(tensors["image_rgba_u8"]).permute(2, 0, 1)[None] / 255
            composed = _composed(rgba, background)
            yield Result(f"{name} {picture_name}", largest_error(composed, picture), BOUND)
        unused = {what for what in given if what not in _INPUTS and not what.startswith("draw")}
        for what, ours in _run(network, codec, picture, given, settings):
            if what in given:
                unused.discard(what)
                yield Result(f"{name} {what}", largest_error(ours, given[what]), BOUND)
        if unused:
            raise ValueError(f"{name}: recorded but not recomputed: {sorted(unused)}")
    if not ran:
        raise ValueError("the file holds none of its runs")


def _composed(rgba: torch.Tensor, background: float) -> torch.Tensor:
    """rgba (B, 4, H, W) in [0, 1] -> (B, 3, H, W) over a grey level, to the nearest of 256 levels as Pillow
    does.
    """
    color, alpha = rgba[:, :3], rgba[:, 3:]
    return ((color * alpha + background * (1 - alpha)) * 255).round() / 255


def _run(
    network: Zero123PlusNetwork,
    codec: Zero123PlusCodec,
    picture: Tensor,
    given: dict[str, Tensor],
    settings: dict[str, Any],
) -> Iterator[tuple[str, Tensor]]:
    """(what, ours) for everything that the reference may have recorded of one run."""
    noise, scale, sampler = Recorded(given), settings["guidance_scale"], _SAMPLERS[settings["scheduler"]]
    if sampler.name == "ddim":
        sampler = replace(sampler, eta=settings["eta"])
    yield "vae_input", codec.for_vae(picture)
    yield "image_embeds", codec.embed(given["clip_input"])
    condition = codec.assemble(codec.for_vae(picture), given["clip_input"], noise)
    unconditional = codec.unconditional(condition, noise) if scale > 1 else None
    told = [c for c in (unconditional, condition) if c is not None]
    assert condition.picture is not None
    yield "vae_latent0", condition.picture
    if unconditional is not None and unconditional.picture is not None:
        yield "vae_latent1", unconditional.picture
    yield "cond_lat", torch.cat([c.picture for c in told if c.picture is not None])
    yield "encoder_hidden_states", torch.cat([c.text for c in told if c.text is not None])

    traces: list[Trace] = []
    network.sample_shape = tuple(given["init_latent"].shape[1:])
    raw = _OutputRecorder(network)
    x0 = sample(
        network,
        condition,
        noise,
        Walk(settings["steps"], sampler, scale, start=given["init_latent"]),
        unconditional,
        on_step=traces.append,
    )
    raw.remove()
    if noise.draws:
        raise ValueError(f"{len(noise.draws)} recorded draws were not used")
    euler = sampler.name == "euler-ancestral"
    for trace in traces:
        ours = {
            "t": torch.tensor(float(trace.step.t)),
            "latents": exploding(trace.x_t, trace.step.alpha) if euler else trace.x_t,
            "model_input": torch.cat([trace.x_t] * len(told)),
            "unet_out": raw.outputs[trace.index],
            "guided": trace.prediction,
            "x0": trace.x0,
            "next": exploding(trace.x_next, trace.step.alpha_next) if euler else trace.x_next,
        }
        for what, value in ours.items():
            yield f"step{trace.index}.{what}", value
    # Unscaling multiplies by 7.3: checked on the recorded final latents, since the loop's own rounding (2e-6
    # of a value near 4, also in the reference) would be all that the end-to-end difference shows. Picture and
    # latents are end to end.
    yield "decode_input", latents.decode_input(codec.vae, given.get(f"step{len(traces) - 1}.next", x0))
    yield "decode_raw", codec.vae.decode(latents.decode_input(codec.vae, x0)).sample
    yield "image", latents.views_to_sheet(codec.decode(x0))


class _OutputRecorder:
    """Keeps what the UNet's read passes gave."""

    def __init__(self, network: Zero123PlusNetwork) -> None:
        self.outputs: list[Tensor] = []
        self._handle = network.unet.register_forward_hook(self._keep)
        self._sheet = network.sample_shape[1:]

    def _keep(self, module: torch.nn.Module, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        if output[0].shape[2:] == self._sheet:  # write passes have the reference's shape, not the sheet's
            self.outputs.append(output[0])

    def remove(self) -> None:
        self._handle.remove()


def _load_vae(tensors: dict[str, np.ndarray], meta: dict[str, Any]) -> AutoencoderKL:
    vae = AutoencoderKL(**meta["vae_config"])
    vae.load_state_dict(state_dict(tensors, "sd.vae."), strict=True)
    return vae.eval()


def _load_vision(tensors: dict[str, np.ndarray], meta: dict[str, Any]) -> CLIPVisionModelWithProjection:
    weights = state_dict(tensors, "sd.vision.")
    config = CLIPVisionConfig(
        **{"projection_dim": len(weights["visual_projection.weight"]), **meta["clip_vision_config"]}
    )
    vision = CLIPVisionModelWithProjection(config)
    vision.load_state_dict(weights, strict=True)
    return vision.eval()
