"""What the teacher says of six rendered views: the gradients of SDS and VSD, and VSD's student.

Both are :func:`geco.training.vsd.vsd_gradient`, w(t) (eps_teacher - eps_other), by x0 predictions: the other
of VSD is the student, the other of SDS the noise that was drawn, whose x0 prediction is the sample itself.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from geco.cameras import Rig, rig
from geco.errors import ConfigError
from geco.images.sheet import COLUMNS
from geco.multiview.guidance import guided, without_picture
from geco.multiview.interface import MultiViewNetwork, ViewCodec
from geco.optimize.options import OptimizeOptions
from geco.sampling import Reference
from geco.torch_runtime.backend import TorchBackend
from geco.training.adapters import Role, SharedBackbone
from geco.training.state import first_weights, standard_normal
from geco.training.vsd import denoising_loss, draw_timesteps, surrogate, vsd_gradient

Values = dict[str, float]
# Part of the warm-up after which the student learns: before that the object changes too fast.
LEARNS = 0.7


@dataclass(frozen=True)
class Teacher:
    """A multi-view network that judges.

    Attributes:
        network, codec: of either family.
        cameras: the six views'.
        guidance_scale: it draws views with. clip: bound on its |x0|; None for latents.
        size: pixels a side of its views.
        device: where it lives. references: that its networks can read.
    """

    network: MultiViewNetwork
    codec: ViewCodec
    cameras: Rig
    guidance_scale: float
    clip: float | None
    size: int
    device: torch.device
    references: tuple[Reference, ...] = ("clean",)

    @classmethod
    def of(cls, backend: TorchBackend) -> Teacher:
        """Of a loaded model; raises ConfigError where it is none of noise levels."""
        name, network, how = backend.card.name, backend.network, backend.sampling
        if network is None or how is None or backend.distilled:
            what = "draws no views" if network is None else "is a one-step generator"
            raise ConfigError(
                f"{name} {what}, and scores come from a teacher of all noise levels",
                "Give its folder: models/small/teacher, or what geco convert makes of public weights.",
            )
        for part in (network, backend.codec):
            if isinstance(part, nn.Module):
                part.eval().requires_grad_(False)
        # pixels of a view each, or a sheet of latents two views wide
        shape, codec = network.sample_shape, backend.codec
        size = shape[-1] if len(shape) == 4 else shape[-1] // COLUMNS * cast(Any, codec).reduction
        cameras, device = rig(backend.card.facts["rig"]), backend.device
        return cls(
            network, codec, cameras, how.guidance_scale, how.clip, size, device, backend.card.references
        )


class Scores:
    """The score term of one picture.

    Args:
        picture: (3, H, W) in [0, 1] over the codec's background, framed as the teacher wants it.
        seed: of a student's adapters.
    """

    def __init__(self, teacher: Teacher, picture: Tensor, options: OptimizeOptions, seed: int = 0) -> None:
        self.teacher, self.options = teacher, options
        if options.reference not in teacher.references:
            raise ConfigError(
                f"this teacher reads a {teacher.references[0]} reference alone", "Leave reference out."
            )
        scale = options.guidance_scale
        self.scale = teacher.guidance_scale if scale is None else scale
        with torch.no_grad():
            self.condition = teacher.codec.condition(picture[None].to(teacher.device))
            self.without = without_picture(teacher.codec, self.condition, self.scale)
        self.student: Any = None
        self._judge: Any = teacher.network
        if options.method == "vsd":
            self.student, self._judge, self._module = _student(teacher.network, options.rank, seed)
            rate = options.student_rate
            self.optimizer = torch.optim.AdamW(self._module.parameters(), lr=rate, weight_decay=0.0)

    def gradient(self, x: Tensor, progress: float, rng: torch.Generator) -> tuple[Tensor, Values]:
        """d loss / d x of x0 (1, *sample_shape) at one timestep of the present part, and what was seen."""
        t = self.timestep(progress, rng)
        x_t = self.teacher.network.schedule.add_noise(x.detach(), self._noise(x, rng), t)
        noise = self._reference_noise(rng)
        with torch.no_grad():
            real = self._predict(self._judge, x_t, t, self.scale, noise)
            by_student = self.student is not None and progress >= self.options.warmup
            other = x.detach()
            if by_student:
                other = other.lerp(
                    self._predict(self.student, x_t, t, 1.0, noise), self.options.student_share
                )
        gradient = vsd_gradient(x, real, other, t, self.teacher.network.schedule, self.options.weighting)
        return gradient, {"t": float(t[0]), "step_size": float(gradient.square().mean().sqrt())}

    def loss(self, x: Tensor, progress: float, rng: torch.Generator) -> tuple[Tensor, Values]:
        """A scalar with that gradient, over the number of x's elements."""
        gradient, values = self.gradient(x, progress, rng)
        return surrogate(x, gradient), values

    def learn(self, x: Tensor, progress: float, rng: torch.Generator) -> float:
        """The student's updates of a step on x0 (1, *sample_shape): plain denoising, at all timesteps; from
        the last part of the warm-up on. Its mean loss; 0 where it does not learn.
        """
        if self.student is None or progress < LEARNS * self.options.warmup:
            return 0.0
        x, total = x.detach(), 0.0
        for _ in range(self.options.student_repeats):
            t = draw_timesteps(len(x), rng).to(x.device)
            x_t = self.teacher.network.schedule.add_noise(x, self._noise(x, rng), t)
            noise = self._reference_noise(rng)
            state = self.student.encode_condition(self.condition, None if noise is None else t, noise)
            found = self.student.predict(x_t, t, state, "x0")
            loss = denoising_loss(x, found, t, self.teacher.network.schedule, self.options.student_limit)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
            total += float(loss.detach())
        return total / self.options.student_repeats

    def timestep(self, progress: float, rng: torch.Generator) -> Tensor:
        """(1,) of the part of the noise levels that the run is at."""
        first, last = self.options.t_range, self.options.t_end
        low, high = (a + (b - a) * progress for a, b in zip(first, last))
        return draw_timesteps(1, rng, (low, high)).to(self.teacher.device)

    def encode(self, views: Tensor) -> Tensor:
        """(6, 3, H, W) in [0, 1] at any size -> x0 (1, *sample_shape), with gradients."""
        if views.shape[-1] != self.teacher.size:
            wanted = (self.teacher.size,) * 2
            views = nn.functional.interpolate(
                views, wanted, mode="bilinear", antialias=views.shape[-1] > self.teacher.size
            )
        return self.teacher.codec.encode(views[None]).float()

    def state_dict(self) -> dict[str, Any]:
        """The student and its optimiser."""
        if self.student is None:
            return {}
        return {"student": self._module.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Of :meth:`state_dict`."""
        if self.student is not None:
            self._module.load_state_dict(state["student"])
            self.optimizer.load_state_dict(state["optimizer"])

    def _noise(self, x: Tensor, rng: torch.Generator) -> Tensor:
        return standard_normal(x.shape, rng).to(x)

    def _reference_noise(self, rng: torch.Generator) -> Tensor | None:
        """For references that are noised, of the picture's shape."""
        assert self.condition.picture is not None
        return self._noise(self.condition.picture, rng) if self.options.reference == "noised" else None

    def _predict(self, network: Any, x_t: Tensor, t: Tensor, scale: float, noise: Tensor | None) -> Tensor:
        """x0, with guidance; of one reference, noised by ``noise`` to ``t`` or clean."""
        at = None if noise is None else t
        state, without = network.encode_condition(self.condition, at, noise), None
        if scale != 1.0 and self.without is not None:
            without = network.encode_condition(self.without, at, noise)
        x0 = guided(network, x_t, t, state, without, scale, "x0").float()
        return x0 if self.teacher.clip is None else x0.clamp(-self.teacher.clip, self.teacher.clip)


def _student(network: MultiViewNetwork, rank: int | None, seed: int) -> tuple[Any, Any, nn.Module]:
    """Student, the teacher as it is asked from now on, and what is trained."""
    if rank is None:
        own = copy.deepcopy(cast(nn.Module, network)).requires_grad_(True)
        return own, network, own
    with first_weights(seed, "adapters"):
        backbone = SharedBackbone(network, ("student",), rank)
    student: Role = backbone.role("student")
    return student, backbone.role(None), student.module
