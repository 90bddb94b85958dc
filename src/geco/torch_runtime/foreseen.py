"""What the full family takes, known before anything is loaded: memory, operations and launches of its parts.

    networks = public_size()
    foreseen = foresee(networks, Asked(seeds=8), torch.float16)
    foreseen.peak, foreseen.parts["decode"].flop

The networks' own code runs on fake tensors (:mod:`geco.simulated`): two CPU seconds, no memory to speak of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from geco.multiview.generate import generate_views
from geco.multiview.interface import Condition
from geco.multiview.noise import NoiseSource
from geco.multiview.zero123plus.codec import Zero123PlusCodec
from geco.multiview.zero123plus.network import Zero123PlusNetwork
from geco.multiview.zero123plus.public_size import PICTURE_SIZE, public_networks
from geco.reconstruct.instantmesh.config import RELEASED
from geco.reconstruct.instantmesh.mesh import CUBES_AT_ONCE, POINTS_AT_ONCE, MeshSynthesizer
from geco.reconstruct.instantmesh.model import InstantMesh
from geco.sampling import Sampling
from geco.simulated import Part, Simulation, simulated


@dataclass(frozen=True)
class Networks:
    """The full family: real, or on ``meta``."""

    network: Zero123PlusNetwork
    codec: Zero123PlusCodec
    model: InstantMesh


@dataclass(frozen=True)
class Asked:
    """What shall be foreseen.

    Attributes:
        seeds: of one picture, as one batch.
        sampling: how views are drawn. Steps are all alike, so no more than two of them are run: memory is
            that of all, operations and launches are of those two.
        resolution: cubes a side of the surface grid.
        on_cpu: as of :func:`geco.simulated.simulated`.
    """

    seeds: int = 1
    sampling: Sampling = field(default_factory=Sampling)
    resolution: int = 128
    on_cpu: bool = False


@dataclass(frozen=True)
class Foreseen:
    """Bytes of tensors on the device; workspaces and the device's context come on top.

    Attributes:
        resting: the weights, while nothing runs.
        views: most while views are made, ``resting`` among it.
        planes: most while views become planes.
        surface: most while the planes' fields are asked for a surface and its colours.
        parts: everything that was counted: "condition", "write", "read", "decode" (of ``views``), "planes",
            "surface".
    """

    resting: int
    views: int
    planes: int
    surface: int
    parts: Mapping[str, Part]

    @property
    def peak(self) -> int:
        """The most at any time."""
        return max(self.views, self.planes, self.surface)


def public_size(reconstructor: str = "instant-mesh-large", teacher: bool = False) -> Networks:
    """The networks of the public weights on ``meta``; ``reconstructor`` is a name of ``RELEASED``."""
    with torch.device("meta"):
        network, codec = public_networks(noised_reference=teacher)
        return Networks(network, codec, InstantMesh(RELEASED[reconstructor]).eval().requires_grad_(False))


def foresee(
    networks: Networks,
    asked: Asked,
    views_in: torch.dtype = torch.float16,
    planes_in: torch.dtype = torch.float32,
) -> Foreseen:
    """Memory and work of picture -> views -> planes -> fields.

    Args:
        networks: stay untouched.
        views_in, planes_in: formats of the weights of the two halves.
    """
    with torch.no_grad(), simulated(asked.on_cpu) as run:
        network, codec = (run.placed(part, views_in) for part in (networks.network, networks.codec))
        model = run.placed(networks.model, planes_in)
        resting = run.live
        views = _views(run, network, codec, asked)[:1].clone()
        with run.part("planes"):
            planes = model(views, torch.empty(*views.shape[:2], model.config.camera_dim))
        with run.part("surface"):
            if isinstance(model.synthesizer, MeshSynthesizer):
                _surface(model.synthesizer, planes, asked.resolution)
    heights = {name: part.peak for name, part in run.parts.items()}
    return Foreseen(resting, heights["views"], heights["planes"], heights["surface"], run.parts)


def _views(run: Simulation, network: Any, codec: Any, asked: Asked) -> Tensor:
    """Six views of every seed."""
    _watch(run, network, "encode_condition", "write")
    _watch(run, network, "predict", "read")
    _watch(run, codec, "decode", "decode")
    how = asked.sampling
    if how.steps > 2:
        how = Sampling(**{**how.to_dict(), "steps": 2})
    with run.part("views"):
        picture = torch.empty(1, 3, PICTURE_SIZE, PICTURE_SIZE)
        return generate_views(network, Prepared(run, codec), picture, range(asked.seeds), how)


def _watch(run: Simulation, owner: Any, method: str, name: str) -> None:
    """Count what ``method`` of this one object does as a part."""
    inner = getattr(owner, method)

    def counted(*args: Any, **kwargs: Any) -> Any:
        with run.part(name):
            return inner(*args, **kwargs)

    object.__setattr__(owner, method, counted)


class Prepared:
    """A codec whose pictures are prepared already: Pillow, which does that, knows no fake tensors."""

    on_host = False

    def __init__(self, run: Simulation, codec: Zero123PlusCodec) -> None:
        self._run, self._codec, self.background = run, codec, codec.background

    def condition(self, picture: Tensor, noise: NoiseSource | None = None) -> Condition:
        vae, vision = (
            torch.empty(len(picture), 3, *(way.crop or way.exact or picture.shape[-2:]))
            for way in (self._codec.for_vae, self._codec.for_vision)
        )
        with self._run.part("condition"):
            return self._codec.assemble(vae, vision, noise)

    def unconditional(self, condition: Condition, noise: NoiseSource | None = None) -> Condition:
        return self._codec.unconditional(condition, noise)

    def encode(self, views: Tensor, noise: NoiseSource | None = None) -> Tensor:
        return self._codec.encode(views, noise)

    def decode(self, x0: Tensor) -> Tensor:
        return self._codec.decode(x0)


def _surface(net: MeshSynthesizer, planes: Tensor, resolution: int) -> None:
    """As :class:`geco.reconstruct.instantmesh.surface.MeshSurface` asks: SDF everywhere, then a full piece
    each of the weights and colours, since how many cubes the surface crosses is not known before.
    """
    corners = torch.empty((resolution + 1) ** 3, 3)
    cubes = torch.empty(resolution**3, 8, dtype=torch.int64)
    sdf = net.sdf(planes, corners)
    net.deformation(planes, corners[:POINTS_AT_ONCE], resolution)
    features = torch.empty(1, CUBES_AT_ONCE, 8, 3 * planes.shape[2])
    net.decoder.weights(features)
    del features, sdf, cubes
    net.color(planes, corners[None, :POINTS_AT_ONCE])
