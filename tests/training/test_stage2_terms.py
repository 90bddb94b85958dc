"""Stage II's loss is InstantMesh's by terms, a step is the mean of its pairs, each seen once an epoch."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from geco.errors import ConfigError, MeshError
from geco.metrics.pyramid import perceptual_loss
from geco.reconstruct.instantmesh.grid import sign_change_penalty
from geco.training.halves import EmptyShapeError, Shape, Surfaces, Views
from geco.training.inputs import Inputs
from geco.training.loop import LoopOptions, train
from geco.training.machine import Machine
from geco.training.pairs import Pairs
from geco.training.stage2 import Stage2Options, Stage2Task
from geco.training.stage2_options import INSTANTMESH
from geco.training.stage2_terms import picture_terms, weighed
from tests.training.build import tiny_teacher
from tests.training.build_pairs import CODEC, PAIRS, ball, mesh_of, write

SIDE = 8


def distance(a: Tensor, b: Tensor) -> Tensor:
    """Stands for LPIPS: of pictures in [0, 1], one number each."""
    return (a - b).abs().mean((1, 2, 3))


def random_renders(seed: int) -> dict[str, Tensor]:
    """Two pictures with a background, masks with soft edges, normals and depths."""
    rng = torch.Generator().manual_seed(seed)
    seen = torch.rand(2, SIDE, SIDE, generator=rng) > 0.4
    soft = (seen * (0.2 + 0.8 * torch.rand(2, SIDE, SIDE, generator=rng))).clamp(0, 1)
    normal = F.normalize(torch.randn(2, SIDE, SIDE, 3, generator=rng), dim=-1) * seen[..., None]
    depth = (3 + torch.rand(2, SIDE, SIDE, generator=rng)) * seen
    return {
        "rgb": torch.rand(2, SIDE, SIDE, 3, generator=rng),
        "mask": soft,
        "normal": normal,
        "depth": depth,
    }


def as_instantmesh_has_it(drawn: dict[str, Tensor], truth: dict[str, Tensor], sdf: Tensor) -> dict[str, Any]:
    """The published formula on the published conventions: channels first, normals as pictures on black,
    silhouettes with a channel; constants 2, 0.5, 0.2, 0.01, 0.5, 0.1.
    """
    drawn, truth = (
        {
            "img": r["rgb"].permute(0, 3, 1, 2),
            "mask": r["mask"][:, None],
            "depth": r["depth"][:, None],
            "normal": ((r["normal"] + 1) / 2 * (r["normal"] != 0).any(-1, keepdim=True)).permute(0, 3, 1, 2),
        }
        for r in (drawn, truth)
    )
    ours, theirs = drawn["img"] * 2 - 1, truth["img"] * 2 - 1
    there = truth["mask"] > 0
    similarity = ((drawn["normal"] * 2 - 1) * (truth["normal"] * 2 - 1)).sum(-3).abs()
    side = round(len(sdf) ** (1 / 3))
    grid = sdf.reshape(side, side, side)
    edges = torch.cat(
        [
            torch.stack([grid[:-1].flatten(), grid[1:].flatten()], 1),
            torch.stack([grid[:, :-1].flatten(), grid[:, 1:].flatten()], 1),
            torch.stack([grid[..., :-1].flatten(), grid[..., 1:].flatten()], 1),
        ]
    )
    cut = edges[torch.sign(edges[:, 0]) != torch.sign(edges[:, 1])]
    logits, other = torch.cat([cut[:, 0], cut[:, 1]]), torch.cat([cut[:, 1], cut[:, 0]])
    entropy = -torch.where(other > 0, F.logsigmoid(logits), F.logsigmoid(-logits))
    return {
        "mse": F.mse_loss(ours, theirs),
        "lpips": 2.0 * distance((ours + 1) / 2, (theirs + 1) / 2).mean(),
        "mask": F.mse_loss(drawn["mask"], truth["mask"]),
        "depth": 0.5 * F.l1_loss(drawn["depth"][there], truth["depth"][there]),
        "normal": 0.2 * (1 - similarity[truth["mask"].squeeze(-3) > 0].mean()),
        "sdf": 0.01 * 2 * entropy.mean(),
    }


def test_the_loss_is_instantmeshs_on_two_pictures() -> None:
    drawn, truth = random_renders(1), random_renders(2)
    sdf = torch.randn(5**3, generator=torch.Generator().manual_seed(3))
    surface, weights = torch.tensor(0.3), torch.tensor(0.7)
    wanted = as_instantmesh_has_it(drawn, truth, sdf)
    total = wanted["mse"] + wanted["lpips"] + wanted["mask"] + wanted["normal"]  # no depth
    total = total + wanted["sdf"] + 0.5 * surface + 0.1 * weights
    terms = picture_terms(SimpleNamespace(**drawn), truth, distance)
    assert float(4 * terms["mse"]) == pytest.approx(float(wanted["mse"]), rel=1e-6)
    assert float(0.5 * terms["depth"]) == pytest.approx(float(wanted["depth"]), rel=1e-6)
    assert float(0.2 * terms["normal"]) == pytest.approx(float(wanted["normal"]), rel=1e-6)
    terms |= {"sdf": sign_change_penalty(sdf, 4), "surface": surface, "weights": weights}
    options = Stage2Options(**INSTANTMESH)  # type: ignore[arg-type]
    assert float(weighed(terms, options)) == pytest.approx(float(total), rel=1e-6)
    ours = Stage2Options(mse=1.0, perceptual=0.5, mask=0.0)  # recipe paper: RGB alone, the same proportion
    rgb = wanted["mse"] + wanted["lpips"]
    assert float(4 * weighed(terms, ours)) == pytest.approx(float(rgb), rel=1e-6)


def test_regularisers_see_nothing_where_nothing_is() -> None:
    same = torch.ones(4**3, requires_grad=True)
    penalty = sign_change_penalty(same, 3)
    penalty.backward()
    assert float(penalty.detach()) == 0 and same.grad is not None
    nothing = {name: torch.zeros_like(value) for name, value in random_renders(0).items()}
    terms = picture_terms(SimpleNamespace(**nothing), nothing, distance)
    assert float(terms["depth"]) == 0 and torch.isfinite(terms["normal"])


def make(folder: Path, options: Stage2Options, shape: Any = None, size: float = 0.5) -> Stage2Task:
    model = ball(size)
    return Stage2Task(
        options,
        Inputs(Machine(device="cpu", threads=1)),
        Views(tiny_teacher().eval(), CODEC),
        Surfaces(model, mesh_of(model), shape),  # type: ignore[arg-type]
        Pairs(folder),
        perceptual_loss,
        lambda *_: None,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten pairs, eight of which are trained on."""
    place = tmp_path_factory.mktemp("pairs")
    write(place, 10, replace(PAIRS, geometry=True))
    return place


def test_a_steps_gradient_is_that_of_the_whole_batch(folder: Path, tmp_path: Path) -> None:
    options = Stage2Options(batch=3, views=2, rate=1e-3, average=None, normal=0.2, clip=1e9)
    task = make(folder, options)
    (part,) = task.parts()
    rng = torch.Generator()
    torch.stack([task.loss(index, rng)[0] for index in range(3)]).mean().backward()
    whole = [p.grad.clone() for p in part.parameters if p.grad is not None]
    for parameter in part.parameters:
        parameter.grad = None
    for index in range(3):
        (task.loss(index, rng)[0] / 3).backward()
    pieces = [p.grad for p in part.parameters if p.grad is not None]
    norm = torch.cat([g.flatten() for g in whole]).norm()
    apart = torch.cat([(a - b).flatten() for a, b in zip(whole, pieces)]).norm()
    assert len(whole) == len(pieces) > 0 and float(apart / norm) < 1e-5
    train(make(folder, options), LoopOptions(tmp_path, steps=1, warmup_steps=1, decay_part=0.0), quiet=True)
    line = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[0])
    assert line["norm"] == pytest.approx(float(norm), rel=1e-5) and line["samples"] == 3


def test_every_pair_is_seen_once_an_epoch_in_an_order_of_its_own(folder: Path) -> None:
    task = make(folder, Stage2Options(batch=3, views=2))
    rows = len(task.train_rows)
    assert rows == 8
    epochs = [[task.draw(epoch * rows + at).row for at in range(rows)] for epoch in range(3)]
    assert all(sorted(epoch) == task.train_rows for epoch in epochs) and epochs[0] != epochs[1] != epochs[2]
    again = make(folder, Stage2Options(batch=3, views=2))  # a resumed run begins anywhere
    assert [again.draw(at).row for at in range(rows + 2, rows + 5)] == epochs[1][2:5]
    assert [again.draw(5).cameras for _ in range(2)] == [task.draw(5).cameras] * 2
    assert len({tuple(task.draw(at).cameras) for at in range(20)}) > 5


def test_an_empty_shape_is_counted_or_pushed_back(folder: Path) -> None:
    weight = torch.nn.Parameter(torch.tensor(2.0))

    def vanished(views: Tensor, off: Tensor | None) -> Shape:
        raise EmptyShapeError(weight.abs())

    rng = torch.Generator()
    loss, values = make(folder, Stage2Options(views=2), vanished).loss(0, rng)
    assert float(loss.detach()) == 0 and values == {"lost": 1.0} and loss.requires_grad
    loss, _ = make(folder, Stage2Options(views=2, empty=0.5), vanished).loss(0, rng)
    loss.backward()
    assert float(loss.detach()) == 1.0 and float(weight.grad) == 0.5  # type: ignore[arg-type]

    def failed(*_: object) -> Shape:
        raise MeshError("nothing")

    loss, values = make(folder, Stage2Options(views=2, empty=0.5), failed).loss(0, rng)
    assert float(loss.detach()) == 0 and values == {"lost": 1.0}


def test_cameras_are_off_by_no_more_than_the_jitter(folder: Path) -> None:
    told: list[Tensor | None] = []
    model = ball(0.5)
    mesh: Any = mesh_of(model)

    def shape(views: Tensor, off: Tensor | None) -> Shape:
        told.append(off)
        return Shape(*mesh(views, torch.zeros(3, 16, 16)))

    task = make(folder, Stage2Options(views=2, jitter=0.02), shape)
    for index in (0, 1, 0):
        task.loss(index, torch.Generator())
    task.report()  # told of them as they are
    first, second, again, *others = told
    assert first is not None and second is not None and again is not None
    assert first.shape == (6, 16) and 0.015 < float(first.abs().max()) <= 0.02
    assert torch.equal(first, again) and not torch.equal(first, second) and others == [None] * len(task.check)


def test_terms_that_pairs_or_networks_do_not_have_are_refused(folder: Path, tmp_path: Path) -> None:
    write(tmp_path, 4)
    with pytest.raises(ConfigError, match="normal compares geometry"):
        make(tmp_path, Stage2Options(views=2, normal=0.2))
    with pytest.raises(ConfigError, match="surface suits the full family"):
        make(folder, Stage2Options(views=2, surface=0.5))
    with pytest.raises(ConfigError, match="views a pair"):
        make(folder, Stage2Options(views=6))


def test_stored_views_and_drawn_ones_teach_the_same(folder: Path, tmp_path: Path) -> None:
    from geco.training.pair_files import encode_views
    from geco.training.pair_folder import chunk_names, pair_name
    from geco.training.pair_maker import as_bytes
    from geco.training.stage2_views import StoredViews

    drawn, pairs = make(folder, Stage2Options(views=2)), Pairs(folder)
    for chunk in chunk_names(folder):
        (folder / "generated" / "abc" / chunk).mkdir(parents=True)
    with torch.no_grad():
        for row, number in enumerate(map(int, pairs.numbers)):
            picture = torch.from_numpy(pairs[row]["picture"]).float() / 255
            place = folder / "generated" / "abc" / pairs[row].folder.parent.name
            views = encode_views(as_bytes(drawn._views(row, picture)))
            (place / f"{pair_name(number)}.webp").write_bytes(views)
    assert pairs.has_generated("abc")
    model = ball(0.5)
    surfaces = Surfaces(model, mesh_of(model))  # type: ignore[arg-type]
    inputs = Inputs(Machine(device="cpu", threads=1))
    given = StoredViews(pairs, "abc")
    options = Stage2Options(views=2)
    stored = Stage2Task(options, inputs, given, surfaces, pairs, perceptual_loss, lambda *_: None)
    assert stored.generator is None
    for index in range(3):
        a, b = (float(task.loss(index, torch.Generator())[0].detach()) for task in (drawn, stored))
        assert a == pytest.approx(b, rel=2e-2)  # 256 levels
