"""The ways to run the full family: networks that take turns, tiles, and what does not go together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from geco.device import choose
from geco.errors import ConfigError
from geco.metrics.images import psnr
from geco.model_files.card import MULTIVIEW, RECONSTRUCTOR
from geco.pipeline import GecoPipeline
from geco.public_weights import instantmesh
from geco.public_weights.zero123plus_folder import load_zero123plus
from geco.torch_runtime.backend import TorchBackend
from geco.torch_runtime.full import FullNetworks, joined
from geco.torch_runtime.offload import Turns
from tests.multiview import tiny
from tests.pictures import ball_picture
from tests.torch_runtime.build import full_folder, small_folder

META = torch.device("meta")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return full_folder(tmp_path_factory.mktemp("full"))


def loaded(folder: Path) -> FullNetworks:
    return FullNetworks(load_zero123plus(folder / MULTIVIEW), instantmesh.load(folder / RECONSTRUCTOR))


def test_ways_are_words_behind_the_device() -> None:
    placement = choose("cpu,offload,bf16,tiled")
    assert placement.dtype == torch.bfloat16 and placement.ways == {"offload", "tiled"}
    assert "one network on the device at a time" in str(placement)
    assert choose("cpu,tiled").dtype == torch.float32 and not choose("cpu").ways


@pytest.mark.parametrize(
    ("device", "said"),
    [
        ("cpu,graphs", "no CUDA graphs"),
        ("cpu,offload,compiled", "come and go"),
        ("cpu,bf16,fp16", "several number formats"),
        ("cpu,fast", "graphs, compiled, offload, tiled"),
    ],
)
def test_what_does_not_go_together_is_refused(device: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        choose(device)
    assert said in str(refused.value)


def test_ways_need_a_compiler_inference_and_the_full_family(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="for inference"):
        choose("cpu,tiled", purpose="training")
    with pytest.raises(ConfigError, match="family small cannot be run with tiled"):
        GecoPipeline.from_pretrained(small_folder(tmp_path / "model"), "cpu,tiled")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(ConfigError, match=r"C\+\+ compiler"):
        choose("cpu,compiled")


def test_taking_turns_changes_no_number(folder: Path) -> None:
    plain, turns = (GecoPipeline.from_pretrained(folder, device) for device in ("cpu", "cpu,offload"))
    assert turns.card.facts["ways"] == ["offload"]
    picture = ball_picture(64)
    drawn = [next(p.views(p.see(picture), [1])) for p in (plain, turns)]
    np.testing.assert_array_equal(drawn[0].pictures, drawn[1].pictures)
    points = np.random.default_rng(0).random((50, 3)).astype(np.float32)
    colors = [
        p.backend.reconstruct(v.drawn, p.see(picture).read).color(points)
        for p, v in zip((plain, turns), drawn)
    ]
    np.testing.assert_array_equal(*colors)


def test_one_part_is_on_the_device_at_a_time_and_steps_move_nothing(folder: Path) -> None:
    card, sampling = (p := GecoPipeline.from_pretrained(folder, "cpu")).card, p.backend.sampling
    assert sampling is not None and sampling.steps == 2 and sampling.guidance_scale == 4
    networks = loaded(folder)
    unet, vae, vision = networks.views.network.unet, networks.views.codec.vae, networks.views.codec.vision
    planes = networks.reconstructor.transformer
    before = {name: weight.data_ptr() for name, weight in unet.named_parameters()}
    largest = sum(w.numel() * w.element_size() for w in unet.parameters())
    assert networks.run_by({"offload"}, META) == largest
    backend = joined(networks, card, sampling)

    def present() -> list[bool]:
        return [all(w.device == META for w in part.parameters()) for part in (unet, vae, vision, planes)]

    assert present() == [False] * 4
    pipeline = GecoPipeline(backend)
    seen = pipeline.see(ball_picture(64))
    views = next(pipeline.views(seen, [1]))
    assert present() == [False, True, False, False]  # decoded last
    backend.reconstruct(views.drawn, seen.read)
    assert present() == [False, False, False, True]
    # the host's copy was never touched
    assert {name: weight.data_ptr() for name, weight in unet.named_parameters()} == before


def test_what_a_model_takes_is_foreseen_whatever_the_way(folder: Path) -> None:
    plain, turns = (GecoPipeline.from_pretrained(folder, device).backend for device in ("cpu", "cpu,offload"))
    assert isinstance(turns, TorchBackend) and isinstance(plain, TorchBackend)
    picture = np.full((512, 512, 3), 0.5, np.float32)
    before = np.asarray(turns.generate([picture], [1]))
    expected, found = plain.footprint(None), turns.footprint(None)
    assert (found.first, found.more, found.rebuilding) == (expected.first, expected.more, expected.rebuilding)
    np.testing.assert_array_equal(turns.generate([picture], [1]), before)  # the weights are still there


def test_a_part_is_brought_once_for_all_of_its_passes_in_a_row() -> None:
    first, second = (torch.nn.Linear(2, 2) for _ in range(2))
    turns = Turns(torch.device("cpu"))
    one, two, other = turns([first], first), turns([first], first.forward), turns([second], second)
    for run in (one, two, one, other, other, one):
        run(torch.ones(1, 2))
    assert turns.brought == 3


def test_tiles_are_nearly_the_picture_and_seeds_one_by_one_are_it() -> None:
    codec = tiny.codec()
    x0 = torch.randn(2, 4, 3 * 40, 2 * 40, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        whole = codec.decode(x0)
        assert torch.equal(whole[1], codec.decode(x0[1:])[0])
        codec.tile()
        tiled = codec.decode(x0)
    assert not torch.equal(tiled, whole)
    assert psnr(tiled.movedim(-3, -1).numpy(), whole.movedim(-3, -1).numpy()).min() > 30
