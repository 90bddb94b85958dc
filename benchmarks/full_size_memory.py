"""Memory that the full family really takes on this CPU beside what the simulation says, part by part.

    python -m benchmarks.full_size_memory [--size full|tiny] [--dtype float32] [--seeds 1] [--threads 1]

Random weights; one step from a picture to six views, views to planes. Measured is resident memory above the
state in which only the weights are there (Linux). Full size in float32 needs 12 GB. A table and a JSON line.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.resident import give_back_at_once, most_while
from benchmarks.untrained import fill, hollow
from geco.cameras import ZERO123PLUS_V12
from geco.multiview.generate import generate_views
from geco.multiview.zero123plus.public_size import PICTURE_SIZE
from geco.reconstruct.instantmesh.model import InstantMesh
from geco.sampling import Sampling
from geco.torch_runtime.foreseen import Asked, Networks, foresee


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
    rows = {}
    for name, real in measured.items():
        said = foreseen.parts[name].peak - foreseen.resting
        rows[name] = {"measured_mb": mega(real), "simulated_mb": mega(said), "ratio": round(said / real, 3)}
        print(f"{name:8} measured {mega(real):9.1f} MB   simulated {mega(said):9.1f} MB   {said / real:.3f}")
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
    part("planes", lambda: networks.model(views, cameras))
    return most


def warm_up(model: InstantMesh, cameras: Tensor) -> None:
    """What libraries take once, before anything is measured."""
    model(torch.rand(1, 6, 3, 32, 32), cameras)
    torch.nn.functional.conv2d(torch.rand(1, 16, 8, 8), torch.rand(16, 16, 3, 3))


def mega(count: int) -> float:
    return round(count / 1e6, 1)


if __name__ == "__main__":
    main()
