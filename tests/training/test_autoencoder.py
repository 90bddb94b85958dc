"""The autoencoder's stage at 16 px, and what its features find worse than what; Stage II by them;
what the commands say.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from geco.cli.main import main
from geco.data.dataset import GridViews
from geco.errors import ConfigError
from geco.metrics.features.distance import FeatureDistance
from geco.metrics.features.weights import load_autoencoder, load_distance
from geco.model_files.card import AUTOENCODER, MULTIVIEW, RECONSTRUCTOR, Usage
from geco.multiview.small.weights import save_small
from geco.recipes.tiny import tiny
from geco.reconstruct.small.model import SmallReconstructor
from geco.sampling import Sampling
from geco.training import small_stages as small
from geco.training.autoencoder import (
    AutoencoderOptions,
    AutoencoderTask,
    gradient_error,
    reconstruction_psnr,
    single_views,
    worsen,
)
from geco.training.family import finish, perceptual_distance, stage2
from geco.training.full_family import FULL
from geco.training.inputs import Sizes
from geco.training.loop import LoopOptions, train
from geco.training.small_family import SMALL
from tests.training.record_curves import Stages, random_network

STEPS = 150
Distance = Callable[[Tensor, Tensor], Tensor]


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Stages:
    """Four rendered boxes, one held out, and the tiny stages on them."""
    return Stages(tmp_path_factory.mktemp("autoencoder"))


@pytest.fixture(scope="module")
def run(stages: Stages) -> Path:
    """A run folder after 150 steps."""
    folder = stages.folder / "run"
    train(stages.autoencoder(), LoopOptions(folder, steps=STEPS, warmup_steps=10), stages.machine, quiet=True)
    return folder


def held_out(stages: Stages) -> GridViews:
    return GridViews(stages.views / small.HELD_OUT)


def renders(stages: Stages) -> Tensor:
    """(28, 3, 16, 16) of a box that was not trained on."""
    return single_views(held_out(stages).fixed(4)).flatten(0, 1)


def blurred(pictures: Tensor, sigma: float) -> Tensor:
    scipy = pytest.importorskip("scipy.ndimage")
    return torch.from_numpy(scipy.gaussian_filter(pictures.numpy(), (0, 0, sigma, sigma)))


def faults(pictures: Tensor) -> dict[str, list[Tensor]]:
    """Three faults of pictures (N, 3, S, S), each from little to much."""
    noise = torch.randn(pictures.shape, generator=torch.Generator().manual_seed(0))
    return {
        "blur": [blurred(pictures, sigma) for sigma in (0.5, 1.0, 2.0)],
        "shift": [pictures.roll(pixels, -1) for pixels in (1, 2, 3)],
        "noise": [(pictures + level * noise).clamp(0, 1) for level in (0.02, 0.05, 0.1, 0.2)],
    }


@torch.no_grad()
def not_growing(distance: Distance, pictures: Tensor) -> list[str]:
    """Names of the faults of which more does not cost more, in the mean over the pictures; little
    must cost something.
    """
    found = []
    for name, worse in faults(pictures).items():
        costs = [0.0] + [float(distance(pictures, picture).mean()) for picture in worse]
        if not all(b > a for a, b in itertools.pairwise(costs)):
            found.append(name)
    return found


def test_it_learns_to_reconstruct_and_to_repair(stages: Stages, run: Path) -> None:
    before = reconstruction_psnr(stages.autoencoder().network, held_out(stages))  # type: ignore[attr-defined]
    after = reconstruction_psnr(load_autoencoder(run / AUTOENCODER), held_out(stages))
    assert after["psnr"] > before["psnr"] + 6
    # a copy of its input would not get there
    assert after["denoised"] > after["worsened"] + 1 > before["denoised"]
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert lines[-1]["report"]["held_out"] == after
    grid = np.asarray(Image.open(run / f"grid_{STEPS:06d}.png"), np.float64) / 255
    assert grid.shape == (4 * 2 * 16, 7 * 16, 3)  # the truth above what comes out
    rows = grid.reshape(4, 2, 16, 7 * 16, 3)
    assert 0.0005 < np.mean((rows[:, 0] - rows[:, 1]) ** 2) < 0.02
    np.testing.assert_allclose(
        rows[0, 0, :, :16], single_views(held_out(stages).fixed(1))[0, 0].permute(1, 2, 0), atol=0.01
    )


def test_more_of_a_fault_costs_more(stages: Stages, run: Path) -> None:
    distance, pictures = load_distance(run), renders(stages)
    assert not_growing(distance, pictures) == []
    white = float(distance(pictures, torch.ones_like(pictures)).mean())
    assert all(float(distance(pictures, worse[0]).mean()) < white for worse in faults(pictures).values())


def test_that_more_costs_more_can_fail(stages: Stages, run: Path) -> None:
    pictures, net = renders(stages), load_autoencoder(run / AUTOENCODER)

    def of_histograms(a: Tensor, b: Tensor) -> Tensor:  # blind for shifts
        return (a.flatten(1).sort(1)[0] - b.flatten(1).sort(1)[0]).abs().mean(1)

    def full_at_once(a: Tensor, b: Tensor) -> Tensor:  # all that differs counts alike
        return (a != b).float().mean((1, 2, 3))

    assert "shift" in not_growing(of_histograms, pictures) and not_growing(full_at_once, pictures)
    for parameter in net.stem.parameters():
        torch.nn.init.zeros_(parameter)  # sees nothing
    assert not_growing(FeatureDistance(net), pictures) == ["blur", "shift", "noise"]


def test_a_blur_is_forgiven_less_than_by_the_squared_error(stages: Stages, run: Path) -> None:
    distance, pictures = load_distance(run), renders(stages)
    blur, moved = blurred(pictures, 2.0), pictures.roll(1, -1)
    squared = float((blur - pictures).square().mean() / (moved - pictures).square().mean())
    assert squared < 0.8
    assert float(distance(blur, pictures).mean() / distance(moved, pictures).mean()) > 1.1 * squared


def test_training_sees_worsened_pictures_and_the_truth(stages: Stages) -> None:
    pictures = renders(stages)
    plain = worsen(
        pictures, AutoencoderOptions(blur=0.0, noise=0.0, cut=0.0), torch.Generator().manual_seed(0)
    )
    assert torch.equal(plain, pictures)
    for name in ("blur", "noise", "cut"):
        chances = {"blur": 0.0, "noise": 0.0, "cut": 0.0, name: 1.0}
        worse = worsen(pictures, AutoencoderOptions(**chances), torch.Generator().manual_seed(0))
        changed = (worse != pictures).any(1).float().mean((1, 2))
        assert worse.shape == pictures.shape and float(worse.min()) >= 0 and float(worse.max()) <= 1
        assert (changed > 0).float().mean() > 0.9, name
        assert torch.equal(
            worse, worsen(pictures, AutoencoderOptions(**chances), torch.Generator().manual_seed(0))
        )
        if name == "cut":
            assert float(changed.max()) < 0.2  # a rectangle of a third by a third at most, of whole pixels
    part = worsen(
        pictures.repeat(8, 1, 1, 1),
        AutoencoderOptions(blur=0.0, noise=0.5, cut=0.0),
        torch.Generator().manual_seed(0),
    )
    assert 0.3 < float((part != pictures.repeat(8, 1, 1, 1)).flatten(1).any(1).float().mean()) < 0.7


def test_the_gradient_term_sees_edges_and_not_a_constant() -> None:
    step = torch.zeros(1, 3, 8, 8)
    step[..., 4:] = 1.0
    assert float(gradient_error(torch.full((1, 3, 8, 8), 0.3))) == 0
    # one column of 7, of 3, of 1
    assert float(gradient_error(step)) == pytest.approx((1 / 7 + 1 / 3 + 1) / 3)


def test_a_stopped_run_continues_bit_for_bit(stages: Stages, tmp_path: Path) -> None:
    for folder, pieces in (("whole", (4,)), ("parts", (2, 4))):
        for steps in pieces:
            options = LoopOptions(tmp_path / folder, steps=steps, decay_part=0.0, warmup_steps=1)
            train(stages.autoencoder(), options, stages.machine, quiet=True)
    a, b = (
        (tmp_path / folder / AUTOENCODER / "network.safetensors").read_bytes()
        for folder in ("whole", "parts")
    )
    assert a == b


def test_a_run_is_a_start_and_sizes_that_do_not_halve_are_refused(stages: Stages, run: Path) -> None:
    r = stages.recipe
    again = small.autoencoder(r.autoencoding, stages.inputs(init=run))
    assert isinstance(again, AutoencoderTask)
    for a, b in zip(again.network.parameters(), load_autoencoder(run / AUTOENCODER).parameters()):
        assert torch.equal(a, b)
    deep = replace(r.autoencoder, widths=(4,) * 6)
    with pytest.raises(ConfigError, match="16 px do not halve"):
        small.autoencoder(r.autoencoding, stages.inputs(sizes=Sizes(autoencoder=deep)))


def test_stage2_compares_by_the_features(stages: Stages, run: Path, tmp_path: Path) -> None:
    task = stages.stage2()  # writes the pairs too
    generator = torch.Generator().manual_seed(0)
    distance = load_distance(run)
    task.perceptual, plain = distance, task.perceptual  # type: ignore[attr-defined]
    loss, values = task.parts()[0].loss(0, generator)
    loss.backward()
    gradients = [p.grad for p in task.network.parameters() if p.grad is not None]  # type: ignore
    assert (
        gradients and all(g.isfinite().all() for g in gradients) and any(g.abs().max() > 0 for g in gradients)
    )
    weighed = values["mse"] + task.options.perceptual * values["perceptual"] + values["mask"]  # type: ignore
    assert loss.item() == pytest.approx(float(weighed), rel=1e-4)
    task.perceptual = plain  # type: ignore[attr-defined]
    other = task.parts()[0].loss(0, generator)[1]["perceptual"]
    assert float(other) != pytest.approx(float(values["perceptual"]), rel=0.05)
    # the run's card says by what
    init = tmp_path / "one"
    save_small(random_network(stages.recipe), init / MULTIVIEW)
    SmallReconstructor(stages.recipe.reconstructor).save(init / RECONSTRUCTOR)
    finish(SMALL, init, None, {"distilled": True, **Usage(16, 64, Sampling()).to_dict()})
    for perceptual, name in ((run, "autoencoder features"), (None, "pyramid")):
        inputs = stages.inputs(init=init, pairs=stages.folder / "pairs", perceptual=perceptual)
        made = stage2(SMALL, tiny().stage2, inputs)
        made.save_model(tmp_path / name)
        assert json.loads((tmp_path / name / "config.json").read_text())["facts"]["perceptual"] == name
        assert isinstance(made.perceptual, FeatureDistance) == (perceptual is not None)


def test_the_full_family_takes_it_too(stages: Stages, run: Path) -> None:
    distance, name = perceptual_distance(FULL, stages.inputs(perceptual=run))
    assert name == "autoencoder features" and isinstance(distance, FeatureDistance)
    a = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    assert float(distance(a, a)) == 0 < float(distance(a, 1 - a))


def test_the_commands(stages: Stages, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In this process: a new one would load torch again for each."""

    def done(*arguments: str | Path) -> str:
        assert main([str(value) for value in arguments]) == 0
        return capsys.readouterr().out

    def refused(*arguments: str | Path) -> str:
        assert main([str(value) for value in arguments]) == 2
        message = capsys.readouterr().err
        assert len(message.strip().splitlines()) == 1
        return message

    base: Sequence[str | Path] = [
        "train",
        "autoencoder",
        "--recipe",
        "tiny",
        "-o",
        tmp_path / "run",
        "--threads",
        "1",
    ]
    assert "geco data render" in refused(*base)
    data = ["--data", stages.views, "--device", "cpu"]
    assert "s a step of 6 samples" in done(*base, *data, "--dry-run") and not (tmp_path / "run").exists()
    closing = done(*base, *data, "--steps", "2").splitlines()[-1]
    assert "geco distill stage2" in closing and f"--perceptual {tmp_path / 'run'}" in closing
    assert "--resume" in refused(*base, *data, "--steps", "3")
    done(*base, *data, "--steps", "3", "--resume")
    card = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (
        card["family"] == "autoencoder"
        and card["facts"]["stage"] == "autoencoder"
        and card["facts"]["recipe"] == "tiny"
    )
    # it is not a model, and whoever takes it for one is told so
    Image.new("RGB", (64, 64), "red").save(tmp_path / "red.png")
    assert "no generator" in refused(
        "run", tmp_path / "red.png", "--model", tmp_path / "run", "-o", tmp_path / "red.glb"
    )
    assert "autoencoder" in refused(
        "distill", "stage1", "--recipe", "tiny", *data, "--init", tmp_path / "run", "-o", tmp_path / "x"
    )
    save_small(random_network(stages.recipe), tmp_path / "one" / MULTIVIEW)
    SmallReconstructor(stages.recipe.reconstructor).save(tmp_path / "one" / RECONSTRUCTOR)
    finish(SMALL, tmp_path / "one", None, {"distilled": True, **Usage(16, 64, Sampling()).to_dict()})
    stages.stage2()
    two = [
        "distill",
        "stage2",
        "--recipe",
        "tiny",
        "--init",
        tmp_path / "one",
        "--pairs",
        stages.folder / "pairs",
        "--device",
        "cpu",
    ]
    message = refused(*two, "-o", tmp_path / "two", "--perceptual", tmp_path / "one")
    assert (
        "no autoencoder" in message
        and "geco train autoencoder" in message
        and not (tmp_path / "two").exists()
    )
    done(*two, "-o", tmp_path / "two", "--perceptual", tmp_path / "run", "--steps", "1", "--threads", "1")
    assert (
        json.loads((tmp_path / "two" / "config.json").read_text())["facts"]["perceptual"]
        == "autoencoder features"
    )


def test_without_held_out_shards_there_is_nothing_to_report(stages: Stages, tmp_path: Path) -> None:
    r = stages.recipe
    task = small.autoencoder(r.autoencoding, stages.inputs(data=stages.views / small.HELD_OUT))
    assert task.report() == ({}, None)
