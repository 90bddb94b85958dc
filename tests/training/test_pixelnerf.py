"""PixelNeRF's stage at 16 px: the world of a picture, its rays, a training that learns, goes on where it was
stopped, and becomes a model that every command takes.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from geco.cameras import orbit_poses
from geco.cli.main import main
from geco.data.dataset import GridViews
from geco.errors import WeightsError
from geco.model_files.card import RECONSTRUCTOR, Usage, read_model_card, write_model_card
from geco.model_files.publish import publish
from geco.pipeline import GecoPipeline
from geco.reconstruct.pixelnerf.config import PixelNeRFConfig
from geco.reconstruct.pixelnerf.model import PixelNeRF
from geco.reconstruct.pixelnerf.seen import Cameras, read
from geco.training.augment import Jitter, composite
from geco.training.loop import LoopOptions, train
from geco.training.pixelnerf import PixelNeRFTask, validate
from geco.training.pixelnerf_data import (
    Objects,
    draw_rays,
    drawn_samples,
    fixed_samples,
    load_objects,
    own_world,
)
from geco.training.pixelnerf_options import PixelNeRFOptions, StillJitter
from tests.data.balls import CENTRE, RADIUS, write_balls
from tests.training.record_curves import Stages

PLAIN = Jitter(0.0, 0.0, exposure=0.0, contrast=0.0, balance=0.0, moved=0.0, soft=0.0)
STEPS = 60


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Stages:
    """Four rendered boxes, one held out, and the tiny stages on them."""
    return Stages(tmp_path_factory.mktemp("pixelnerf"))


@pytest.fixture(scope="module")
def run(stages: Stages) -> Path:
    """A run folder after 60 steps."""
    folder = stages.folder / "run"
    train(stages.pixelnerf(), LoopOptions(folder, steps=STEPS, warmup_steps=5), stages.machine, quiet=True)
    return folder


@pytest.fixture(scope="module")
def balls(tmp_path_factory: pytest.TempPathFactory) -> GridViews:
    return GridViews(write_balls(tmp_path_factory.mktemp("shards") / "balls"))


def test_the_world_of_a_picture_is_its_own() -> None:
    """A camera twice as far with a lens twice as long sees the same; the unit is the far one's."""
    poses = orbit_poses([90.0, 120.0], [10.0, -10.0], [8.0, 4.0])
    lenses = np.array([[3.7320508, 0.5, 0.5], [1.8660254, 0.5, 0.5]], np.float32)
    found, kept, centre, radius = own_world(poses, lenses)
    np.testing.assert_allclose(found[0], orbit_poses(0.0, 10.0, 8.0), atol=1e-5)
    np.testing.assert_allclose(found[1], orbit_poses(30.0, -10.0, 4.0), atol=1e-5)
    assert kept is lenses and np.allclose(centre, 0, atol=1e-6) and radius == pytest.approx(0.95)
    near, *_, radius = own_world(orbit_poses([0.0], [0.0], [4.0]), lenses[:1])
    # the picture shows half as much, so all is twice as large
    np.testing.assert_allclose(near[0, :3, 3], [8.0, 0.0, 0.0], atol=1e-5)
    assert radius == pytest.approx(1.9)


def test_what_lies_in_the_middle_of_the_picture_lies_at_the_origin() -> None:
    pose, lens = orbit_poses([0.0], [0.0], [4.0]), np.array([[1.8660254, 0.4, 0.7]], np.float32)
    moved, _, centre, _ = own_world(pose, lens)
    view = Cameras(torch.from_numpy(moved[None]).float(), torch.from_numpy(lens[None]))
    places = view.project(torch.stack([torch.zeros(3), torch.from_numpy(centre).float()])[None])
    torch.testing.assert_close(places[0, 0], torch.tensor([[0.0, 0.0], [-0.2, 0.4]]), atol=1e-5, rtol=0)


@pytest.mark.parametrize("mirror", [False, True])
def test_all_views_of_a_sample_show_one_object_in_one_world(balls: GridViews, mirror: bool) -> None:
    """A ball of known place: its middle lies in every silhouette's middle, whatever side it is seen from."""
    objects = load_objects(balls, [(0, 4, 1, mirror)], [[0, 5, 8]])
    angle = -np.radians(4 * 30.0)
    c, s = np.cos(angle), np.sin(angle)
    turn = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    middle = turn @ (CENTRE * [1, -1 if mirror else 1, 1])
    places = Cameras(objects.c2w, objects.lenses).project(torch.from_numpy(middle).float()[None, None])
    alpha = torch.cat([objects.condition[:, None], objects.others], dim=1)[0, :, 3]
    axis = (torch.arange(16) + 0.5) / 8 - 1
    for place, seen in zip(places[0, :, 0], alpha):
        weight = seen / seen.sum()
        found = torch.stack([(weight.sum(0) * axis).sum(), (weight.sum(1) * axis).sum()])
        torch.testing.assert_close(place, found, atol=0.08, rtol=0)  # perspective moves it by half a pixel
    assert objects.radius.item() == pytest.approx(0.95, abs=1e-4) and RADIUS < 0.95


def test_rays_bring_the_colours_of_their_pixels(balls: GridViews) -> None:
    """Back through the cameras the points of each ray lie where its colour was read."""
    objects = drawn_samples(balls, 0, 3, 2, 2)
    assert objects.others.shape == (2, 8, 4, 16, 16)
    batch = draw_rays(objects, 40, 0.5, 3, torch.Generator().manual_seed(0), PLAIN)
    assert batch.pictures.shape == (2, 3, 3, 16, 16) and batch.cameras.c2w.shape == (2, 3, 4, 4)
    torch.testing.assert_close(batch.pictures[:, 0], composite(objects.condition))
    assert (batch.opacity[:, :20] > 0.5).all() and (batch.opacity[:, 20:] < 0.5).any()
    cameras = Cameras(objects.c2w, objects.lenses)
    pictures = composite(torch.cat([objects.condition[:, None], objects.others], dim=1))
    places = cameras.project(batch.origins + 3.0 * batch.directions)
    seen = read(pictures, places)  # (B, T, R, 3): of all pictures, its own among them
    mine = (batch.origins[:, None] - objects.c2w[:, :, None, :3, 3]).norm(dim=-1) < 1e-5
    for rows in zip(seen.movedim(1, 2), mine.movedim(1, 2), batch.colors):
        for found, own, color in zip(*rows):
            assert min((one - color).abs().max() for one in found[own]) < 1e-4


def test_the_same_micro_batch_is_the_same(balls: GridViews) -> None:
    first, again, other = (drawn_samples(balls, 0, index, 2, 1) for index in (5, 5, 6))
    assert all(torch.equal(a, b) for a, b in zip(vars(first).values(), vars(again).values()))
    assert not torch.equal(first.others, other.others)
    assert (first.elevation - torch.tensor(np.radians(20.0))).abs().max() < 1e-4  # of the balls' inputs


def test_features_are_read_where_things_are_so_pictures_stay_where_they_are() -> None:
    assert PixelNeRFOptions().jitter == StillJitter() and StillJitter().moved == 0.0 < Jitter().moved


def test_training_learns_and_shows_it(stages: Stages, run: Path) -> None:
    task = stages.pixelnerf()
    assert isinstance(task, PixelNeRFTask)
    trained, known = PixelNeRF.load(run / RECONSTRUCTOR), fixed_samples(task.data, 3)
    before, after = (validate(model.eval(), known) for model in (task.network, trained))
    assert after["psnr"] > before["psnr"] + 1.5 and after["mask_iou"] > before["mask_iou"]
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert lines[-1]["report"]["held_out"] == validate(trained, task.checks["held_out"])
    losses = [line["loss"] for line in lines if "loss" in line]
    assert np.mean(losses[-3:]) < 0.6 * losses[0]
    assert Image.open(run / f"grid_{STEPS:06d}.png").size == (7 * 16, 16)


def test_a_stopped_run_continues_bit_for_bit(stages: Stages, tmp_path: Path) -> None:
    for folder, pieces in (("whole", (4,)), ("parts", (2, 4))):
        for steps in pieces:
            options = LoopOptions(tmp_path / folder, steps=steps, decay_part=0.0, warmup_steps=1)
            train(stages.pixelnerf(), options, stages.machine, quiet=True)
    a, b = (
        (tmp_path / folder / RECONSTRUCTOR / "model.safetensors").read_bytes()
        for folder in ("whole", "parts")
    )
    assert a == b


def test_steps_see_one_picture_or_several_as_the_options_say(stages: Stages) -> None:
    seen: list[int] = []
    task = stages.pixelnerf()
    assert isinstance(task, PixelNeRFTask)
    encode = task.network.encode

    def counted(pictures: torch.Tensor, cameras: Cameras) -> object:
        seen.append(pictures.shape[1])
        return encode(pictures, cameras)

    task.network.encode = counted  # type: ignore[method-assign, assignment]
    for single, expected in ((1.0, {1}), (0.0, {2, 3})):
        task.options = replace(task.options, single=single, views=3)
        seen.clear()
        for index in range(8):
            task.loss(index, torch.Generator().manual_seed(index))
        assert set(seen) == expected


def test_a_run_is_a_model_for_every_command(
    stages: Stages, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = tmp_path / "run"
    asked = ["train", "pixelnerf", "--recipe", "tiny", "--data", stages.views, "-o", made, "--steps", 1]
    assert main([str(word) for word in [*asked, "--set", "pixelnerf.level=0.05", "--device", "cpu"]]) == 0
    assert "geco run PICTURE --model" in capsys.readouterr().out
    facts = read_model_card(made)["facts"]
    assert facts["stage"] == "pixelnerf" and facts["views"] is False
    assert PixelNeRF.load(made / RECONSTRUCTOR).config.level == 0.05
    publish(made, tmp_path / "half")
    backend = GecoPipeline.from_pretrained(tmp_path / "half").backend
    assert backend.sampling is None and backend.distilled and backend.card.picture_size == 16
    picture = tmp_path / "picture.png"
    Image.fromarray(np.dstack([np.full((32, 32, 3), 90), disc(32)]).astype(np.uint8)).save(picture)
    assert main(["run", str(picture), "--model", str(tmp_path / "half"), "-o", str(tmp_path / "m.glb")]) == 0
    assert main(["export", str(made), "-o", str(tmp_path / "graphs")]) == 2
    assert main(["distill", "stage1", "--data", str(stages.views), "--init", str(made), "-o", "none"]) == 2
    said = capsys.readouterr().err
    assert said.count("'pixelnerf'") == 2


def disc(size: int) -> np.ndarray:
    """An opaque disc, (S, S) uint8."""
    axis = np.linspace(-1, 1, size)
    return np.where(np.hypot(axis[:, None], axis[None]) < 0.8, 255, 0).astype(np.uint8)


def test_validation_is_of_the_truth(balls: GridViews) -> None:
    """A network that says nothing has the error of a white picture, whose silhouettes overlap with none."""
    objects = fixed_samples(balls, 2)
    model = PixelNeRF(PixelNeRFConfig(16, (8, 8, 8, 16), (0,) * 4, 2, 4, 1, 1, coarse=4, fine=0)).eval()
    torch.nn.init.constant_(model.points.density.bias, -30.0)
    found = validate(model, objects, count=3000)
    white = (composite(objects.others) - 1).square().mean((1, 2, 3, 4))
    assert found["psnr"] == pytest.approx(float(-10 * white.log10().mean()), abs=0.3)
    assert found["mask_iou"] == 0.0
    assert isinstance(objects, Objects)


def test_a_damaged_model_is_named(run: Path, tmp_path: Path) -> None:
    publish(run, tmp_path / "model")
    card = read_model_card(tmp_path / "model")
    write_model_card(tmp_path / "model", card["family"], card["licence"], Usage(16, 64).to_dict())
    (tmp_path / "model" / RECONSTRUCTOR / "model.safetensors").write_bytes(b"")
    with pytest.raises(WeightsError, match=r"model\.safetensors"):
        GecoPipeline.from_pretrained(tmp_path / "model")
