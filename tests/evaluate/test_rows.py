"""The rows survive a kill at any byte, and nothing that is no JSON gets in."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geco.errors import ConfigError
from geco.evaluate.rows import Rows, row_key
from geco.evaluate.summary import summarise
from tests.damage import odd


def row(index: int) -> dict[str, object]:
    known = {
        "method": "geco",
        "base": "geco",
        "variant": "bare",
        "status": "ok",
        "object": f"thing-{index}",
        "seed": 0,
    }
    return {**known, "A": {"psnr": index / 3}}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 600))
def test_a_torn_last_line_is_dropped_and_written_again(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "rows.jsonl"
    path.unlink(missing_ok=True)
    Rows(tmp_path).add([row(index) for index in range(4)])
    whole = path.read_bytes()
    path.write_bytes(whole[: min(cut, len(whole))])
    rows = Rows(tmp_path)
    kept = whole[:cut].count(b"\n")
    assert len(rows) == kept
    rows.add([row(index) for index in range(4) if ("geco", f"thing-{index}", 0) not in rows])
    assert path.read_bytes() == whole


def test_numbers_that_are_not_finite_become_null(tmp_path: Path) -> None:
    Rows(tmp_path).add(
        [row(0) | {"A": {"psnr": float("nan"), "iou": np.float64(0.5), "list": [float("inf"), np.int64(3)]}}]
    )
    stored = json.loads((tmp_path / "rows.jsonl").read_text())
    assert stored["A"] == {"psnr": None, "iou": 0.5, "list": [None, 3]}


def test_a_line_damaged_in_the_middle_is_an_error(tmp_path: Path) -> None:
    Rows(tmp_path).add([row(0), row(1)])
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"{broken\n" + path.read_bytes())
    with pytest.raises(ConfigError, match="line 1"):
        Rows(tmp_path)


@pytest.mark.parametrize("seed", range(5))
def test_a_line_of_other_things_is_an_error_or_can_be_reported(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    good = row(1) | {
        "stages": {"total": 1.5},
        "memory": {"peak_mb": 3.0},
        "seconds": 1.0,
        "alignment": {"method": "box"},
    }
    told = {"methods": {"geco": {"kind": "model"}}, "common": {"objects": {"thing-0": "", "thing-1": ""}}}
    refused = 0
    for _ in range(60):
        line = json.dumps(odd(good, rng))
        (tmp_path / "rows.jsonl").write_text(f"{json.dumps(row(0))}\n{line}\n")
        try:
            summarise(tmp_path, Rows(tmp_path), told, {})
        except ConfigError as error:
            assert "line 2" in str(error) and error.remedy
            refused += 1
    assert refused > 20


def test_key() -> None:
    assert row_key(row(2)) == ("geco", "thing-2", 0)
