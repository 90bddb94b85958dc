"""curves.png: the line is where the values put it, from a synthetic log."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from geco.training.curves import (
    LINE,
    PANEL,
    RAW,
    log_ticks,
    plot_box,
    read_curves,
    smooth,
    ticks,
    write_curves,
)
from geco.training.record import Record


def write_log(folder: Path, losses: np.ndarray, name: str = "loss") -> None:
    lines = [
        json.dumps({"step": step, "rate": 1.0, name: float(value)}) for step, value in enumerate(losses, 1)
    ]
    (folder / "log.jsonl").write_text("\n".join(lines) + "\n")


def heights(picture: Path, color: tuple[int, int, int], panel: int = 0) -> dict[int, float]:
    """Column of the plot -> mean row of the pixels of one colour, counted from the plot's top."""
    left, top, right, bottom = plot_box()
    pixels = np.asarray(Image.open(picture))[:, panel * PANEL[0] : (panel + 1) * PANEL[0]][
        top : bottom + 1, left : right + 1
    ]
    found = (pixels == np.array(color)).all(-1)
    return {int(x): float(np.flatnonzero(found[:, x]).mean()) for x in np.flatnonzero(found.any(0))}


def test_an_exponential_loss_is_a_straight_line(tmp_path: Path) -> None:
    write_log(tmp_path, 10.0 ** -np.linspace(0, 3, 201))
    write_curves(tmp_path)
    rows = heights(tmp_path / "curves.png", LINE)
    left, top, right, bottom = plot_box()
    width, height = right - left, bottom - top
    inner = {x: y for x, y in rows.items() if 0.15 * width < x < 0.85 * width}  # smoothing bends the ends
    assert len(inner) > 0.65 * width
    for x, y in inner.items():
        # 5 % of the range above and below
        assert y == pytest.approx(height * (0.05 + x / width) / 1.1, abs=2.5)


def test_other_values_are_linear_and_raw_values_lie_under_the_smoothed_line(tmp_path: Path) -> None:
    noisy = np.linspace(0, 1, 200) + 0.5 * np.resize([1, -1], 200)
    write_log(tmp_path, noisy, "norm")
    write_curves(tmp_path)
    line, raw = (heights(tmp_path / "curves.png", color) for color in (LINE, RAW))
    left, top, right, bottom = plot_box()
    middle = (right - left) // 2
    assert line[middle] == pytest.approx((bottom - top) / 2, abs=3)
    pixels = np.asarray(Image.open(tmp_path / "curves.png"))[top : bottom + 1, left : right + 1]
    spread = np.flatnonzero((pixels == np.array(RAW)).all(-1)[:, middle - 5 : middle + 5].any(1))
    assert np.ptp(spread) > 0.4 * (bottom - top) and len(raw) > 0.9 * (right - left)


def test_losses_come_first_reports_last_and_torn_lines_are_left_out(tmp_path: Path) -> None:
    lines = [
        {"step": 1, "norm": 2.0, "a_loss": 1.0},
        {"step": 2, "report": {"held_out": {"psnr": 17.0}}},
        {"step": 3, "a_loss": float("nan")},
    ]
    (tmp_path / "log.jsonl").write_text("\n".join(map(json.dumps, lines)) + '\n{"step": 4, "a_lo')
    curves = read_curves(tmp_path / "log.jsonl")
    assert list(curves) == ["a_loss", "norm", "report/held_out/psnr"]
    assert curves["a_loss"][1].tolist() == [1.0] and curves["report/held_out/psnr"][0].tolist() == [2.0]
    write_curves(tmp_path)
    assert Image.open(tmp_path / "curves.png").size == (3 * PANEL[0], PANEL[1])


def test_nothing_to_draw_draws_nothing_and_a_report_draws(tmp_path: Path) -> None:
    assert write_curves(tmp_path) is None and not list(tmp_path.iterdir())
    record = Record(tmp_path, quiet=True)
    record.report(10, 1.0, {"psnr": 20.0}, None, {"steps": 10})
    # and no temporary file
    assert sorted(path.name for path in tmp_path.iterdir()) == ["curves.png", "log.jsonl", "training.json"]
    other = Record(tmp_path / "other", leads=False, quiet=True)
    other.report(10, 1.0, {"psnr": 20.0}, None, {"steps": 10})
    assert not (tmp_path / "other").exists()


def test_numbers_of_the_axes() -> None:
    assert ticks(0, 10) == [0, 2, 4, 6, 8, 10]
    # steps of 0.1 would be under a fifth of the range
    assert ticks(-0.13, 0.42) == pytest.approx([0.0, 0.2, 0.4])
    assert log_ticks(-2, 0) == pytest.approx([0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1])
    assert log_ticks(-6, 0) == pytest.approx([10.0**p for p in range(-6, 1)])
    assert all(2 <= value <= 3 for value in log_ticks(np.log10(2), np.log10(3)))


def test_smoothing_keeps_constants_and_means() -> None:
    assert smooth(np.full(50, 3.0)) == pytest.approx(3.0)
    noise = np.random.default_rng(0).normal(size=1000)
    assert np.std(smooth(noise)[100:-100]) < 0.2 * np.std(noise)


def test_numbers_that_cannot_be_drawn_are_left_out(tmp_path: Path) -> None:
    lines = [
        '{"step": 1, "loss": 2}',
        '{"step": 2, "loss": 1' + "0" * 400 + "}",
        '{"step": 3, "loss": 1e308, "other": 5}',
    ]
    (tmp_path / "log.jsonl").write_text("\n".join(lines))
    assert {name: list(values) for name, (_, values) in read_curves(tmp_path / "log.jsonl").items()} == {
        "loss": [2.0],
        "other": [5.0],
    }
