"""Views that a generator makes of training pictures, kept for the reconstructor's second stage.

``python -m geco.training.generated_views --data SHARDS --model MULTIVIEW -o FOLDER --count N`` writes
``keys.npy`` (N, 3) int32 (object, azimuth, variant) and ``views.npy`` (N, 6, S, S, 3) uint8; killed and
started again it goes on. ``--validation SHARDS`` adds ``validation.npy``: the views of the reconstructor's 30
validation pictures.

Two kinds take turns: full samples from noise, and one prediction from true views noised to a random level,
which errs less, so that what supervision demands stays visible in part of the views.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from geco.arrays import open_array
from geco.data.dataset import GridViews, over_white
from geco.data.grid_views import AZIMUTHS, INPUTS_PER_AZIMUTH
from geco.errors import ConfigError
from geco.files import atomic_path, atomic_write
from geco.foreign import read_fields
from geco.multiview.small.generate import generate_views
from geco.multiview.small.network import SmallMultiView
from geco.multiview.small.weights import load_small
from geco.training.reconstructor import validation_batches
from geco.training.reconstructor_data import predict_noised

BATCH = 8


def choose_keys(objects: int, count: int, seed: int) -> np.ndarray:
    """(count, 3) object, azimuth, variant: every object as often as the others, azimuths and
    variants at random.
    """
    rng = np.random.default_rng([seed, 5])
    order = np.concatenate([rng.permutation(objects) for _ in range(-(-count // objects))])[:count]
    keys = [order, rng.integers(AZIMUTHS, size=count), rng.integers(INPUTS_PER_AZIMUTH, size=count)]
    return np.stack(keys, axis=1).astype(np.int32)


def generate(
    network: SmallMultiView, shards: GridViews, folder: Path, count: int, steps: int, seed: int, part: float
) -> None:
    """Fill ``folder``, going on where a former run stopped; ``part`` of the batches are
    predictions from noised true views.
    """
    folder.mkdir(parents=True, exist_ok=True)
    keys = choose_keys(len(shards), count, seed)
    progress = folder / "done.json"
    again = f"Delete {folder} to start again."
    done = read_fields(progress, ConfigError, again).integer("done", 0, count) if progress.exists() else 0
    shape = (count, 6, network.config.size, network.config.size, 3)
    if done:
        open_array(folder / "all.npy", shape, np.uint8, ConfigError, again)
    views = np.lib.format.open_memmap(
        folder / "all.npy", mode="r+" if done else "w+", dtype=np.uint8, shape=shape
    )
    for start in range(done, count, BATCH):
        pairs = [shards.sample(int(o), int(a), int(v), False) for o, a, v in keys[start : start + BATCH]]
        picture = torch.from_numpy(np.stack([over_white(pair[0]) for pair in pairs])).permute(0, 3, 1, 2)
        if (start // BATCH * 0.618034) % 1 < part:
            true = torch.from_numpy(np.stack([over_white(pair[1]) for pair in pairs])).permute(0, 1, 4, 2, 3)
            made = predict_noised(network, picture, true, torch.Generator().manual_seed(seed + start))
        else:
            made = generate_views(network, picture, steps, seed + start)
        views[start : start + len(pairs)] = to_bytes(made)
        if start // BATCH % 25 == 24 or start + BATCH >= count:
            views.flush()
            finished = start + len(pairs)
            with atomic_path(folder / "views.npy") as path:
                np.save(path, views[:finished])
            with atomic_path(folder / "keys.npy") as path:
                np.save(path, keys[:finished])
            atomic_write(progress, json.dumps({"done": finished, "steps": steps, "seed": seed}).encode())
            print(f"{finished} of {count}", flush=True)


def to_bytes(views: Tensor) -> np.ndarray:
    """(B, 6, 3, S, S) in [0, 1] -> (B, 6, S, S, 3) uint8."""
    result: np.ndarray = (views * 255).round().byte().permute(0, 1, 3, 4, 2).numpy()
    return result


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--validation", type=Path)
    parser.add_argument("--model", type=Path, required=True, help="folder of the multi-view network")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--count", type=int, default=3500)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument(
        "--noised-part", type=float, default=0.4, help="part of the views predicted from noised true ones"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    network = load_small(args.model)
    if args.validation is not None:
        picture = validation_batches(args.validation, None)["true"].picture
        made = torch.cat(
            [
                generate_views(network, part, args.steps, 17 + index)
                for index, part in enumerate(picture.split(BATCH))
            ]
        )
        with atomic_path(args.output / "validation.npy") as path:
            np.save(path, to_bytes(made))
    generate(network, GridViews(args.data), args.output, args.count, args.steps, args.seed, args.noised_part)


if __name__ == "__main__":
    main()
