"""The paper's table from a report's columns: rows by role, relations, how far seeds differ."""

from __future__ import annotations

from typing import Any

import pytest
from benchmarks.claims import MESH_COLUMNS, columns, diversity_table, relations, table


def column(psnr: float, volume: float, seconds: float, **more: Any) -> dict[str, Any]:
    one = {"mean": psnr, "std": 0.0, "n": 2}
    return {
        "A": {"psnr": one},
        "mesh": {"volume_iou": {"mean": volume, "std": 0.0, "n": 2}},
        "seconds": {"mean": seconds, "std": 0.0, "n": 2},
        "rows": 2,
        "seeds": 2,
        **more,
    }


def spread(side: float, far: float) -> dict[str, Any]:
    values = {"input_rmse": side, "far_rmse": far, "far_psnr": 14.0, "far_psnr_best": 15.0}
    return {"mesh_diversity": {name: {"mean": value, "std": 0.0, "n": 2} for name, value in values.items()}}


REPORT = {
    "geco": column(16.0, 0.40, 0.5, **spread(0.05, 0.10)),
    "pixelnerf": column(14.0, 0.30, 0.3, seeds=1),
    "teacher-75": column(15.5, 0.39, 12.0),
    "optimize-vsd@steps-120": column(15.0, 0.35, 90.0, **spread(0.02, 0.20)),
    "optimize-sdsx": column(1.0, 0.0, 1.0),
}


def test_columns_are_found_by_their_roles_whatever_their_steps() -> None:
    found = columns(REPORT)
    assert list(found) == ["teacher", "geco", "pixelnerf", "optimize-vsd"]
    rows = table(found, MESH_COLUMNS).splitlines()[2:]
    assert [row.split("|")[1].strip() for row in rows] == [
        "teacher, many steps",
        "Stage I + II",
        "PixelNeRF",
        "VSD, each object for itself",
    ]
    assert rows[-1].rstrip(" |").endswith("90.00")


def test_seeds_differ_where_something_is_drawn_and_by_nothing_where_not() -> None:
    rows = {
        line.split("|")[1].strip(): [part.strip() for part in line.split("|")[2:-1]]
        for line in diversity_table(columns(REPORT)).splitlines()[2:]
    }
    assert rows["Stage I + II"] == ["2", "0.050", "0.100", "14.00", "15.00"]
    assert rows["PixelNeRF"][:3] == ["1", "0", "0"]
    assert "teacher, many steps" not in rows  # one seed tells nothing


def test_relations_compare_with_both_deterministic_kinds() -> None:
    found = {each.name.split()[0]: each for each in relations(columns(REPORT))}
    assert found["3d"].value == pytest.approx(2.0) and found["3d"].holds
    assert found["3e"].value == pytest.approx(0.1) and found["3e"].holds
    assert found["3a"].value is None and found["3a"].holds is None
    assert found["4"].value == pytest.approx(24.0)
