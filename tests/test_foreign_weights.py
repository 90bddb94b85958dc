"""Model folders, cards and checkpoints that somebody else wrote, or a disk damaged: our own
error, whatever is in them.
"""

from __future__ import annotations

import dataclasses
import io
import json
import os
import random
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from geco.checked import RULE, Checked
from geco.errors import ConfigError, GecoError, WeightsError
from geco.metrics.features.config import AutoencoderConfig
from geco.model_files.card import read_model_card
from geco.multiview.small.config import SmallConfig
from geco.multiview.small.weights import load_small
from geco.multiview.zero123plus.preprocess import Preprocess
from geco.optimize.options import OptimizeOptions
from geco.pipeline import GecoPipeline
from geco.public_weights import instantmesh
from geco.public_weights.ckpt import read_torch_file
from geco.recipes.recipe import Length
from geco.reconstruct.instantmesh.config import InstantMeshConfig
from geco.reconstruct.pixelnerf.config import PixelNeRFConfig
from geco.reconstruct.small.config import SmallReconstructorConfig
from geco.reconstruct.triposr.config import TripoSRConfig
from geco.reconstruct.vit_config import ViTConfig
from geco.sampling import Sampling, Steering
from geco.training.augment import Jitter
from geco.training.autoencoder import AutoencoderOptions
from geco.training.pairs import PairOptions
from geco.training.pixelnerf_options import PixelNeRFOptions
from geco.training.reconstructor_options import ReconstructorOptions, ViewFaults
from geco.training.stage1_options import Stage1Options
from geco.training.stage2 import Stage2Options
from geco.training.teacher import TeacherOptions
from tests.cases import BUGS, HOSTILE
from tests.cli_command import geco
from tests.damage import ODD, damaged, signed
from tests.torch_runtime.build import small_folder

CONFIGS: list[type[Checked]] = [
    *(SmallConfig, SmallReconstructorConfig, InstantMeshConfig, ViTConfig, AutoencoderConfig),
    *(Sampling, Steering, Preprocess, TripoSRConfig, PixelNeRFConfig),
]
# of the stages: people write them in recipes and behind --set
OPTIONS: list[type[Checked]] = [
    *(TeacherOptions, ReconstructorOptions, AutoencoderOptions, Stage1Options, Stage2Options, PairOptions),
    *(Jitter, ViewFaults, Length, PixelNeRFOptions, OptimizeOptions),
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_folder(tmp_path_factory.mktemp("models") / "模型")


@pytest.mark.parametrize("name", ["model-segfault", "model-onnx-card", "model-deep-card"])
def test_the_given_models_end_in_one_line(name: str, tmp_path: Path) -> None:
    given = ("run", BUGS / "run" / "toy.png", "--model", HOSTILE / name, "-o", tmp_path / "o.glb")
    result = geco(*given, "--device", "cpu")
    assert result.returncode == 2 and result.stderr.startswith("geco: ") and result.stderr.count("\n") == 1
    assert "config.json" in result.stderr and not (tmp_path / "o.glb").exists()


def test_the_given_checkpoint_is_a_weights_error() -> None:
    with pytest.raises(WeightsError, match="not a readable torch checkpoint"):
        instantmesh.read(HOSTILE / "checkpoint-pop.ckpt")


def every_checked_class() -> set[type[Checked]]:
    import geco.onnx_runtime.export
    import geco.recipes.find  # noqa: F401  # whatever has settings is loaded by now

    found, todo = set(), list(Checked.__subclasses__())
    while todo:
        found.add(todo.pop())
    return {kind for kind in found if kind.__module__.startswith("geco.")}


def test_every_config_is_walked_here() -> None:
    assert every_checked_class() == {*CONFIGS, *OPTIONS}


@pytest.mark.parametrize("kind", [*CONFIGS, *OPTIONS])
def test_no_field_of_a_config_can_be_anything(kind: type[Checked]) -> None:
    """Each field in turn of every odd kind: taken and built, or refused with our own error that names it."""
    good = json.loads(json.dumps(kind().to_dict()))  # type: ignore[abstract]
    assert kind.from_dict(good) == kind()
    refused = 0
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        assert RULE in field.metadata
        for value in [*ODD, float("nan"), float("inf")]:
            try:
                kind.from_dict({**good, field.name: value}, "config.json", WeightsError)
            except WeightsError as error:
                assert error.problem.startswith("config.json")
                refused += 1
    assert refused > 15 * len(dataclasses.fields(kind))  # type: ignore[arg-type]
    with pytest.raises(WeightsError, match="'wings'"):
        kind.from_dict({**good, "wings": 2}, "config.json", WeightsError)


def test_a_field_without_a_rule_cannot_be_made() -> None:
    @dataclasses.dataclass(frozen=True)
    class Careless(Checked):
        size: int = 3

    with pytest.raises(TypeError, match=r"Careless.size has no rule"):
        Careless()


def load(folder: Path) -> None:
    GecoPipeline.from_pretrained(folder, device="cpu")


@pytest.mark.parametrize("seed", range(6))
def test_any_damage_to_a_model_folder_is_our_own_error(model: Path, tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    for turn in range(12):
        folder = tmp_path / str(turn)
        shutil.copytree(model, folder)
        path = rng.choice(sorted(p for p in folder.rglob("*") if p.is_file()))
        before = path.read_bytes()
        path.write_bytes(damaged(before, rng))
        try:
            load(folder)
        except GecoError as error:
            assert isinstance(error, WeightsError) and error.remedy and str(tmp_path) in error.problem
        else:
            assert path.suffix == ".json" or path.read_bytes() == before, (
                f"{path.name} was damaged, nothing is said"
            )


@pytest.mark.parametrize("file", ["multiview/network.safetensors", "reconstructor/model.safetensors"])
def test_one_turned_bit_of_our_own_weights_is_found(model: Path, tmp_path: Path, file: str) -> None:
    shutil.copytree(model, tmp_path / "m")
    data = bytearray((tmp_path / "m" / file).read_bytes())
    data[-5] ^= 1
    (tmp_path / "m" / file).write_bytes(data)
    with pytest.raises(WeightsError, match="its SHA-256 is not that of"):
        load(tmp_path / "m")


def test_a_folder_without_a_manifest_is_refused(model: Path, tmp_path: Path) -> None:
    shutil.copytree(model, tmp_path / "m")
    card = tmp_path / "m" / "multiview" / "config.json"
    before = json.loads(card.read_text())
    card.write_text(json.dumps({key: value for key, value in before.items() if key != "files"}))
    with pytest.raises(WeightsError, match="lacks files") as caught:
        load(tmp_path / "m")
    assert caught.value.remedy
    card.write_text(json.dumps({**before, "files": {"../network.safetensors": {}}}))
    with pytest.raises(WeightsError, match="names no file in its folder"):
        load(tmp_path / "m")


def test_the_weights_that_are_there_are_known_at_every_moment_of_a_rewrite(
    model: Path, tmp_path: Path
) -> None:
    """A kill between the two renames leaves the card of the new weights with the old ones: both are known."""
    shutil.copytree(model / "multiview", tmp_path / "m")
    network = load_small(tmp_path / "m")
    old = (tmp_path / "m" / "network.safetensors").read_bytes()
    from geco.model_files.folder import save_tensors
    from geco.model_files.manifest import entry

    changed = {name: value + 1 for name, value in network.state_dict().items()}
    save_tensors(changed, tmp_path / "new")
    card = json.loads((tmp_path / "m" / "config.json").read_text())
    files = {"network.safetensors": entry(tmp_path / "new", before=tmp_path / "m" / "network.safetensors")}
    (tmp_path / "m" / "config.json").write_text(json.dumps({**card, "files": files}))
    load_small(tmp_path / "m")
    shutil.move(tmp_path / "new", tmp_path / "m" / "network.safetensors")
    assert torch.equal(load_small(tmp_path / "m").clean, network.clean + 1)
    (tmp_path / "m" / "network.safetensors").write_bytes(old[:-1] + bytes([old[-1] ^ 1]))
    with pytest.raises(WeightsError, match="damaged"):
        load_small(tmp_path / "m")


@pytest.mark.parametrize("what", ["zero", "pipe", "folder", "loop"])
@pytest.mark.parametrize(
    "file", ["config.json", "onnx", "multiview/network.safetensors", "multiview/config.json"]
)
def test_links_and_pipes_in_a_model_folder_are_refused_at_once(
    model: Path, tmp_path: Path, what: str, file: str
) -> None:
    shutil.copytree(model, tmp_path / "m")
    path = tmp_path / "m" / file
    path.unlink(missing_ok=True)
    {
        "zero": lambda: path.symlink_to("/dev/zero"),
        "pipe": lambda: os.mkfifo(path),
        "folder": path.mkdir,
        "loop": lambda: path.symlink_to(path),
    }[what]()
    with pytest.raises(WeightsError):
        load(tmp_path / "m")


def test_a_models_name_is_its_folders_in_any_script(model: Path) -> None:
    assert GecoPipeline.from_pretrained(model, device="cpu").card.name == "模型"
    assert read_model_card(model)["family"] == "small"


def test_numbers_that_are_not_finite_or_of_another_kind_are_named(model: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save

    shutil.copytree(model / "multiview", tmp_path / "m")
    good = load_file(tmp_path / "m" / "network.safetensors")
    for value, said in (
        (good["clean"] * float("nan"), "not finite"),
        (good["clean"].long(), "of the type torch.int64"),
    ):
        signed(tmp_path / "m", "network.safetensors", save({**good, "clean": value}))
        with pytest.raises(WeightsError, match=f"'clean'.*{said}"):
            load_small(tmp_path / "m")


def checkpoint(**more: Any) -> bytes:
    stream = io.BytesIO()
    torch.save({"state_dict": {"lrm_generator.a": torch.zeros(50), **more}}, stream)
    return stream.getvalue()


@pytest.mark.parametrize("seed", range(4))
def test_any_damage_to_a_checkpoint_is_our_own_error_or_none(tmp_path: Path, seed: int) -> None:
    rng, path = random.Random(seed), tmp_path / "a.ckpt"
    old = io.BytesIO()
    torch.save(
        {"state_dict": {"lrm_generator.a": torch.zeros(50)}}, old, _use_new_zipfile_serialization=False
    )
    for _ in range(150):
        path.write_bytes(damaged(rng.choice([checkpoint(), old.getvalue()]), rng))
        try:
            instantmesh.read(path)
        except WeightsError as error:
            assert str(path) in error.problem and error.remedy


def test_a_checkpoint_that_unfolds_to_more_than_it_is_is_not_read(tmp_path: Path) -> None:
    import pickle

    packed = tmp_path / "packed.ckpt"
    with (
        zipfile.ZipFile(io.BytesIO(checkpoint())) as whole,
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name in whole.namelist():
            archive.writestr(name, whole.read(name) if not name.endswith("data.pkl") else bytes(200_000_000))
    with pytest.raises(WeightsError, match="compressed"):
        read_torch_file(packed)
    asks = b"\x80\x02cbuiltins\nbytearray\nq\x00J\xff\xff\xff\x7f\x85Rq\x01."  # bytearray(2**31 - 1)
    bomb = tmp_path / "bomb.ckpt"
    with zipfile.ZipFile(io.BytesIO(checkpoint())) as whole, zipfile.ZipFile(bomb, "w") as archive:
        for name in whole.namelist():
            archive.writestr(name, asks if name.endswith("data.pkl") else whole.read(name))
    with pytest.raises(WeightsError, match="objects other than weights"):
        read_torch_file(bomb)
    bomb.write_bytes(pickle.dumps(1, 2) * 2 + asks)
    with pytest.raises(WeightsError, match="objects other than weights"):
        read_torch_file(bomb)


def test_direct_settings_are_checked_like_written_ones() -> None:
    for wrong in (
        {"size": 0},
        {"heads": -1},
        {"schedule": {"kind": "cosine", "noise_shift": 0}},
        {"rig": "mine"},
    ):
        with pytest.raises(ConfigError, match="SmallConfig"):
            SmallConfig(**wrong)  # type: ignore[arg-type]
