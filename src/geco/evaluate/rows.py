"""rows.jsonl: one line a finished (column, object, seed), on the disk before the next is begun."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from geco.errors import ConfigError
from geco.evaluate.methods import VARIANTS
from geco.files import writing
from geco.foreign import Fields
from geco.json_text import parse_json
from geco.reading import read_regular
from geco.sampling import Sampling

Row = dict[str, Any]
RowKey = tuple[str, str, int]  # column, object, seed

FILE = "rows.jsonl"
MOST_BYTES = 2**32
PARTS = ("input", "A", "B", "views", "views_native", "mesh")  # of a row: metric -> number
SKIPPED = ""  # column of an object that cannot be used at all
# What is measured by the clock and differs from run to run; everything else is repeatable.
MEASURED = ("seconds", "stages", "memory", "load_seconds", "warmup_seconds")


class Rows:
    """The rows of a report, in the order written; opening drops a last line that was torn by a kill.

    Raises:
        ConfigError: a line in the middle is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self._rows: dict[RowKey, Row] = {}
        data = read_regular(self.path, MOST_BYTES, ConfigError) if os.path.lexists(self.path) else b""
        whole = data.rfind(b"\n") + 1
        for number, line in enumerate(data[:whole].splitlines(), start=1):
            row = parse_row(line, f"line {number} of {self.path}")
            self._rows[row_key(row)] = row
        if whole < len(data):
            with writing(self.path), self.path.open("r+b") as file:
                file.truncate(whole)

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, key: object) -> bool:
        return key in self._rows

    def __iter__(self) -> Any:
        return iter(list(self._rows.values()))

    def add(self, rows: Sequence[Row]) -> None:
        """Append and wait for the disk. Raises OutputError where it is full or read-only."""
        text = "".join(json.dumps(clean(row), allow_nan=False) + "\n" for row in rows)
        with writing(self.path), self.path.open("ab") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        for row in rows:
            self._rows[row_key(row)] = json.loads(json.dumps(clean(row)))

    def skipped(self) -> dict[str, Row]:
        """By object: the row that says why it is not used."""
        return {row["object"]: row for row in self if row["method"] == SKIPPED}


def parse_row(line: bytes, where: str) -> Row:
    """One line, every field of it that a report reads being what it takes it for; raises
    :class:`ConfigError`.
    """
    remedy = "Delete that line (its row is measured again), or the folder."
    where = f"{where} is damaged: it"
    row = Fields(parse_json(line, where, ConfigError, remedy), where, ConfigError, remedy)
    row.text("object", 10_000)
    row.integer("seed", 0, 2**32)
    if row.text("method", 10_000) == SKIPPED:
        row.text("reason", 10_000)
        row.text("error", 100_000)
        return row.values
    row.text("base", 10_000)
    row.choice("variant", VARIANTS)
    row.choice("status", ("ok", "failed", "missing"))
    row.text("error", 100_000, "")
    for name in ("seconds", "load_seconds", "warmup_seconds"):
        _number(row, name)
    for name in (*PARTS, "stages", "memory"):
        for inner in _object(row, name) or ():
            _number(row.fields(name), inner)
    sampling = _object(row, "sampling")
    if sampling is not None:
        Sampling.from_fields(sampling)
    alignment = _object(row, "alignment")
    if alignment is not None:
        alignment.text("method")
        _number(alignment, "scale")
        _number(alignment, "turned_degrees")
    return row.values


def _object(fields: Fields, name: str) -> Fields | None:
    return None if fields.values.get(name) is None else fields.fields(name)  # type: ignore[no-any-return]


def _number(fields: Fields, name: str) -> None:
    if fields.values.get(name) is not None and not isinstance(fields.values[name], bool):
        fields.number(name)


def row_key(row: Row) -> RowKey:
    """What makes a row one of its kind."""
    return str(row["method"]), str(row["object"]), int(row["seed"])


def clean(value: Any) -> Any:
    """JSON has no NaN: numbers that are not finite become null; numpy scalars become Python's."""
    if isinstance(value, dict):
        return {str(key): clean(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [clean(each) for each in value]
    if hasattr(value, "item") and not hasattr(value, "__len__"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
