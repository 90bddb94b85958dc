"""Supervision and training of the small reconstructor: labels of a ball, worsened views, a few
steps on one object.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from geco.data.dataset import MissingViewsError
from geco.data.dataset.grid import GRID_SETS, target_indices
from geco.data.labels.carve import sample_object, shard_poses
from geco.data.labels.files import LabelledPoints
from geco.data.labels.shards import label_shards
from geco.data.shards import Shards
from geco.errors import ConfigError
from geco.multiview.small.network import SmallMultiView
from geco.recipes.tiny import tiny
from geco.reconstruct.small.model import SmallReconstructor
from geco.training.augment import composite
from geco.training.inputs import Inputs
from geco.training.loop import LoopOptions, train
from geco.training.machine import Machine
from geco.training.muon import Muon, orthogonalize, split_parameters
from geco.training.reconstructor import ADAM_NAMES, ReconstructorTask, overlap, validate
from geco.training.reconstructor_data import (
    ReconstructorBatch,
    ReconstructorData,
    predict_noised,
    rotation,
    worsen,
)
from geco.training.reconstructor_options import ReconstructorOptions
from geco.training.six_views import sample_tensors
from tests.data.balls import CENTRE, RADIUS, ball_views, write_balls
from tests.data.dots import write_dots
from tests.reconstruct.tiny import CONFIG


def test_labels_of_a_ball() -> None:
    color, depth = ball_views(64)
    points, surface, colors = sample_object(color, depth, shard_poses(), np.random.default_rng(0), 4000, 500)
    true = np.linalg.norm(points[:, :3] - CENTRE, axis=1) - RADIUS
    clear = np.abs(true) > 0.025  # closer than that a pixel of 0.033 world units cannot tell
    assert ((points[:, 3] < 0) == (true < 0))[clear].all()
    assert clear.mean() > 0.5 and (true < -0.03).sum() > 200
    assert np.abs(points[:, 3] - np.clip(true, -0.5, 0.5))[clear].max() < 0.03
    assert np.abs(np.linalg.norm(surface - CENTRE, axis=1) - RADIUS).max() < 0.02
    sure = np.abs(surface[:, 1]) > 0.06  # two pixels
    assert ((colors[:, 0] > colors[:, 2]) == (surface[:, 1] > 0))[sure].all()


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_balls(tmp_path_factory.mktemp("shards") / "balls")
    assert label_shards(folder) == 2
    assert label_shards(folder) == 0
    return folder


def test_labelling_goes_on_where_it_stopped(shards: Path, tmp_path: Path) -> None:
    folder = write_balls(tmp_path / "balls")
    with pytest.raises(ConfigError, match=r"no labelled points.*geco data label "):
        ReconstructorData(folder)
    label_shards(folder)
    (folder / "shard-000001.points.json").unlink()  # killed before the last file of the second shard
    (folder / "shard-000001.colors.npy").write_bytes(b"half")
    assert label_shards(folder) == 1
    for path in shards.glob("*.npy"):
        assert path.read_bytes() == (folder / path.name).read_bytes(), path.name
    assert label_shards(folder, seed=1) == 2  # other points were asked for
    first, other = (LabelledPoints(Shards(path))[1] for path in (shards, folder))
    assert not np.array_equal(first.points, other.points)


def test_points_of_other_shards_do_not_count(shards: Path, tmp_path: Path) -> None:
    folder = write_dots(tmp_path / "dots", GRID_SETS, objects=2, size=16)
    for path in shards.glob("shard-000000.*.*"):
        (folder / path.name).write_bytes(path.read_bytes())
    with pytest.raises(ConfigError, match="no labelled points of its own"):
        LabelledPoints(Shards(folder))


def test_labelling_needs_depth(tmp_path: Path) -> None:
    with pytest.raises(MissingViewsError, match="channel 'depth'"):
        label_shards(write_dots(tmp_path / "dots", GRID_SETS, objects=1, size=16, depth=False))


@pytest.mark.parametrize("azimuth", [0, 3, 7])
@pytest.mark.parametrize("mirror", [False, True])
def test_points_turn_with_the_input_camera(shards: Path, azimuth: int, mirror: bool) -> None:
    data, sample = ReconstructorData(shards), (0, azimuth, 0, mirror)
    points, distance, surface, _ = data.label(sample, np.arange(4000, 8000), np.arange(500))
    views = composite(sample_tensors(data.shards, [sample])[1])[0].numpy()
    centre = rotation(-30.0 * azimuth) @ (CENTRE * [1, -1 if mirror else 1, 1])
    assert np.abs(np.linalg.norm(surface - centre, axis=1) - RADIUS).max() < 0.08  # 16 px
    inside = np.linalg.norm(points - centre, axis=1) < RADIUS - 0.1
    assert (distance[inside] < 0).all() and inside.sum() > 100
    color, _ = ball_views(16)
    if not mirror:
        np.testing.assert_allclose(
            views[2, 0],
            np.where(color[..., 3] > 0, color[..., 0] / 255, 1.0)[target_indices(azimuth)[2]],
            atol=1e-6,
        )


def test_batches_depend_on_seed_and_step_only(shards: Path) -> None:
    data = ReconstructorData(shards)
    first, again, other = (data.batch(1, step, 2, 50, 20) for step in (4, 4, 5))
    assert torch.equal(first.points, again.points) and torch.equal(first.views, again.views)
    assert not torch.equal(first.points, other.points)
    assert first.views.shape == (2, 6, 3, 16, 16) and first.colors.shape == (2, 20, 3)


def batch_of(shards: Path) -> ReconstructorBatch:
    return ReconstructorData(shards).fixed(2, 500, 200)


def test_worsening_keeps_supervision_and_follows_its_generator(shards: Path) -> None:
    batch = batch_of(shards)
    once, twice = (worsen(batch, torch.Generator().manual_seed(3), share=1.0) for _ in range(2))
    assert torch.equal(once.views, twice.views)
    assert torch.equal(once.points, batch.points) and torch.equal(once.distance, batch.distance)
    assert not torch.equal(once.views, batch.views)
    assert once.views.min() >= 0 and once.views.max() <= 1
    kept = worsen(batch, torch.Generator().manual_seed(3), share=0.0)
    # at most the channels change places
    torch.testing.assert_close(kept.views.mean(dim=2), batch.views.mean(dim=2))
    torch.testing.assert_close(kept.colors.sum(-1), batch.colors.sum(-1))


def test_worsening_with_a_share_a_sample(shards: Path) -> None:
    batch = batch_of(shards)
    made = worsen(batch, torch.Generator().manual_seed(3), share=torch.tensor([0.0, 1.0]))
    # its channels may change places
    torch.testing.assert_close(made.views[0].mean(dim=1), batch.views[0].mean(dim=1))
    assert not torch.allclose(made.views[1].mean(dim=1), batch.views[1].mean(dim=1), atol=1e-3)


def test_part_of_a_batch_is_what_the_teacher_predicts(shards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(1)
    teacher = SmallMultiView(tiny().multiview)
    torch.nn.init.normal_(teacher.head.weight, std=0.1)
    options = ReconstructorOptions(batch=4, points=50, surface=20, worsen=1.0, predicted_share=0.5)
    task = ReconstructorTask(
        options,
        Inputs(Machine(device="cpu", threads=1)),
        SmallReconstructor(CONFIG),
        ReconstructorData(shards),
        teacher=teacher,
    )
    seen: list[ReconstructorBatch] = []

    def note(
        model: SmallReconstructor, batch: ReconstructorBatch, options: object, autocast: object
    ) -> tuple[torch.Tensor, dict[str, float]]:
        seen.append(batch)
        return torch.zeros(()), {}

    monkeypatch.setattr("geco.training.reconstructor.losses", note)
    task.loss(0, torch.Generator().manual_seed(0))
    plain = worsen(
        task.data.batch(0, 0, 4, 50, 20),
        generator := torch.Generator().manual_seed(0),
        share=torch.tensor([0.0, 0.0, 1.0, 1.0]),
    )
    wanted = predict_noised(teacher, plain.picture[:2], plain.views[:2], generator)
    torch.testing.assert_close(seen[0].views[:2], wanted)
    torch.testing.assert_close(seen[0].views[2:], plain.views[2:])
    assert not torch.allclose(wanted, plain.views[:2], atol=0.05)


def test_a_few_steps_learn_the_ball(shards: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    batch = batch_of(shards)
    before = validate(SmallReconstructor(CONFIG), batch)
    task = ReconstructorTask(
        ReconstructorOptions(batch=2, points=500, surface=100, worsen=0.0, average=0.9),
        Inputs(Machine(device="cpu", threads=1)),
        SmallReconstructor(CONFIG),
        ReconstructorData(shards),
        checks={"true": batch},
    )
    train(task, LoopOptions(tmp_path, steps=80, warmup_steps=5), resume=False)
    after = validate(SmallReconstructor.load(tmp_path), batch)
    assert after["iou"] > max(0.8, before["iou"])
    assert after["color_psnr"] > before["color_psnr"]
    assert (tmp_path / "checkpoint.pt").exists() and list(tmp_path.glob("grid_*.png"))


def test_overlap() -> None:
    a, b = torch.tensor([True, True, False]), torch.tensor([True, False, False])
    assert overlap(a, b) == 0.5 and overlap(~a & a, ~a & a) == 1.0


@pytest.mark.parametrize("shape", [(5, 9), (9, 5), (6, 6)])
def test_orthogonalize(shape: tuple[int, int]) -> None:
    values = torch.linalg.svdvals(
        orthogonalize(torch.randn(*shape, generator=torch.Generator().manual_seed(0))).float()
    )
    assert values.min() > 0.5 and values.max() < 1.3


def test_muon_takes_the_matrices() -> None:
    model = SmallReconstructor(CONFIG)
    matrices, rest = split_parameters(model, ADAM_NAMES)
    assert len(matrices) + len(rest) == len(list(model.parameters()))
    assert all(parameter.ndim > 1 for parameter in matrices)
    assert not {id(p) for p in model.field.parameters()} & {id(p) for p in matrices}
    weight = torch.nn.Parameter(torch.zeros(4, 2, 3, 3))
    weight.grad = torch.randn(4, 2, 3, 3, generator=torch.Generator().manual_seed(0))
    Muon([weight], lr=0.1).step()
    assert torch.linalg.svdvals(weight.detach().flatten(1)).max() < 0.13
