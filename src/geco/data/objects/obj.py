"""Wavefront OBJ, read line by line: polygons as fans, negative indices, several materials, colours after the
positions.

A ``#`` opens a comment at the beginning of a line, and behind numbers; names keep theirs (``Material #25``).
Dropped: normals, points, lines, free-form surfaces, groups.
"""

from __future__ import annotations

import re
from array import array
from itertools import pairwise

import numpy as np

from geco.data.objects.folder import Folder
from geco.data.objects.lines import count_lines, read_lines
from geco.data.objects.mtl import Finish, find_named, read_mtl
from geco.data.objects.names import comparable, decode_name, parent, spellings
from geco.data.objects.pictures import Pictures
from geco.data.objects.refusal import ObjectError, Reason
from geco.data.objects.soup import Soup, SoupPart
from geco.types import Ints, Longs


def read_obj(folder: Folder) -> Soup:
    """All triangles of an OBJ file and the materials that it uses.

    Raises:
        ObjectError: with the reason; ValueError and IndexError mean a broken library.
    """
    folder.spend_file(folder.own)
    if count_lines(folder, b"f", folder.limits.faces) > folder.limits.faces:
        raise ObjectError(Reason.TOO_MANY_FACES, f"{folder.name}: more than {folder.limits.faces} faces")
    text = _Text(folder)
    for line in read_lines(folder):
        try:
            text.take(line)
        except (ValueError, IndexError, OverflowError) as error:
            why = "decimal commas" if re.search(rb"\d,\d", line) else error
            problem = f"{folder.name}: a line that cannot be read, {decode_name(line[:60])!r} ({why})"
            raise ObjectError(Reason.BROKEN, problem) from error
    return _soup(text, folder)


class _Text:
    """The statements of an OBJ file, as flat arrays.

    Attributes:
        positions, colors: three numbers a vertex; colours only once a vertex has one.
        uvs: two numbers each.
        corners: three numbers a corner: vertex, texture coordinate + 1 (0 = none), material.
    """

    def __init__(self, folder: Folder) -> None:
        self.name, self.limits = folder.name, folder.limits
        self.positions, self.colors, self.uvs = array("d"), array("d"), array("d")
        self.corners = array("i")
        self.materials: dict[bytes, int] = {b"": 0}
        self.libraries: dict[str, None] = {}
        self.material = 0

    def take(self, line: bytes) -> None:
        """Add one statement; ValueError, IndexError and the like for what cannot be read."""
        words = line.split()
        if not words:
            return
        noted = b"#" in line  # a comment behind numbers, perhaps
        match words[0]:
            case b"v":
                self._vertex(_numbers(words) if noted else words)
            case b"vt":
                words = _numbers(words) if noted else words
                self.uvs.append(float(words[1]))
                self.uvs.append(float(words[2]) if len(words) > 2 else 0.0)
            case b"f" | b"fo":
                self._face(_numbers(words) if noted else words)
            case b"usemtl":
                self.material = self.materials.setdefault(_rest(line), len(self.materials))
            case b"mtllib":
                self.libraries.setdefault(decode_name(_rest(line)))
        if max(len(self.positions), len(self.uvs)) > 9 * self.limits.faces:
            raise ObjectError(
                Reason.TOO_LARGE, f"{self.name}: more vertices than {self.limits.faces} faces have corners"
            )
        if len(self.materials) > self.limits.materials or len(self.libraries) > self.limits.materials:
            raise ObjectError(Reason.TOO_LARGE, f"{self.name}: more than {self.limits.materials} materials")

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
        vertex = vertex - 1 if vertex > 0 else len(self.positions) // 3 + vertex if vertex < 0 else -1
        uv = int(pieces[1]) if len(pieces) > 1 and pieces[1] else 0
        if uv < 0:
            uv += len(self.uvs) // 2 + 1
        if vertex < 0 or uv < 0:
            raise ObjectError(Reason.BROKEN, f"{self.name}: face indices beyond the vertices")
        return vertex, uv, self.material


def _numbers(words: list[bytes]) -> list[bytes]:
    """Without a comment behind them."""
    return words[: next((at for at, word in enumerate(words) if word.startswith(b"#")), len(words))]


def _rest(line: bytes) -> bytes:
    """What follows the first word: names may hold spaces."""
    return ([*line.split(None, 1), b""])[1].strip()


def _soup(text: _Text, folder: Folder) -> Soup:
    soup = Soup(up="y", colored=len(text.colors) > 0)
    corners = np.frombuffer(text.corners, np.int32).reshape(-1, 3)
    if not len(corners):
        return soup
    positions = np.frombuffer(text.positions, np.float64).reshape(-1, 3)
    # row 0: a corner without one
    uvs = np.concatenate([[[0.0, 1.0]], np.frombuffer(text.uvs, np.float64).reshape(-1, 2)])
    if corners[:, 0].max() >= len(positions) or corners[:, 1].max() >= len(uvs):
        raise ObjectError(Reason.BROKEN, f"{folder.name}: face indices beyond the vertices")
    shades = np.frombuffer(text.colors, np.float64).reshape(-1, 3) if len(text.colors) else None
    if shades is not None and shades.max() > 1.5:
        shades = shades / 255  # some scanners write bytes
    names, finishes, pictures = (
        list(text.materials),
        _Finishes(text.libraries, folder, soup),
        Pictures(folder),
    )
    for material, own in _by_material(corners):
        folder.tick()
        finish = finishes[names[material]]
        soup.notes.update(finish.notes)
        slot = soup.add_material(*finish.texture(folder, pictures))
        soup.colored |= finish.colored
        codes, faces = np.unique(own[:, 0] * len(uvs) + own[:, 1], return_inverse=True)
        vertex, uv = codes // len(uvs), codes % len(uvs)
        tint = np.broadcast_to(np.asarray(finish.tint, np.float64), (len(vertex), 3))
        colors = np.clip(tint if shades is None else tint * shades[vertex], 0, 1)
        placed = uvs[uv] if finish.shown is None else uvs[uv] * finish.shown.scale + finish.shown.offset
        placed = (placed * [1, -1] + [0, 1]).astype(np.float32)  # OBJ's origin is at the bottom left
        soup.parts.append(
            SoupPart(positions[vertex], faces.reshape(-1, 3), placed, colors.astype(np.float32), slot)
        )
    return soup


def _by_material(corners: Ints) -> list[tuple[int, Longs]]:
    """Each used material with its corners (N, 2): vertex and texture coordinate; sorted once,
    whatever their number.
    """
    owner = corners[::3, 2]
    order = np.argsort(owner, kind="stable")
    used, starts = np.unique(owner[order], return_index=True)
    faces = corners.reshape(-1, 3, 3)[order][:, :, :2].astype(np.int64)
    return [(int(each), part.reshape(-1, 2)) for each, part in zip(used, np.split(faces, starts[1:]))]


class _Finishes:
    """Materials of all libraries by name; a library that is not there gives none, and the object
    may then be untextured.
    """

    def __init__(self, libraries: dict[str, None], folder: Folder, soup: Soup) -> None:
        self.soup, self.known = soup, {}  # type: Soup, dict[str, Finish]
        places: dict[str, None] = {}
        for library in libraries:
            folder.tick()
            found = _places(library, folder)
            self.soup.notes["library-missing"] += found.count(None)
            places.update({place: None for place in found if place is not None})
        for place in places:
            data = folder.read(place, folder.limits.library_bytes)
            self.known |= read_mtl(data, parent(place), folder.name, folder.limits.materials, folder.tick)
            if len(self.known) > folder.limits.materials:
                raise ObjectError(
                    Reason.TOO_LARGE, f"{folder.name}: more than {folder.limits.materials} materials"
                )
        self.soup.notes = +self.soup.notes
        self.alike = {comparable(name): finish for name, finish in reversed(self.known.items())}

    def __getitem__(self, name: bytes) -> Finish:
        """The material of a usemtl statement; a white one, with a note, where there is none of that name."""
        wanted = spellings(decode_name(name))
        for known, each in [(self.known, each) for each in wanted] + [
            (self.alike, comparable(each)) for each in wanted
        ]:
            if each in known:
                return known[each]
        if name:
            self.soup.notes["material-missing"] += 1
        return Finish()


def _places(library: str, folder: Folder) -> list[str | None]:
    """The files of an mtllib statement: one whose name holds spaces, or several; None for each
    that is not there.
    """
    beside = parent(folder.own)
    whole = _place(library, beside, folder)
    if whole is not None:
        return [whole]
    parts = re.split(r"(?<=\.mtl)[\"']?\s+", library, flags=re.IGNORECASE)
    several = [name.strip("\"'") for name in parts if name.strip("\"'")]
    if len(several) < 2:
        several = library.split()
    return (
        [_place(name, beside, folder) for name in several[: folder.limits.materials]]
        if len(several) > 1
        else [None]
    )


def _place(name: str, beside: str, folder: Folder) -> str | None:
    try:
        return find_named(folder, name, beside)
    except ObjectError as error:
        if error.reason != Reason.MISSING:
            raise
        return None
