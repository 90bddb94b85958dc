"""Names inside and of files: from any picture's name to what every reader of every format takes."""

from __future__ import annotations

import hashlib
import unicodedata

UNNAMED = "object"
# characters of a name inside a file: whole in every viewer's list, and no file's name becomes too long
LONGEST = 64


def object_name(stem: str) -> str:
    """A picture's name as that of its object: letters and digits of any script, ``_ . -``; or UNNAMED."""
    text = unicodedata.normalize("NFC", stem)
    kept = "".join(letter if _is_plain(letter) else " " for letter in text)
    return "_".join(kept.split())[:LONGEST].strip("_.-") or UNNAMED


def ascii_name(name: str) -> str:
    """The same in ASCII, for names that are looked up: OBJ readers disagree about encodings and spaces."""
    text = unicodedata.normalize("NFKD", name)  # é becomes e and an accent, which is left out
    kept = "".join(
        letter if letter.isascii() and _is_plain(letter) else "" if unicodedata.combining(letter) else " "
        for letter in text
    )
    return "_".join(kept.split())[:LONGEST].strip("_.-") or UNNAMED


def usd_name(name: str) -> str:
    """An identifier of USD: ASCII letters, digits and ``_``, no digit first (AR viewers read no other)."""
    text = "".join(letter if letter.isalnum() else "_" for letter in ascii_name(name))
    return f"_{text}" if text[0].isdigit() else text


def name_of_content(stem: str, data: bytes, suffix: str, digits: int = 8) -> str:
    """The name of a file that never changes: ``STEM-1a2b3c4d.SUFFIX``, the number of its bytes (SHA-256)."""
    return f"{ascii_name(stem)}-{hashlib.sha256(data).hexdigest()[:digits]}{suffix}"


def _is_plain(letter: str) -> bool:
    return letter in "_.-" or unicodedata.category(letter)[0] in "LNM"
