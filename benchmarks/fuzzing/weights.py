"""Model folders, checkpoints, shards and reports: read, and what can be read is used once."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np

from benchmarks.fuzzing.case import Case, choose
from benchmarks.fuzzing.model_seeds import FAMILIES, seed
from benchmarks.fuzzing.weight_damage import damaged
from geco.pipeline import GecoPipeline
from geco.surface_to_asset import AssetOptions

SHARES = {
    "onnx": 5, "small": 5, "diffusers": 2, "full": 2, "checkpoint": 3, "old checkpoint": 1,
    "autoencoder": 1.5, "clip": 1, "shards": 3, "pairs": 1, "run": 1, "report": 2,
}  # fmt: skip


def warm_up() -> None:
    """Make the whole folders, and read each of them once."""
    import tempfile

    for family in FAMILIES:
        case = Case("", seed(family), {"family": family})
        with tempfile.TemporaryDirectory() as folder:
            try_it(case, Path(folder))


def make(rng: Random, shares: dict[str, float] | None = None) -> Case:
    """A damaged folder of one of the families."""
    family = choose(rng, shares or SHARES)
    files, about = damaged(seed(family), rng)
    return Case(f"{family}: {about}", files, {"family": family})


def try_it(case: Case, folder: Path) -> str:
    """Read it as the product would; a model that loads makes one object."""
    place = folder / "in"
    place.mkdir()
    case.write(place)
    family = case.how["family"]
    with contextlib.redirect_stdout(io.StringIO()):
        _TRY[family](place)
    return family


def _pipeline(place: Path) -> None:
    pipeline = GecoPipeline.from_pretrained(place, device="cpu")
    picture = np.ones((32, 32, 4), np.float32)
    picture[..., 3] = np.hypot(*np.mgrid[-1:1:32j, -1:1:32j]) < 0.7
    asset = pipeline(picture, options=AssetOptions(resolution=16, texture_size=64, projection=False))
    assert len(asset.mesh.faces) and np.isfinite(asset.mesh.vertices).all()


def _diffusers(place: Path) -> None:
    from geco.public_weights.zero123plus import convert_zero123plus
    from geco.public_weights.zero123plus_folder import load_zero123plus

    convert_zero123plus(place, place.parent / "out")
    load_zero123plus(place.parent / "out")


def _checkpoint(place: Path) -> None:
    from tests.reconstruct import tiny

    from geco.public_weights import instantmesh

    instantmesh.convert(place / "tiny.ckpt", place.parent / "out", tiny.config("nerf"))
    instantmesh.load(place.parent / "out")


def _autoencoder(place: Path) -> None:
    import torch

    from geco.metrics.features.weights import load_distance

    distance = load_distance(place)
    pictures = torch.rand(2, 3, 16, 16)
    distance(pictures[:1], pictures[1:])


def _clip(place: Path) -> None:
    from geco.metrics.clip import ClipImages

    ClipImages(place).embed(np.ones((1, 16, 16, 3)))


def _shards(place: Path) -> None:
    from geco.cli.main import parser

    sheet = place.parent / "sheet.png"
    options = parser().parse_args(["data", "info", str(place), "--check", "--sheet", str(sheet)])
    options.function(options)


def _pairs(place: Path) -> None:
    from geco.training.pairs import Pairs

    pairs = Pairs(place)
    shape = pairs.shape
    assert len(pairs) and pairs.facts and dict(pairs[len(pairs) - 1])
    pairs.pairs(0, 2, shape)


def _run(place: Path) -> None:
    from tests.training.line import Line

    from geco.training.loop import LoopOptions, train
    from geco.training.machine import Machine

    machine = Machine(device="cpu", threads=1)
    train(Line(machine), LoopOptions(place, steps=3, decay_part=0.0, log_steps=1), machine, quiet=True)


def _report(place: Path) -> None:
    from geco.evaluate.report import outputs_are_current, write_report
    from geco.evaluate.rows import Rows
    from geco.evaluate.settings import settle

    settle(place, json.loads(seed("report")["settings.json"]))
    rows = Rows(place)
    outputs_are_current(place, rows)
    write_report(place, rows, {})


_TRY: dict[str, Callable[[Path], None]] = {
    "onnx": _pipeline, "small": _pipeline, "full": _pipeline, "diffusers": _diffusers,
    "checkpoint": _checkpoint, "old checkpoint": _checkpoint, "autoencoder": _autoencoder, "clip": _clip,
    "shards": _shards, "pairs": _pairs, "run": _run, "report": _report,
}  # fmt: skip
