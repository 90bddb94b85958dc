"""Where a training runs: what --device names is taken as it is, or refused in words."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from geco.device import choose
from geco.errors import ConfigError
from geco.model_files.folder import read_safetensors
from geco.training.machine import Machine, computes, training_device


def test_a_cpu_has_no_number_for_libraries_that_know_none(tmp_path: Path) -> None:
    assert str(choose("cpu:0").device) == "cpu" == str(Machine(device="cpu").device)
    save_file({"a": torch.ones(2)}, tmp_path / "a.safetensors")
    assert torch.equal(read_safetensors(tmp_path / "a.safetensors", "cpu:0")["a"], torch.ones(2))
    with pytest.raises(ConfigError, match="cpu:3"):
        choose("cpu:3")


def test_a_device_that_cannot_be_read_into_is_not_called_damage(tmp_path: Path) -> None:
    save_file({"a": torch.ones(2)}, tmp_path / "a.safetensors")
    if torch.cuda.is_available():
        pytest.skip("that device is there")
    with pytest.raises((RuntimeError, AssertionError), match=r"(?i)cuda"):
        read_safetensors(tmp_path / "a.safetensors", "cuda:0")


@pytest.mark.parametrize("device", ["cpu,bf16", "cpu,fp16", "cuda,bf16"])
def test_a_format_behind_the_device_is_the_recipes(device: str) -> None:
    with pytest.raises(ConfigError, match="recipe") as refused:
        training_device(device, 1)
    assert "--set precision=" in str(refused.value)


def test_one_device_is_not_shared_by_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert training_device("cpu", 4) == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert training_device("cuda:1", 1) == torch.device("cuda", 1)
    assert training_device("cuda", 2) == torch.device("cuda")
    with pytest.raises(ConfigError, match="one device for 2 processes"):
        training_device("cuda:1", 2)


def test_a_step_that_the_processes_cannot_share_out_is_refused_with_one_that_they_can(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine = Machine(device="cpu")
    assert machine.share(3) == range(3)
    for name, value in (("world", 4), ("rank", 3)):
        monkeypatch.setattr(Machine, name, value)
    assert list(machine.share(8)) == [3, 7]
    with pytest.raises(ConfigError, match=r"6 micro-batches a step .* 4 processes") as refused:
        machine.share(6)
    assert "--set accumulate=8" in str(refused.value)


def test_float16_on_a_cpu_is_said_to_be_float32(capsys: pytest.CaptureFixture[str]) -> None:
    assert not computes(torch.device("cpu"), "fp16") and computes(torch.device("cuda"), "fp16")
    machine = Machine("fp16", "cpu", 1)
    assert machine.precision == "no" and "float32" in capsys.readouterr().err
    with machine.autocast():
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == torch.float32
