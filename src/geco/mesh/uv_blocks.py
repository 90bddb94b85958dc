"""Place shapes on a coarse grid without overlap, holes included: each lowest first, then leftmost, either way
up.

The occupied cells of the whole square are the bits of one Python integer, row after row, so testing one run
of cells of a shape against every position at once is one shift and one "or" of a few kilobytes.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from geco.mesh.topology import expand
from geco.types import Array, Bools, Index


@dataclass
class Blocks:
    """Cells of several shapes, one raster after the other.

    Attributes:
        cells: flat bool rasters, row-major, row 0 lowest.
        rows, columns: (I,) size of each raster.
    """

    cells: Bools
    rows: Index
    columns: Index

    @property
    def firsts(self) -> Index:
        """(I,) where each raster starts."""
        sizes = self.rows * self.columns
        return np.cumsum(sizes) - sizes


def outline_blocks(
    starts: Array, ends: Array, item: Index, rows: Index, columns: Index, margin: float
) -> Blocks:
    """Every cell that a shape, made wider by ``margin``, may touch.

    Args:
        starts, ends: (B, 2) border edges in cells, the shape on their left, at least ``margin`` from their
            raster's rim.
        item: (B,) shape of each edge.
        rows, columns: (I,) sizes of the rasters.
        margin: in cells, along both axes.
    """
    blocks = Blocks(np.zeros(int((rows * columns).sum()), bool), rows, columns)
    winding = np.zeros(len(blocks.cells) + 1, np.int32)
    base = blocks.firsts[item]
    _mark_border(blocks, base, starts, ends, item, margin)
    # inside a shape the winding number about a cell's centre is 1: count signed border crossings along each
    # row of centres
    low, high = np.minimum(starts[:, 1], ends[:, 1]), np.maximum(starts[:, 1], ends[:, 1])
    first = np.ceil(low - 0.5).astype(np.intp)
    owner, place = expand(np.maximum(np.ceil(high - 0.5).astype(np.intp) - first, 0))
    row = first[owner] + place
    rise = (ends[:, 1] - starts[:, 1])[owner]
    x = starts[owner, 0] + (row + 0.5 - starts[owner, 1]) * ((ends[:, 0] - starts[:, 0])[owner] / rise)
    column = np.ceil(x - 0.5).astype(np.intp).clip(0, columns[item[owner]] - 1)
    np.add.at(winding, base[owner] + row * columns[item[owner]] + column, np.where(rise < 0, 1, -1))
    # every row's crossings sum to zero, so rows do not leak into one another
    blocks.cells |= np.cumsum(winding[:-1]) > 0
    return blocks


def _mark_border(blocks: Blocks, base: Index, starts: Array, ends: Array, item: Index, margin: float) -> None:
    columns, rows = blocks.columns[item], blocks.rows[item]
    left, right = np.minimum(starts[:, 0], ends[:, 0]), np.maximum(starts[:, 0], ends[:, 0])
    low, high = np.minimum(starts[:, 1], ends[:, 1]), np.maximum(starts[:, 1], ends[:, 1])
    first = (left - margin).astype(np.intp).clip(0, columns - 1)
    last = (right + margin).astype(np.intp).clip(0, columns - 1)
    owner, place = expand(last - first + 1)
    column = first[owner] + place
    # the part of the edge within the margin of the column
    width = (ends[:, 0] - starts[:, 0])[owner]
    upright = np.abs(width) < 1e-9
    slope = np.where(upright, 0, (ends[:, 1] - starts[:, 1])[owner] / np.where(upright, 1, width))
    at = starts[owner, 1] - slope * starts[owner, 0]
    y = np.stack(
        [
            at + slope * np.maximum(left[owner], column - margin),
            at + slope * np.minimum(right[owner], column + 1 + margin),
        ]
    )
    bottom = np.where(upright, low[owner], np.clip(y.min(axis=0), low[owner], high[owner]))
    top = np.where(upright, high[owner], np.clip(y.max(axis=0), low[owner], high[owner]))
    first_row = (bottom - margin).astype(np.intp).clip(0, rows[owner] - 1)
    last_row = (top + margin).astype(np.intp).clip(0, rows[owner] - 1)
    part, step = expand(last_row - first_row + 1)
    blocks.cells[base[owner[part]] + (first_row[part] + step) * columns[owner[part]] + column[part]] = True


def place_blocks(blocks: Blocks, order: Index, width: int, height: int) -> tuple[Index, Bools, float]:
    """Drop shapes one by one.

    Args:
        blocks: the shapes, none wider than ``width``.
        order: (I,) who comes first.
        width, height: the grid.

    Returns:
        (I, 2) column and row of each shape's raster, (I,) whether it is turned by 180 degrees, and how much
        of the height is used: above 1 when not all found room (the places are void then), by the share of
        cells that found none.
    """
    runs = _runs(blocks)
    stride = width + 1  # a guard column that is never free keeps shapes from wrapping around
    taken = _repeat(1 << width, stride, height)
    place, turned, used = np.zeros((len(order), 2), np.intp), np.zeros(len(order), bool), 0
    for done, i in enumerate(order.tolist()):
        rows, columns = int(blocks.rows[i]), int(blocks.columns[i])
        # above what is used everything is free, so a place is found within this window, or there is none
        window = taken & ((1 << (min(used + rows, height) * stride)) - 1)
        best = (-1, False)
        doubled = [window]  # doubled[k]: positions from which 2^k cells to the right are not all free
        for turn in (False, True):
            blocked = 0
            for r, c, n in runs[i]:
                level = n.bit_length() - 1
                while len(doubled) <= level:
                    doubled.append(doubled[-1] | (doubled[-1] >> (1 << (len(doubled) - 1))))
                at = (rows - 1 - r) * stride + columns - c - n if turn else r * stride + c
                blocked |= doubled[level] >> at
                if n > 1 << level:
                    blocked |= doubled[level] >> (at + n - (1 << level))
            spot = (~blocked & (blocked + 1)).bit_length() - 1  # lowest bit not set
            if best[0] < 0 or spot < best[0]:
                best = (spot, turn)
        spot, turned[i] = best
        row = spot // stride
        if row + rows > height:
            sizes = (blocks.rows * blocks.columns)[order]
            return place, turned, 1.0 + float(sizes[done:].sum() / sizes.sum())
        for r, c, n in runs[i]:
            at = (rows - 1 - r) * stride + columns - c - n if turned[i] else r * stride + c
            taken |= ((1 << n) - 1) << (spot + at)
        place[i] = spot % stride, row
        used = max(used, row + rows)
    return place, turned, used / height


def _runs(blocks: Blocks) -> list[list[tuple[int, int, int]]]:
    """Runs of cells of every shape: (row, column, length)."""
    owners, place = expand(blocks.rows * blocks.columns)
    column = place % blocks.columns[owners]
    before, after = np.zeros_like(blocks.cells), np.zeros_like(blocks.cells)
    before[1:], after[:-1] = blocks.cells[:-1], blocks.cells[1:]
    opens = np.flatnonzero(blocks.cells & ~(before & (column > 0)))
    closes = np.flatnonzero(blocks.cells & ~(after & (column < blocks.columns[owners] - 1)))
    row = place[opens] // blocks.columns[owners[opens]]
    table = list(zip(row.tolist(), column[opens].tolist(), (closes - opens + 1).tolist()))
    cuts = np.searchsorted(owners[opens], np.arange(len(blocks.rows) + 1)).tolist()
    return [table[a:b] for a, b in itertools.pairwise(cuts)]


def _repeat(bits: int, stride: int, times: int) -> int:
    """``bits`` repeated every ``stride`` bits."""
    result, done = bits, 1
    while done < times:
        step = min(done, times - done)
        result |= result << (step * stride)
        done += step
    return result
