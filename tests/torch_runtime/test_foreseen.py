"""The full family's memory and work at its true size, without either."""

from __future__ import annotations

import pytest
import torch

from geco.sampling import Sampling
from geco.torch_runtime.foreseen import Asked, Networks, foresee, public_size

GB = 1e9


@pytest.fixture(scope="module")
def networks() -> Networks:
    return public_size()


def test_full_size_takes_what_the_public_weights_weigh_and_what_the_audit_counted(networks: Networks) -> None:
    foreseen = foresee(networks, Asked())
    weights = [*networks.network.parameters(), *networks.codec.parameters()]
    half = 2 * sum(w.numel() for w in weights)
    single = 4 * sum(w.numel() for w in networks.model.parameters())
    assert foreseen.resting == pytest.approx(half + single, rel=1e-3)
    assert foreseen.peak == foreseen.views == pytest.approx(5.6 * GB, rel=0.02)
    tera = {name: round(part.flop.total() / 1e12, 2) for name, part in foreseen.parts.items()}
    assert tera["write"] == 0.80 and tera["read"] == 2.58 and tera["decode"] == 6.00
    assert tera["planes"] == 3.12 and tera["condition"] == 1.45
    assert foreseen.parts["write"].launches < 750


def test_seeds_cost_the_read_pass_more_and_the_rest_nothing(networks: Networks) -> None:
    one, eight = (foresee(networks, Asked(seeds)) for seeds in (1, 8))
    assert eight.resting == one.resting and eight.planes == one.planes
    assert 0.1 * GB < (eight.parts["read"].added - one.parts["read"].added) / 7 < 0.2 * GB
    assert eight.parts["read"].flop.total() == pytest.approx(8 * one.parts["read"].flop.total(), rel=1e-6)
    assert all(p.device.type == "meta" for p in networks.network.parameters())


@pytest.mark.slow
def test_a_teacher_of_many_steps_takes_no_more_than_one_of_two() -> None:
    teacher = public_size(teacher=True)
    two, many = (
        foresee(teacher, Asked(sampling=Sampling("ddim", steps, 4.0)), torch.float16) for steps in (2, 75)
    )
    assert two.peak == many.peak and many.parts["write"].flop == two.parts["write"].flop
