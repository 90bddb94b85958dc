"""Rows from fields to a file, and from a picture to a file, for the full family and TripoSR.

Random planes hold noise, not an object. So the networks are asked wherever they would be, and their answers
give way to the surface and colours of `benchmarks.surface`'s figure, 80,000 faces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.gpu_rates import WAIT
from benchmarks.gpu_rows import Measurable
from benchmarks.gpu_where import Where
from benchmarks.on_device import DeviceFields
from benchmarks.surface import OBJECTS, RESOLUTION, prepared
from geco.backend import ModelCard
from geco.isosurface.flexi_grid import FlexiGrid
from geco.isosurface.tensor_grid import TensorGrid
from geco.mesh.export.save import encode
from geco.pipeline import GecoPipeline
from geco.reconstruct.density import level_grid
from geco.reconstruct.fields import TensorFields
from geco.reconstruct.instantmesh.surface import MeshSurface
from geco.reconstruct.lattice import Lattice
from geco.sampling import Sampling
from geco.simulated import Part
from geco.surface_to_asset import AssetOptions, surface_to_asset
from geco.timing import Stopwatch

TEXTURE = 1024
NETWORK = 0.1  # part of a random network's colours in what is baked


class Figure(DeviceFields):
    """The figure's surface and colours, after the network behind it was asked as much as its own would be.

    Args:
        grid: asks the network what a grid asks it. color: its colours, (N, 3) -> (N, 3).
    """

    def __init__(self, like: DeviceFields, grid: Callable[[], object], color: Callable[[Tensor], Tensor]):
        self.__dict__ |= like.__dict__
        self._asks, self._network = grid, color

    def tensor_grid(self, resolution: int) -> TensorGrid:
        self._asks()
        return super().tensor_grid(resolution)

    def grid(self, resolution: int) -> FlexiGrid:
        self._asks()
        return super().grid(resolution)

    def tensor_color(self, points: Tensor) -> Tensor:
        return super().tensor_color(points) * (1 - NETWORK) + NETWORK * self._network(points)

    def color(self, points: np.ndarray) -> np.ndarray:
        rows = torch.from_numpy(np.ascontiguousarray(points, np.float32)).to(self.device)
        answer: np.ndarray = self.tensor_color(rows).cpu().numpy()
        return answer


def surface_rows(where: Where, folder: Path) -> Iterator[Measurable]:
    """Fields to a GLB's bytes on the host and on the device, no network asked; stages beside the sum."""
    analytic, picture = prepared(OBJECTS["figure"])
    fields = DeviceFields(analytic, str(where.device))
    for name, on_device in (("surface to GLB, host", False), ("surface to GLB, device", True)):
        stages: dict[str, float] = {}

        def run(on_device: bool = on_device, stages: dict[str, float] = stages) -> None:
            watch, options = Stopwatch(), AssetOptions(on_device=on_device)
            mesh, _ = surface_to_asset(fields, picture, options, RESOLUTION, TEXTURE, watch)
            with watch.stage("encode"):
                encode(mesh, ".glb")
            stages.update(watch.seconds)

        yield Measurable(name, run, facts=lambda stages=stages: {"last_ms": _milliseconds(stages)})


def counted_on_device() -> Part:
    """What the way on the device asks of one, waits for a number among the launches."""
    from benchmarks.on_device import counting

    analytic, picture = prepared(OBJECTS["figure"])
    with counting() as count:
        options, fields = AssetOptions(on_device=True), DeviceFields(analytic, "cpu")
        surface_to_asset(fields, picture, options, RESOLUTION, TEXTURE, Stopwatch())
    stages = count.stages.values()
    launches = sum(stage.launches + WAIT * stage.waits.total() for stage in stages)
    return Part(moved=sum(stage.moved for stage in stages), launches=round(launches))


def full_rows(where: Where, folder: Path) -> Iterator[Measurable]:
    """Picture to textured GLB on disk in one step, the product's own pipeline."""
    from geco.full_model import FULL_PICTURE_SIZE
    from geco.public_weights.zero123plus_folder import Zero123Plus
    from geco.torch_runtime.full import FullNetworks, joined

    analytic, picture = prepared(OBJECTS["figure"])
    figure, networks = DeviceFields(analytic, str(where.device)), where.networks
    network, codec = (where.made(part, where.dtype) for part in (networks.network, networks.codec))
    model = where.made(networks.model, torch.float32)
    if where.dtype == torch.bfloat16:
        model.halve(torch.bfloat16)  # type: ignore[operator]
    both: Any = FullNetworks(Zero123Plus(network, codec, {}), model)  # type: ignore[arg-type]
    card = ModelCard("random", FULL_PICTURE_SIZE, 0.85, RESOLUTION, TEXTURE, "", {"rig": "zero123plus-v1.2"})
    backend = joined(both, card, Sampling())
    reconstruct = backend.reconstruct

    def asked(views: Any, seen: Any) -> TensorFields:
        fields = reconstruct(views, seen)
        assert isinstance(fields, MeshSurface)
        own, net = fields, fields.synthesizer
        axis = net.axis(own.device, RESOLUTION)

        def grid() -> object:
            own._folded(net.decoder.net_sdf).on_grid(axis, axis, axis)
            own._folded(net.decoder.net_deformation).at(figure._tensors.vertices)
            return own._weights(figure._tensors.vertices, figure._tensors.cubes)

        return Figure(figure, grid, own.tensor_color)

    backend.reconstruct = asked  # type: ignore[method-assign, assignment]
    yield _whole("picture to GLB on disk, one step", GecoPipeline(backend), picture, folder)


def triposr_asset_rows(where: Where, folder: Path) -> Iterator[Measurable]:
    """Picture to textured GLB on disk by TripoSR's planes, its density asked coarse to fine."""
    from benchmarks.gpu_triposr import triposr_model
    from geco.multiview.small.codec import PixelCodec
    from geco.reconstruct.triposr.surface import TripoSRSurface
    from geco.torch_runtime.backend import TorchBackend

    analytic, picture = prepared(OBJECTS["figure"])
    figure, model = DeviceFields(analytic, str(where.device)), triposr_model(where)
    size = model.config.cond_image_size
    axis = np.linspace(-1, 1, RESOLUTION + 1, dtype=np.float32)
    inside = -OBJECTS["figure"](*np.meshgrid(axis, axis, axis, indexing="ij")).reshape(-1)
    volume = torch.from_numpy(inside.astype(np.float32)).to(where.device)

    def reconstruct(_: Tensor, seen: Any) -> TensorFields:
        own = TripoSRSurface(model, model(seen.on(where.device)[None])[0])

        class Asked(Lattice):
            def at(self, numbers: Tensor) -> Tensor:
                return super().at(numbers) * 0 + volume[numbers]

        def grid() -> object:
            field = Asked(own._outputs, RESOLUTION + 1)
            return level_grid(field, 0.0, RESOLUTION, 1.0, where.device)

        return Figure(figure, grid, own.tensor_color)

    card = ModelCard("random", size, 0.85, RESOLUTION, TEXTURE, "", {}, 0.5, size)
    backend = TorchBackend(card, None, PixelCodec(size), None, reconstruct, where.device)
    yield _whole("TripoSR, picture to GLB on disk", GecoPipeline(backend), picture, folder)


def _whole(name: str, pipeline: GecoPipeline, picture: np.ndarray, folder: Path) -> Measurable:
    stages: dict[str, float] = {}

    def run() -> None:
        asset = pipeline(picture)
        watch = Stopwatch()
        with watch.stage("write"):
            asset.save(folder / "asset.glb")
        stages.update(asset.timings | watch.seconds)

    return Measurable(name, run, facts=lambda: {"last_ms": _milliseconds(stages)})


def _milliseconds(stages: dict[str, float]) -> dict[str, float]:
    """The host's, of the last run: on CUDA a stage's work may show in a later one."""
    return {name: round(1e3 * seconds, 1) for name, seconds in stages.items()}
