"""From how far below white does a pixel of a view without alpha belong to the object? ``python -m
benchmarks.silhouettes [--count 30]``.

Procedural objects are rendered into the model's six cameras, with their true alpha, and the embedded model
draws the same cameras from one picture. A row a threshold: IoU of the thresholded true views with their
alpha, and the part of the object that they lose; IoU of the thresholded generated views with the true alpha;
and the part of the pixels far from the object (6 pixels) that counts as object in the generated views. The
threshold of :data:`geco.metrics.images.NOT_WHITE` is the largest that costs the true views nearly nothing.
"""

from __future__ import annotations

import argparse

import numpy as np

from geco.cameras import INPUT_FOV, INPUT_RADIUS, orbit_poses, rig
from geco.data.procedural.families import make_object
from geco.images import over_white, to_bytes
from geco.images.filters import dilate
from geco.metrics.images import silhouette_iou
from geco.pipeline import GecoPipeline
from geco.render.shade_numpy import Headlight, render_mesh
from geco.types import Floats

THRESHOLDS = (0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.12, 0.15, 0.2)
SIZE, NEAR, FIRST = 96, 6, 40  # pixels; pixels; the first object's seed


def measured(count: int) -> dict[float, Floats]:
    """By threshold: (4,) means over objects, in the order of the module's words."""
    pipeline, cameras = GecoPipeline.from_pretrained("small"), rig("zero123plus-v1.2")
    found: dict[float, list[list[float]]] = {threshold: [] for threshold in THRESHOLDS}
    for seed in range(FIRST, FIRST + count):
        mesh = make_object(seed)
        true = np.stack(
            [render_mesh(mesh, pose, cameras.fov, SIZE, light=Headlight()) for pose in cameras.poses()]
        )
        pose = orbit_poses(0.0, 12.0, INPUT_RADIUS)
        seen = pipeline.see(to_bytes(render_mesh(mesh, pose, INPUT_FOV, 256, light=Headlight())))
        generated = next(pipeline.views(seen, [0])).pictures
        solid = true[..., 3] >= 0.5
        far = ~np.stack([dilate(alpha > 0, NEAR) for alpha in true[..., 3]])
        for threshold, rows in found.items():
            shown, drawn = (views.min(axis=-1) < 1 - threshold for views in (over_white(true), generated))
            rows.append(
                [
                    float(silhouette_iou(shown, solid).mean()),
                    float((solid & ~shown).sum() / solid.sum()),
                    float(silhouette_iou(drawn, solid).mean()),
                    float(drawn[far].mean()),
                ]
            )
    return {threshold: np.mean(rows, axis=0) for threshold, rows in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--count", type=int, default=30)
    options = parser.parse_args()
    print("| below white | true IoU | object lost | generated IoU | far pixels |\n|---|---|---|---|---|")
    for threshold, (true, lost, generated, far) in measured(options.count).items():
        print(f"| {threshold:.2f} | {true:.4f} | {lost:.4f} | {generated:.4f} | {far:.4f} |")


if __name__ == "__main__":
    main()
