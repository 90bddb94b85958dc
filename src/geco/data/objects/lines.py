"""Text formats line by line, in little memory whatever the file holds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from geco.data.objects.limits import Limits
from geco.data.objects.refusal import ObjectError, Reason

_BLOCK = 1 << 18
_OVERLAP = 64


def count_lines(path: Path, word: bytes, name: str, enough: int) -> int:
    """Lines whose first word is ``word``, counted block by block until they are more than ``enough``.

    Raises:
        ObjectError: broken, a file that is not text.
    """
    pattern = re.compile(rb"[\r\n][ \t]*" + word + rb"[ \t]")
    total, held = 0, b"\n"
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            if b"\0" in block:
                raise ObjectError(Reason.BROKEN, f"{name}: not a text file")
            text = held + block
            cut = max(text.rfind(b"\n"), text.rfind(b"\r"))
            total += len(pattern.findall(text, 0, cut))
            if total > enough:
                return total
            held = text[cut : cut + _OVERLAP]  # of the last line, only its first word matters
    return total + len(pattern.findall(held))


def read_lines(path: Path, name: str, limits: Limits, comment: bytes | None = b"#") -> Iterator[bytes]:
    """Statements without their comments, continued ones (a backslash at the end) joined.

    Raises:
        ObjectError: too-large, a line longer than the limits; no more than that is ever held.
    """
    held = b""
    with path.open("rb") as file:
        while line := file.readline(limits.line_bytes):
            if len(held) + len(line) >= limits.line_bytes:
                raise ObjectError(Reason.TOO_LARGE, f"{name}: a line longer than {limits.line_bytes} bytes")
            line = held + (line if comment is None else line.partition(comment)[0]).rstrip()
            held = b""
            if line.endswith(b"\\"):
                held = line[:-1] + b" "
            else:
                yield line
    yield held
