"""The stages of the full family as tasks on fake tensors: their real code, with pictures and pairs that hold
nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from geco.metrics.lpips import Lpips
from geco.multiview.interface import Condition
from geco.multiview.zero123plus.public_size import PICTURE_SIZE
from geco.recipes.recipe import Recipe
from geco.rehearsal.account import Account, FakeMachine, Rehearsal, as_on_cuda, modules_stay
from geco.sampling import Sampling
from geco.simulated import Simulation, simulated
from geco.torch_runtime.foreseen import Asked, Networks, Prepared
from geco.torch_runtime.foreseen import foresee as foresee_views
from geco.training.full_family import FULL
from geco.training.halves import Views
from geco.training.inputs import Inputs
from geco.training.stage1 import Stage1Task
from geco.training.stage2_foreseen import Figure, ForeseenTask

# Parts of a run that hold no other.
WORK = ("condition", "write", "read", "decode", "planes", "surface")


def foresee(stage: str, recipe: Recipe, networks: Networks, latents: bool = False) -> Account:
    """What ``stage`` of ``recipe`` takes; a stage is stage1, stage2 or pairs, ``latents`` as of
    :func:`stage1`.
    """
    if stage == "stage1":
        return stage1(networks, recipe, latents)
    return {"stage2": stage2, "pairs": pairs}[stage](networks, recipe)


def stage1(networks: Networks, recipe: Recipe, latents: bool = False, on_cpu: bool = False) -> Account:
    """Stage I of ``recipe``.

    Args:
        networks: on ``meta``, or real; they stay untouched.
        latents: the condition pictures are encoded already (geco data encode).
        on_cpu: count as this computer's CPU computes, instead of as a CUDA card does.
    """
    options, machine = recipe.stage1, FakeMachine(recipe.precision)
    length = recipe.length("stage1")
    with _counting(on_cpu) as run:
        resting: dict[str, int] = {}
        with _named(run, resting, "VAE's decoder" if latents else "VAE, CLIP"):
            codec: Any = _Encoded(run, networks) if latents else _whole_codec(run, networks)
        with _named(run, resting, "UNets"):
            views = Views(run.placed(networks.network, torch.float32), codec)
            FULL.prepare(views, options)
            task = Stage1Task(options, Inputs(machine), views, _Pictures(), _unsaved)
        return Rehearsal(run, task, resting, length.accumulate).account()


def stage2(networks: Networks, recipe: Recipe) -> Account:
    """Stage II of ``recipe``, the generator's views stored with the pairs."""
    figure, machine = Figure(recipe.resolution, recipe.pairs.size), FakeMachine(recipe.precision)
    with _counting(False) as run:
        resting: dict[str, int] = {}
        with _named(run, resting, "reconstructor"):
            model = run.placed(networks.model, torch.float32).requires_grad_(True)
        with _named(run, resting, "LPIPS"):
            distance = Lpips("vgg")
        task = ForeseenTask(recipe.stage2, machine, model, distance, figure)
        return Rehearsal(run, task, resting, recipe.length("stage2").accumulate).account()


def pairs(networks: Networks, recipe: Recipe) -> Account:
    """The pairs of ``recipe``: a chunk by the teacher, then its reconstruction. The renders, 0.8 GB for ten
    at a time (measured on a CPU), stay below the pictures' decoding.
    """
    options = recipe.pairs
    sampling = Sampling("ddim", options.steps, options.guidance_scale)
    seen = foresee_views(networks, Asked(options.chunk, sampling, recipe.resolution), torch.float16)
    moments = {"teacher's views": seen.views, "planes": seen.planes, "surface": seen.surface}
    work = Counter[str]()
    for name, part in seen.parts.items():
        steps = options.steps / min(options.steps, 2) if name in ("write", "read") else 1
        for number, count in part.flop.items() if name in WORK else ():
            work[number] += round(count * steps)
    return Account({"weights": seen.resting}, moments, dict(work), options.chunk, {})


def _whole_codec(run: Simulation, networks: Networks) -> Prepared:
    return Prepared(run, run.placed(networks.codec, torch.float32))


class _Encoded:
    """A codec as :class:`geco.training.latent_codec.LatentCodec`: what its encoders made is at hand."""

    on_host = False

    def __init__(self, run: Simulation, networks: Networks) -> None:
        codec = networks.codec
        self.background = codec.background
        parts = (codec.vae.decoder, codec.vae.post_quant_conv)
        self._decoder = run.placed(nn.ModuleList([part for part in parts if part is not None]))
        self._states = tuple(codec.text_states.shape[1:])
        reduction = 2 ** (len(codec.vae.config["block_out_channels"]) - 1)
        self._latent = (4, PICTURE_SIZE // reduction, PICTURE_SIZE // reduction)

    def condition(self, picture: Tensor, noise: Any = None) -> Condition:
        return self._of(len(picture))

    def unconditional(self, condition: Condition, noise: Any = None) -> Condition:
        assert condition.picture is not None
        return self._of(len(condition.picture))

    def _of(self, count: int) -> Condition:
        return Condition(torch.empty(count, *self._latent), torch.empty(count, *self._states))


class _Pictures:
    """Condition pictures without numbers."""

    def conditions(self, index: int, size: int, rng: torch.Generator) -> Tensor:
        return torch.empty(size, 3, PICTURE_SIZE, PICTURE_SIZE)


@contextmanager
def _counting(on_cpu: bool) -> Iterator[Simulation]:
    with torch.enable_grad(), simulated(on_cpu) as run, modules_stay():
        if on_cpu:
            yield run
            return
        with as_on_cuda():
            yield run


@contextmanager
def _named(run: Simulation, resting: dict[str, int], name: str) -> Iterator[None]:
    """What is made inside and stays rests under ``name``."""
    before = run.live
    yield
    resting[name] = run.live - before


def _unsaved(*_: Any) -> None:
    """Nothing is kept."""
