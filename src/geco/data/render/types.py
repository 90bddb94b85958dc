"""What goes into and comes out of a renderer of views, whichever engine draws them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from geco.types import Bytes, Floats

CHANNELS = ("rgba", "depth", "normal", "position")


@dataclass(frozen=True)
class Light:
    """``shade = ambient + hemisphere * n_z + diffuse * max(0, n . direction)``, multiplied onto sRGB;
    world-fixed.

    The default is the targets' light: nearly the bare base colour, a little darker below, so that views
    agree.
    """

    ambient: float = 0.8
    hemisphere: float = 0.2
    diffuse: float = 0.0
    direction: tuple[float, float, float] = (0.0, 0.0, 1.0)


@dataclass
class Views:
    """N pictures of one object.

    Colour and coverage are averages over the pixel's samples. The other channels are never averaged: they
    belong to the one sample of the pixel that is nearest to the camera, so an edge pixel holds a point of one
    surface and no mixture.

    Attributes:
        rgba: (N, S, S, 4) uint8, straight alpha (coverage).
        depth: (N, S, S) float32 distance along the viewing axis of the nearest sample, 0 = background.
        normal: (N, S, S, 3) float32 unit normal of that sample's face in world space, on the camera's side; 0
            = background.
        position: (N, S, S, 3) float32 world point of that sample; 0 = background.
    """

    rgba: Bytes
    depth: Floats
    normal: Floats | None = None
    position: Floats | None = None


@dataclass(frozen=True)
class Studio:
    """A photo-like setting: diffuse and glossy surfaces, soft shadows, light that bounces.

    Attributes:
        environment: an equirectangular .hdr or .exr picture that lights the scene (never seen itself); None =
            an even sky.
        sky: strength of the environment or sky.
        sun, sun_direction, sun_angle: strength, direction towards the lamp, its diameter in degrees (larger =
            softer shadows).
        roughness: of every surface, 0 = mirror, 1 = chalk.
    """

    environment: Path | None = None
    sky: float = 0.7
    sun: float = 2.0
    sun_direction: tuple[float, float, float] = (0.5, -0.4, 0.75)
    sun_angle: float = 15.0
    roughness: float = 0.6


@dataclass(frozen=True)
class Cycles:
    """How Blender renders.

    Attributes:
        studio: None renders the bare colours under the given lights; a studio replaces them.
        samples: rays a pixel for the colours.
        threads: CPU threads.
    """

    studio: Studio | None = None
    samples: int = 32
    threads: int = 1
