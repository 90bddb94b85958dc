"""Wavefront OBJ, read line by line: polygons as fans, negative indices, several materials, colours after the positions.

Dropped: normals, points, lines, free-form surfaces, groups.
"""

from __future__ import annotations

from array import array
from itertools import pairwise
from pathlib import Path

import numpy as np

from geco.data.objects.folder import Folder
from geco.data.objects.limits import Limits
from geco.data.objects.lines import count_lines, read_lines
from geco.data.objects.mtl import Finish, read_mtl
from geco.data.objects.pictures import Pictures
from geco.data.objects.refusal import ObjectError, Reason
from geco.data.objects.soup import Part, Soup


def read_obj(path: Path, folder: Folder, limits: Limits) -> Soup:
    """All triangles of an OBJ file and the materials that it uses.

    Raises:
        ObjectError: with the reason; ValueError and IndexError mean a broken file.
    """
    folder.spend(path.stat().st_size)
    lines = count_lines(path, b"f", folder.name, limits.faces)
    if lines > limits.faces:
        raise ObjectError(Reason.TOO_MANY_FACES, f"{folder.name}: more than {limits.faces} faces")
    text = _Text(folder.name, limits)
    for line in read_lines(path, folder.name, limits):
        text.take(line)
    return _soup(text, path, folder, limits)


class _Text:
    """The statements of an OBJ file, as flat arrays.

    Attributes:
        positions, colors: three numbers a vertex; colours only once a vertex has one.
        uvs: two numbers each.
        corners: three numbers a corner: vertex, texture coordinate + 1 (0 = none), material.
    """

    def __init__(self, name: str, limits: Limits) -> None:
        self.name, self.limits = name, limits
        self.positions, self.colors, self.uvs = array("d"), array("d"), array("d")
        self.corners = array("i")
        self.materials: dict[str, int] = {"": 0}
        self.libraries: list[str] = []
        self.material = 0

    def take(self, line: bytes) -> None:
        words = line.split()
        if not words:
            return
        match words[0]:
            case b"v":
                self._vertex(words)
            case b"vt":
                self.uvs.append(float(words[1]))
                self.uvs.append(float(words[2]) if len(words) > 2 else 0.0)
            case b"f" | b"fo":
                self._face(words)
            case b"usemtl":
                name = _rest(line)
                self.material = self.materials.setdefault(name, len(self.materials))
            case b"mtllib":
                self.libraries.append(_rest(line))
        if max(len(self.positions), len(self.uvs), len(self.materials)) > 9 * self.limits.faces:
            raise ObjectError(Reason.TOO_LARGE, f"{self.name}: more vertices than {self.limits.faces} faces have corners")

    def _vertex(self, words: list[bytes]) -> None:
        x, y, z = words[1:4]
        self.positions.extend((float(x), float(y), float(z)))
        if len(words) >= 7:
            if not self.colors:
                self.colors.extend([1.0] * (len(self.positions) - 3))
            self.colors.extend(map(float, words[4:7]))
        elif self.colors:
            self.colors.extend((1.0, 1.0, 1.0))

    def _face(self, words: list[bytes]) -> None:
        corners = [self._corner(word) for word in words[1:]]
        first = corners[0]
        for second, third in pairwise(corners[1:]):
            self.corners.extend((*first, *second, *third))
        if len(self.corners) > 9 * self.limits.faces:
            raise ObjectError(Reason.TOO_MANY_FACES, f"{self.name}: more than {self.limits.faces} faces")

    def _corner(self, word: bytes) -> tuple[int, int, int]:
        pieces = word.split(b"/")
        vertex = int(pieces[0])
        vertex = vertex - 1 if vertex > 0 else len(self.positions) // 3 + vertex
        uv = int(pieces[1]) if len(pieces) > 1 and pieces[1] else 0
        if uv < 0:
            uv += len(self.uvs) // 2 + 1
        if vertex < 0 or uv < 0 or pieces[0].lstrip(b"-+0") == b"":
            raise ObjectError(Reason.BROKEN, f"{self.name}: face indices beyond the vertices")
        return vertex, uv, self.material


def _rest(line: bytes) -> str:
    """What follows the first word: names may hold spaces."""
    return line.strip().partition(b" ")[2].strip().decode("utf-8", "surrogateescape")


def _soup(text: _Text, path: Path, folder: Folder, limits: Limits) -> Soup:
    soup = Soup(up="y", colored=len(text.colors) > 0)
    corners = np.frombuffer(text.corners, np.int32).reshape(-1, 3)
    if not len(corners):
        return soup
    positions = np.frombuffer(text.positions, np.float64).reshape(-1, 3)
    uvs = np.concatenate([[[0.0, 1.0]], np.frombuffer(text.uvs, np.float64).reshape(-1, 2)])  # row 0: a corner without one
    if corners[:, 0].max() >= len(positions) or corners[:, 1].max() >= len(uvs):
        raise ObjectError(Reason.BROKEN, f"{folder.name}: face indices beyond the vertices")
    shades = np.frombuffer(text.colors, np.float64).reshape(-1, 3) if len(text.colors) else None
    if shades is not None and shades.max() > 1.5:
        shades = shades / 255  # some scanners write bytes
    names = [name for name, _ in sorted(text.materials.items(), key=lambda entry: entry[1])]
    finishes = _finishes(text.libraries, path, folder)
    pictures, owner = Pictures(folder.name, limits), corners[::3, 2]
    for material in np.unique(owner):
        finish = finishes.get(names[material], Finish())
        slot = soup.add_material(*finish.texture(folder, pictures))
        soup.colored |= finish.colored
        own = corners.reshape(-1, 3, 3)[owner == material][:, :, :2].reshape(-1, 2).astype(np.int64)
        codes, faces = np.unique(own[:, 0] * len(uvs) + own[:, 1], return_inverse=True)
        vertex, uv = codes // len(uvs), codes % len(uvs)
        tint = np.broadcast_to(np.asarray(finish.tint, np.float64), (len(vertex), 3))
        colors = np.clip(tint if shades is None else tint * shades[vertex], 0, 1)
        placed = (uvs[uv] * [1, -1] + [0, 1]).astype(np.float32)  # OBJ's origin is at the bottom left
        soup.parts.append(Part(positions[vertex], faces.reshape(-1, 3), placed, colors.astype(np.float32), slot))
    return soup


def _finishes(libraries: list[str], path: Path, folder: Folder) -> dict[str, Finish]:
    """Materials of all libraries by name; a library that is not there gives none, and the object is then untextured."""
    found: dict[str, Finish] = {}
    for library in dict.fromkeys(libraries):
        try:
            place = folder.find(library, path.parent)
        except ObjectError as error:
            if error.reason != Reason.MISSING:
                raise
            continue
        found.update(read_mtl(folder.read(place), place))
    return found
