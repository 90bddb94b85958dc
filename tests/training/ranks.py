"""Run by torchrun in test_ranks: every rank saves its part of three steps, as the process group
numbers it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch.distributed as dist

from geco.data.dataset import GridViews, Loader


def main(folder: Path, output: Path) -> None:
    dist.init_process_group("gloo")
    with Loader(
        GridViews(folder), 6, seed=3, rank=dist.get_rank(), world=dist.get_world_size(), threads=1
    ) as loader:
        for step in range(3):
            gathered: list[np.ndarray | None] = [None] * dist.get_world_size()
            dist.all_gather_object(gathered, next(loader).targets)
            if dist.get_rank() == 0:
                np.save(
                    output / f"{step}.npy", np.concatenate([part for part in gathered if part is not None])
                )
    dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
