"""Code on fake tensors: its memory as it really is, its operations as they are counted by hand."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from geco.simulated import simulated

ROOT = Path(__file__).parents[1]
MIB = 1 << 20
linux = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux's account of a process")


def test_memory_is_what_lives_and_the_most_that_lived() -> None:
    with simulated() as run:
        first = torch.empty(MIB, dtype=torch.uint8)
        with run.part("twice") as part:
            second = first + first
            third = second.view(2, -1).t() * 2
            assert run.live == 3 * MIB
            del second
        assert (part.before, part.peak, part.after) == (MIB, 3 * MIB, 2 * MIB)
        del third, first
        assert (run.live, run.peak) == (0, 3 * MIB)


def test_views_share_their_memory_and_start_no_kernel() -> None:
    with simulated() as run:
        grid = torch.empty(4, 6)
        row = grid.view(-1)[:3].expand(2, 3).t()
        assert (run.launches, run.live, row.shape) == (0, 512, (3, 2))
        grid.add_(1)
        assert (run.launches, run.live) == (1, 512)
        assert run.parts["all"].moved == 2 * 24 * 4  # read and written


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_operations_are_those_of_products_convolutions_and_attention(mode: type) -> None:
    with mode(), simulated() as run:
        F.linear(torch.empty(5, 7, dtype=torch.float16), torch.empty(3, 7, dtype=torch.float16))
        assert run.flop == {"float16": 2 * 5 * 7 * 3}
        F.conv2d(torch.empty(1, 4, 8, 8), torch.empty(6, 4, 3, 3), padding=1)
        assert run.flop["float32"] == 2 * 8 * 8 * 6 * 4 * 9
        with run.part("attention") as part:
            query, key = torch.empty(1, 2, 10, 8), torch.empty(1, 2, 30, 8)
            F.scaled_dot_product_attention(query, key, key)
        assert part.flop == {"float32": 2 * (2 * 2 * 10 * 30 * 8)} and part.launches == 1


def test_a_backward_pass_is_counted_and_frees_its_graph() -> None:
    with simulated() as run:
        weight = torch.empty(64, 64, requires_grad=True)
        with run.part("forward") as forward:
            loss = (torch.empty(32, 64) @ weight).relu().sum()
        with run.part("backward") as backward:
            loss.backward()
        assert backward.flop["float32"] == forward.flop["float32"] == 2 * 32 * 64 * 64
        assert backward.peak > forward.before + 64 * 64 * 4 and weight.grad is not None


def test_what_comes_from_outside_is_given_and_stays_as_it_is() -> None:
    outside = nn.Linear(64, 64)
    before = outside.weight.detach().clone()
    with simulated() as run, torch.no_grad():
        outside(torch.empty(2, 64))
        assert run.given == (64 * 64 + 64) * 4
        copy = run.placed(outside, torch.float16)
        assert run.live >= (64 * 64 + 64) * 2 and copy.weight.dtype == torch.float16
        copy.weight.add_(1)
    assert outside.weight.dtype == torch.float32 and torch.equal(outside.weight, before)


def test_a_convolution_on_the_cpu_copies_what_is_not_channels_last() -> None:
    peaks = []
    for on_cpu, order in (
        (False, torch.contiguous_format),
        (True, torch.contiguous_format),
        (True, torch.channels_last),
    ):
        with simulated(on_cpu) as run, torch.no_grad():
            picture = torch.empty(1, 16, 64, 64).contiguous(memory_format=order)
            weight = torch.empty(16, 16, 3, 3).contiguous(memory_format=order)
            before = run.live
            with run.part("convolution") as part:
                F.conv2d(picture, weight, padding=1)
            peaks.append((part.peak - before) // (16 * 64 * 64 * 4))
    assert peaks == [1, 2, 1]


MEASURE = """
import json, torch
from benchmarks.resident import give_back_at_once, most_while
from geco.reconstruct.instantmesh.config import InstantMeshConfig, ViTConfig
from geco.reconstruct.instantmesh.model import InstantMesh
from geco.simulated import simulated
torch.set_num_threads(1)
give_back_at_once()
vit = ViTConfig(hidden_size=192, num_hidden_layers=2, num_attention_heads=3, intermediate_size=768)
sizes = {"transformer_dim": 192, "transformer_layers": 2, "transformer_heads": 3}
model = InstantMesh(InstantMeshConfig(vit=vit, **sizes))

def step(images, model):
    model(images, images.new_ones(1, 6, 16)).square().mean().backward()
    for parameter in model.parameters():
        parameter.grad = None

step(torch.rand(1, 6, 3, 160, 160), model)
_, measured = most_while(lambda: step(torch.rand(1, 6, 3, 320, 320), model))
with simulated(on_cpu=True) as run:
    copy = run.placed(model)
    with run.part("step") as part:
        step(torch.empty(1, 6, 3, 320, 320), copy)
print(json.dumps([part.added, measured]))
"""


@linux
def test_simulated_and_measured_memory_of_a_training_step_agree_within_five_per_cent() -> None:
    environment = {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", MEASURE], env=environment, capture_output=True, text=True, check=True
    )
    said, measured = json.loads(done.stdout)
    assert said == pytest.approx(measured, rel=0.05)


@linux
@pytest.mark.slow
def test_simulated_and_measured_memory_of_the_narrow_full_family_agree_within_five_per_cent() -> None:
    environment = {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.full_size_memory", "--size", "tiny"],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    parts = json.loads(done.stdout.splitlines()[-1])["parts"]
    for row in parts.values():
        assert row["ratio"] == pytest.approx(1, abs=0.05), parts
