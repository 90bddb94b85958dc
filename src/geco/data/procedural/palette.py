"""Colours that go together: hues chosen by a scheme in OKLCH (Ottosson 2020), and a few
materials' own colours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geco.types import Doubles

Color = Doubles  # (3,) sRGB in [0, 1]

# Linear sRGB from the cube roots' space and that from OKLab: bottosson.github.io/posts/oklab
_LMS_FROM_LAB = np.array(
    [
        [1.0, 0.3963377774, 0.2158037573],
        [1.0, -0.1055613458, -0.0638541728],
        [1.0, -0.0894841775, -1.2914855480],
    ]
)
_RGB_FROM_LMS = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)
# hues beside the main one, degrees
_SCHEMES = ((0, 30, -30), (0, 180, 150), (0, 120, 240), (0, 0, 0), (0, 60, 180), (0, 90, 200))
_MATERIALS = {  # lightness, chroma, hue: from, to
    "wood": ((0.38, 0.05, 50), (0.76, 0.10, 80)),
    "metal": ((0.45, 0.0, 230), (0.88, 0.02, 270)),
    "leaf": ((0.40, 0.09, 115), (0.72, 0.17, 150)),
    "stone": ((0.50, 0.0, 60), (0.85, 0.03, 100)),
    "clay": ((0.45, 0.07, 35), (0.70, 0.12, 55)),
    "skin": ((0.45, 0.05, 45), (0.87, 0.08, 65)),
    "rubber": ((0.20, 0.0, 0), (0.33, 0.02, 300)),
    "paper": ((0.92, 0.0, 80), (0.98, 0.03, 105)),
    "glass": ((0.70, 0.03, 190), (0.86, 0.07, 240)),
    "fruit": ((0.58, 0.15, 15), (0.86, 0.20, 125)),
    "bread": ((0.60, 0.07, 60), (0.82, 0.11, 80)),
}


@dataclass(frozen=True)
class Palette:
    """The colours of one object, each (3,) sRGB in [0, 1]."""

    main: Color
    second: Color
    accent: Color
    dark: Color
    light: Color


def palette(rng: np.random.Generator) -> Palette:
    """A scheme of three hues, some pale and some vivid, with a dark and a light neutral of the main hue."""
    hue, turns = rng.uniform(0, 360), _SCHEMES[rng.integers(len(_SCHEMES))]
    vivid = rng.choice([0.35, 0.7, 1.0, 1.2], p=[0.2, 0.3, 0.3, 0.2])
    level = rng.uniform(0.42, 0.84, 3)
    if abs(level[0] - level[1]) < 0.12:
        level[1] = level[0] + 0.2 if level[0] < 0.62 else level[0] - 0.2
    main, second, accent = (
        oklch(level[i], vivid * rng.uniform(0.08, 0.17), hue + turns[i]) for i in range(3)
    )
    return Palette(
        main,
        second,
        accent,
        oklch(rng.uniform(0.2, 0.36), 0.03, hue),
        oklch(rng.uniform(0.9, 0.97), 0.02, hue),
    )


def material(rng: np.random.Generator, name: str) -> Color:
    """A colour of wood, metal, leaf, stone, clay, skin, rubber, paper, glass, fruit or bread."""
    low, high = _MATERIALS[name]
    return oklch(*(rng.uniform(a, b) for a, b in zip(low, high)))


def oklch(lightness: float, chroma: float, hue: float) -> Color:
    """OKLCH to sRGB; colours outside of sRGB lose chroma until they fit. ``hue`` in degrees, the
    others in [0, 1].
    """
    angle = np.radians(hue)
    for factor in np.linspace(1, 0, 21):
        lab = np.array([lightness, factor * chroma * np.cos(angle), factor * chroma * np.sin(angle)])
        linear = _RGB_FROM_LMS @ (_LMS_FROM_LAB @ lab) ** 3
        if linear.min() >= -1e-3 and linear.max() <= 1.001:
            break
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def shade(color: Color, amount: float) -> Color:
    """Darker (negative) or lighter (positive) by ``amount`` in [-1, 1]."""
    return color * (1 + amount) if amount < 0 else color + (1 - color) * amount
