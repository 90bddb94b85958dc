"""Text formats line by line, in little memory whatever the file holds."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from geco.data.objects.folder import Folder
from geco.data.objects.refusal import ObjectError, Reason

_BLOCK = 1 << 18
_OVERLAP = 64
_MANY = 4096  # lines between two looks at the clock


def count_lines(folder: Folder, word: bytes, enough: int) -> int:
    """Lines of the object whose first word is ``word``, counted block by block until they are more than
    ``enough``.

    Raises:
        ObjectError: broken, a file that is not text.
    """
    pattern = re.compile(rb"[\r\n][ \t]*" + word + rb"[ \t]")
    total, held = 0, b"\n"
    for block in _blocks(folder):
        if b"\0" in block:
            raise ObjectError(Reason.BROKEN, f"{folder.name}: not a text file")
        text = held + block
        cut = max(text.rfind(b"\n"), text.rfind(b"\r"))
        total += len(pattern.findall(text, 0, cut))
        if total > enough:
            return total
        held = text[cut : cut + _OVERLAP]  # of the last line, only its first word matters
    return total + len(pattern.findall(held))


def read_lines(folder: Folder) -> Iterator[bytes]:
    """Statements of the object: continued ones (a backslash at the end) joined, lines that begin with ``#``
    left out.

    Raises:
        ObjectError: too-large, a line longer than the limits; no more than that is ever held. Or too-slow.
    """
    most, held = folder.limits.line_bytes, b""
    for number, line in enumerate(_lines(folder, most)):
        if number % _MANY == 0:
            folder.tick()
        line = line.strip()
        if len(held) + len(line) >= most:
            raise _too_long(folder, most)
        if not held and line.startswith(b"#"):
            continue
        line, held = held + line, b""
        if line.endswith(b"\\"):
            held = line[:-1] + b" "
        else:
            yield line
    yield held


def _lines(folder: Folder, most: int) -> Iterator[bytes]:
    """Lines, whichever way they end: ``\\n``, ``\\r\\n`` or ``\\r``."""
    held = b""
    for block in _blocks(folder):
        folder.tick()
        lines = (held + block).splitlines(keepends=True)
        held = lines.pop()  # it may go on in the next block, and a \r at its end be half of a \r\n
        if len(held) >= most or any(len(line) >= most for line in lines):
            raise _too_long(folder, most)
        yield from lines
    yield from held.splitlines()


def _blocks(folder: Folder) -> Iterator[bytes]:
    """The file's bytes, without a byte order mark; UTF-16 as UTF-8."""
    with folder.open(folder.own) as stream:
        block = stream.read(_BLOCK)
        decoder = None
        if block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            decoder = codecs.getincrementaldecoder("utf-16")("replace")
        block = block.removeprefix(codecs.BOM_UTF8)
        while block:
            yield decoder.decode(block).encode("utf-8", "replace") if decoder else block
            block = stream.read(_BLOCK)


def _too_long(folder: Folder, most: int) -> ObjectError:
    return ObjectError(Reason.TOO_LARGE, f"{folder.name}: a line longer than {most} bytes")
