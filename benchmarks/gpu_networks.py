"""The full family's rows, piece by piece, with random weights or on fake tensors."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from benchmarks.gpu_rows import Measurable
from benchmarks.gpu_where import PICTURE, Where
from geco.multiview.one_step import OneStepGenerator
from geco.multiview.sampling import Walk, sample
from geco.multiview.zero123plus.codec import Zero123PlusCodec
from geco.multiview.zero123plus.latents import encode_posterior
from geco.multiview.zero123plus.network import Zero123PlusNetwork
from geco.reconstruct.instantmesh.model import InstantMesh
from geco.reconstruct.instantmesh.surface import MeshSurface

TEACHER_STEPS = 75  # GECO's teacher's
COLOURED = 600_000  # points: about the texels of a 1024 texture that an object covers
VISION = 224  # pixels a side that CLIP reads


def views_rows(where: Where) -> Iterator[Measurable]:
    """Picture to views; away from a GPU two steps of the teacher are run, and count for 75."""
    steps = TEACHER_STEPS if where.device.type == "cuda" else 2
    network, codec = (
        where.made(part, where.dtype) for part in (where.networks.network, where.networks.codec)
    )
    assert isinstance(network, Zero123PlusNetwork) and isinstance(codec, Zero123PlusCodec)
    pixels, shown = where.random(1, 3, PICTURE, PICTURE), where.random(1, 3, VISION, VISION)
    condition = codec.assemble(pixels, shown)
    generator = OneStepGenerator(network)
    state = generator.encode(condition)
    z = where.random(1, *network.sample_shape)
    t = torch.full((1,), 999, device=where.device)
    yield Measurable("CLIP", lambda: codec.embed(shown))
    yield Measurable("VAE encode", lambda: encode_posterior(codec.vae, pixels, None))
    yield Measurable("write", lambda: network.encode_condition(condition))
    yield Measurable("read", lambda: network.predict(z, t, state, "x0"))
    yield Measurable("VAE decode", lambda: codec.decode(z))

    def one_step() -> Tensor:
        told = codec.assemble(pixels, shown)
        return codec.decode(generator(z, generator.encode(told)))

    yield Measurable("views, one step", one_step)
    grey = codec.unconditional(condition)

    def many_steps() -> Tensor:
        network.noised_reference = True
        try:
            return sample(network, condition, where.noise, Walk(steps, guidance_scale=4.0), grey)
        finally:
            network.noised_reference = False

    yield Measurable(f"teacher, {TEACHER_STEPS} steps", many_steps, TEACHER_STEPS / steps, most=3)


def planes_rows(where: Where) -> Iterator[Measurable]:
    """Views to planes, planes to fields."""
    model = where.made(where.networks.model, torch.float32)
    assert isinstance(model, InstantMesh)
    if where.dtype == torch.bfloat16:
        model.halve(torch.bfloat16)
    side = 320 if where.size == "full" else 160
    views, cameras = where.random(1, 6, 3, side, side), where.random(1, 6, model.config.camera_dim)
    yield Measurable("planes", lambda: model(views, cameras))
    # counted as on a card: a CPU's decoders go over more and smaller pieces
    synthesizer = where.made(where.networks.model.synthesizer, torch.float32, where.card)
    planes = model(views, cameras).float()
    if where.card != where.device:
        planes = torch.empty(planes.shape, device=where.card)
    surface = MeshSurface(synthesizer, planes)
    axis = torch.linspace(-1, 1, model.config.grid_res + 1, device=where.card)
    sdf = surface._folded(surface.synthesizer.decoder.net_sdf)
    yield Measurable("SDF on the grid", lambda: sdf.on_grid(axis, axis, axis))
    count = COLOURED if where.size == "full" else 10_000
    points = torch.randn(count, 3, device=where.card) / 3
    yield Measurable("colours", lambda: surface.tensor_color(points))
