"""A few boxes rendered into shards: what every training test needs, made once a process."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.cli_command import geco
from tests.data.glb import GlbWriter, box

SETS = "grid-targets,grid-extra,grid-inputs"
SIZE = 16


def render_boxes(folder: Path) -> Path:
    """Four boxes of different shape and colour in ``folder/objects``, one of them held out; returns
    ``folder/views``, their shards.
    """
    objects, views = folder / "objects", folder / "views"
    objects.mkdir(parents=True)
    for index in range(4):
        writer = GlbWriter()
        vertices, faces = box((1, 1 + index, 2))
        writer.mesh(vertices, faces, colors=np.full((8, 4), 40 * index, np.uint8))
        writer.save(objects / f"{index}.glb")
    render = ["data", "render", objects, "-o", views, "--views", SETS, "--size", str(SIZE)]
    done = geco(*render, "--hold-out", "1", "--workers", "1")
    if done.returncode:
        raise RuntimeError(done.stderr)
    return views
