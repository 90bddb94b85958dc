"""Zip archives in and out: one of pictures, whose contents nobody trusts, and one of meshes, sent as they
come.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import IO, Any

from geco.serve.errors import Refusal
from geco.serve.jobs import Made
from geco.serve.settings import Limits

MOST_ENTRIES = 10_000  # of an archive, folders and all; parsing them costs 10 µs and 1 kB each
EXPANDED = 4  # times the limit of an upload: the bytes of all pictures together; pictures hardly compress
# What zipfile unpacks piece by piece; of bzip2 and LZMA a few kilobytes may become gigabytes at once.
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
MANIFEST = "manifest.json"
SKIPPED = 200  # entries that are no pictures and are named; the others are counted


@dataclass
class Manifest:
    """What an archive of meshes says of itself: every picture of the request stands in it once a seed."""

    model: str | None = None
    results: list[dict[str, Any]] = field(default_factory=list)
    failures: list[dict[str, Any]] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)

    def done(self, picture: str, made: Made, files: list[str]) -> None:
        """Note a mesh."""
        self.model = made.model
        timings = {stage: round(seconds, 4) for stage, seconds in made.timings.items()}
        row = {"picture": picture, "seed": made.seed, "files": files, "timings": timings}
        self.results.append({**row, "facts": json.loads(made.facts)})

    def failed(self, picture: str, seed: int, refusal: Refusal) -> None:
        """Note one that there is not."""
        error = {"type": refusal.kind, "problem": refusal.problem, "remedy": refusal.remedy}
        self.failures.append({"picture": picture, "seed": seed, "error": error})

    def text(self) -> str:
        """As JSON."""
        return json.dumps(vars(self), indent=1, ensure_ascii=False)


class Pieces:
    """An archive that is written while it is sent: each call gives the bytes to be sent next. The same files
    in the same order give the same bytes.
    """

    def __init__(self) -> None:
        self._out = _Sink()
        self._zip = zipfile.ZipFile(self._out, "w")
        self._names: set[str] = {MANIFEST}

    def add(self, stem: str, made: Made) -> tuple[list[str], bytes]:
        """The files of a mesh, named after ``stem``: their names and the bytes to send."""
        stem = self._free(stem)
        files = [(f"{stem}{PurePosixPath(made.name).suffix}", made.body)]
        if made.name.endswith(".zip"):  # of several files: in a folder of their own
            with zipfile.ZipFile(io.BytesIO(made.body)) as inner:
                files = [(f"{stem}/{name}", inner.read(name)) for name in inner.namelist()]
        for name, data in files:
            # without a date; compressed, since readers of streams want to know where an entry ends
            self._zip.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
        return [name for name, _ in files], self._out.take()

    def end(self, manifest: Manifest) -> bytes:
        """The manifest, and the archive's directory."""
        self._zip.writestr(zipfile.ZipInfo(MANIFEST), manifest.text(), zipfile.ZIP_DEFLATED)
        self._zip.close()
        return self._out.take()

    def _free(self, stem: str) -> str:
        """A name that no other result has, whatever the case."""
        found, number = stem, 1
        while found.casefold() in self._names:
            number += 1
            found = f"{stem}-{number}"
        self._names.add(found.casefold())
        return found


class _Sink(io.RawIOBase):
    """Keeps what is written until it is taken."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._sent = 0

    def writable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Bytes so far."""
        return self._sent + len(self._kept)

    def write(self, data: Any) -> int:
        """Keep."""
        self._kept += data
        return len(data)

    def take(self) -> bytes:
        """What was written since the last call."""
        taken, self._kept = bytes(self._kept), bytearray()
        self._sent += len(taken)
        return taken


class Pictures:
    """The pictures of an uploaded archive, looked at but not unpacked.

    Attributes:
        names: of the pictures, as the archive has them, in its order.
        skipped: what else there is.

    Raises:
        Refusal: 422, it is no archive, holds no picture, or more of anything than the limits allow.
    """

    def __init__(self, file: IO[bytes], limits: Limits) -> None:
        self._limits, self._pixels = limits, 0
        self.names: list[str] = []
        self.skipped: list[dict[str, str]] = []
        if _entries(file) > MOST_ENTRIES:
            raise _refusal(f"the archive has more than {MOST_ENTRIES} entries", "Send fewer.")
        try:
            self._zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
            raise _refusal("the field pictures is no whole zip archive", "Make it anew.") from error
        self._infos = {info.filename: info for info in self._zip.infolist() if self._is_picture(info)}
        self.names = list(self._infos)
        self._check()

    def count(self, made: Made) -> None:
        """A picture became a mesh: its pixels count."""
        self._pixels += made.pixels

    def read(self, name: str) -> bytes:
        """One picture's bytes.

        Raises:
            Refusal: 422, it is encrypted, damaged, or packed in a way that is not taken; or those before had
                all the pixels that one archive may have.
        """
        if self._pixels > self._limits.batch_pixels:
            problem = "the pictures before this one have more pixels than one archive may have"
            raise _refusal(
                problem, "Send it in another one; the limit is this server's (--max-batch-pixels)."
            )
        info = self._infos[name]
        if info.flag_bits & 1:
            raise _refusal("the picture is encrypted", "Make the archive without a password.")
        if info.compress_type not in METHODS:
            raise _refusal("the picture is packed by another method than deflate", "Make the archive anew.")
        if info.file_size > self._limits.upload:
            raise _refusal(f"the picture has {info.file_size} bytes; {self._limits.upload} are the most")
        try:
            return self._zip.read(info)  # at most as many bytes as the directory says
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, OSError) as error:
            raise _refusal("the picture is damaged in the archive", "Make the archive anew.") from error

    def _is_picture(self, info: zipfile.ZipInfo) -> bool:
        from geco.images.formats import SUFFIXES

        path = PurePosixPath(info.filename)
        hidden = any(part == "__MACOSX" or (part[0] == "." and part.strip(".")) for part in path.parts)
        if not info.is_dir() and not hidden and path.suffix.lower() in SUFFIXES:
            return True
        if not info.is_dir() and not hidden and len(self.skipped) < SKIPPED:
            self.skipped.append({"name": info.filename, "why": "no picture by its name"})
        return False

    def _check(self) -> None:
        if not self.names:
            raise _refusal("the archive holds no picture", "Put PNG, JPEG or WebP files into it.")
        if len(self.names) > self._limits.batch:
            problem = f"the archive holds {len(self.names)} pictures; {self._limits.batch} are the most"
            raise _refusal(problem, "Send several archives; the limit is this server's (--max-batch).")
        most = EXPANDED * self._limits.upload
        if sum(info.file_size for info in self._infos.values()) > most:
            raise _refusal(f"the pictures have more than {most} bytes when unpacked", "Send fewer.")


def wanted(names: list[str], seeds: range) -> Iterator[tuple[str, int, str]]:
    """Each picture's name, each seed, and what its files shall be called."""
    from geco.mesh.export import object_name

    for name in names:
        stem = object_name(PurePosixPath(name).stem)
        for seed in seeds:
            yield name, seed, f"{stem}-seed{seed}" if len(seeds) > 1 else stem


def _entries(file: IO[bytes]) -> int:
    """At most so many entries zipfile would read: each begins with these four bytes."""
    count = file.read().count(b"PK\x01\x02")
    file.seek(0)
    return count


def _refusal(problem: str, remedy: str = "Send a smaller one.") -> Refusal:
    return Refusal(422, "InvalidRequest", problem, remedy)
