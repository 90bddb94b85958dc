"""Folders of objects made small enough to travel: quantised geometry, reduced WebP textures, archives of a
bounded size.

A machine with a graphics card often stands behind a slow line. What travels is not pictures, which take a
hundred times as much, but the objects they are rendered from: positions in 16 bits, textures as small as the
views that show them.

    PACK/objects-00.tar.xz    objects-00/KEY.glb ... and objects-00/manifest.json (licence and author of every
    object) PACK/pack.json            the archives, their bytes and SHA-256; written last

Unpacked (``tar xf``), each folder is one that ``geco data render`` takes.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geco.data.objects import Limits, ObjectSource
from geco.data.pack_glb import QUALITY, TEXTURE_SIDE, encode_packed
from geco.errors import ConfigError, OutputError
from geco.files import atomic_write, sweep
from geco.foreign import Fields, read_fields
from geco.processes import Bounds, Workers
from geco.reading import sha256_of

INDEX, FORMAT = "pack.json", "geco-pack-1"
# bytes that the compressor may still hold back: an LZMA2 chunk is at most 64 kB, and the manifest
HELD = 2**17
PART_MIB = 40.0  # of an archive: what a slow line or a mailbox takes at once


@dataclass(frozen=True)
class Packed:
    """One object: its file and its line of the manifest; or why there is none."""

    key: str
    data: bytes = b""
    entry: dict[str, Any] | None = None
    reason: str = ""


@dataclass(frozen=True)
class _Job:
    """What one process does with one object."""

    side: int
    quality: int

    def __call__(self, source: ObjectSource) -> Packed:
        data = encode_packed(source.load(Limits(allow_untextured=True)), source.key, self.side, self.quality)
        facts = {name: getattr(source, name) for name in ("licence", "author", "source", "category")}
        entry = {"file": f"{source.key}.glb", **{name: value for name, value in facts.items() if value}}
        return Packed(source.key, data, entry)


def pack_objects(
    sources: Sequence[ObjectSource],
    folder: str | Path,
    part_mib: float = PART_MIB,
    texture_side: int = TEXTURE_SIDE,
    quality: int = QUALITY,
    workers: int = 1,
    done: Callable[[Packed], None] = lambda packed: None,
) -> list[Path]:
    """Write the archives; the same objects and settings give the same bytes.

    Args:
        sources: in the order of the archives, keys all different.
        folder: made as needed.
        part_mib: MiB that no archive exceeds (but for a single object that is larger), 1 or more.
        texture_side: pixels of the longer side that textures keep, 8 to 8192.
        quality: of WebP, 1 to 100.
        workers: processes.
        done: told of every object, packed or refused, in order.

    Returns:
        The archives.

    Raises:
        ConfigError: a number out of its range, or no object could be packed.
        OutputError: a place that cannot be written.
    """
    sound = 1 <= part_mib <= 1 << 20 and 8 <= texture_side <= 8192 and 1 <= quality <= 100 and workers >= 1
    if not sound:
        raise ConfigError(
            f"parts of {part_mib:g} MiB, textures of {texture_side} px, quality {quality}, {workers} workers",
            "Parts have 1 MiB or more, textures 8 to 8192 px, quality is 1 to 100, workers 1 or more.",
        )
    target = Path(folder)
    sweep(target)
    earlier = _earlier(target)
    archives = Archives(target, int(part_mib * 2**20))
    with Workers(_Job(texture_side, quality), workers, Bounds()) as pool:
        for packed in _in_order(pool, sources, done):
            archives.add(packed)
    archives.close()
    if not (paths := archives.paths):
        raise ConfigError("none of the objects could be packed", "Look at the reasons above.")
    for stale in earlier - set(paths):
        stale.unlink(missing_ok=True)  # of an earlier, larger pack: unpacked together they would mix
    about = [{"file": p.name, "bytes": p.stat().st_size, "sha256": sha256_of(p)} for p in paths]
    index = json.dumps({"format": FORMAT, "archives": about}, indent=1) + "\n"
    atomic_write(target / INDEX, index.encode())
    return paths


def _earlier(folder: Path) -> set[Path]:
    """The archives of an earlier pack; OutputError where others lie in their place."""
    named: set[Path] = set()
    if (folder / INDEX).exists():
        fields = read_fields(folder / INDEX, OutputError, "Choose another folder with -o.")
        fields.choice("format", [FORMAT])
        entries = [Fields(entry, fields.where, OutputError) for entry in fields.items("archives")]
        named = {folder / entry.file_name("file") for entry in entries}
    for path in folder.glob("objects-*.tar.xz"):
        if path not in named:
            raise OutputError(f"{path} is not of an earlier pack", "Choose another folder with -o.")
    return named


def _in_order(
    pool: Workers, sources: Sequence[ObjectSource], done: Callable[[Packed], None]
) -> Iterator[Packed]:
    """Packed objects in the order of the sources, whichever process is first."""
    ready: dict[str, Packed] = {}
    outcomes = pool.run((source.key, source) for source in sources)
    for source in sources:
        while source.key not in ready:
            outcome = next(outcomes)
            ready[outcome.key] = outcome.value or Packed(
                outcome.key, reason=f"{outcome.reason}: {outcome.message}"
            )
        packed = ready.pop(source.key)
        done(packed)
        if packed.entry is not None:
            yield packed


class Archives:
    """``objects-NN.tar.xz``, one after the other: the next one begins before an object would make
    this one too large.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder, self.limit = folder, limit
        self.paths: list[Path] = []
        self._objects: list[Packed] = []
        self._begin()

    def add(self, packed: Packed) -> None:
        """Append one object."""
        if self._objects and self._buffer.tell() + len(packed.data) + HELD > self.limit:
            self.close()
        self._put(f"{packed.key}.glb", packed.data)
        self._objects.append(packed)

    def close(self) -> None:
        """Write the archive that is being filled, its manifest last."""
        if not self._objects:
            return
        entries = [packed.entry for packed in self._objects]
        manifest = {"about": "Packed by geco data pack.", "objects": entries}
        self._put("manifest.json", (json.dumps(manifest, indent=1) + "\n").encode())
        self._tar.close()
        self.paths.append(self.folder / f"{self._name}.tar.xz")
        atomic_write(self.paths[-1], self._buffer.getvalue())
        self._begin()

    def _begin(self) -> None:
        self._objects = []
        self._buffer = io.BytesIO()
        # not in a with: filled by many calls
        self._tar = tarfile.open(fileobj=self._buffer, mode="w:xz", preset=6)  # noqa: SIM115

    @property
    def _name(self) -> str:
        return f"objects-{len(self.paths):02d}"

    def _put(self, name: str, data: bytes) -> None:
        """Nothing in the archive depends on the clock or the user."""
        info = tarfile.TarInfo(f"{self._name}/{name}")
        info.size, info.mode = len(data), 0o644
        self._tar.addfile(info, io.BytesIO(data))
