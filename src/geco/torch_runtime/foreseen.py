"""What the full family takes, known before anything is loaded: memory, operations and launches of its parts.

    networks = public_size()
    foreseen = foresee(networks, Asked(seeds=8), torch.float16)
    foreseen.peak, foreseen.parts["decode"].flop

The networks' own code runs on fake tensors (:mod:`geco.simulated`): two CPU seconds, no memory to speak of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from geco.device import Way
from geco.multiview.generate import generate_views
from geco.multiview.interface import Condition
from geco.multiview.noise import NoiseSource
from geco.multiview.zero123plus.codec import Zero123PlusCodec
from geco.multiview.zero123plus.network import Zero123PlusNetwork
from geco.multiview.zero123plus.public_size import PICTURE_SIZE, public_networks
from geco.passes import Pass
from geco.reconstruct.folded import CPU_POINTS, GPU_POINTS, FoldedDecoder
from geco.reconstruct.instantmesh.config import RELEASED
from geco.reconstruct.instantmesh.mesh import CUBES_AT_ONCE, POINTS_AT_ONCE, MeshSynthesizer
from geco.reconstruct.instantmesh.model import InstantMesh
from geco.reconstruct.instantmesh.surface import CUBES_IN_CACHE
from geco.reconstruct.triplane import PLANE_AXES
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
        ways: "tiled" decodes so; "graphs" counts what a recording holds apart, in ``parts["recorded"]``. What
            networks that take turns need is :attr:`Foreseen.turns`, whatever is asked.
    """

    seeds: int = 1
    sampling: Sampling = field(default_factory=Sampling)
    resolution: int = 128
    on_cpu: bool = False
    ways: frozenset[Way] = frozenset()


@dataclass(frozen=True)
class Foreseen:
    """Bytes of tensors on the device; workspaces and the device's context come on top.

    Attributes:
        resting: the weights, while nothing runs.
        views: most while views are made, ``resting`` among it.
        planes: most while views become planes.
        surface: most while the planes' fields are asked for a surface and its colours.
        parts: everything that was counted: "condition", "write", "read", "decode" (of ``views``), "planes",
            "surface"; "recorded" is in all of them.
        turns: bytes of each part where only its own network's weights are on the device ("offload").
        replays: passes that were run from a recording.
    """

    resting: int
    views: int
    planes: int
    surface: int
    parts: Mapping[str, Part]
    turns: Mapping[str, int]
    replays: int = 0

    @property
    def outside(self) -> int:
        """Launches beside the recordings: for each replay itself, and the copies in and out."""
        recorded = self.parts["recorded"].launches if "recorded" in self.parts else 0
        whole = sum(self.parts[name].launches for name in ("views", "planes", "surface"))
        return whole - recorded + 3 * self.replays

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
        network = run.placed(networks.network, views_in)
        codec = run.placed(networks.codec, views_in)
        model = run.placed(networks.model, torch.float32)
        if planes_in != torch.float32:
            model.halve(planes_in)
        recorded = _Recorded(run)
        for part in (network, codec, model) if "graphs" in asked.ways else ():
            part.through(recorded)
        if "tiled" in asked.ways:
            codec.tile()
        resting, weights = run.live, _weights(network, codec, model)
        views = _views(run, network, codec, asked)[:1].clone()
        with run.part("planes"):
            planes = model(views, torch.empty(*views.shape[:2], model.config.camera_dim))
        with run.part("surface"):
            if isinstance(model.synthesizer, MeshSynthesizer):
                _surface(model.synthesizer, planes, asked.resolution, asked.on_cpu)
    heights = {name: part.peak for name, part in run.parts.items()}
    rest = resting - sum(weights.values())  # what belongs to no pass
    owners = {"condition": "vision", "write": "unet", "read": "unet", "decode": "vae", "planes": "planes"}
    turns = {name: heights[name] - resting + rest + weights[owner] for name, owner in owners.items()}
    turns["surface"] = heights["surface"] - resting + rest + weights["planes"]
    views_peak, planes_peak, surface_peak = (heights[name] for name in ("views", "planes", "surface"))
    return Foreseen(resting, views_peak, planes_peak, surface_peak, run.parts, turns, recorded.replays)


def _views(run: Simulation, network: Any, codec: Any, asked: Asked) -> Tensor:
    """Six views of every seed."""
    _watch(run, network, "encode_condition", "write")
    _watch(run, network, "predict", "read")
    _watch(run, codec, "decode", "decode")
    with run.part("views"):
        picture = torch.empty(1, 3, PICTURE_SIZE, PICTURE_SIZE)
        return generate_views(
            network, Prepared(run, codec), picture, range(asked.seeds), few_steps(asked.sampling)
        )


def few_steps(how: Sampling) -> Sampling:
    """A way of drawing that takes no more than two steps, since all are alike."""
    return replace(how, steps=min(how.steps, 2), timesteps=None)


class _Recorded:
    """Counts what every pass does as recorded."""

    def __init__(self, run: Simulation) -> None:
        self._run, self.replays = run, 0

    def __call__(self, parts: Sequence[nn.Module], run: Pass) -> Pass:
        def counted(*tensors: Tensor) -> Any:
            self.replays += 1
            with self._run.part("recorded"):
                return run(*tensors)

        return counted


def _weights(network: Zero123PlusNetwork, codec: Zero123PlusCodec, model: InstantMesh) -> dict[str, int]:
    """Bytes of what each network's passes need."""
    parts: dict[str, list[nn.Module]] = {
        "unet": [network.unet],
        "vae": [codec.vae],
        "vision": [codec.vision] if codec.vision is not None else [],
        "planes": [model.encoder, model.transformer],
    }
    sizes = {name: [p for m in modules for p in m.parameters()] for name, modules in parts.items()}
    return {name: sum(p.numel() * p.element_size() for p in found) for name, found in sizes.items()}


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


def _surface(net: MeshSynthesizer, planes: Tensor, resolution: int, on_cpu: bool) -> None:
    """As :class:`geco.reconstruct.instantmesh.surface.MeshSurface` asks: SDF everywhere, then a full piece
    each of the weights and colours, since how many cubes the surface crosses is not known before.
    """
    decoder, axis = net.decoder, torch.empty(resolution + 1)
    points = torch.empty(POINTS_AT_ONCE, 3)
    nets = (decoder.net_sdf, decoder.net_deformation, decoder.net_rgb)
    folded = [FoldedDecoder(planes[0], part, PLANE_AXES) for part in nets]
    for each in folded:
        each.on_cpu, each.chunk = on_cpu, CPU_POINTS if on_cpu else GPU_POINTS
    sdf = folded[0].on_grid(axis, axis, axis)
    folded[1].at(points)
    cubes = CUBES_IN_CACHE if on_cpu else CUBES_AT_ONCE
    decoder.weights(torch.empty(1, cubes, 8, 3 * planes.shape[2]))
    del sdf
    folded[2].at(points)
