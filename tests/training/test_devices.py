"""Networks that are elsewhere than the pictures, as on a GPU: the device ``meta`` mixes with no other."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest
import torch
from torch import Tensor, nn

from geco.cli.main import main
from geco.metrics.lpips import LPIPS, Lpips
from geco.multiview.one_step import OneStepGenerator
from geco.training.family import perceptual_distance
from geco.training.full_family import FULL
from geco.training.inputs import Inputs
from geco.training.machine import Machine
from geco.training.pair_maker import PairMaker, _sampled
from geco.training.pairs import PairOptions
from tests.multiview import tiny


@pytest.mark.parametrize("own", [False, True], ids=["teacher", "generator"])
def test_pairs_of_pictures_on_the_host_are_sampled_where_the_networks_are(own: bool) -> None:
    teacher, generator = (tiny.network(noised_reference=noised).to("meta") for noised in (True, False))
    codec = cast(nn.Module, tiny.codec()).to("meta")

    def picture(number: int) -> tuple[str, Tensor]:
        return str(number), torch.rand(3, 512, 512)

    def render(views: Tensor, condition: Tensor, poses: Tensor) -> dict[str, Tensor]:
        raise AssertionError("not asked for")

    maker = PairMaker(teacher, codec, picture, render, OneStepGenerator(generator) if own else None)
    with torch.no_grad():
        found = _sampled(maker, PairOptions(steps=4, guidance_scale=4.0), range(2))
    assert [x0.device.type for _, _, x0 in found] == ["meta", "meta"]
    assert all(x0.shape == teacher.sample_shape for _, _, x0 in found)


def test_stage2_takes_lpips_weights_from_a_folder_or_two_distances_not_at_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trunk = {f"features.{key}": value for key, value in Lpips("vgg").features.state_dict().items()}
    torch.save(trunk, tmp_path / "vgg16.pth")
    inputs = Inputs(Machine(device="cpu", threads=1), lpips=tmp_path)
    distance, name = perceptual_distance(FULL, inputs)
    assert name == LPIPS and float(distance(torch.zeros(1, 3, 32, 32), torch.ones(1, 3, 32, 32))) > 0
    given = ["--pairs", tmp_path, "--init", tmp_path, "-o", tmp_path / "never", "--lpips-weights", tmp_path]
    (tmp_path / "config.json").write_text('{"format": "geco-model-1", "family": "full", "licence": ""}')
    words = ["distill", "stage2", *map(str, given), "--perceptual", "pyramid"]
    assert main(words) == 2 and "two distances" in capsys.readouterr().err
