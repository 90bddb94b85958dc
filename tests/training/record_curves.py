"""Each stage's losses at tiny size from fixed seeds; ``python -m tests.training.record_curves [STAGE ...]``
stores them anew.

To be done only after a change that is meant to move the losses; the difference of the file then shows by how
much.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any, get_args

import torch
from torch import Tensor

from geco.cameras import INPUT_FOV
from geco.metrics.pyramid import perceptual_loss
from geco.model_files.card import MULTIVIEW
from geco.multiview.small.codec import PixelCodec
from geco.multiview.small.network import SmallMultiView
from geco.multiview.small.weights import save_small
from geco.recipes.recipe import Recipe, Stage
from geco.recipes.tiny import tiny
from geco.render.shade_torch import render_mesh
from geco.training import family
from geco.training import small_stages as small
from geco.training.halves import Surfaces, Views
from geco.training.inputs import Inputs, Sizes
from geco.training.loop import LoopOptions, train
from geco.training.machine import Machine
from geco.training.pair_maker import PairMaker
from geco.training.pair_work import Bounds, make_pairs
from geco.training.pairs import Pairs
from geco.training.small_family import SMALL, small_mesh
from geco.training.stage2 import Stage2Task
from geco.training.task import Task
from tests.boxes import render_boxes
from tests.training.build_pairs import ball

STORED = Path(__file__).with_name("curves.json")
STEPS = 8
SEED = 0
STAGES: tuple[Stage, ...] = get_args(Stage)
SETS = "grid-targets,grid-extra,grid-inputs"

Curves = dict[str, list[float]]  # "student_loss" -> its value at every step


class Stages:
    """Every stage of one recipe from fixed weights, float32 on one thread.

    The stages do not follow each other: a rounding in the teacher's training would be a per cent at the
    chain's end. The distillations start from random weights, Stage II's reconstructor says "a ball".

    Args:
        folder: for everything that is made.
        recipe: precision "no", tiny sizes.
    """

    def __init__(self, folder: Path, recipe: Recipe | None = None) -> None:
        self.folder, self.recipe = folder, recipe or tiny()
        self.machine = Machine("no", "cpu", threads=1)
        self.views, self.start = folder / "views", folder / "start"
        if not self.views.exists():
            render_boxes(folder)
            save_small(random_network(self.recipe), self.start / MULTIVIEW)
            family.finish(SMALL, self.start, None, {})

    def inputs(self, **more: Any) -> Inputs:
        """What the builders are given."""
        r = self.recipe
        sizes = Sizes(r.multiview, r.reconstructor, r.regressor, r.autoencoder, r.pixelnerf)
        given = {"data": self.views, "seed": SEED, "resolution": r.resolution, "sizes": sizes} | more
        return Inputs(self.machine, **given)

    def teacher(self) -> Task:
        return small.teacher(self.recipe.teacher, self.inputs())

    def reconstructor(self) -> Task:
        return small.reconstructor(self.recipe.reconstruction, self.inputs())

    def regressor(self) -> Task:
        return small.regressor(self.recipe.regression, self.inputs())

    def pixelnerf(self) -> Task:
        return small.pixelnerf(self.recipe.radiance, self.inputs())

    def autoencoder(self) -> Task:
        return small.autoencoder(self.recipe.autoencoding, self.inputs())

    def stage1(self) -> Task:
        return family.stage1(SMALL, self.recipe.stage1, self.inputs(init=self.start))

    def stage2(self) -> Task:
        r, network, model = self.recipe, random_network(self.recipe).eval(), ball()
        codec, mesh, folder = (
            PixelCodec(network.config.size),
            small_mesh(model, r.resolution),
            self.folder / "pairs",
        )

        def render(views: Tensor, condition: Tensor, poses: Tensor) -> dict[str, Tensor]:
            vertices, faces, color = mesh(views, condition)
            return vars(render_mesh(vertices, faces, poses, INPUT_FOV, r.pairs.size, color))

        if not folder.exists():
            maker = PairMaker(network, codec, random_picture, render)
            make_pairs(maker, r.pairs, r.pair_count, folder, Bounds(shown=False))
        moved = ball(0.5)  # not the truth
        return Stage2Task(
            r.stage2,
            self.inputs(),
            Views(network, codec),
            Surfaces(moved.train(), small_mesh(moved, r.resolution)),
            Pairs(folder),
            perceptual_loss,
            lambda generator, reconstructor, run: None,
        )

    def losses(self, stage: Stage, faster: float = 1.0) -> Curves:
        """Of the first steps, at constant learning rates: the recipe's times ``faster``."""
        task: Task = getattr(self, stage)()
        parts = task.parts()
        for group in (
            group for part in parts for optimizer in part.optimizers for group in optimizer.param_groups
        ):
            group["lr"] *= faster
        task.parts = lambda: parts  # type: ignore[method-assign]
        with tempfile.TemporaryDirectory(dir=self.folder) as run:
            options = LoopOptions(Path(run), steps=STEPS, decay_part=0.0, warmup_steps=1, log_steps=1)
            train(task, options, self.machine, quiet=True)
            return read_losses(Path(run) / "log.jsonl")


def random_network(recipe: Recipe) -> SmallMultiView:
    """Weights that are nowhere zero, so that every part has its say."""
    torch.manual_seed(SEED)
    network = SmallMultiView(recipe.multiview)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return network


def random_picture(number: int) -> tuple[str, Tensor]:
    return str(number), torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(number))


def read_losses(log: Path) -> Curves:
    """The first steps of every loss in a run's log."""
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    steps = [line for line in lines if "report" not in line][:STEPS]
    return {
        name: [float(f"{line[name]:.6g}") for line in steps] for name in steps[0] if name.endswith("loss")
    }


def main() -> None:
    asked = sys.argv[1:] or STAGES
    kept = json.loads(STORED.read_text()) if STORED.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        stages = Stages(Path(folder))
        curves = {stage: stages.losses(stage) if stage in asked else kept[stage] for stage in STAGES}
    STORED.write_text(json.dumps(curves, indent=1) + "\n")
    print(f"{STORED}: {', '.join(f'{stage} {name}' for stage, curve in curves.items() for name in curve)}")


if __name__ == "__main__":
    main()
