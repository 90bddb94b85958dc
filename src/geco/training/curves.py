"""Loss curves as a picture: ``curves.png`` from a run's ``log.jsonl``, one panel a value; Pillow only.

The loop draws it at every report, ``python -m benchmarks.curves RUN_DIR`` anew.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from geco.errors import ConfigError
from geco.foreign import Fields
from geco.images import save_picture
from geco.json_text import parse_json
from geco.marks import mark_text
from geco.types import Doubles

PANEL = (420, 240)  # pixels of a panel, axes and title included
MARGINS = (58, 24, 14, 30)  # left, top, right, bottom of the plot in its panel
COLUMNS = 3
TICKS = 5  # about so many numbers an axis
SMOOTHING = 0.04  # of a curve's length: standard deviation of the line drawn over the raw values
SMOOTHED_FROM = 8  # points; fewer are joined as they are
LARGEST = 1e30  # of a value that is drawn; a damaged line of a log may hold a number of 400 digits
SKIPPED = {"step", "samples", "elapsed", "rate", "samples_s"}  # not values of the training
BACKGROUND, FRAME, GRID, TEXT = (255, 255, 255), (120, 120, 120), (232, 232, 232), (40, 40, 40)
RAW, LINE = (176, 205, 236), (20, 80, 170)

Points = tuple[Doubles, Doubles]  # steps (N,), values (N,)


def write_curves(folder: Path) -> Path | None:
    """``folder/log.jsonl`` to ``folder/curves.png``, whole or not at all; None where the log holds nothing to
    draw.

    Raises:
        OutputError: the picture cannot be written.
    """
    curves = read_curves(folder / "log.jsonl")
    if not curves:
        return None
    path = folder / "curves.png"
    save_picture(draw_curves(curves), path, mark_text("curves"))
    return path


def read_curves(log: Path) -> dict[str, Points]:
    """Every value of a log over the steps, losses first; validation numbers as ``report/NAME``.
    Torn lines are left out.
    """
    found: dict[str, list[tuple[int, float]]] = {}
    for line in log.read_bytes().splitlines() if log.exists() else ():
        try:
            fields = Fields(parse_json(line, str(log), ConfigError), str(log), ConfigError)
            values, step = fields.values, fields.integer("step", 0, 2**53)
        except ConfigError:
            continue
        values.pop("training", None)  # totals of the run
        for name, value in flatten(values).items():
            if name not in SKIPPED and abs(value) < LARGEST:  # NaN is not
                found.setdefault(name, []).append((step, value))
    order = sorted(found, key=lambda name: (not is_loss(name), name.startswith("report/")))
    return {
        name: (np.array([s for s, _ in found[name]], float), np.array([v for _, v in found[name]], float))
        for name in order
    }


def is_loss(name: str) -> bool:
    """Whether a value is drawn on a logarithmic axis (where it is above 0)."""
    return name.rsplit("/", 1)[-1].endswith("loss")


def draw_curves(curves: dict[str, Points]) -> Image.Image:
    """All panels, :data:`COLUMNS` beside each other; panel i at (i % COLUMNS, i // COLUMNS) times
    :data:`PANEL`.
    """
    columns = min(COLUMNS, len(curves))
    sheet = Image.new("RGB", (columns * PANEL[0], -(-len(curves) // columns) * PANEL[1]), BACKGROUND)
    for index, (name, (steps, values)) in enumerate(curves.items()):
        panel = draw_panel(name, steps, values, is_loss(name) and bool((values > 0).all()))
        sheet.paste(panel, (index % columns * PANEL[0], index // columns * PANEL[1]))
    return sheet


def draw_panel(name: str, steps: Doubles, values: Doubles, log: bool) -> Image.Image:
    """One value over the steps: the raw values, a smoothed line over them, axes with numbers.

    Args:
        steps, values: (N,) finite, N > 0. log: the values' axis is logarithmic; they are above 0 then.
    """
    panel = Image.new("RGB", PANEL, BACKGROUND)
    draw = ImageDraw.Draw(panel)
    shown = np.log10(values) if log else values
    across, up = span(steps), span(shown, 0.05)
    left, top, right, bottom = plot_box()
    for value in ticks(*across):
        x = to_pixels(value, across, (left, right))
        draw.line([(x, top), (x, bottom)], GRID)
        draw.text((x, bottom + 5), f"{value:g}", TEXT, anchor="ma")
    for value in log_ticks(*up) if log else ticks(*up):
        y = to_pixels(math.log10(value) if log else value, up, (bottom, top))
        draw.line([(left, y), (right, y)], GRID)
        draw.text((left - 5, y), f"{value:.4g}", TEXT, anchor="rm")
    draw.rectangle([left, top, right, bottom], outline=FRAME)
    draw.text((left, 6), f"{name}{' (log)' if log else ''}", TEXT)
    draw.text((right, 6), f"last {values[-1]:.4g}", TEXT, anchor="ra")
    order = np.argsort(steps, kind="stable")
    smoothed = smooth(shown[order])
    if len(values) >= SMOOTHED_FROM:
        _line(draw, steps[order], shown[order], across, up, RAW, 1)
    _line(draw, steps[order], smoothed, across, up, LINE, 2)
    return panel


def smooth(values: Doubles) -> Doubles:
    """(N,) by a Gaussian of :data:`SMOOTHING` N, weights of what lies outside left out; few
    points as they are.
    """
    if len(values) < SMOOTHED_FROM:
        return values
    width = max(SMOOTHING * len(values), 0.8)
    reach = math.ceil(3 * width)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)

    def blur(array: Doubles) -> Doubles:
        return np.convolve(array, kernel)[reach : reach + len(array)]

    return blur(values) / blur(np.ones_like(values))


def flatten(values: dict[str, Any], prefix: str = "") -> dict[str, float]:
    """{"a": {"b": 1}} -> {"a/b": 1}, numbers only."""
    flat: dict[str, float] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{name}/")
        elif isinstance(value, (int, float)):
            flat[prefix + name] = value
    return flat


def plot_box() -> tuple[int, int, int, int]:
    """Left, top, right, bottom pixels of the plot in a panel."""
    left, top, right, bottom = MARGINS
    return left, top, PANEL[0] - right, PANEL[1] - bottom


def span(values: Doubles, margin: float = 0.0) -> tuple[float, float]:
    """Smallest and largest with a margin; never empty."""
    low, high = float(values.min()), float(values.max())
    if high - low < 1e-9 * max(abs(high), abs(low), 1e-9):
        around = 0.05 * max(abs(high), 1e-3)
        return low - around, high + around
    return low - margin * (high - low), high + margin * (high - low)


def to_pixels(value: float, within: tuple[float, float], pixels: tuple[int, int]) -> float:
    """Where a value stands on an axis."""
    return pixels[0] + (value - within[0]) / (within[1] - within[0]) * (pixels[1] - pixels[0])


def ticks(low: float, high: float) -> list[float]:
    """About :data:`TICKS` round numbers from ``low`` to ``high``: steps of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    return [
        round(step * i, 12) for i in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    ]


def log_ticks(low: float, high: float) -> list[float]:
    """Values of round logarithms between two logarithms; over less than a decade, round values evenly set."""
    if high - low < 1:
        return [value for value in ticks(10**low, 10**high) if value > 0]
    factors: Sequence[int] = (1, 2, 5) if high - low < 2.5 else (1,)
    powers = range(math.floor(low), math.ceil(high) + 1)
    return [f * 10.0**p for p in powers for f in factors if low <= math.log10(f * 10.0**p) <= high]


def _line(
    draw: ImageDraw.ImageDraw,
    steps: Doubles,
    values: Doubles,
    across: tuple[float, float],
    up: tuple[float, float],
    color: tuple[int, int, int],
    width: int,
) -> None:
    left, top, right, bottom = plot_box()
    points = [
        (to_pixels(s, across, (left, right)), to_pixels(v, up, (bottom, top))) for s, v in zip(steps, values)
    ]
    if len(points) > 1:
        draw.line(points, color, width, joint="curve")
    if len(points) < SMOOTHED_FROM:
        for x, y in points:
            draw.ellipse([x - 3, y - 3, x + 3, y + 3], color)
