"""Memory that the full family really takes on this CPU beside what the simulation says, part by part.

    python -m benchmarks.full_size_memory [--size full|tiny] [--dtype float32] [--seeds 1] [--threads 1]

Random weights; one step from a picture to six views, views to planes, what an object's surface and colours
ask of these; TripoSR's planes. Measured is resident memory above the state in which only the weights are
there (Linux). Full size in float32 needs 12 GB. A table and a JSON line.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from benchmarks.filled import fill
from benchmarks.gpu_triposr import triposr_model
from benchmarks.gpu_where import Where
from benchmarks.resident import give_back_at_once, most_while
from benchmarks.untrained import hollow
from geco.cameras import ZERO123PLUS_V12
from geco.multiview.generate import generate_views
from geco.multiview.zero123plus.public_size import PICTURE_SIZE
from geco.reconstruct.instantmesh.mesh import MeshSynthesizer
from geco.reconstruct.instantmesh.model import InstantMesh
from geco.reconstruct.instantmesh.surface import MeshSurface
from geco.sampling import Sampling
from geco.simulated import simulated
from geco.torch_runtime.foreseen import Asked, Networks, foresee

CUBES = 40_000  # that the surface of an object of 80,000 faces crosses, and about as many corners
TEXELS = 600_000  # of a texture of 1024 that it covers


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--size", choices=["full", "tiny"], default="full")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    give_back_at_once()
    number = getattr(torch, options.dtype)
    networks = hollow(options.size)
    foreseen = foresee(networks, Asked(options.seeds, on_cpu=True), number, torch.float32)
    measured = measure(networks, options.seeds, number)
    said = {name: foreseen.parts[name].peak - foreseen.resting for name in ("views", "planes")}
    said["surface"] = fields_simulated(networks.model)
    pairs = {name: (real, said[name]) for name, real in measured.items()}
    for network in (networks.network, networks.codec, networks.model):
        network.to("meta")
    if options.size == "full":  # a tiny one takes less than can be told
        pairs["TripoSR planes"] = triposr(options.size)
    rows = {}
    for name, (real, counted) in pairs.items():
        ratio = round(counted / real, 3)
        rows[name] = {"measured_mb": mega(real), "simulated_mb": mega(counted), "ratio": ratio}
        print(f"{name:15} measured {mega(real):9.1f} MB   simulated {mega(counted):9.1f} MB   {ratio:.3f}")
    facts = {"size": options.size, "dtype": options.dtype, "seeds": options.seeds, "torch": torch.__version__}
    print(json.dumps({**facts, "resting_mb": mega(foreseen.resting), "parts": rows}))


@torch.no_grad()
def measure(networks: Networks, seeds: int, dtype: torch.dtype) -> dict[str, int]:
    """Bytes beyond the weights by part; fills the networks."""
    for part in (networks.network, networks.codec):
        fill(part, "cpu", dtype)
    fill(networks.model, "cpu", torch.float32)
    picture = torch.rand(1, 3, PICTURE_SIZE, PICTURE_SIZE)
    cameras = torch.from_numpy(ZERO123PLUS_V12.vectors())[None]
    warm_up(networks.model, cameras)
    most: dict[str, int] = {}

    def part(name: str, function: Callable[[], Tensor]) -> Tensor:
        result, most[name] = most_while(function)
        return result

    views = part(
        "views",
        lambda: generate_views(networks.network, networks.codec, picture, range(seeds), Sampling()),
    )
    views = views[:1].clone()
    planes = part("planes", lambda: networks.model(views, cameras))
    model = networks.model
    part("surface", lambda: ask_fields(model.synthesizer, planes, model.config.grid_res))  # type: ignore
    return most


def triposr(size: str) -> tuple[int, int]:
    """Bytes that TripoSR's planes really take beyond its weights (float32), and those simulated."""
    with torch.no_grad():
        with simulated(on_cpu=True) as run:
            where = Where(torch.device("cpu"), torch.float32, size, run.placed)
            model = triposr_model(where)
            side = model.config.cond_image_size
            with run.part("planes") as said:
                model(where.random(1, 3, side, side))
        cpu = torch.device("cpu")
        model = triposr_model(Where(cpu, torch.float32, size, lambda net, dtype: fill(net, cpu, dtype)))
        picture = torch.rand(1, 3, side, side)
        model(picture)  # the first pass takes 25 to 40 MB once, for kernels
        _, most = most_while(lambda: model(picture))
    return most, said.added


def ask_fields(net: MeshSynthesizer, planes: Tensor, resolution: int) -> None:
    """What :class:`geco.reconstruct.instantmesh.surface.MeshSurface` asks of the decoders for an object's
    surface, whatever the planes (1, 3, C, H, W) hold: how much it is depends on the surface itself.
    """
    fields = MeshSurface(net, planes)
    axis = torch.linspace(-1, 1, resolution + 1)
    fields._folded(net.decoder.net_sdf).on_grid(axis, axis, axis)
    points = torch.rand(CUBES, 3)
    fields._folded(net.decoder.net_deformation).at(points)
    fields._weights(points, torch.zeros(CUBES, 8, dtype=torch.int64))
    fields.tensor_color(torch.rand(TEXELS, 3))


def fields_simulated(model: InstantMesh) -> int:
    """Bytes of :func:`ask_fields` beyond weights and planes."""
    config = model.config
    side = config.triplane_high_res
    with torch.no_grad(), simulated(on_cpu=True) as run:
        net: Any = run.placed(model.synthesizer)
        planes = torch.empty(1, 3, config.triplane_dim, side, side)
        with run.part("surface") as said:
            ask_fields(net, planes, config.grid_res)
    return said.added


def warm_up(model: InstantMesh, cameras: Tensor) -> None:
    """What libraries take once, before anything is measured."""
    model(torch.rand(1, 6, 3, 32, 32), cameras)
    torch.nn.functional.conv2d(torch.rand(1, 16, 8, 8), torch.rand(16, 16, 3, 3))


def mega(count: int) -> float:
    return round(count / 1e6, 1)


if __name__ == "__main__":
    main()
