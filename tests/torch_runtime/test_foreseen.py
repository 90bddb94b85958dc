"""The full family's memory and work at its true size, without either."""

from __future__ import annotations

import pytest
import torch

from geco.sampling import Sampling
from geco.torch_runtime.foreseen import Asked, Foreseen, Networks, foresee, public_size

GB = 1e9
GRAPHS = frozenset({"graphs"})


@pytest.fixture(scope="module")
def networks() -> Networks:
    return public_size()


@pytest.fixture(scope="module")
def foreseen(networks: Networks) -> Foreseen:
    return foresee(networks, Asked())


def test_full_size_takes_what_the_public_weights_weigh_and_what_the_audit_counted(
    networks: Networks, foreseen: Foreseen
) -> None:
    weights = [*networks.network.parameters(), *networks.codec.parameters()]
    half = 2 * sum(w.numel() for w in weights)
    single = 4 * sum(w.numel() for w in networks.model.parameters())
    assert foreseen.resting == pytest.approx(half + single, rel=1e-3)
    assert foreseen.peak == foreseen.views == pytest.approx(5.6 * GB, rel=0.02)
    tera = {name: round(part.flop.total() / 1e12, 2) for name, part in foreseen.parts.items()}
    assert tera["write"] == 0.80 and tera["read"] == 2.58 and tera["decode"] == 6.00
    assert tera["planes"] == 3.12 and tera["condition"] == 1.45
    assert foreseen.parts["write"].launches < 750


def test_seeds_cost_the_read_pass_more_and_the_rest_nothing(networks: Networks, foreseen: Foreseen) -> None:
    one, eight = foreseen, foresee(networks, Asked(8))
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


def test_recordings_leave_few_launches(networks: Networks, foreseen: Foreseen) -> None:
    recorded = foresee(networks, Asked(ways=GRAPHS))
    assert foreseen.outside > 2500 and foreseen.replays == 0 and recorded.replays == 6
    assert recorded.outside < 200  # from the picture to the colours


@pytest.mark.slow
def test_a_recorded_step_adds_few_launches() -> None:
    teacher, of = public_size(teacher=True), "euler-ancestral"
    one, two = (foresee(teacher, Asked(sampling=Sampling(of, n, 4.0), ways=GRAPHS)) for n in (1, 2))
    assert two.outside - one.outside <= 40


def test_networks_that_take_turns_fit_a_small_card_and_tiles_halve_the_decoder(
    networks: Networks, foreseen: Foreseen
) -> None:
    tiled = foresee(networks, Asked(ways=frozenset({"tiled"})))
    assert max(foreseen.turns.values()) < 2.2 * GB < 0.5 * foreseen.peak
    assert tiled.parts["decode"].added < 0.5 * foreseen.parts["decode"].added
