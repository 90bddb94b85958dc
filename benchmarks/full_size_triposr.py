"""TripoSR at full size with random weights, from a picture to a UV-textured GLB, beside the dense way.

    python benchmarks/full_size_triposr.py [--threads 2] [--folder DIR] [--without dense,bf16]

The dense way is the public code's, with the same weights: torch's own products and attention in float32,
and the decoder at all 256^3 points, 8192 at a time (its marching cubes and its texture are left out). Ours is
what ``geco run --model FOLDER`` does, in float32 and in bfloat16 where the processor has it.

Random weights hold noise. The surface is therefore that of an analytic field, a lumpy ball on four legs,
which is evaluated **beside** the whole of the network's own work: every point that is asked is read from the
planes and decoded, and only then the analytic value takes the result's place. Colours are the random
network's.
Prints a line a step and one JSON line: seconds by the clock, seconds of the process on all threads (on a busy
machine only these mean something), peak resident gigabytes. Needs 4 GB of disk and 5 GB of memory.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
import yaml
from torch import Tensor

from geco.cameras import Lens
from geco.device import has_bf16
from geco.isosurface.tensor_grid import TensorGrid
from geco.mesh.export.save import save
from geco.mesh.types import Mesh
from geco.photo.input_camera import InputCamera
from geco.photo.surface import surface
from geco.public_weights import triposr
from geco.reconstruct import vit
from geco.reconstruct.density import level_grid
from geco.reconstruct.lattice import Lattice
from geco.reconstruct.triposr import backbone
from geco.reconstruct.triposr.config import RELEASED
from geco.reconstruct.triposr.model import TripoSR
from geco.reconstruct.triposr.surface import TripoSRSurface
from geco.surface_to_asset import AssetOptions, surface_to_asset
from geco.timing import Stopwatch

POINTS, CHUNK = 256, 8192  # the public code's: points a side, and --chunk-size
RESOLUTION, TEXTURE = 256, 1024
Steps = dict[str, dict[str, float]]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where the files go (default: a temporary folder)")
    parser.add_argument("--without", default="", help="ways to leave out: dense, float32, bf16")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    left_out = options.without.split(",")
    ways: dict[str, Steps] = {}
    with tempfile.TemporaryDirectory(dir=options.folder) as name, torch.no_grad():
        folder, steps = Path(name), ways.setdefault("once", {})
        with measured("a random release, written", steps):
            write_random(folder / "release")
        with measured("convert", steps):
            triposr.convert(folder / "release", folder / "model")
        picture = torch.rand(1, 3, 512, 512, generator=torch.Generator().manual_seed(1))
        if "dense" not in left_out:
            dense(folder, picture, ways.setdefault("dense", {}))
        for way, dtype in (("float32", torch.float32), ("bf16", torch.bfloat16)):
            if way not in left_out and (dtype == torch.float32 or has_bf16("cpu")):
                ours(folder, picture, dtype, ways.setdefault(way, {}))
    sums = {way: sum(s["seconds"] for n, s in steps.items() if n != "load") for way, steps in ways.items()}
    print(json.dumps({"threads": options.threads, "seconds": sums, "steps": ways}))


def write_random(folder: Path) -> None:
    """A release of full size; norms of 1, matrices that keep the size of what they multiply."""
    folder.mkdir()
    rng, state = torch.Generator().manual_seed(0), {}
    for name, meta in TripoSR.on_meta(RELEASED).state_dict().items():
        if meta.ndim > 1:
            state[name] = torch.randn(meta.shape, generator=rng) * (meta.numel() / len(meta)) ** -0.5
        else:
            state[name] = (
                torch.ones(meta.shape) if "norm" in name and "weight" in name else torch.zeros(meta.shape)
            )
    torch.save(state, folder / "model.ckpt")
    tokens, cross = {"plane_size": 32, "num_channels": 1024}, 768
    settings = {
        "cond_image_size": 512,
        "image_tokenizer": {"pretrained_model_name_or_path": "facebook/dino-vitb16"},
        "tokenizer": tokens,
        "backbone": {
            "in_channels": 1024,
            "num_attention_heads": 16,
            "attention_head_dim": 64,
            "num_layers": 16,
            "cross_attention_dim": cross,
        },
        "post_processor": {"in_channels": 1024, "out_channels": 40},
        "decoder": {"in_channels": 120, "n_neurons": 64, "n_hidden_layers": 9, "activation": "silu"},
        "renderer": {"radius": 0.87, "density_activation": "exp", "density_bias": -1.0},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(settings))


def dense(folder: Path, picture: Tensor, steps: Steps) -> None:
    """The public code's way, up to the densities."""
    with measured("load", steps):
        model = triposr.load(folder / "model" / "reconstructor")
    with torch_attention(), measured("planes", steps):
        planes = model(picture)
    axis = torch.linspace(-1, 1, POINTS) * model.config.radius
    points = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1).reshape(1, -1, 3)
    with measured(f"density at {POINTS}^3 points", steps):
        torch.cat([model.density(planes, part) for part in points.split(CHUNK, dim=1)], dim=1)


def ours(folder: Path, picture: Tensor, dtype: torch.dtype, steps: Steps) -> None:
    """What the pipeline does, step by step."""
    with measured("load", steps):
        model = triposr.load(folder / "model" / "reconstructor").pack(dtype)
    with measured("planes", steps):
        planes = model(picture)[0]
    shown = photograph(Shaped(model, planes))
    watch, fields = Stopwatch(), Shaped(model, planes)
    with measured("surface to textured mesh", steps):
        mesh, facts = surface_to_asset(fields, shown, AssetOptions(), RESOLUTION, TEXTURE, watch)
    for name, seconds in watch.seconds.items():
        print(f"{'':12}of which {name}: {seconds:.2f} s")
    with measured("GLB on disk", steps):
        save(mesh, folder / "out.glb")
    size = (folder / "out.glb").stat().st_size / 1e6
    share = fields.asked / (RESOLUTION + 1) ** 3
    print(f"{'':12}{facts['faces']} faces, {size:.1f} MB, {share:.1%} of the points asked")
    print(f"{'':12}projected: {facts['projected']}")


class Shaped(TripoSRSurface):
    """The network's fields with an analytic density in place of its own, at the cost of both."""

    asked = 0

    def tensor_grid(self, resolution: int) -> TensorGrid:
        return level_grid(_Both(self, resolution + 1), 0.0, resolution, self.half_extent, self.device)


class _Both:
    def __init__(self, fields: Shaped, side: int) -> None:
        self.fields, self.lattice, self.side = fields, Lattice(fields._outputs, side), side

    def at(self, numbers: Tensor) -> Tensor:
        self.fields.asked += len(numbers)
        decoded = self.lattice.at(numbers)
        rows = numbers // self.side
        places = torch.stack([rows // self.side, rows % self.side, numbers % self.side], dim=1)
        # kept from being left out, and too small to be seen
        return shape(places / (self.side - 1) * 2 - 1) + decoded.clamp(-1, 1) * 1e-9


def shape(p: Tensor) -> Tensor:
    """A lumpy ball on four legs, larger inside."""
    x, y, z = p.unbind(dim=1)
    body = 0.48 - torch.stack([x, y, 1.2 * (z - 0.12)]).norm(dim=0)
    body = body + 0.03 * torch.sin(14 * x) * torch.sin(13 * y) * torch.sin(15 * z)
    legs = torch.stack([(x - i).square() + (y - j).square() for i in (-0.3, 0.3) for j in (-0.3, 0.3)])
    leg = torch.minimum(0.07 - legs.amin(dim=0).sqrt(), 0.35 - (z + 0.3).abs())
    return 10 * torch.maximum(body, leg)


def photograph(fields: Shaped) -> np.ndarray:
    """(384, 384, 4) the object before TripoSR's camera; not timed."""
    mesh: Mesh = surface(fields, 96, None)[0]
    lens: Lens = fields.lens
    camera = InputCamera(5.0, fov=lens.fov, radius=lens.radius, scale=1.2)
    alpha = camera.rasterize(mesh, 384).mask
    return np.concatenate([np.full((384, 384, 3), 0.5), alpha[..., None]], axis=2).astype(np.float32)


@contextmanager
def torch_attention() -> Iterator[None]:
    """torch's own attention in place of ours."""
    kept = vit.attend, backbone.attend
    vit.attend = backbone.attend = F.scaled_dot_product_attention
    try:
        yield
    finally:
        vit.attend, backbone.attend = kept


@contextmanager
def measured(name: str, steps: Steps) -> Iterator[None]:
    """Clock, process and peak memory of what is inside."""
    clock, process = time.perf_counter(), time.process_time()
    yield
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    found: dict[str, Any] = {
        "seconds": round(time.perf_counter() - clock, 3),
        "cpu_seconds": round(time.process_time() - process, 3),
        "peak_gb": round(peak, 3),
    }
    steps[name] = found
    print(f"{name:32} {found['seconds']:8.2f} s {found['cpu_seconds']:8.2f} CPU s {peak:6.2f} GB", flush=True)


if __name__ == "__main__":
    main()
