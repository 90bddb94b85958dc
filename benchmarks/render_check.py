"""Our renderer beside an independent one, and the six-view cameras beside the reference's.

``python -m benchmarks.render_check OBJECTS_DIR [--engine pyrender|bpy] [--picture sheet.png]``

pyrender (OpenGL; needs EGL) gets the object from trimesh's own reader; bpy (Cycles) gets our reader's
triangles. The other picture is made twice as large, so that its pixels are our samples (2 x 2 a pixel).
Silhouette: intersection over union of the coverages, sum of minima over sum of maxima. Depth: |ours - theirs|
/ theirs of the nearest sample, over the pixels that both see, mean. Both over the six views of
zero123plus-v1.2, and the worst of them. One JSON line at the end.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from tests.data.reference_cameras import formula_difference, rendered_difference

from geco.data.objects import TexturedObject, find_objects, load_object
from geco.data.render import SUPERSAMPLE, Light, Views, render_views
from geco.data.view_sets import Cameras, view_set
from geco.images import over_white, to_bytes

Other = Callable[[Path, TexturedObject, Cameras, int], Views]
PLAIN = Light(1.0, 0.0)
LEAST_IOU, MOST_DEPTH_ERROR, MOST_PIXEL_ERROR = 0.99, 0.01, 1e-4


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("objects", type=Path, help="folder of objects")
    parser.add_argument("--engine", choices=("pyrender", "bpy"), default="pyrender")
    parser.add_argument("--limit", type=int, default=10, help="objects, spread evenly over the folder")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument(
        "--picture", type=Path, help="where to save a sheet: ours, theirs, where the silhouettes differ"
    )
    options = parser.parse_args()
    other = with_pyrender if options.engine == "pyrender" else with_bpy
    found = find_objects(options.objects)
    chosen = [found[i] for i in sorted({round(i) for i in np.linspace(0, len(found) - 1, options.limit)})]
    print(f"{options.engine}, {options.size} px, six views each")
    print(
        f"{'object':44}{'faces':>9}{'IoU':>9}{'worst':>9}"
        f"{'depth %':>9}{'worst %':>9}{'p99 %':>9}{'colour':>9}"
    )
    rows, sheet = [], []
    for source in chosen:
        obj = load_object(source.path)
        cameras = view_set("zero123plus-v1.2").cameras(obj, np.random.default_rng(0))
        ours = render_views(obj, cameras.c2w, cameras.lenses, options.size, PLAIN)
        theirs = halved(other(source.path, obj, cameras, SUPERSAMPLE * options.size))
        row = {"object": source.key, "faces": len(obj.faces)} | compare(ours, theirs)
        rows.append(row)
        values = [
            row["iou"],
            row["worst_iou"],
            *(100 * row[k] for k in ("depth", "worst_depth", "depth_p99")),
        ]
        cells = "".join(f"{value:9.4f}" for value in values)
        print(f"{source.key[:43]:44}{row['faces']:9,}{cells}{row['colour']:9.2f}", flush=True)
        sheet.append(np.concatenate([_panel(ours, theirs, view) for view in (0, 3)], axis=1))
    if options.picture:
        Image.fromarray(np.concatenate(sheet)).save(options.picture)
    cameras_error = {
        "formula_v1.2": formula_difference("zero123plus-v1.2", 30.0),
        "formula_v1.1": formula_difference("zero123plus-v1.1", 49.13),
        "rendered_v1.2": rendered_difference("zero123plus-v1.2", 30.0),
    }
    print("six-view cameras against the reference, largest difference in image sizes:", cameras_error)
    passed = {
        "silhouettes": min(row["worst_iou"] for row in rows) >= LEAST_IOU,
        "depth": max(row["worst_depth"] for row in rows) <= MOST_DEPTH_ERROR,
        "cameras": max(cameras_error.values()) <= MOST_PIXEL_ERROR,
    }
    report = {"benchmark": "render_check", "engine": options.engine, "size": options.size, "rows": rows}
    print(json.dumps(report | {"cameras": cameras_error, "passed": passed}))


def compare(ours: Views, theirs: Views) -> dict[str, float]:
    """Numbers over N views: means, and the worst view."""
    a, b = ours.rgba[..., 3] / 255.0, theirs.rgba[..., 3] / 255.0
    iou = np.minimum(a, b).sum(axis=(1, 2)) / np.maximum(a, b).sum(axis=(1, 2))
    both = (ours.depth > 0) & (theirs.depth > 0)
    error = np.abs(ours.depth - theirs.depth) / np.where(both, theirs.depth, 1)
    each = [error[view][both[view]].mean() for view in range(len(both))]
    colour = np.abs(ours.rgba[..., :3].astype(float) - theirs.rgba[..., :3])[(a == 1) & (b == 1)].mean()
    return {
        "iou": float(iou.mean()),
        "worst_iou": float(iou.min()),
        "depth": float(np.mean(each)),
        "worst_depth": float(np.max(each)),
        "depth_p99": float(np.percentile(error[both], 99)),
        "colour": float(colour),
    }


def halved(fine: Views) -> Views:
    """The picture whose samples are the pixels of ``fine``: averaged colour, coverage, nearest depth."""
    count, size = len(fine.depth), fine.depth.shape[1] // SUPERSAMPLE
    blocks = (count, size, SUPERSAMPLE, size, SUPERSAMPLE)
    hit = (fine.depth > 0).reshape(blocks)
    depth = np.where(hit, fine.depth.reshape(blocks), np.inf).min(axis=(2, 4))
    hits = hit.sum(axis=(2, 4))[..., None]
    color = (fine.rgba[..., :3].reshape(*blocks, 3) * hit[..., None]).sum(axis=(2, 4)) / np.maximum(hits, 1)
    rgba = np.concatenate([color, hits * (255 / SUPERSAMPLE**2)], axis=-1)
    return Views((rgba + 0.5).astype(np.uint8), np.where(np.isfinite(depth), depth, 0).astype(np.float32))


def with_pyrender(path: Path, obj: TexturedObject, cameras: Cameras, size: int) -> Views:
    """trimesh reads the file, OpenGL draws it; only the normalising transform is ours."""
    os.environ.setdefault("PYOPENGL_PLATFORM", "egl")
    import pyrender
    import trimesh

    scene = pyrender.Scene(bg_color=(1.0, 1.0, 1.0, 0.0), ambient_light=(1.0, 1.0, 1.0))
    nodes: dict[object, tuple[int, int, int]] = {}
    for part in trimesh.load(path, force="scene").dump():
        if isinstance(part, trimesh.Trimesh):
            part.apply_transform(obj.transform)
            mesh = pyrender.Mesh.from_trimesh(part, smooth=False)
            for primitive in mesh.primitives:
                primitive.material.doubleSided = True  # ours draws both sides of every face
            nodes[scene.add(mesh)] = (255, 255, 255)
    renderer = pyrender.OffscreenRenderer(size, size)
    rgba, depth = [], []
    try:
        for pose, (focal, cx, cy) in zip(cameras.c2w, cameras.lenses.astype(float) * size):
            camera = scene.add(
                pyrender.IntrinsicsCamera(focal, focal, cx, cy, znear=0.5, zfar=20.0), pose=pose
            )
            rgba.append(
                renderer.render(scene, flags=pyrender.RenderFlags.RGBA | pyrender.RenderFlags.FLAT)[0]
            )
            # The colour pass is multisampled, and its depth that of a sample off the pixel's centre; the
            # labels' pass is not.
            flags = pyrender.RenderFlags.SEG | pyrender.RenderFlags.SKIP_CULL_FACES
            depth.append(renderer.render(scene, flags=flags, seg_node_map=nodes)[1])
            scene.remove_node(camera)
    finally:
        renderer.delete()
    return Views(np.stack(rgba), np.stack(depth))


def with_bpy(path: Path, obj: TexturedObject, cameras: Cameras, size: int) -> Views:
    """Cycles, with our own reader's triangles."""
    from geco.data.render import blender
    from geco.data.render.types import Cycles

    return blender.render_views(obj, cameras.c2w, cameras.lenses, size, PLAIN, cycles=Cycles(samples=8))


def _panel(ours: Views, theirs: Views, view: int, size: int = 160) -> np.ndarray:
    """Ours, theirs, and the silhouettes: grey where both, red only ours, blue only theirs."""
    a, b = ours.rgba[view, ..., 3] > 0, theirs.rgba[view, ..., 3] > 0
    marks = np.full((*a.shape, 3), 255, np.uint8)
    marks[a & b], marks[a & ~b], marks[b & ~a] = (200, 200, 200), (255, 0, 0), (0, 0, 255)
    pictures = [to_bytes(over_white(ours.rgba[view])), to_bytes(over_white(theirs.rgba[view])), marks]
    small = [np.asarray(Image.fromarray(p).resize((size, size), Image.Resampling.BOX)) for p in pictures]
    return np.concatenate(small, axis=1)


if __name__ == "__main__":
    main()
