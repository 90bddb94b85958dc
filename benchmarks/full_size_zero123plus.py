"""A Zero123++ generator of full size with random values: written as a model folder, loaded, one picture to
six views.

    python -m benchmarks.full_size_zero123plus [--threads 2] [--seeds 1] [--device cpu] [--dtype float32]
    [--folder DIR]

Prints time and peak memory of every step and one JSON line. Needs 4 GB of disk in DIR (default: a temporary
folder).
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import torch

from benchmarks.full_size_instantmesh import gigabytes, measured
from geco.device import choose
from geco.multiview.noise import SeededNoise
from geco.multiview.one_step import OneStepGenerator
from geco.multiview.zero123plus.public_size import PICTURE_SIZE, public_networks
from geco.public_weights.zero123plus_folder import Zero123Plus, load_zero123plus, save_zero123plus


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--device")
    parser.add_argument("--dtype")
    parser.add_argument("--folder", type=Path, help="where the files go; they are deleted afterwards")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    placement = choose(options.device, options.dtype)
    print(placement)
    steps: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        with measured("write random weights (float16)", steps):
            save_zero123plus(folder, random_generator())
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
        with measured("load, hashes checked", steps):
            model = load_zero123plus(folder, placement.device, placement.dtype)
    picture = torch.rand(1, 3, PICTURE_SIZE, PICTURE_SIZE, generator=torch.Generator().manual_seed(0))
    generator = OneStepGenerator(model.network)
    with torch.inference_mode():
        with measured("condition (VAE, CLIP)", steps):
            condition = model.codec.condition(picture)
        with measured("write pass", steps):
            state = generator.encode(condition).expand(options.seeds)
        z = SeededNoise(range(options.seeds))((options.seeds, *model.network.sample_shape)).to(
            placement.device
        )
        with measured(f"read pass, {options.seeds} seeds", steps):
            x0 = generator(z, state)
        with measured("decode", steps):
            views = model.codec.decode(x0)
    facts = {
        "parameters": sum(p.numel() for p in [*model.network.parameters(), *model.codec.parameters()]),
        "folder_gb": gigabytes(size),
        "views": list(views.shape),
        "finite": bool(torch.isfinite(views).all()),
    }
    print(json.dumps({"where": str(placement), "threads": options.threads, "steps": steps, **facts}))


def random_generator() -> Zero123Plus:
    """A GECO generator of the public size, untrained, in float16."""
    torch.manual_seed(0)
    previous = torch.get_default_dtype()
    torch.set_default_dtype(torch.float16)
    try:
        network, codec = public_networks()
    finally:
        torch.set_default_dtype(previous)
    codec.text_states.normal_()
    return Zero123Plus(network, codec, {"licence": "none: random values"})


if __name__ == "__main__":
    main()
