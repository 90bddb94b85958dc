"""How many sets of views are drawn together under a bound on memory, and that nothing else depends on it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from geco.backend import Footprint
from geco.batches import at_once, bound_of, finishing
from geco.cli.main import main
from geco.errors import ConfigError
from geco.memory import shown_size, size_of
from geco.pipeline import GecoPipeline
from geco.surface_to_asset import AssetOptions
from tests.cli_command import geco
from tests.pictures import ball_picture
from tests.torch_runtime.build import full_folder, small_folder

KEEPING = Footprint(resting=200, first=50, more=40, kept=5, rebuilding=30, keeps=True)
FREEING = Footprint(resting=200, first=50, more=40, kept=5, rebuilding=30, keeps=False)


@pytest.mark.parametrize(
    ("text", "size"),
    [("8GB", 8 * 10**9), ("500 mb", 5 * 10**8), ("1.5GiB", 3 << 29), ("4096MiB", 1 << 32)],
)
def test_sizes_are_read_as_people_write_them(text: str, size: int) -> None:
    assert size_of(text) == size == size_of(str(size)) and bound_of(size) == size


@pytest.mark.parametrize("text", ["", "8", "GB", "-1GB", "8 GB of it", "nan", "1e9", "8G8", "٤GB", "9" * 20])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is no size of memory"):
        size_of(text)


def test_as_many_are_drawn_together_as_the_bound_allows() -> None:
    assert KEEPING.of(3, 20) == 200 + 50 + 2 * 40 + 30 + 20
    assert FREEING.of(3, 20) == 200 + max(50 + 2 * 40, 3 * 5 + 30 + 20)
    for footprint in (KEEPING, FREEING):
        for bound in range(footprint.of(1, 20), 1000, 7):
            sets = at_once(footprint, 20, bound, 8)
            assert footprint.of(sets, 20) <= bound and (sets == 8 or footprint.of(sets + 1, 20) > bound)
    with pytest.raises(ConfigError, match="too little"):
        at_once(KEEPING, 20, KEEPING.of(1, 20) - 1, 8)


def test_a_bound_too_small_for_one_says_what_would_fit() -> None:
    pipeline = GecoPipeline.from_pretrained("small", max_memory="100MB")
    with pytest.raises(ConfigError, match="100MB of memory are too little") as refused:
        pipeline(ball_picture(64))
    pipeline.max_memory = size_of(refused.value.remedy.split()[1])
    assert pipeline.at_once() == 1
    assert pipeline.at_once(AssetOptions(vertex_colors=True)) >= 1
    with pytest.raises(ConfigError):
        pipeline.at_once(AssetOptions(texture_size=2048))
    pipeline.max_memory = 10**11
    assert pipeline.at_once(AssetOptions(texture_size=2048)) == 8


def test_a_run_stays_below_its_bound_and_says_what_it_took(tmp_path: Path) -> None:
    ball_picture(64).save(tmp_path / "ball.png")
    bound = finishing(64, 24) + 450 * 10**6
    wanted = [
        "--resolution",
        "24",
        "--texture-size",
        "64",
        "--samples",
        "7",
        "--json",
        "-o",
        tmp_path / "out",
    ]
    result = geco("run", "ball.png", "--max-memory", str(bound), *wanted, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["seed"] for line in lines] == list(range(7))
    peaks = [line["peak_memory"] for line in lines]
    assert all(10**8 < peak["host_bytes"] <= bound and peak["device_bytes"] is None for peak in peaks)
    refused = geco("run", "ball.png", "--max-memory", "150MB", *wanted, cwd=tmp_path)
    assert refused.returncode == 2 and "(--max-memory)" in refused.stderr and refused.stderr.count("\n") == 1


@pytest.mark.parametrize("family", ["small", pytest.param("full", marks=pytest.mark.slow)])
def test_sixty_four_seeds_together_are_sixty_four_single_ones(family: str, tmp_path: Path) -> None:
    """Not to the bit: a product of other sizes adds up in another order. A level is 0.004."""
    folder = {"small": small_folder, "full": full_folder}[family](tmp_path / "model")
    pipeline = GecoPipeline.from_pretrained(folder, device="cpu")
    # a bound on the process, which other tests may have filled
    pipeline.max_memory = pipeline.backend.footprint(None).resting + 10**9
    assert 2 <= pipeline.at_once() <= 8
    seen = pipeline.see(ball_picture(64))
    many = list(pipeline.views(seen, range(64), at_once=pipeline.at_once()))
    assert [views.seed for views in many] == list(range(64))
    for views in many:
        (single,) = pipeline.views(seen, [views.seed])
        np.testing.assert_allclose(views.pictures, single.pictures, rtol=0, atol=2e-4)
    assert len({views.pictures.tobytes() for views in many}) == 64


def test_what_is_simulated_is_what_one_more_set_really_adds(tmp_path: Path) -> None:
    footprint = GecoPipeline.from_pretrained(full_folder(tmp_path / "model"), device="cpu").backend.footprint(
        None
    )
    assert footprint.keeps and footprint.kept == 6 * 3 * 320 * 320 * 4  # as the card says
    assert footprint.first > footprint.more > 5e6 and footprint.rebuilding > 1e6
    assert footprint.resting > 2e8
    # Networks that take turns are looked at without moving a weight, also once they have run.
    turning = GecoPipeline.from_pretrained(tmp_path / "model" / "model", device="cpu,offload")
    seen = turning.see(ball_picture(64))
    (before,) = turning.views(seen, [0])
    found = turning.backend.footprint(None)
    (after,) = turning.views(seen, [0])
    np.testing.assert_array_equal(after.pictures, before.pictures)
    assert (found.first, found.more) == (footprint.first, footprint.more)


@contextmanager
def counted_calls(patch: pytest.MonkeyPatch, backend: Any) -> Iterator[Counter[tuple[int, int]]]:
    """(pictures, seeds) of every call that draws views."""
    calls: Counter[tuple[int, int]] = Counter()
    generate = backend.generate

    def counting(self: Any, pictures: Any, seeds: Any, *rest: Any) -> Any:
        calls.update([(len(pictures), len(seeds))])
        return generate(self, pictures, seeds, *rest)

    with patch.context() as within:
        within.setattr(backend, "generate", counting)
        yield calls


def test_pictures_of_a_folder_are_drawn_together_and_fail_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from geco.torch_runtime.backend import TorchBackend

    pictures, model = tmp_path / "pictures", small_folder(tmp_path / "model")
    pictures.mkdir()
    for number in range(4):
        ball_picture(40 + 8 * number).save(pictures / f"{number}.png")
    (pictures / "1.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    command = ["run", str(pictures), "--model", str(model), "--device", "cpu", "--samples", "2", "--json"]
    results = {}
    for joined in (False, True):
        monkeypatch.setattr(TorchBackend, "joins_pictures", joined)
        with counted_calls(monkeypatch, TorchBackend) as calls:
            assert main([*command, "-o", str(tmp_path / f"{joined}/")]) == 2
        shown = capsys.readouterr()
        results[joined] = [json.loads(line) for line in shown.out.splitlines()]
        assert "1.png" in shown.err and "6 written, 1 of 4 pictures failed" in shown.err
        assert calls == ({(3, 6): 1} if joined else {(1, 2): 3})
    for one, other in zip(results[False], results[True], strict=True):
        assert (Path(one["picture"]).name, one["seed"]) == (Path(other["picture"]).name, other["seed"])
        assert abs(one["faces"] - other["faces"]) <= 0.01 * one["faces"]
    assert [Path(line["picture"]).name for line in results[True]] == ["0.png"] * 2 + ["2.png"] * 2 + [
        "3.png"
    ] * 2
    assert shown_size(1) == "1MB" and shown_size(1_234_000_000) == "1.24GB"
