"""Reading what a file names: only where that is safe, only so many bytes, and only so long."""

from __future__ import annotations

import re
import time
from typing import BinaryIO
from urllib.parse import unquote

from geco.data.objects.limits import Limits
from geco.data.objects.names import comparable, joined, parent
from geco.data.objects.refusal import ObjectError, Reason
from geco.data.objects.search import Ground
from geco.data.objects.storage import Storage

_LOOKS = 0.02  # seconds between two looks at the processor's clock
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
_DRIVE = re.compile(r"[A-Za-z]:")


class Folder:
    """What one object may read; all names are those of its storage.

    Args:
        storage: where its files lie; nothing outside is opened.
        own: the object's own file.
        name: of the object, for messages.
        suffixes: what makes a file of the storage another object, whose files are not taken for this one's.

    Attributes:
        left: bytes that may still be read.
    """

    def __init__(
        self, storage: Storage, own: str, name: str, limits: Limits, suffixes: tuple[str, ...]
    ) -> None:
        self.storage, self.own, self.name, self.limits = storage, own, name, limits
        self.left = limits.file_bytes
        self._seconds = limits.seconds
        self._start, self._next = time.thread_time(), 0.0
        self._ground = Ground(storage, parent(own), suffixes, limits.search_files)
        self._cases: dict[str, dict[str, list[str]]] = {}

    def find(self, uri: str, beside: str, percent: bool = False) -> str:
        """The file that ``uri`` means in a file of folder ``beside``.

        The exact place first, then the same place in other letters' case, then the nearest file of that name
        on the object's own ground (:mod:`geco.data.objects.search`). Absolute places are of another machine:
        only their names count.

        Args:
            percent: decode %20 and the like (glTF).

        Raises:
            ObjectError: unsafe-path, missing, or unsupported (another machine's address).
        """
        raw = uri.replace("\\", "/")
        text = unquote(raw) if percent else raw
        if _SCHEME.match(text):
            raise ObjectError(
                Reason.UNSUPPORTED, f"{self.name}: names {_short(text)}, only files beside it are read"
            )
        absolute = text.startswith("/") or _DRIVE.match(text) is not None
        if "\0" in text:
            raise ObjectError(Reason.UNSAFE_PATH, f"{self.name}: names {_short(text)}")
        if not absolute:
            for each in dict.fromkeys((text, raw)):
                place = joined(beside, each)
                if place is None:
                    raise self._unsafe(text)
                if (found := self._exact(place)) is not None:
                    if not self.storage.is_inside(found):
                        raise self._unsafe(text)
                    return found
        if (found := self._ground.search(text)) is not None:
            return found
        if absolute:
            problem = (
                f"{self.name}: names the absolute path {_short(text)}, and no file of that name lies "
                f"beside it"
            )
            raise ObjectError(Reason.UNSAFE_PATH, problem, "Make it relative.")
        raise ObjectError(Reason.MISSING, f"{self.name}: names {_short(text)}, which is not there")

    def open(self, name: str) -> BinaryIO:
        """A stream of a file, its bytes not yet :meth:`spend` of."""
        return self.storage.open(name)

    def size(self, name: str) -> int:
        """Bytes of a file."""
        return self.storage.size(name)

    def read(self, name: str, most: int | None = None) -> bytes:
        """All bytes of a file; raises :class:`ObjectError` (too-large) beyond ``most``, or what
        the object may read.
        """
        size = self.size(name)
        if most is not None and size > most:
            raise ObjectError(
                Reason.TOO_LARGE,
                f"{self.name}: names {_short(name)} of {size >> 20} MiB, more than {most >> 20}",
            )
        self.spend_file(name)
        with self.open(name) as stream:
            return stream.read(size)

    def spend_file(self, name: str) -> None:
        """As :meth:`spend`, a whole file."""
        self.spend(self.size(name), self.storage.stored(name))

    def spend(self, count: int, stored: int | None = None) -> None:
        """Take ``count`` bytes off what this object may still read; what lies ``stored`` adds to its time."""
        self.left -= count
        self._seconds += (count if stored is None else stored) / 2**20
        if self.left < 0:
            raise ObjectError(Reason.TOO_LARGE, f"{self.name}: more than {self.limits.file_bytes >> 20} MiB")

    def tick(self) -> None:
        """Called wherever a reader repeats itself.

        Raises:
            ObjectError: too-slow, the object has taken more processor time than the limits.
        """
        # The processor's clock is slow to ask on some systems; it cannot be ahead of the wall's.
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + _LOOKS
        if time.thread_time() - self._start > self._seconds:
            raise ObjectError(
                Reason.TOO_SLOW,
                f"{self.name}: reading it takes more than {self._seconds:.0f} s of processor time",
                "Simplify it (fewer parts, materials, smaller textures), or raise --read-limit.",
            )

    def _unsafe(self, text: str) -> ObjectError:
        return ObjectError(
            Reason.UNSAFE_PATH,
            f"{self.name}: names {_short(text)}, which is outside the folder that was given",
            "Give a folder that holds both; links into another folder need --allow-links-to.",
        )

    def _exact(self, place: str) -> str | None:
        """The file at ``place``, or at the one place that differs from it by letter case only."""
        if self.storage.is_file(place):
            return place
        at = ""
        for part in place.split("/"):
            if at not in self._cases:
                listed: dict[str, list[str]] = {}
                for name in self.storage.entries(at):
                    listed.setdefault(comparable(name), []).append(name)
                self._cases[at] = listed
            names = self._cases[at].get(comparable(part), [])
            if part not in names and len(names) != 1:
                return None
            at = f"{at}/{part if part in names else names[0]}".lstrip("/")
        return at if self.storage.is_file(at) else None


def _short(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")
