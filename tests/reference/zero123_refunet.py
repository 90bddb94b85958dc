"""Reference-attention UNet against Zero123++'s RefOnlyNoisedUNet: noised reference, stored
tokens, output. Bound 1e-4.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from geco.multiview.interface import Condition, ConditionState
from geco.multiview.zero123plus.network import Zero123PlusNetwork
from tests.reference.result import Result, largest_error
from tests.reference.weights import state_dict
from tests.reference.zero123_schedulers import schedule_of

BOUND = 1e-4
_INPUTS = ("sample", "cond_lat", "encoder_hidden_states", "timestep", "cond_noise")


def load_network(tensors: dict[str, np.ndarray], prefix: str, meta: dict[str, Any]) -> Zero123PlusNetwork:
    """The UNet of ``meta`` with the weights stored under ``prefix``, or drawn where it says so; strictly."""
    network = Zero123PlusNetwork.from_config(
        meta["unet_config"], schedule=schedule_of(meta["scheduler_config"])
    )
    weights = state_dict(tensors, prefix)
    if "weights" in meta:
        weights = drawn(
            {name: value.shape for name, value in network.unet.state_dict().items()}, meta["seed"]
        )
    network.unet.load_state_dict(weights, strict=True)
    return network.eval()


def drawn(shapes: dict[str, torch.Size], seed: int) -> dict[str, Tensor]:
    """The reference's random weights by their recipe, bit for bit on torch 2.13, instead of 4 MB of them.

    Normal numbers of one stream, name by name; matrices over the root of their inputs, norms about 1, others
    a tenth of them.
    """
    rng, weights = torch.Generator().manual_seed(seed), {}
    for name, shape in sorted(shapes.items()):
        normal = torch.randn(shape, generator=rng)
        if len(shape) > 1:
            weights[name] = normal / math.sqrt(math.prod(shape[1:]))
        else:
            weights[name] = 0.1 * normal + (1 if name.endswith("weight") else 0)
    return weights


@torch.no_grad()
def run(tensors: dict[str, np.ndarray], meta: dict[str, Any]) -> Iterator[Result]:
    """Every case whose tensors are in the file; a file without any is an error."""
    network = load_network(tensors, "sd.", meta)
    ran = 0
    for case, settings in meta["cases"].items():
        given = {
            name.removeprefix(f"{case}."): value
            for name, value in tensors.items()
            if name.startswith(f"{case}.")
        }
        if not given:
            continue
        ran += 1
        for name, error in _case(network, given, settings):
            yield Result(f"{case} {name}", error, BOUND)
    if not ran:
        raise ValueError("the file holds none of its cases")


def _case(
    network: Zero123PlusNetwork, given: dict[str, np.ndarray], settings: dict[str, Any]
) -> Iterator[tuple[str, float]]:
    x_t, picture, text, t, noise = (torch.from_numpy(given.pop(name)) for name in _INPUTS)
    t = t.reshape(-1).expand(len(x_t))
    without = len(x_t) - len(picture)  # items that have no reference: one with is_cfg_guidance, else none
    if without != int(settings["is_cfg_guidance"]):
        raise ValueError(
            f"{without} items have no reference although is_cfg_guidance is {settings['is_cfg_guidance']}"
        )
    if (reference := given.pop("noisy_cond", None)) is not None:
        yield "noisy_cond", largest_error(network.schedule.add_noise(picture, noise, t[without:]), reference)
    state = network.encode_condition(Condition(picture, text[without:]), t[without:], noise)
    v = network.predict(x_t[without:], t[without:], state, "v")
    if without:
        plain = network.encode_condition(Condition(None, text[:without]))
        v = torch.cat([network.predict(x_t[:without], t[:without], plain, "v"), v])
    for name, value in given.items():
        ours = v if name == "out" else _stored(state, name)
        yield name.replace(".transformer_blocks", "").replace(".processor", ""), largest_error(ours, value)


def _stored(state: ConditionState, name: str) -> Tensor:
    return state.tensors[name.removeprefix("ref.").removesuffix(".processor")]
