"""Stage II's memory before it runs: a step takes that of one pair, whatever the batch."""

from __future__ import annotations

import pytest

from geco.recipes.paper import paper
from geco.reconstruct.instantmesh.model import InstantMesh
from geco.rehearsal.stages import foresee
from geco.torch_runtime.foreseen import public_size
from geco.training.machine import Machine
from geco.training.stage2_foreseen import Figure, foresee_stage2
from geco.training.stage2_options import Stage2Options
from tests.reconstruct import tiny


def test_a_batch_takes_the_memory_of_one_pair() -> None:
    model, machine = InstantMesh.on_meta(tiny.config("mesh")), Machine("no", "cpu", 1)
    one, three = (
        foresee_stage2(model, Stage2Options(batch=batch), machine, Figure(32, 64, 2_000)) for batch in (1, 3)
    )
    assert one["backward"].peak > 0 and three["all"].peak < 1.1 * one["all"].peak
    four_renders = foresee_stage2(model, Stage2Options(batch=1), machine, Figure(32, 128, 2_000))
    assert four_renders["all"].peak > 1.5 * one["all"].peak


@pytest.mark.slow
def test_stage_two_of_the_paper_fits_14_gb_at_batch_4() -> None:
    account = foresee("stage2", paper(), public_size())
    assert paper().stage2.batch == 4 and 8e9 < account.peak < 14e9
