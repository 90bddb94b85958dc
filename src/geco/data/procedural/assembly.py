"""Puts shapes and patterns together into one mesh with one texture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from geco.data.objects import BOUNDING_RADIUS
from geco.data.procedural.palette import Color, Palette, material, palette, shade
from geco.data.procedural.patterns import paint
from geco.data.procedural.shape import Shape
from geco.mesh.types import Mesh
from geco.types import Doubles

ATLAS = 512  # side of the texture in pixels: as many square tiles as there are finishes
_GUTTER = 2.0  # texels between a tile's border and the nearest texture coordinate, against bleeding
_BUSY = (
    "rings",
    "stripes",
    "bands",
    "checks",
    "dots",
    "zigzag",
    "diamonds",
    "marble",
    "clouds",
    "speckles",
    "patches",
    "glyphs",
    "label",
)


@dataclass
class Finish:
    """A pattern and its colours; shapes with the same finish share one tile (painted for the
    first one's size).
    """

    pattern: str
    colors: list[Color]
    size: tuple[float, float] | None = None
    seed: int = 0


@dataclass
class Assembly:
    """An object under construction.

    Attributes:
        rng: the object's only source of chance.
        colors: its palette.
        parts: (shape, finish of the side, finish of the ends) in order.
    """

    rng: np.random.Generator
    colors: Palette = field(init=False)
    parts: list[tuple[Shape, Finish, Finish]] = field(default_factory=list)
    finishes: list[Finish] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.colors = palette(self.rng)

    # ---- finishes
    def finish(self, pattern: str, *colors: Color) -> Finish:
        """A finish of these colours (none: the palette's main, second and accent)."""
        chosen = list(colors) or [self.colors.main, self.colors.second, self.colors.accent]
        made = Finish(
            pattern,
            chosen if len(chosen) > 1 else [chosen[0], shade(chosen[0], -0.3)],
            seed=int(self.rng.integers(1 << 31)),
        )
        self.finishes.append(made)
        return made

    def plain(self, color: Color) -> Finish:
        """One colour; sometimes a gentle gradient."""
        return self.finish(
            "plain" if self.rng.random() < 0.75 else "gradient",
            color,
            shade(color, self.rng.uniform(-0.25, 0.2)),
        )

    def of(self, name: str) -> Finish:
        """A material of :func:`geco.data.procedural.palette.material` in its usual pattern."""
        color = material(self.rng, name)
        usual = {
            "wood": ("wood", "planks", "plain"),
            "stone": ("clouds", "speckles", "plain"),
            "leaf": ("clouds", "gradient", "plain"),
        }
        return self.finish(
            str(self.rng.choice(usual.get(name, ("plain",)))),
            color,
            shade(color, self.rng.uniform(-0.35, -0.15)),
        )

    def any(self, busy: float = 0.5) -> Finish:
        """Patterned with probability ``busy``, otherwise plain, in two of the palette's colours."""
        names = [self.colors.main, self.colors.second, self.colors.accent, self.colors.light]
        picked = [names[i] for i in self.rng.permutation(4)[:3]]
        if self.rng.random() >= busy:
            return self.plain(picked[0])
        return self.finish(str(self.rng.choice(_BUSY)), *picked)

    # ---- parts
    def add(self, shape: Shape, finish: Finish, ends: Finish | None = None) -> Shape:
        """Add one shape; ``ends``: the finish of its caps. Returns the shape."""
        for used in (finish, ends):
            if used is not None and used.size is None:
                used.size = shape.size
        self.parts.append((shape, finish, ends or finish))
        return shape

    def pair(self, shape: Shape, finish: Finish, ends: Finish | None = None) -> None:
        """Add a shape and its mirror image on the other side of the object."""
        self.add(shape, finish, ends)
        self.add(shape.mirrored(), finish, ends)

    def corners(self, shape: Shape, finish: Finish) -> None:
        """Add a shape in all four corners: mirrored left-right, and turned to the back."""
        self.pair(shape, finish)
        self.pair(shape.mirrored().turned("z", 180), finish)

    def around(self, shape: Shape, finish: Finish, count: int, start: float = 0.0) -> None:
        """Add ``count`` copies turned evenly about the z axis."""
        for index in range(count):
            self.add(shape.turned("z", start + 360 * index / count), finish)

    def row(self, shape: Shape, finish: Finish, offsets: Sequence[tuple[float, float, float]]) -> None:
        """Add a copy at every offset."""
        for offset in offsets:
            self.add(shape.at(*offset), finish)

    def stretch(self, x: float, y: float, z: float) -> None:
        """Scale the whole object along the axes."""
        self.parts = [(shape.scaled(x, y, z), side, end) for shape, side, end in self.parts]

    def span(self) -> Doubles:
        """(2, 3): the bounding box of what is there."""
        points = np.concatenate([shape.vertices for shape, _, _ in self.parts])
        return np.stack([points.min(axis=0), points.max(axis=0)])

    # ---- the result
    def mesh(self) -> Mesh:
        """Everything as one mesh, normalised as all objects are: bounding box centred, farthest
        vertex at ``BOUNDING_RADIUS``.
        """
        used = [f for f in self.finishes if any(f is side or f is end for _, side, end in self.parts)]
        tiles = int(np.ceil(np.sqrt(len(used))))
        pixels = ATLAS // tiles
        texture = np.full((ATLAS, ATLAS, 3), 255, np.uint8)
        spots = {}
        for slot, finish in enumerate(used):
            row, column = divmod(slot, tiles)
            picture = paint(
                np.random.default_rng(finish.seed),
                finish.pattern,
                finish.size or (1, 1),
                finish.colors,
                pixels,
            )
            texture[row * pixels : (row + 1) * pixels, column * pixels : (column + 1) * pixels] = picture
            spots[id(finish)] = np.array([column, row]) * pixels
        offset, vertices, faces, uvs, normals = 0, [], [], [], []
        for shape, side, end in self.parts:
            corner = np.where(shape.ends[:, None], spots[id(end)], spots[id(side)])
            uvs.append((corner + _GUTTER + np.clip(shape.uvs, 0, 1) * (pixels - 2 * _GUTTER)) / ATLAS)
            vertices.append(shape.vertices)
            normals.append(shape.normals())
            faces.append(shape.faces + offset)
            offset += len(shape.vertices)
        points = np.concatenate(vertices)
        center = (points.min(axis=0) + points.max(axis=0)) / 2
        points = (points - center) * (BOUNDING_RADIUS / np.linalg.norm(points - center, axis=1).max())
        return Mesh(
            points.astype(np.float32),
            np.concatenate(faces).astype(np.int32),
            np.concatenate(normals).astype(np.float32),
            np.concatenate(uvs).astype(np.float32),
            texture,
        )
