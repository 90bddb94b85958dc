"""The moving average: what it follows, and that its place changes nothing but the memory."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from geco.simulated import simulated
from geco.training.average import MovingAverage, Place


def test_moving_average_follows_a_jump() -> None:
    network = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(network.weight)
    average = MovingAverage(network, decay=0.9)
    nn.init.ones_(network.weight)
    for _ in range(200):
        average.update(network)
    assert average.values["weight"].item() == pytest.approx(1, abs=1e-6)
    nn.init.zeros_(network.weight)
    average.update(network)
    assert average.values["weight"].item() == pytest.approx(0.9, abs=1e-6)


def walk(network: nn.Module, average: MovingAverage, steps: int, seed: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        with torch.no_grad():
            for parameter in network.parameters():
                parameter += torch.randn(parameter.shape, generator=rng)
        average.update(network)  # the next step moves the weights while this one is averaged


def test_on_the_host_it_is_the_same_bit_for_bit_also_resumed() -> None:
    found = []
    places: tuple[Place, ...] = ("device", "host")
    for place in places:
        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(300, 300), nn.Linear(300, 3))
        average = MovingAverage(network, 0.95, place)
        walk(network, average, 4, seed=1)
        state = average.state_dict()
        again = MovingAverage(network, 0.95, "host" if place == "device" else "device")
        again.load_state_dict({name: state[name] for name in state})
        walk(network, again, 3, seed=2)
        found.append(again.state_dict()["values"])
    for name, value in found[0].items():
        assert torch.equal(value, found[1][name]), name


@pytest.mark.parametrize("place", ["device", "host"])
def test_while_it_is_in_the_network_the_networks_own_weights_wait_in_it(place: Place) -> None:
    torch.manual_seed(0)
    network = nn.Linear(20, 20)
    average = MovingAverage(network, 0.9, place)
    walk(network, average, 3, seed=1)
    own, mean = network.weight.detach().clone(), average.state_dict()["values"]["weight"].clone()
    assert not torch.equal(own, mean)
    with pytest.raises(ValueError), average.swapped(network):
        assert torch.equal(network.weight, mean)
        raise ValueError
    assert torch.equal(network.weight, own) and torch.equal(average.values["weight"], mean)


def test_a_simulation_counts_it_on_the_device_alone() -> None:
    with simulated() as run:
        network = nn.Linear(1000, 1000)
        before = run.live
        kept = MovingAverage(network, 0.9, "host")
        kept.update(network)
        assert run.live == run.peak == before
        also = MovingAverage(network, 0.9)
        also.update(network)
        assert run.live == 2 * before
