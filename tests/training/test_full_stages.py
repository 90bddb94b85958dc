"""The paper's chain on a tiny Zero123++ and a tiny InstantMesh with random weights, by the real commands:
what each stage trains, leaves alone and carries along.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

from geco.cameras import rig
from geco.cli.main import main
from geco.errors import MeshError
from geco.model_files.card import MULTIVIEW, RECONSTRUCTOR
from geco.multiview.sampling import Walk, sample
from geco.multiview.zero123plus.network import Zero123PlusNetwork
from geco.public_weights import instantmesh
from geco.public_weights.zero123plus_folder import load_zero123plus
from geco.recipes.find import find_recipe
from geco.reconstruct.instantmesh.mesh import MeshSynthesizer
from geco.torch_runtime.folder import load_backend
from geco.training import family, full_family
from geco.training.full_family import FULL
from geco.training.full_surfaces import differentiable_mesh
from geco.training.inputs import Inputs
from geco.training.loop import LoopOptions, train
from geco.training.machine import Machine
from geco.training.pairs import Pairs, noise_of
from geco.training.stage2 import Draw
from geco.training.task import Task
from tests.reconstruct import tiny as tiny_mesh
from tests.training.build_full import full_room


@pytest.fixture(scope="module", autouse=True)
def without_the_hub() -> object:
    """LPIPS' weights are not fetched in tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        yield


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return full_room(tmp_path_factory.mktemp("full"))


def geco(room: Path, *arguments: str | Path) -> None:
    given = [*arguments, "--recipe", room / "recipe.py"]
    assert main([str(value) for value in given]) == 0


def begun(room: Path, stage: str, output: Path, *more: str | Path) -> None:
    """``geco distill STAGE`` from the teacher in the room, on the CPU."""
    given = ["--data", room / "shards", "--init", room / "init", "-o", output, "--device", "cpu"]
    geco(room, "distill", stage, *given, *more)


@pytest.fixture(scope="module")
def first(room: Path) -> Path:
    begun(room, "stage1", room / "one")
    return room / "one"


@pytest.fixture(scope="module")
def made_pairs(room: Path) -> Path:
    begun(room, "pairs", room / "pairs")
    return room / "pairs"


def digests(folder: Path) -> dict[str, str]:
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in folder.rglob("*")
        if p.is_file()
    }


def generate(folder: Path) -> np.ndarray:
    backend = load_backend(str(folder), "cpu")
    assert backend.distilled and backend.sampling.steps == 1
    picture = np.full((512, 512, 3), 1, np.float32)
    picture[128:384, 128:384] = (0.8, 0.3, 0.1)
    views = np.asarray(backend.generate([picture], [0, 1]))
    assert (
        views.shape == (2, 6, 32, 32, 3) and np.isfinite(views).all() and not np.allclose(views[0], views[1])
    )
    backend.reconstruct(views[0], picture).grid(12)
    return views


def test_the_chain_makes_models_and_leaves_the_teacher_alone(
    room: Path, first: Path, made_pairs: Path
) -> None:
    before = digests(room / "init")
    # Stage I: another UNet, all else as it was.
    old, new = load_zero123plus(room / "init" / MULTIVIEW), load_zero123plus(first / MULTIVIEW)
    assert old.network.noised_reference and not new.network.noised_reference
    change = [
        not torch.equal(a, b)
        for a, b in zip(old.network.state_dict().values(), new.network.state_dict().values())
    ]
    assert np.mean(change) > 0.95
    for name, value in old.codec.state_dict().items():
        assert torch.equal(value, new.codec.state_dict()[name]), name
    assert (first / RECONSTRUCTOR / "model.safetensors").samefile(
        room / "init" / RECONSTRUCTOR / "model.safetensors"
    )
    card = json.loads((first / "config.json").read_text())
    assert card["family"] == "full" and card["licence"] == "views: test; reconstructor: test"
    assert card["facts"]["distilled"] is True and card["facts"]["sampling"]["kind"] == "one-step"
    generate(first)
    assert list(first.glob("grid_*.png"))
    # Stage II: another reconstructor, the generator as it was.
    geco(
        room,
        "distill",
        "stage2",
        "--pairs",
        made_pairs,
        "--init",
        first,
        "-o",
        room / "two",
        "--device",
        "cpu",
        "--perceptual",
        "pyramid",
    )
    assert digests(room / "two" / MULTIVIEW) == digests(first / MULTIVIEW)
    frozen, trained = (instantmesh.load(folder / RECONSTRUCTOR) for folder in (first, room / "two"))
    for (name, a), b in zip(frozen.named_parameters(), trained.parameters()):
        assert not torch.equal(a, b), name
    generate(room / "two")
    for part, link in itertools.product(("", MULTIVIEW, RECONSTRUCTOR), (first, room / "two")):
        kept, begun = (json.loads((at / part / "config.json").read_text()) for at in (link, room / "init"))
        assert kept["licence"] == begun["licence"] != "", (part, link)
    assert json.loads((room / "two" / "config.json").read_text())["facts"]["perceptual"] == "pyramid"
    assert digests(room / "init") == before


def test_pairs_are_the_teachers_ddim_from_their_noise(room: Path, made_pairs: Path) -> None:
    pairs = Pairs(made_pairs)
    assert len(pairs) == 4 and pairs.settings["steps"] == 3
    item = pairs[1]
    assert item["picture"].shape == (3, 512, 512) and item["views"].shape == (6, 3, 32, 32)
    assert item["rgb"].shape == (4, 32, 32, 3) and 0 < (item["mask"] > 127).mean() < 1
    model = load_zero123plus(room / "init" / MULTIVIEW)
    condition = model.codec.condition(torch.from_numpy(item["picture"])[None].float() / 255)
    x0 = sample(
        model.network,
        condition,
        noise_of(0, [1]),
        Walk(3, guidance_scale=4.0),
        model.codec.unconditional(condition),
    )
    # float16, and batches of another size
    np.testing.assert_allclose(item["x0"].astype(np.float32), x0[0].numpy(), atol=5e-3)


def test_condition_pictures_are_framed_as_the_pipeline_frames_them(room: Path) -> None:
    source = full_family.FullConditions(room / "shards", 0.85, 127 / 255)
    picture = source.conditions(3, 2, torch.Generator())[1]
    assert (
        picture.shape == (3, 512, 512) and float((picture * 255 - (picture * 255).round()).abs().max()) < 1e-4
    )
    assert torch.allclose(picture[:, 0, 0], torch.tensor(127 / 255))
    there = ((picture - 127 / 255).abs() > 0.02).any(0)
    rows, columns = torch.nonzero(there.any(1)), torch.nonzero(there.any(0))
    longer = max(int(rows[-1] - rows[0]), int(columns[-1] - columns[0])) + 1
    assert abs(longer / 512 - 0.85) < 0.1  # a soft dot of a few pixels, enlarged


def first_stage(room: Path) -> Inputs:
    return Inputs(Machine("no", "cpu", 1), room / "shards", room / "init")


def second(init: Path, pairs: Path, machine: Machine) -> Inputs:
    return Inputs(machine, init=init, pairs=pairs, perceptual="pyramid", resolution=12)


@pytest.mark.parametrize("stage", ["stage1", "stage2"])
def test_a_resumed_run_ends_at_the_same_weights(
    room: Path, first: Path, made_pairs: Path, tmp_path: Path, stage: str
) -> None:
    recipe = find_recipe(str(room / "recipe.py"))

    def run(folder: Path, steps: int) -> None:
        machine = Machine("no", "cpu", 1)
        task: Task = (
            family.stage1(FULL, recipe.stage1, Inputs(machine, room / "shards", room / "init"))
            if stage == "stage1"
            else family.stage2(FULL, recipe.stage2, second(first, made_pairs, machine))
        )
        train(task, LoopOptions(folder, steps=steps, decay_part=0.0, warmup_steps=1), machine, quiet=True)

    run(tmp_path / "whole", 2)
    run(tmp_path / "again", 1)
    run(tmp_path / "again", 2)
    part = (
        Path(MULTIVIEW) / "unet.safetensors"
        if stage == "stage1"
        else Path(RECONSTRUCTOR) / "model.safetensors"
    )
    assert (tmp_path / "whole" / part).read_bytes() == (tmp_path / "again" / part).read_bytes()


@pytest.mark.parametrize("rank", [None, 2])
def test_checkpointing_changes_no_gradient(room: Path, rank: int | None) -> None:
    options = replace(find_recipe(str(room / "recipe.py")).stage1, rank=rank)
    found = []
    for checkpointing in (False, True):
        task = family.stage1(FULL, replace(options, checkpointing=checkpointing), first_stage(room))
        student, generator = task.parts()
        whose: Any = task.roles.backbone.network if task.roles.backbone else task.generator
        assert whose.unet.is_gradient_checkpointing == checkpointing
        for part in (student, generator):
            part.network.train()
            part.loss(0, torch.Generator().manual_seed(5))[0].backward()
        found.append([[p.grad for p in part.network.parameters()] for part in (student, generator)])
        if rank is None:
            frozen = cast(Zero123PlusNetwork, task.teacher).parameters()
            assert all(p.grad is None and not p.requires_grad for p in frozen)
    for plain, again in zip(*found):
        assert sum(gradient is None for gradient in plain) == 0
        for a, b in zip(plain, again):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-7)


def test_adapters_alone_are_trained_and_merged_into_a_model(room: Path, tmp_path: Path) -> None:
    pytest.importorskip("peft")
    options = replace(find_recipe(str(room / "recipe.py")).stage1, rank=2)
    machine = Machine("no", "cpu", 1)
    task = family.stage1(FULL, options, first_stage(room))
    train(task, LoopOptions(tmp_path, steps=2, decay_part=0.0, warmup_steps=1), machine, quiet=True)
    old, new = load_zero123plus(room / "init" / MULTIVIEW), load_zero123plus(tmp_path / MULTIVIEW)
    changed = {
        n for n, v in old.network.state_dict().items() if not torch.equal(v, new.network.state_dict()[n])
    }
    assert changed and all(name.endswith("weight") and "norm" not in name for name in changed)
    generate(tmp_path)


def test_gradients_of_a_render_reach_decoders_transformer_and_encoder(room: Path) -> None:
    model = instantmesh.load(room / "init" / RECONSTRUCTOR).requires_grad_(True)
    mesh = differentiable_mesh(model, "zero123plus-v1.2", 12, Machine("no", "cpu", 1))
    views = tiny_mesh.views(count=6)[0][0].requires_grad_(True)
    vertices, faces, color = mesh(views, views[0])
    poses = torch.from_numpy(np.stack(rig("zero123plus-v1.2").poses()[:2])).float()
    drawn = family.render_mesh(vertices, faces, poses, 30.0, 32, color)
    (drawn.rgb.square().mean() + drawn.mask.mean()).backward()
    without = [
        name for name, p in model.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()
    ]
    assert not without
    for part in (
        "encoder.model",
        "encoder.camera_embedder",
        "transformer.layers",
        "net_sdf",
        "net_rgb",
        "net_deformation",
        "net_weight",
    ):
        assert any(
            part in name and p.grad is not None and p.grad.abs().sum() > 0
            for name, p in model.named_parameters()
        ), part
    assert views.grad is not None and views.grad.abs().sum() > 0
    with torch.no_grad():
        synthesizer = model.synthesizer
        assert isinstance(synthesizer, MeshSynthesizer)
        synthesizer.decoder.net_sdf[-1].bias += 1000.0
        with pytest.raises(MeshError, match="no surface"):
            mesh(views, views[0])


def test_stage2s_gradient_is_the_slope_of_its_loss_and_lowers_it(
    room: Path, first: Path, made_pairs: Path
) -> None:
    recipe = find_recipe(str(room / "recipe.py"))
    task = family.stage2(FULL, recipe.stage2, second(first, made_pairs, Machine("no", "cpu", 1)))
    parameters = list(task.network.parameters())

    def loss() -> torch.Tensor:
        terms, _ = task._terms(Draw(0, range(4)))
        return terms["mse"] + 2 * terms["perceptual"] + terms["mask"]

    before = loss()
    gradient = torch.autograd.grad(before, parameters)
    length = torch.stack([part.square().sum() for part in gradient]).sum().sqrt()
    # The surface of random weights moves far for little, and pixels change hands on the way: the loss jumps
    # there, which no gradient knows. Between the jumps its steps are the gradient's.
    places = np.linspace(-1e-6, 1e-6, 21)
    values, stood = [], 0.0
    for place in [*places, 0.0]:
        with torch.no_grad():
            for parameter, part in zip(parameters, gradient):
                parameter += (place - stood) / length * part
        stood = place
        values.append(float(loss().detach()))  # with gradients: the training triangulation
    steps = np.diff(values[:-1]) / np.diff(places)
    assert np.median(steps) == pytest.approx(float(length), rel=0.15)
    optimizer = torch.optim.Adam(parameters, lr=1e-5)
    for _ in range(10):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
    assert float(loss().detach()) < 0.7 * float(before.detach())


def test_stage2_with_instantmeshs_regularisers_and_stored_views_loads_no_generator(
    room: Path, first: Path, made_pairs: Path, tmp_path: Path
) -> None:
    pairs = tmp_path / "pairs"
    shutil.copytree(made_pairs, pairs)
    store = ["distill", "pairs", "-o", pairs, "--add-generator-views", first, "--device", "cpu"]
    assert main([str(value) for value in store]) == 0
    machine, terms = Machine("no", "cpu", 1), {"sdf": 0.01, "surface": 0.5, "weights": 0.1, "jitter": 0.02}
    options = replace(find_recipe(str(room / "recipe.py")).stage2, **terms)
    drawn = family.stage2(FULL, options, second(first, made_pairs, machine))
    stored = family.stage2(FULL, options, second(first, pairs, machine))
    assert drawn.generator is not None and stored.generator is None
    assert stored.network.transformer.gradient_checkpointing  # type: ignore[union-attr]
    loss, values = stored.loss(0, torch.Generator())
    assert values.keys() == {"mse", "perceptual", "mask", "sdf", "surface", "weights", "lost"}
    assert min(float(values[name]) for name in ("sdf", "surface", "weights")) > 0
    loss.backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in stored.network.parameters())
    other, _ = drawn.loss(0, torch.Generator())
    # the shape of random weights moves far with the 256 levels of stored views
    assert float(loss.detach()) == pytest.approx(float(other.detach()), rel=0.1)
    stored.save_model(tmp_path / "two")
    assert digests(tmp_path / "two" / MULTIVIEW) == digests(first / MULTIVIEW)
    with torch.no_grad():
        synthesizer = stored.network.synthesizer
        assert isinstance(synthesizer, MeshSynthesizer)
        synthesizer.decoder.net_sdf[-1].bias += 1000.0
    pushed = family.stage2(FULL, replace(options, empty=1.0), second(first, pairs, machine))
    pushed.surfaces = stored.surfaces
    loss, values = pushed.loss(0, torch.Generator())
    assert values == {"lost": 1.0} and float(loss.detach()) > 900 and loss.requires_grad


def test_what_does_not_fit_is_refused(
    room: Path, first: Path, made_pairs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*arguments: str | Path) -> str:
        assert main([str(value) for value in arguments]) == 2
        return capsys.readouterr().err

    where = ["--data", room / "shards", "-o", room / "never"]
    # recipe small: pixels
    assert "paper" in refused("distill", "stage1", *where, "--init", room / "init", "--device", "cpu")
    assert "paper" in refused("distill", "pairs", *where, "--init", room / "init", "--device", "cpu")
    assert "not a teacher" in refused(
        "distill", "pairs", *where, "--init", first, "--recipe", "paper", "--device", "cpu"
    )
    two = [
        "distill",
        "stage2",
        "--pairs",
        made_pairs,
        "-o",
        room / "never",
        "--recipe",
        room / "recipe.py",
        "--device",
        "cpu",
    ]
    assert "not a one-step generator" in refused(*two, "--init", room / "init")
    # LPIPS cannot be fetched here: another loss is taken only when asked for
    assert "--perceptual pyramid" in refused(*two, "--init", first)
    assert not (room / "never").exists()


def test_stage1_learns_from_pairs_of_the_full_family(room: Path, made_pairs: Path, tmp_path: Path) -> None:
    more = ["--set", "regression_steps=2", "--set", "adversarial_weight=0.5", "--pairs", made_pairs]
    begun(room, "stage1", tmp_path, *more)
    first = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[0])
    assert (
        first["generator_regression"] > 0
        and first["generator_adversarial"] > 0
        and "discriminator_loss" in first
    )
    facts = json.loads((tmp_path / "config.json").read_text())["facts"]
    assert facts["pairs"]["count"] == 4 and facts["overrides"]["stage1"]["regression_steps"] == 2
    generate(tmp_path)
