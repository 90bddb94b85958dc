"""Names as files of other programs write them, and as other systems store them, made comparable."""

from __future__ import annotations

import contextlib
import os
import re
import unicodedata
from pathlib import PurePosixPath


def decode_name(data: bytes) -> str:
    """A name in a text file: UTF-8 where it is that, else the code page that most exporters of
    Windows write in.
    """
    for encoding in ("utf-8", "cp1252", "latin-1"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise AssertionError("latin-1 decodes everything")


def comparable(name: str) -> str:
    """The same for names that differ by letter case, by composed accents (macOS), or by the
    encoding of their bytes.
    """
    with contextlib.suppress(UnicodeEncodeError):  # a name that this system cannot have is compared as it is
        name = decode_name(os.fsencode(name))
    return unicodedata.normalize("NFC", name).casefold()


def joined(folder: str, name: str) -> str | None:
    """``name`` as seen from ``folder``, without ``.`` and ``..``; None where it leaves the root."""
    parts: list[str] = [part for part in folder.split("/") if part]
    for part in name.split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def parent(name: str) -> str:
    """The folder of a name; of the root the root."""
    above = PurePosixPath(name).parent.as_posix()
    return "" if above == "." else above


def spellings(name: str) -> list[str]:
    """What a name may mean, likeliest first: ``#`` belongs to names, and yet a comment may follow one."""
    found = [name]
    if len(name) > 2 and name[0] == name[-1] and name[0] in "\"'":
        found.append(name[1:-1])
    if (cut := re.match(r"(.*?\S)\s+#", name)) is not None:
        found.append(cut[1])
    return list(dict.fromkeys(found))
