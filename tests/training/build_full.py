"""What the full family's stages begin with, tiny and with random weights: shards, a recipe, a model."""

from __future__ import annotations

from pathlib import Path

import torch

from geco.model_files.card import MULTIVIEW, RECONSTRUCTOR, Usage, write_model_card
from geco.model_files.folder import write_folder
from geco.public_weights import instantmesh
from geco.public_weights.zero123plus import TEACHER
from geco.public_weights.zero123plus_folder import Zero123Plus, save_zero123plus
from geco.reconstruct.instantmesh.mesh import MeshSynthesizer
from geco.reconstruct.instantmesh.model import InstantMesh
from tests.data.dots import write_dots
from tests.multiview import tiny as tiny_views
from tests.reconstruct import tiny as tiny_mesh

RECIPE = """
from dataclasses import replace

from geco.recipes.paper import paper
from geco.recipes.recipe import Length


def recipe():
    made = paper()
    length = Length(steps=2, decay_part=0.0, warmup_steps=1)
    return replace(
        made, precision="bf16", pairs=replace(made.pairs, steps=3, renders=4, chunk=2, size=32),
        pair_count=4, resolution=12,
        stage1=replace(
            made.stage1, batch=1, rate=1e-4, student_rate=1e-4, average=0.5, held_out=2, held_out_steps=2
        ),
        stage2=replace(made.stage2, batch=2, views=2, rate=1e-4, average=None),
        lengths={"stage1": length, "stage2": length},
    )
"""


def full_room(folder: Path) -> Path:
    """``folder`` with ``shards``, ``recipe.py`` and the converted model ``init``, views of 32 px."""
    write_dots(folder / "shards", ["condition-2"], objects=3)
    (folder / "recipe.py").write_text(RECIPE)
    network = tiny_views.network(noised_reference=True)
    network.sample_shape = (4, 48, 32)  # 96 x 64 pixels behind the tiny VAE
    card = {"licence": "test", "rig": "zero123plus-v1.2"}
    save_zero123plus(folder / "init" / MULTIVIEW, Zero123Plus(network, tiny_views.codec(), card))
    model = ball()
    card = {"format": instantmesh.FORMAT, "name": "tiny", "licence": "test", "config": model.config.to_dict()}
    write_folder(folder / "init" / RECONSTRUCTOR, card, {instantmesh.PART: model.state_dict()})
    licence, usage = "views: test; reconstructor: test", Usage(16, 64, TEACHER)
    write_model_card(folder / "init", "full", licence, usage.to_dict())
    return folder


def ball() -> InstantMesh:
    """Random weights whose signed distance crosses zero inside the grid, whatever the views."""
    model = tiny_mesh.model("mesh")
    images, cameras = tiny_mesh.views(count=6)
    synthesizer = model.synthesizer
    assert isinstance(synthesizer, MeshSynthesizer)
    with torch.no_grad():
        corners, _ = synthesizer.grid(torch.device("cpu"))
        sdf = synthesizer.sdf(model(images, cameras), corners)
        synthesizer.decoder.net_sdf[-1].bias -= sdf.median()
    return model
