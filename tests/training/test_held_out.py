"""Stage I's held-out number: nothing for the teacher itself, each fault where it belongs, and how the teacher
is sampled for it.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from geco.multiview.interface import Condition
from geco.multiview.sampling import Walk, sample
from geco.multiview.small.codec import PixelCodec
from geco.training.halves import Validation
from geco.training.held_out import HeldOut, differences
from geco.training.loop import LoopOptions, train
from geco.training.machine import Machine
from tests.multiview import tiny as full
from tests.training.build import make_task, tiny_teacher

PICTURES = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
WALK = Walk(3, clip=1.0)


def test_each_fault_is_in_its_own_number() -> None:
    true = torch.full((6, 3, 16, 16), 0.5)
    nothing = {"psnr": 100.0, "perceptual": 0.0, "mean_drift": 0.0, "saturation_drift": 0.0}
    assert differences(true, true) == pytest.approx(nothing, abs=1e-5)
    brighter = differences(true + 0.1, true)
    assert (brighter["psnr"], brighter["mean_drift"]) == pytest.approx((20.0, 0.1), abs=1e-4)
    assert brighter["saturation_drift"] == pytest.approx(0.0, abs=1e-6) and brighter["perceptual"] > 0
    coloured = true + torch.tensor([0.1, 0.0, -0.1]).reshape(3, 1, 1)
    found = differences(coloured, true)
    assert (found["mean_drift"], found["saturation_drift"]) == pytest.approx((0.0, 0.2), abs=1e-6)
    assert differences(true, coloured)["saturation_drift"] == pytest.approx(-0.2, abs=1e-6)


def test_the_teacher_itself_is_at_no_distance_and_another_sample_is() -> None:
    teacher = tiny_teacher().eval()
    looked = HeldOut(teacher, PixelCodec(16), PICTURES, WALK, Machine(device="cpu", threads=1))

    def itself(z: Tensor, told: Condition) -> Tensor:
        return sample(teacher, told, lambda shape: z, WALK)

    assert looked.compare(itself)["psnr"] == 100.0
    assert looked.compare(lambda z, told: itself(-z, told))["psnr"] < 60


def test_a_public_teacher_is_sampled_with_its_own_reference() -> None:
    """Whatever the scores read: the numbers of a clean and of a noised reference differ."""
    teacher, machine = full.network(), Machine(device="cpu", threads=1)
    numbers = [
        HeldOut(teacher, full.codec(), PICTURES, Walk(2, reference=kind), machine).compare(lambda z, _: z)
        for kind in ("clean", "noised")
    ]
    assert numbers[0] != numbers[1]


def test_reports_hold_it_and_so_does_what_is_saved(tmp_path: Path) -> None:
    """The card gets what the log's last report says; the teacher's samples are made once."""
    task = make_task(validation=Validation(held_out=PICTURES, reference="clean"))
    saved: list[object] = []
    task._save = lambda network, folder, about: saved.append(about)
    train(task, LoopOptions(tmp_path, steps=2, warmup_steps=1, report_minutes=0.0), quiet=True)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    reports = [line["report"]["held_out"] for line in lines if "report" in line]
    assert len(reports) > 1 and set(reports[0]) == {"psnr", "perceptual", "mean_drift", "saturation_drift"}
    assert saved == [{"held_out": each} for each in reports] and reports[0] != reports[-1]
