"""Stage II of the full family before it runs: its task on fake tensors (:mod:`geco.simulated`), which have
sizes and lifetimes but no numbers.

Everything is the networks' own code but what follows from numbers: where the surface passes, its triangles,
and what the renders see of it. In their place stand a surface and pictures of a known size
(:class:`Figure`), with the memory that the real code was measured to keep and to take for a while.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from geco.errors import ConfigError
from geco.metrics.lpips import Lpips
from geco.reconstruct.instantmesh.mesh import CUBES_AT_ONCE, POINTS_AT_ONCE, MeshSynthesizer
from geco.reconstruct.instantmesh.model import InstantMesh
from geco.reconstruct.triplane import point_features
from geco.simulated import Part as Account
from geco.simulated import simulated
from geco.training.average import MovingAverage
from geco.training.halves import Distance, Shape, Surfaces, Views
from geco.training.inputs import Inputs
from geco.training.machine import Machine
from geco.training.pairs import Pairs
from geco.training.stage2 import Draw, Stage2Task
from geco.training.stage2_options import Stage2Options
from geco.training.stage2_terms import picture_terms, weighed
from geco.training.stage2_views import StoredViews

SIDE, PICTURE = 320, 512  # pixels of a view of Zero123++ and of the condition picture
# Measured on real tensors, a figure of 43,142 cubes on 128^3, 172,776 triangles of training, 4 renders of 512
# px (torch 2.13 on a CPU): kept for the backward pass, and at most for a while.
KEPT_A_CUBE, KEPT_A_PIXEL, PASSING_A_PIXEL = 1_490, 148, 190


@dataclass(frozen=True)
class Figure:
    """How large the surface is, and what it is seen in.

    Attributes:
        resolution: cubes a side of the grid. size: pixels of the renders.
        cubes: that it cuts; triangles are four times as many.
        seen: part of the renders' pixels that show it.
    """

    resolution: int = 128
    size: int = 512
    cubes: int = 43_142
    seen: float = 0.36


class ForeseenTask(Stage2Task):
    """Stage II's task inside of a simulation; its loss, parts and options are the real one's.

    Args:
        model: InstantMesh in the simulation's memory, of the mesh variant.
        views: the generator in the simulation's memory, whose own code then draws; None: its views are
            stored.
    """

    def __init__(
        self,
        options: Stage2Options,
        machine: Machine,
        model: InstantMesh,
        distance: Distance,
        figure: Figure = Figure(),
        views: Views | None = None,
    ) -> None:
        if not isinstance(model.synthesizer, MeshSynthesizer):
            raise ConfigError(
                "InstantMesh's NeRF variant is not trained in Stage II", "Take the mesh variant."
            )
        pairs = cast(Pairs, _NoPairs(figure.size, options.views))
        model.transformer.gradient_checkpointing = True
        self._model, self._synthesizer, self._figure = model, model.synthesizer, figure
        given = views if views is not None else StoredViews(pairs, "")
        surfaces = Surfaces(model, cast(Any, None), self._surface)
        super().__init__(options, Inputs(machine), given, surfaces, pairs, distance, lambda *_: None)
        self._drawn = views is not None

    def _terms(self, draw: Draw) -> tuple[dict[str, Tensor], Any]:
        picture = torch.empty(3, PICTURE, PICTURE)
        views = self._views(draw.row, picture) if self._drawn else torch.empty(6, 3, SIDE, SIDE)
        shape = self._surface(views, draw.off)
        count, size = self.options.views, self._figure.size
        points = round(self._figure.seen * count * size**2)
        kept = KEPT_A_PIXEL * count * size**2
        color = shape.color(shape.vertices[:1].expand(points, 3))
        passing = torch.empty(PASSING_A_PIXEL * count * size**2, dtype=torch.uint8)
        rgb, mask = _Kept.apply(kept, ((count, size, size, 3), (count, size, size)), color, shape.vertices)
        del passing
        truth = {"rgb": torch.empty(count, size, size, 3), "mask": torch.empty(count, size, size)}
        drawn = SimpleNamespace(rgb=rgb, mask=mask, depth=mask, normal=rgb)
        return picture_terms(drawn, truth, self.perceptual) | dict(shape.penalties), drawn

    def _surface(self, views: Tensor, off: Tensor | None) -> Shape:
        net, cubes, resolution = self._synthesizer, self._figure.cubes, self._figure.resolution

        def planes_of(views: Tensor) -> Tensor:
            with self.machine.autocast():
                return self._model.planes(views[None], views.new_empty(1, 6, 16))

        planes = checkpoint(planes_of, views, use_reentrant=False).float()
        sdf = net.sdf(planes, torch.empty((resolution + 1) ** 3, 3))
        # a surface's cubes share their corners: about twice as many corners as cubes
        deformation = net.deformation(planes, torch.empty(2 * cubes, 3), resolution)
        weights = torch.cat(
            [self._weights(planes, part) for part in torch.empty(cubes).split(CUBES_AT_ONCE)], 1
        )
        shapes = ((2 * cubes, 3), ())
        vertices, surface = _Kept.apply(KEPT_A_CUBE * cubes, shapes, sdf, deformation, weights)

        def color(points: Tensor) -> Tensor:
            return torch.cat([net.color(planes, part[None])[0] for part in points.split(POINTS_AT_ONCE)])

        faces = torch.empty(4 * cubes, 3, dtype=torch.long)
        return Shape(vertices, faces, color, {"surface": surface, "weights": weights.square().mean()})

    def _weights(self, planes: Tensor, part: Tensor) -> Tensor:
        def weights(part: Tensor) -> Tensor:
            corners = torch.empty(1, 2 * len(part), 3)
            features = point_features(planes, corners)
            return self._synthesizer.decoder.weights(features[:, torch.empty(len(part), 8, dtype=torch.long)])

        return cast(Tensor, checkpoint(weights, part, use_reentrant=False))


def foresee_stage2(
    model: InstantMesh,
    options: Stage2Options,
    machine: Machine,
    figure: Figure = Figure(),
    views: Views | None = None,
) -> Mapping[str, Account]:
    """Two steps of Stage II in a simulation: "forward", "backward" and "step", each with its peak, "resting"
    with the weights, the optimiser's state and the average, and "all" with the peak of all.

    Args:
        model: on ``meta``; stays as it is. views: a generator on ``meta`` to be run for every pair; None: its
            views are stored.
    """
    with simulated() as run:
        placed = run.placed(model).requires_grad_(True)
        distance = Lpips("vgg")
        drawn = None
        if views is not None:
            network, codec = (run.placed(cast(nn.Module, each)) for each in (views.network, views.codec))
            drawn = Views(cast(Any, network), cast(Any, codec), views.sampling, views.about)
        task = ForeseenTask(options, machine, placed, distance, figure, drawn)
        (part,) = task.parts()
        average = MovingAverage(part.network, part.average, part.average_on) if part.average else None
        for _ in range(2):
            for index in range(part.pieces):
                with run.part("forward"):
                    terms, drawn_now = task._terms(Draw(index, range(options.views)))
                    loss = weighed(terms, options) / part.pieces
                    del terms, drawn_now
                with run.part("backward"):
                    loss.backward()
                del loss
            with run.part("step"):
                for optimizer in part.optimizers:
                    optimizer.step()
                    optimizer.zero_grad(set_to_none=True)
                if average is not None:
                    average.update(part.network)
            with run.part("resting"):
                pass
        return dict(run.parts)


class _NoPairs:
    """What the task asks of pairs before it reads any."""

    def __init__(self, size: int, renders: int) -> None:
        self.settings = {"renders": renders, "size": size, "geometry": False}

    def split(self) -> tuple[list[int], list[int]]:
        return [0], []

    def noise(self, index: int, shape: tuple[int, ...]) -> Tensor:
        return torch.empty(1, *shape)


class _Kept(torch.autograd.Function):
    """Tensors of given shapes that depend on others and keep so many bytes for the backward pass."""

    @staticmethod
    def forward(ctx: Any, kept: int, shapes: tuple[tuple[int, ...], ...], *inputs: Tensor) -> Any:
        ctx.save_for_backward(torch.empty(kept, dtype=torch.uint8))
        ctx.like = [(each.shape, each.dtype) for each in inputs]
        return tuple(torch.empty(shape) for shape in shapes)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return None, None, *(torch.empty(shape, dtype=dtype) for shape, dtype in ctx.like)
