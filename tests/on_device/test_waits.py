"""What the path on the device costs a card: waits with names, launches, and sums that have no order."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks.on_device import Count, CountingWatch, counting

from geco import on_device
from geco.on_device import waits
from geco.render import cover_torch, zbuffer_torch
from geco.surface_to_asset import AssetOptions, surface_to_asset
from tests.on_device.fields import Figure

# What the page docs/full-size-speed.md says of the whole, and a tenth more.
MOST_LAUNCHES, MOST_WAITS = 3900, 70
# On CUDA these add floats, or pick one of several writes, in an order that is open.
ORDERLESS = re.compile(
    r"aten\.(index_add|scatter_add|scatter_reduce\w*sum|bincount|histc|put_|index_put\w*accumulate)"
)
TRAFFIC = re.compile(
    r"\.(?:cpu|item|numpy|unique)\(|\.tolist\(\)|torch\.(?:nonzero|tensor|from_numpy)\(|masked_select"
)


@pytest.fixture(scope="module")
def counted() -> Count:
    """A whole asset, the picture laid on."""
    figure = Figure()
    options, picture = AssetOptions(on_device=True), figure.picture(17.0)
    with counting() as count:
        _, facts = surface_to_asset(figure, picture, options, 48, 256, CountingWatch(count))
    assert facts["projected"]
    return count


def test_every_wait_has_a_name_and_there_are_few(counted: Count) -> None:
    assert not counted.hidden
    names = sum((stage.waits for stage in counted.stages.values()), start=type(counted.hidden)())
    assert 20 < names.total() <= MOST_WAITS
    assert max(n for name, n in names.items() if name != "the finished mesh") <= 8


def test_launches_of_an_asset_are_bounded(counted: Count) -> None:
    launches = {name: stage.launches for name, stage in counted.stages.items()}
    assert 1000 < sum(launches.values()) <= MOST_LAUNCHES, launches
    assert {"surface", "clean", "unwrap", "bake", "project", "to the host"} <= launches.keys()


def test_a_wait_without_a_name_is_seen() -> None:
    with counting() as count:
        values = torch.arange(4)
        waits.number(values[0], "named")
        assert not count.hidden
        values[values > 1]
        int(values.sum())
        torch.repeat_interleave(torch.arange(2), torch.tensor([1, 2]))
    assert count.hidden.total() >= 3


def test_nothing_but_waits_has_traffic_with_the_host() -> None:
    """``.cpu()`` and ``.to(device)`` do nothing on the CPU, so no counter sees them: the text does."""
    shared = [Path(module.__file__) for module in (cover_torch, zbuffer_torch)]
    for path in [*Path(on_device.__path__[0]).glob("*.py"), *shared]:
        found = TRAFFIC.findall(path.read_text())
        allowed = {"waits.py": 5, "fit_camera.py": 1}  # the latter of an array that has arrived
        assert len(found) <= allowed.get(path.name, 0), (path.name, found)


def test_floats_are_never_added_in_an_open_order(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[torch.dtype] = set()
    run = Count.__torch_dispatch__

    def watched(
        self: Count, func: object, types: object, args: tuple = (), kwargs: dict | None = None
    ) -> object:
        if ORDERLESS.match(str(func)):
            seen.update(x.dtype for x in args if isinstance(x, torch.Tensor))
        if str(func).startswith("aten.cumsum"):
            seen.add(args[0].dtype)
        return run(self, func, types, args, kwargs)

    monkeypatch.setattr(Count, "__torch_dispatch__", watched)
    figure = Figure(24)
    with counting() as count:
        surface_to_asset(
            figure, figure.picture(10.0), AssetOptions(on_device=True), 24, 64, CountingWatch(count)
        )
    assert torch.int64 in seen and not any(dtype.is_floating_point for dtype in seen), seen


def test_the_whole_foretold_for_a_card_is_below_a_twentieth_of_a_second(counted: Count) -> None:
    """By launches, waits and bytes, on a mesh of a seventh of the faces: launches do not grow with it."""
    assert 0 < sum(stage.seconds for stage in counted.stages.values()) < 0.05
    assert np.isfinite([stage.moved for stage in counted.stages.values()]).all()
