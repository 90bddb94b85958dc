"""A packed state: small files, near the checkpoint, a training that goes on, and damage that is found."""

from pathlib import Path

import pytest
import torch

from geco.errors import GecoError, OutputError, WeightsError
from geco.training.compact import pack, unpack
from geco.training.loop import LoopOptions, train
from geco.training.machine import Machine
from geco.training.muon import make_optimizers
from geco.training.run_folder import CHECKPOINT, write_settings
from geco.training.task import Part

STEPS = 40


class Curve:
    """A small network of matrices learns a curve: quick, and its loss says whether it goes on or
    begins again.
    """

    batch = 64

    def __init__(self) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.network = torch.nn.Sequential(
                torch.nn.Linear(1, 96), torch.nn.GELU(), torch.nn.Linear(96, 96), torch.nn.GELU(),
                torch.nn.Linear(96, 1),
            )  # fmt: skip
        self.losses: list[float] = []

    def parts(self) -> list[Part]:
        return [Part("curve", self.network, make_optimizers(self.network, ("4",)), self.loss, average=0.9)]

    def loss(self, index: int, rng: torch.Generator) -> tuple[torch.Tensor, dict[str, float]]:
        x = torch.rand(self.batch, 1, generator=rng) * 4 - 2
        loss = (self.network(x) - torch.sin(3 * x)).square().mean()
        self.losses.append(float(loss.detach()))
        return loss, {}

    def report(self) -> tuple[dict[str, float], None]:
        return {}, None

    def save_model(self, folder: Path) -> None:
        pass


def go_on(folder: Path, steps: int) -> Curve:
    task = Curve()
    train(
        task,
        LoopOptions(folder, steps=steps, decay_part=0.0, warmup_steps=1),
        Machine(device="cpu"),
        quiet=True,
    )
    return task


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    write_settings(folder, {"stage": "curve"})
    go_on(folder, STEPS)
    return folder


def tensors_of(value: object, path: str = "") -> dict[str, torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return {path: value}
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {name: found for key, item in items for name, found in tensors_of(item, f"{path}/{key}").items()}


@pytest.mark.parametrize("part_bytes", [2_000, 20_000, 10**7])
def test_a_state_comes_back_as_near_as_it_is_kept(run: Path, tmp_path: Path, part_bytes: int) -> None:
    made = pack(run, tmp_path / "packed", part_bytes)
    parts = list((tmp_path / "packed").glob("*.safetensors"))
    assert len(parts) == made["parts"] and (made["parts"] == 1) == (part_bytes == 10**7)
    # A file may be longer by its header's frame, and by one row that fits nowhere.
    assert all(path.stat().st_size < part_bytes + 1_200 for path in parts)
    assert unpack(tmp_path / "packed", tmp_path / "again") == STEPS
    before, after = (
        torch.load(folder / CHECKPOINT, weights_only=True) for folder in (run, tmp_path / "again")
    )
    assert before.keys() == after.keys() and before["settings"] == after["settings"]
    assert (tmp_path / "again" / "run.json").read_bytes() == (run / "run.json").read_bytes()
    first, second = tensors_of(before), tensors_of(after)
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert value.shape == second[name].shape and value.dtype == second[name].dtype, name
        limit = value.abs().max() / 127 if name.endswith("momentum") else value.abs() / 1024 + 1e-7
        assert ((value - second[name]).abs() <= limit).all(), name


def test_a_training_goes_on_from_it_as_from_the_checkpoint(run: Path, tmp_path: Path) -> None:
    import shutil

    pack(run, tmp_path / "packed")
    unpack(tmp_path / "packed", tmp_path / "carried")
    shutil.copytree(run, tmp_path / "stayed")
    stayed, carried = (go_on(tmp_path / name, 2 * STEPS).losses for name in ("stayed", "carried"))
    begun = go_on(tmp_path / "anew", STEPS).losses
    assert len(stayed) == len(carried) == STEPS
    torch.testing.assert_close(torch.tensor(carried[:10]), torch.tensor(stayed[:10]), rtol=0.1, atol=2e-3)
    assert sum(carried) < 0.5 * sum(begun)


def test_it_is_small(run: Path, tmp_path: Path) -> None:
    made = pack(run, tmp_path / "packed")
    assert made["bytes"] < 0.5 * (run / CHECKPOINT).stat().st_size


@pytest.mark.parametrize("damage", ["cut", "changed", "missing", "layout"])
def test_damage_is_found_and_nothing_is_written(run: Path, tmp_path: Path, damage: str) -> None:
    packed = tmp_path / "packed"
    pack(run, packed, 20_000)
    part = packed / "part-00.safetensors"
    data = part.read_bytes()
    if damage == "layout":
        card = packed / "config.json"
        card.write_text(card.read_text().replace("/network/0.weight", "/network/9.weight"))
    elif damage == "missing":
        part.unlink()
    else:
        part.write_bytes(data[:-7] if damage == "cut" else data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(WeightsError):
        unpack(packed, tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_what_is_there_is_not_written_over(run: Path, tmp_path: Path) -> None:
    pack(run, tmp_path / "packed")
    with pytest.raises(OutputError, match="not empty"):
        pack(run, tmp_path / "packed")
    with pytest.raises(OutputError, match="holds a run already"):
        unpack(tmp_path / "packed", run)
    with pytest.raises(GecoError, match=r"holds no checkpoint\.pt"):
        pack(tmp_path / "packed", tmp_path / "other")
