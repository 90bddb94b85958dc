"""A whole step of Stage I at its true size on this CPU: minutes, and memory beside what the simulation says.

    python -m benchmarks.full_size_step [--recipe card12] [--narrower 1] [--threads 2] [--set NAME=VALUE ...]

Random weights and latents that are encoded already. Measured is a second step's resident memory above that of
the process before the networks are made (Linux); what stays after the first step beside the optimisers'
states, which are there before it, is code that oneDNN compiles for every shape, and told apart. The codec and
the moving average are not here and taken off what was simulated. A table and a JSON line.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from benchmarks.filled import fill
from benchmarks.resident import give_back_at_once, most_while, resident
from geco.device import has_bf16
from geco.multiview.interface import Condition
from geco.multiview.zero123plus.public_size import TEXT_STATES, public_networks
from geco.public_weights.library_models import on_meta
from geco.recipes.find import find_recipe
from geco.recipes.override import override
from geco.recipes.recipe import Recipe
from geco.rehearsal.account import Account, clip
from geco.rehearsal.stages import stage1
from geco.timing import cpu_name
from geco.torch_runtime.foreseen import Networks
from geco.training.full_family import FULL
from geco.training.halves import Views
from geco.training.inputs import Inputs
from geco.training.machine import Machine
from geco.training.stage1 import Stage1Task
from geco.training.task import Part, Task

PICTURE_LATENT = (4, 64, 64)  # of 512 pixels


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--recipe", default="card12")
    parser.add_argument("--narrower", type=int, choices=[1, 2, 4], default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    give_back_at_once()
    recipe, _ = override(find_recipe(options.recipe), "stage1", options.set)
    recipe = replace(recipe, stage1=replace(recipe.stage1, held_out=0))
    length = replace(recipe.length("stage1"), accumulate=1)
    recipe = replace(recipe, lengths={**recipe.lengths, "stage1": length})
    networks = hollow(options.narrower)
    foreseen = stage1(networks, recipe, latents=True, on_cpu=True)
    load_libraries()
    empty = resident()
    task = made(networks, recipe)
    parts = list(task.parts())  # once: the optimisers are made with them
    begin_optimizers(parts)
    seconds: dict[str, float] = {}
    at_rest = resident()
    most_while(lambda: step(parts, seconds))
    print({name: round(value) for name, value in seconds.items()}, "seconds of the first step", flush=True)
    _, most = most_while(lambda: step(parts, seconds))
    report(options, (at_rest - empty, most, compiled(at_rest)), foreseen, seconds)


def hollow(narrower: int) -> Networks:
    """UNet and codec on ``meta``; there is no reconstructor."""
    network, codec = on_meta(lambda: torch.nn.ModuleList(public_networks(True, narrower)))
    return Networks(network, codec, torch.nn.Identity())  # type: ignore[arg-type]


def made(networks: Networks, recipe: Recipe) -> Task:
    """Stage I on random weights, in their final formats from the beginning."""
    options = recipe.stage1
    own = torch.bfloat16 if options.rank and options.teacher_format == "bfloat16" else torch.float32
    fill(networks.network, "cpu", own)
    views: Any = Views(networks.network, Encoded())  # type: ignore[arg-type]
    FULL.prepare(views, options)
    return Stage1Task(options, Inputs(Machine(recipe.precision, "cpu")), views, Pictures(), lambda *_: None)


def load_libraries() -> None:
    """What the first product and the first convolution bring into memory is no part of a step."""
    network = torch.nn.Sequential(torch.nn.Conv2d(64, 64, 3), torch.nn.Flatten(), torch.nn.LazyLinear(64))
    with torch.autocast("cpu", torch.bfloat16):
        network(torch.randn(2, 64, 16, 16)).sum().backward()


def begin_optimizers(parts: list[Part]) -> None:
    """Their states, by a first step of gradients that say nothing."""
    for part in parts:
        for parameter in part.parameters:
            parameter.grad = torch.zeros_like(parameter)
        for optimizer in part.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)


class Pictures:
    """As many as are asked for; nobody looks at them."""

    def conditions(self, index: int, size: int, rng: torch.Generator) -> Tensor:
        return torch.empty(size, 0)


class Encoded:
    """Latents and text states at random."""

    background, on_host = 1.0, False

    def condition(self, picture: Tensor, noise: Any = None) -> Condition:
        return Condition(
            torch.randn(len(picture), *PICTURE_LATENT), torch.randn(len(picture), *TEXT_STATES[1:])
        )

    def unconditional(self, condition: Condition, noise: Any = None) -> Condition:
        return self.condition(torch.empty(1 if condition.picture is None else len(condition.picture), 0))


def compiled(at_rest: int) -> int:
    """What is resident now and was not when only networks and optimisers were there."""
    _, _ = most_while(lambda: None)  # collects, and trims the heap
    return resident() - at_rest


def step(parts: list[Part], seconds: dict[str, float]) -> None:
    """One update of every part; wall-clock seconds by part and moment."""
    rng = torch.Generator().manual_seed(0)
    for part in parts:
        part.network.train()
        began = time.perf_counter()
        loss, _ = part.loss(0, rng)
        then = time.perf_counter()
        loss.backward()
        del loss
        clip(part)
        for optimizer in part.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        end = time.perf_counter()
        seconds |= {f"{part.name}: forward": then - began, f"{part.name}: backward, step": end - then}


def report(
    options: argparse.Namespace,
    measured: tuple[int, int, int],
    foreseen: Account,
    seconds: dict[str, float],
) -> None:
    """The table and the JSON line. ``measured``: bytes at rest, above them at most, and of compiled code."""
    at_rest, most, code = measured
    absent = foreseen.resting["VAE's decoder"] + foreseen.resting.get("moving average", 0)
    rest, said = sum(foreseen.resting.values()) - absent, foreseen.peak - absent
    tera = sum(foreseen.flop.values()) / 1e12
    total = sum(seconds.values())
    print(
        "            at rest    peak\n"
        f"measured   {at_rest / 1e9:7.2f} {(at_rest + most) / 1e9:7.2f} GB\n"
        f"simulated  {rest / 1e9:7.2f} {said / 1e9:7.2f} GB, {said / (at_rest + most):.3f} of it\n"
        f"code that oneDNN compiled {code / 1e9:.2f} GB"
    )
    for name, value in seconds.items():
        print(f"  {name:28} {value / 60:6.2f} minutes")
    print(
        f"  a step of {foreseen.samples} samples {total / 60:.2f} minutes, {tera:.1f} TFLOP, "
        f"{tera * 1e3 / total:.0f} GFLOP/s"
    )
    facts = {
        "recipe": options.recipe,
        "set": options.set,
        "narrower": options.narrower,
        "threads": options.threads,
        "cpu": cpu_name(),
        "bf16": has_bf16(torch.device("cpu")),
        "torch": torch.__version__,
    }
    numbers = {
        "measured": [at_rest, at_rest + most],
        "code": code,
        "simulated": [rest, said],
        "seconds": seconds,
        "tflop": tera,
    }
    print(json.dumps({**facts, **numbers}))


if __name__ == "__main__":
    main()
