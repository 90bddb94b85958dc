"""One object on its way from nothing: a ball of grey becomes a volume, the volume a mesh."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from geco.cameras import INPUT_FOV
from geco.noise import stream
from geco.optimize.options import OptimizeOptions
from geco.optimize.picture import PictureTerm, seen_through
from geco.optimize.rays import Packed, rays_of, rays_of_window
from geco.optimize.scores import Scores, Teacher, Values
from geco.optimize.surface import SoftSurface, laplacian
from geco.optimize.volume import Volume, width_at
from geco.render.shade_torch import render_mesh
from geco.training.state import rng_of
from geco.training.vsd import surrogate
from geco.types import Floats

# Steps after which samples are packed anew and the camera is looked for again; checkpoints fall on these.
REPACK = 10
BETAS = (0.9, 0.99)  # Adam's, as instant-ngp's (Müller et al. 2022): gradients of grids are sparse
# Parts of the steps between which the camera is searched by the volume's outline; from then on it is
# optimised with the rest.
SEARCHED = (0.08, 0.25)
SETTLING = 0.25  # last part of the steps, over which all rates fall to 0, so that scores' noise averages out
FIRST_COLORS = 0.1  # spread of the first colours before the sigmoid


class Drawn(NamedTuple):
    """What a particle shows: (6, S, S, 3) views, the input view (S, S, 3) and its coverage (S, S), over
    white; and the sum of its regularisers.
    """

    views: Tensor
    own: Tensor
    outline: Tensor
    rest: Tensor


class Particle:
    """One object on its way: a volume, later a surface.

    Args:
        rgba: (P, P, 4) in [0, 1], the cut-out picture.
        number: which of several; their first colours and all random numbers differ.
    """

    optimizer: torch.optim.Optimizer
    _rates: list[float]

    def __init__(
        self, teacher: Teacher, rgba: Floats, options: OptimizeOptions, seed: int, number: int
    ) -> None:
        self.teacher, self.options, self.seed, self.number = teacher, options, seed, number
        self.picture = PictureTerm(rgba, options.picture_weight, options.mask_weight, teacher.device)
        self.poses = torch.from_numpy(teacher.cameras.poses()).to(teacher.device)
        volume = Volume(options.cells[0])
        start = stream(seed, "optimize", "start", number).standard_normal(volume.tint.shape, np.float32)
        with torch.no_grad():
            volume.tint.copy_(FIRST_COLORS * torch.from_numpy(start))
        self.shape: Volume | SoftSurface = volume.to(teacher.device)
        self.stage = -1
        self._packed: tuple[Packed, Packed] | None = None
        self._gradient: Tensor | None = None
        self._told: Values = {}

    @property
    def is_mesh(self) -> bool:
        """Whether the volume's part is over."""
        return isinstance(self.shape, SoftSurface)

    def step(self, scores: Scores, index: int) -> Values:
        """Update ``index`` of ``options.steps``."""
        rng = rng_of(self.seed, "optimize", self.number, index)
        self._enter(self.stage_at(index))
        if index % REPACK == 0 or self._packed is None:
            self._look_around(index)
        drawn = self._drawn(index, float(torch.rand((), generator=rng)))
        x = scores.encode(drawn.views.permute(0, 3, 1, 2))
        fresh = index % self.options.renders == 0
        if fresh or self._gradient is None:
            self._gradient, self._told = scores.gradient(x, index / self.options.steps, rng)
        score = self.options.score_weight * surrogate(x, self._gradient)
        seen = self.picture.loss(drawn.own, drawn.outline)
        for group, base in zip(self.optimizer.param_groups, self._rates):
            group["lr"] = base * min(1.0, (1 - index / self.options.steps) / SETTLING)
        self.optimizer.zero_grad(set_to_none=True)
        (score + seen + drawn.rest).backward()
        self.optimizer.step()
        return self._told | {
            "picture": float(seen.detach()),
            "student": scores.learn(x, index / self.options.steps, rng) if fresh else 0.0,
            "psnr": self.picture.psnr(drawn.own),
        }

    def stage_at(self, index: int) -> int:
        """0, 1 … of the volume's grids, then that of the mesh."""
        o = self.options
        volume = round(o.steps * (1 - o.mesh_part))
        return len(o.cells) if index >= volume else index * len(o.cells) // max(volume, 1)

    @torch.no_grad()
    def views(self, index: int) -> tuple[Floats, Floats]:
        """(6, S, S, 3) and the input view (S, S, 3) as they are before update ``index``."""
        if self._packed is None:
            self._look_around(index)
        drawn = self._drawn(index, 0.5)
        views, own = (each.clamp(0, 1).cpu().numpy() for each in (drawn.views, drawn.own))
        return views, own

    def state_dict(self) -> dict[str, Any]:
        """All that the next step depends on, where its number is a multiple of :data:`REPACK`."""
        return {
            "stage": self.stage,
            "tensors": self.shape.state_dict(),
            "place": self.picture.place.detach(),
            "gradient": self._gradient,
            "optimizer": self.optimizer.state_dict() if self.stage >= 0 else None,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Of :meth:`state_dict`."""
        o = self.options
        with torch.no_grad():
            self.picture.place.copy_(state["place"])
        self.stage, tensors, self._gradient = state["stage"], state["tensors"], state["gradient"]
        if self.stage < 0:
            return
        is_mesh = self.stage == len(o.cells)
        self.shape = SoftSurface.of(tensors, o.mesh_cells) if is_mesh else Volume.of(tensors)
        self.shape.to(self.teacher.device)
        self._new_optimizer()
        self.optimizer.load_state_dict(state["optimizer"])

    def _enter(self, stage: int) -> None:
        """Go over to a finer grid, or to the mesh."""
        if stage == self.stage:
            return
        if isinstance(self.shape, Volume):
            if stage == len(self.options.cells):
                self.shape = SoftSurface.about(self.shape, self.options.mesh_cells, self.options.edge[1])
            elif stage > 0:
                self.shape.refine(self.options.cells[stage])
        self.stage, self._packed = stage, None
        self._new_optimizer()

    def _new_optimizer(self) -> None:
        o, shape = self.options, self.shape
        if isinstance(shape, SoftSurface):
            rates = [(shape.shape_parameters(), o.mesh_rate), ([shape.tint], o.mesh_color_rate)]
        else:
            rates = [([shape.sdf], o.rate), ([shape.tint], o.color_rate)]
        rates.append(([self.picture.place], o.camera_rate))
        groups = [{"params": parameters, "lr": rate} for parameters, rate in rates]
        self._rates = [rate for _, rate in rates]
        self.optimizer = torch.optim.Adam(groups, betas=BETAS)

    def _look_around(self, index: int) -> None:
        """Find the camera by what there is, and what samples are seen."""
        if not isinstance(self.shape, Volume):
            return
        first, last = (part * self.options.steps for part in SEARCHED)
        if first <= index < last:
            self.picture.look_again(self.shape.solid())
        width, size = self._width(index), self._size()
        rays = rays_of(self.poses, self.teacher.cameras.fov, size)
        with torch.no_grad():
            own = rays_of_window(*self.picture.pose(), INPUT_FOV, size)
        self._packed = self.shape.pack(rays, width), self.shape.pack(own, width)

    def _width(self, index: int) -> float:
        o = self.options
        return width_at(index / max(o.steps * (1 - o.mesh_part), 1), *o.edge)

    def _size(self) -> int:
        """Pixels of the views: half of the last size on all grids but the last."""
        size = min(self.teacher.size, self.options.view_size or self.teacher.size)
        return size // 2 if 0 <= self.stage < len(self.options.cells) - 1 else size

    def _drawn(self, index: int, jitter: float) -> Drawn:
        if isinstance(self.shape, Volume):
            return self._volume_drawn(self.shape, index, jitter)
        return self._mesh_drawn(self.shape)

    def _volume_drawn(self, volume: Volume, index: int, jitter: float) -> Drawn:
        assert self._packed is not None
        o, width = self.options, self._width(index)
        six, window = self._packed
        window = window.along(rays_of_window(*self.picture.pose(), INPUT_FOV, window.rays.shape[-1]))
        (views, _), (own, outline) = (volume.render(packed, width, jitter) for packed in (six, window))
        even, bend = volume.unevenness()
        rest = o.even * even + o.smooth * bend + o.color_smooth * volume.roughness()
        return Drawn(views, own, outline, rest)

    def _mesh_drawn(self, surface: SoftSurface) -> Drawn:
        o, size, (pose, *window) = self.options, self._size(), self.picture.pose()
        vertices, faces, deviation = surface.mesh()
        colors = surface.tensor_color(vertices)
        shown = render_mesh(vertices, faces, self.poses, self.teacher.cameras.fov, size, colors)
        moved = seen_through(vertices, pose, *window)
        own = render_mesh(moved, faces, pose, INPUT_FOV, size, colors)
        bent = laplacian(vertices, faces).square().sum(dim=1).mean() / surface.cell**2
        return Drawn(shown.rgb, own.rgb, own.mask, o.mesh_smooth * bent + o.deviation * deviation.mean())
