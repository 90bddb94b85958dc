"""A GECO result made better: its input view by the picture, all views by the score, held to what it was."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from geco.cameras import INPUT_FOV, INPUT_RADIUS, orbit_poses
from geco.mesh.types import Mesh
from geco.noise import stream
from geco.optimize.options import OptimizeOptions
from geco.optimize.picture import PictureTerm, seen_through
from geco.optimize.scores import Scores, Teacher, Values
from geco.optimize.textured import Shown, TexturedMesh
from geco.photo.fit_camera import fit_input_camera
from geco.training.state import rng_of
from geco.types import Floats

# Where the start is held to itself: around the object at three heights, degrees.
ANCHOR_AZIMUTHS, ANCHOR_ELEVATIONS = np.arange(0.0, 360.0, 24.0), (-10.0, 5.0, 20.0)
ANCHORS_A_STEP = 3
SCORED_EVERY = 2  # steps a look of the teacher, which costs more than all the rest
BETAS = (0.9, 0.99)
WHOLE = 10


class Refinement:
    """One mesh on its way; a :class:`geco.optimize.run.Task`.

    Args:
        condition: (3, H, W) in [0, 1], the picture as the teacher reads it.
        rgba: (P, P, 4) in [0, 1], the same square cut out.
        mesh: the start, world space.
    """

    def __init__(
        self,
        teacher: Teacher,
        condition: Tensor,
        rgba: Floats,
        mesh: Mesh,
        options: OptimizeOptions,
        seed: int,
    ) -> None:
        self.teacher, self.options, self.seed = teacher, options, seed
        self.steps, self.whole, device = options.steps, WHOLE, teacher.device
        self.scores = Scores(teacher, condition, options, seed)
        self.shape = TexturedMesh(mesh, device)
        self.picture = PictureTerm(rgba, options.picture_weight, options.mask_weight, device)
        self.picture.set(fit_input_camera(mesh, rgba))
        self.poses = torch.from_numpy(teacher.cameras.poses()).to(device)
        self.size = min(teacher.size, options.view_size or teacher.size)
        self._anchors = self._anchored()
        rates = [
            ([self.shape.offsets], options.offset_rate),
            ([self.shape.colors], options.texel_rate),
            ([self.picture.place], options.camera_rate),
        ]
        groups = [{"params": parameters, "lr": rate} for parameters, rate in rates]
        self.optimizer = torch.optim.Adam(groups, betas=BETAS)

    def step(self, index: int) -> Values:
        """Picture and anchors at every step, the score at some."""
        o, rng = self.options, rng_of(self.seed, "refine", index)
        vertices = self.shape.vertices()
        own = self._own(vertices)
        seen = self.picture.loss(own.rgb, own.mask)
        held = self._held(vertices, index)
        loss = seen + o.anchor * held + o.offset_smooth * self.shape.unevenness()
        values = {"t": 0.0, "step_size": 0.0, "student": 0.0}
        if index % SCORED_EVERY == 0 and o.refine_score:
            shown = self.shape.show(vertices, self.poses, self.teacher.cameras.fov, self.size)
            x, progress = self.scores.encode(shown.rgb.permute(0, 3, 1, 2)), index / self.steps
            score, told = self.scores.loss(x, progress, rng)
            loss = loss + o.refine_score * score
            values |= told | {"student": self.scores.learn(x, progress, rng)}
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        rate = 1 - index / self.steps  # to rest at the end
        for group, base in zip(self.optimizer.param_groups, (o.offset_rate, o.texel_rate, o.camera_rate)):
            group["lr"] = base * rate
        self.optimizer.step()
        with torch.no_grad():
            self.shape.colors.clamp_(0, 1)
        values |= {"picture": float(seen.detach()), "held": float(held.detach())}
        return values | {"psnr": self.picture.psnr(own.rgb)}

    def settles(self, index: int) -> bool:
        """From the first step."""
        return True

    @torch.no_grad()
    def views(self) -> Floats:
        """(6, S, S, 3) in [0, 1], as the mesh is now."""
        shown = self.shape.show(self.shape.vertices(), self.poses, self.teacher.cameras.fov, self.size)
        views: Floats = shown.rgb.clamp(0, 1).cpu().numpy()
        return views

    @torch.no_grad()
    def preview(self, index: int) -> Floats:
        """Picture, input view, six views in a row; (H, W, 3)."""
        own = self._own(self.shape.vertices(), self.size).rgb
        pair = torch.cat([self.picture.at(self.size)[0], own], dim=1).clamp(0, 1).cpu().numpy()
        return np.concatenate([pair, *self.views()], axis=1)

    @torch.no_grad()
    def psnr(self) -> float:
        """Of the input view, in dB."""
        return self.picture.psnr(self._own(self.shape.vertices()).rgb)

    def state_dict(self) -> dict[str, Any]:
        """As the task says."""
        return {
            "scores": self.scores.state_dict(),
            "offsets": self.shape.offsets.detach(),
            "colors": self.shape.colors.detach(),
            "place": self.picture.place.detach(),
            "optimizer": self.optimizer.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """As the task says."""
        self.scores.load_state_dict(state["scores"])
        with torch.no_grad():
            self.shape.offsets.copy_(state["offsets"])
            self.shape.colors.copy_(state["colors"])
            self.picture.place.copy_(state["place"])
        self.optimizer.load_state_dict(state["optimizer"])

    def _own(self, vertices: Tensor, size: int | None = None) -> Shown:
        pose, scale, offset = self.picture.pose()
        moved = seen_through(vertices, pose, scale, offset)
        return self.shape.show(moved, pose, INPUT_FOV, size or self.options.picture_size)

    @torch.no_grad()
    def _anchored(self) -> tuple[Tensor, Shown, Tensor]:
        """Cameras around, what the start shows them, and how much each holds: nothing where the picture
        looks from, all behind.
        """
        around = [orbit_poses(ANCHOR_AZIMUTHS, up, INPUT_RADIUS) for up in ANCHOR_ELEVATIONS]
        poses = torch.from_numpy(np.concatenate(around)).to(self.teacher.device)
        parts = [self.shape.show(self.shape.vertices(), p, INPUT_FOV, self.size) for p in poses.split(6)]
        shown = Shown(torch.cat([p.rgb for p in parts]), torch.cat([p.mask for p in parts]))
        own = self.picture.pose()[0][:3, 2]
        weight = ((1 - poses[:, :3, 2] @ own) / 2).clamp(0, 1).sqrt()
        return poses, shown, weight

    def _held(self, vertices: Tensor, index: int) -> Tensor:
        """How far some views are from the start's, by weight."""
        poses, start, weight = self._anchors
        rng = stream(self.seed, "refine", "anchors", index)
        some = torch.from_numpy(rng.permutation(len(poses))[:ANCHORS_A_STEP]).to(poses.device)
        now = self.shape.show(vertices, poses[some], INPUT_FOV, self.size)
        apart = (now.rgb - start.rgb[some]).square().mean((1, 2, 3))
        apart = apart + (now.mask - start.mask[some]).square().mean((1, 2))
        return (weight[some] * apart).mean()
