"""Many pairs, by any number of processes and machines that see one folder: each takes the next chunk that
nobody has (:mod:`geco.claims`), makes it and renames it into place; what a killed one left is taken over.

A folder may be read at any time: it holds whole chunks only. Whoever is done last writes ``index.json``.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from geco.claims import Claims
from geco.errors import ConfigError
from geco.files import atomic_write
from geco.foreign import read_fields
from geco.training.pair_files import encode_pair
from geco.training.pair_folder import (
    ABOUT,
    BLOCK,
    CHUNK,
    CHUNKS,
    CLAIMS,
    WORK,
    Chunk,
    bytes_on_disk,
    chunk_name,
    chunk_names,
    keep,
    outgrown,
    pair_name,
    range_of,
    read_chunks,
    swept,
    write_index,
)
from geco.training.pair_maker import PairMaker, make_items
from geco.training.pairs import PairOptions

Piece = TypeVar("Piece")

POLL = 0.5  # seconds between two looks at the chunks that others have
# Bytes a pixel of lossless renders of scans: 0.50 at 512 px, 0.85 at 64 px; with normals and depth about
# twice as many.
BYTES_A_PIXEL, BYTES_A_ROW = 0.45, 25.0


@dataclass(frozen=True)
class Bounds:
    """What the making of pairs may take, and what is said of it.

    Attributes:
        disk: bytes of the whole folder at most; the work stops before. None: no bound.
        shown: whether a bar shows the progress of all processes together.
    """

    disk: int | None = None
    shown: bool = True


@dataclass(frozen=True)
class Made:
    """What a folder holds after the work.

    Attributes:
        pairs, empty: how many there are, and how many were left out for want of a surface.
        size: bytes on disk.
        full: the bound of the disk ended the work before all were made.
    """

    pairs: int
    empty: int
    size: int
    full: bool = False


def make_pairs(
    maker: PairMaker,
    options: PairOptions,
    count: int | range,
    folder: Path,
    bounds: Bounds = Bounds(),
) -> Made:
    """Make the pairs of these numbers (0 to ``count`` - 1 of a number) that are not there yet, together with
    everybody else who does; returns when all are there, whoever made them.

    Raises:
        ConfigError: the folder holds pairs of other settings, or something in it is damaged.
        OutputError: it cannot be written.
    """
    _begin(folder, maker.settings(options))
    numbers = range(count) if isinstance(count, int) else count
    cut = range(numbers.start, numbers.stop, options.chunk)
    wanted = [range(first, min(first + options.chunk, numbers.stop)) for first in cut]

    def make(piece: range) -> tuple[dict[str, bytes], Chunk]:
        items = make_items(maker, options, piece)
        files = {
            f"{pair_name(item['number'])}/{name}": data
            for item in items
            for name, data in encode_pair(item).items()
        }
        found = tuple(item["number"] for item in items), tuple(str(item["key"]) for item in items)
        empty = len(piece) - len(items)
        chunk = Chunk(chunk_name(piece), *found, empty, bytes_on_disk(files) + BLOCK)
        return files, chunk

    return _Work(folder, options, numbers, bounds).run(wanted, make)


def _begin(folder: Path, settings: dict[str, Any]) -> None:
    """Write ``pairs.json``, after a look at what is there."""
    about = folder / ABOUT
    if about.exists():
        if read_fields(about, ConfigError, "Choose another folder.").fields("settings").values != settings:
            raise ConfigError(
                f"{folder} holds pairs of other settings", "Choose another folder, or repeat the settings."
            )
        return
    atomic_write(about, json.dumps({"settings": settings}, indent=1).encode() + b"\n")


def ours(
    left: list[Piece], name: Callable[[Piece], str], is_there: Callable[[Piece], bool], claims: Claims
) -> Iterator[Piece]:
    """The pieces that are ours to make, one after the other; ends when all are there, ours or others'."""
    while left:
        for piece in list(left):
            if is_there(piece):
                left.remove(piece)
            elif claims.take(name(piece)):
                if not is_there(piece):  # its owner was done just now
                    yield piece
                claims.drop(name(piece))
                left.remove(piece)
        if left:
            time.sleep(POLL)


class _Work:
    """One process' part in it."""

    def __init__(self, folder: Path, options: PairOptions, numbers: range, bounds: Bounds) -> None:
        self.folder, self.options, self.numbers, self.bounds = folder, options, numbers, bounds
        self.chunks = read_chunks(folder)

    def run(self, wanted: list[range], make: Callable[[range], tuple[dict[str, bytes], Chunk]]) -> Made:
        left, full = [piece for piece in wanted if not self._is_there(piece)], False
        began = bool(left)
        with Claims(self.folder / CLAIMS) as claims, self._bar(began) as bar:
            for piece in ours(left, chunk_name, self._is_there, claims):
                if not self._has_room(claims):
                    full = True
                    break
                files, chunk = make(piece)
                if not self._fits(chunk.size):
                    full = True
                    break
                private = self.folder / WORK / f"{chunk.name}.{claims.owner}"
                keep(private, self.folder / CHUNKS / chunk.name, files | {CHUNK: chunk.described()})
                if any(name.startswith(chunk.name[:9]) for name in self.chunks):  # not full until now
                    outgrown(self.folder, chunk.name)
                self._look(bar)
            self._look(bar)
        swept(self.folder)
        write_index(self.folder, self.chunks)
        found = self.chunks.values()
        pairs, empty = sum(len(chunk.numbers) for chunk in found), sum(chunk.empty for chunk in found)
        return Made(pairs, empty, sum(chunk.size for chunk in found), full)

    def _is_there(self, piece: range) -> bool:
        name = chunk_name(piece)
        return name in self.chunks or (self.folder / CHUNKS / name).is_dir() or self._covers(piece)

    def _covers(self, piece: range) -> bool:
        """Whether a larger chunk has it: an earlier run was asked for more."""
        larger = chunk_name(range(piece.start, piece.start + self.options.chunk))
        return larger in self.chunks

    def _look(self, bar: tqdm | None) -> None:
        """What is there by now."""
        self.chunks = read_chunks(self.folder, self.chunks)
        if bar is not None:
            found = [chunk for chunk in self.chunks.values() if range_of(chunk.name).start in self.numbers]
            bar.n = sum(len(chunk.numbers) + chunk.empty for chunk in found)
            bar.set_postfix_str(f"{sum(chunk.size for chunk in found) / 1e9:.2f} GB")

    def _bar(self, began: bool) -> tqdm:
        there = [chunk for chunk in self.chunks.values() if range_of(chunk.name).start in self.numbers]
        initial = sum(len(chunk.numbers) + chunk.empty for chunk in there)
        hidden = not (began and self.bounds.shown)
        return tqdm(total=len(self.numbers), initial=initial, unit="pair", disable=hidden, smoothing=0)

    def _has_room(self, claims: Claims) -> bool:
        """Whether this piece and those that others are at will fit, each as large as the largest so far."""
        if self.bounds.disk is None:
            return True
        self._look(None)
        sizes = [chunk.size for chunk in self.chunks.values()]
        largest = max(sizes, default=bytes_a_pair(self.options) * self.options.chunk)
        return sum(sizes) + (1 + claims.others()) * largest <= self.bounds.disk

    def _fits(self, size: int) -> bool:
        """Whether a piece of this size does."""
        if self.bounds.disk is None:
            return True
        self._look(None)
        return sum(chunk.size for chunk in self.chunks.values()) + size <= self.bounds.disk


def bytes_a_pair(options: PairOptions) -> int:
    """About how much disk a pair takes; its six views and picture count as so many renders more."""
    pixels = options.size**2 * BYTES_A_PIXEL + options.size * BYTES_A_ROW
    pictures = (options.renders * (2 if options.geometry else 1)) + 7
    return round(pictures * max(pixels + BLOCK / 2, BLOCK))  # half a block is lost with each file


def foretold(options: PairOptions, numbers: range, folder: Path) -> str:
    """The disk that all pairs will take, as a line: measured on those that are there, else estimated."""
    found = read_chunks(folder) if chunk_names(folder) else {}
    there = sum(len(chunk.numbers) for chunk in found.values())
    each = sum(c.size for c in found.values()) / there if there else bytes_a_pair(options)
    whole, place = each * len(numbers), folder
    while not place.exists():
        place = place.absolute().parent
    free = shutil.disk_usage(place).free
    line = f"{len(numbers)} pairs take about {whole / 1e9:.3g} GB ({each / 1e6:.2g} MB each"
    line += f", as the {there} that are there)" if there else ")"
    rest = whole - each * there
    line += f"; {free / 1e9:.3g} GB are free"
    return line + (": --disk-budget GB would stop in time" if rest > free else "")
