"""At which level of its density PixelNeRF's surface is the object's.

    python -m benchmarks.density_level RUN SHARDS [--objects 60]

SHARDS are the small recipe's, never trained on (the ``held-out`` folder beside the training shards); points
inside and outside are labelled by their views first (:mod:`geco.data.labels`), as for the regressor, whose
validation asks for the same points of the same objects from the same sides. One row a level: intersection
over union of the points inside, the mean of the objects, each seen in one picture with its true camera; then
the same with the elevation that is read off the picture. ``--set pixelnerf.level=LEVEL`` trains with another.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from geco.data.dataset import GridViews
from geco.data.grid_views import AZIMUTHS
from geco.data.labels.shards import label_shards
from geco.evaluate.tables import markdown
from geco.model_files.card import RECONSTRUCTOR
from geco.noise import stream
from geco.reconstruct.pixelnerf.model import PixelNeRF
from geco.reconstruct.pixelnerf.seen import Cameras
from geco.training.augment import composite
from geco.training.pixelnerf_data import load_objects
from geco.training.reconstructor_data import ReconstructorData

LEVELS = (0.5, 1.0, 2.0, 3.0, 5.0, 7.0, 10.0, 15.0, 20.0)
POINTS = 4000  # of each object, as the regressor's validation


@torch.no_grad()
def densities(model: PixelNeRF, shards: Path, count: int) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Of each object densities (P,) with its camera known, then read off, and whether points are inside."""
    data = ReconstructorData(GridViews(shards))
    rng, found = stream(0, "validation"), []
    for index in range(min(count, len(data))):
        labels = data.labels[index]
        half = len(labels.points) // 2  # the second half is uniform
        picks = half + rng.integers(half, size=POINTS), rng.integers(len(labels.surface), size=1)
        sample = (index, int(rng.integers(AZIMUTHS)), 0, False)
        points, distance, *_ = data.label(sample, *picks)
        objects = load_objects(data.shards, [sample], [[]])
        place = torch.from_numpy(points) * (objects.radius / 0.95) + objects.centre
        picture = composite(objects.condition)
        known, _ = model.encode(picture[:, None], Cameras(objects.c2w[:, :1], objects.lenses[:, :1]))
        told = [
            torch.nn.functional.softplus(model.raw_density(scene, place[None])[0, :, 0] - 1)
            for scene in (known, model.seen_alone(picture))
        ]
        found.append((told[0], told[1], torch.from_numpy(distance < 0)))
    return found


def overlap(density: Tensor, inside: Tensor, level: float) -> float:
    """Intersection over union of the points denser than ``level`` and those inside."""
    solid = density > level
    return float((solid & inside).sum() / (solid | inside).sum().clamp_min(1))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("shards", type=Path)
    parser.add_argument("--objects", type=int, default=60)
    args = parser.parse_args()
    label_shards(args.shards)
    found = densities(PixelNeRF.load(args.run / RECONSTRUCTOR), args.shards, args.objects)
    rows = [
        [f"{level:g}", *(f"{np.mean([overlap(one[k], one[2], level) for one in found]):.3f}" for k in (0, 1))]
        for level in LEVELS
    ]
    print(markdown(["level", "IoU, camera known", "IoU, elevation read off"], rows))


if __name__ == "__main__":
    main()
