"""The benchmark for graphics cards: its code tiny on a CPU, going on where it was, beside its forecast."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from benchmarks.gpu_rates import CARDS, combined

from geco.simulated import Part

ROOT = Path(__file__).parents[1]


def benchmark(*arguments: str | Path) -> dict[str, object]:
    """Its JSON line."""
    more = {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu", "--size", "tiny", *map(str, arguments)],
        env=os.environ | more,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_rows_are_measured_once_beside_what_was_foretold(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    command = ["--device", "cpu", "--rows", rows, "--groups", "triposr", "--repeats", 3, "--seconds", 1]
    first = benchmark(*map(str, command))["rows"]
    assert isinstance(first, list) and len(first) == len(rows.read_text().splitlines()) == 2
    for row in first:
        assert row["ms"] > 0 and row["tflop"] > 0 and {"H200", "L40"} < row["foretold_ms"].keys()
    again = [json.loads(line) for line in rows.read_text().splitlines()]
    rows.write_text(json.dumps(again[0] | {"ms": 123.0}) + "\n")  # as if killed after its first row
    second = benchmark(*map(str, command))["rows"]
    assert isinstance(second, list) and second[0]["ms"] == 123.0 and second[1]["ms"] > 0
    assert len(rows.read_text().splitlines()) == 2


def test_the_longest_of_products_memory_and_launches_decides() -> None:
    card = CARDS[0]
    products = Part(moved=10, launches=1)
    products.flop["float16"], products.flop["float32"] = int(card.half), int(card.single)
    assert card.seconds(products) == pytest.approx(2.0)
    assert card.seconds(Part(moved=int(3 * card.bandwidth))) == pytest.approx(3.0)
    assert card.seconds(Part(launches=int(1 / card.launch))) == pytest.approx(1.0)
    both = combined((2, products), (1, Part(launches=5)))
    assert both.launches == 7 and both.flop["float16"] == 2 * int(card.half)


@pytest.mark.slow
def test_every_row_runs_on_a_cpu(tmp_path: Path) -> None:
    found = benchmark("--device", "cpu", "--rows", tmp_path / "rows", "--repeats", "1", "--seconds", "1")[
        "rows"
    ]
    assert isinstance(found, list) and all(row["ms"] > 0 for row in found) and len(found) == 18


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="there a card is measured")
def test_without_a_card_only_the_forecast_is_given(tmp_path: Path) -> None:
    found = benchmark("--rows", tmp_path / "rows")["rows"]
    assert isinstance(found, list) and not (tmp_path / "rows").exists()
    assert all("ms" not in row and row["foretold_ms"]["L40"] > 0 for row in found if "host" not in row["row"])
