"""STL, binary or text: z up, triangles only. It has no colours, so that it is untextured unless
the limits allow that.
"""

from __future__ import annotations

from array import array

import numpy as np
from numpy.typing import NDArray

from geco.data.objects.folder import Folder
from geco.data.objects.limits import Limits
from geco.data.objects.lines import count_lines, read_lines
from geco.data.objects.refusal import ObjectError, Reason
from geco.data.objects.soup import Soup, SoupPart
from geco.types import Doubles

# After 80 bytes of comment and 4 of count; the two bytes at the end mean different things to different
# programs.
_HEAD = 84
_RECORD = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])


def read_stl(folder: Folder) -> Soup:
    """All triangles; raises :class:`ObjectError`, or ValueError for a broken text file."""
    size = folder.size(folder.own)
    folder.spend_file(folder.own)
    with folder.open(folder.own) as file:
        head = file.read(_HEAD)
        count = int.from_bytes(head[80:], "little")
        announced = _HEAD + _RECORD.itemsize * count
        # Some binary files begin with "solid" too; their length gives them away.
        if head.lstrip()[:5].lower() == b"solid" and size != announced:
            return _soup(_text(folder))
        if size < announced or size < _HEAD:
            raise ObjectError(Reason.BROKEN, f"{folder.name}: truncated, {size} of {announced} bytes")
        _check(count, folder.name, folder.limits)
        return _soup(np.frombuffer(file.read(_RECORD.itemsize * count), _RECORD)["corners"].reshape(-1, 3))


def _text(folder: Folder) -> Doubles:
    _check(count_lines(folder, b"vertex", 3 * folder.limits.faces) // 3, folder.name, folder.limits)
    numbers, closed = array("d"), False
    for line in read_lines(folder):
        words = line.split()
        if words[:1] == [b"vertex"]:
            x, y, z = words[1:4]
            numbers.extend((float(x), float(y), float(z)))
        closed |= words[:1] == [b"endsolid"]
    if not closed or len(numbers) % 9:
        raise ObjectError(Reason.BROKEN, f"{folder.name}: truncated, no endsolid")
    return np.frombuffer(numbers, np.float64).reshape(-1, 3)


def _check(count: int, name: str, limits: Limits) -> None:
    if count > limits.faces:
        raise ObjectError(Reason.TOO_MANY_FACES, f"{name}: {count} faces, more than {limits.faces}")


def _soup(corners: NDArray[np.floating]) -> Soup:
    soup, count = Soup(up="z"), len(corners)
    faces = np.arange(count, dtype=np.int32).reshape(-1, 3)
    white, nowhere = np.ones((count, 3), np.float32), np.zeros((count, 2), np.float32)
    soup.parts.append(SoupPart(corners, faces, nowhere, white, soup.add_material()))
    return soup
