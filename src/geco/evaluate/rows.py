"""rows.jsonl: one line a finished (column, object, seed), on the disk before the next is begun."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from geco.errors import ConfigError
from geco.files import writing

Row = dict[str, Any]
RowKey = tuple[str, str, int]  # column, object, seed

FILE = "rows.jsonl"
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
        data = self.path.read_bytes() if self.path.exists() else b""
        whole = data.rfind(b"\n") + 1
        for number, line in enumerate(data[:whole].splitlines(), start=1):
            try:
                row = json.loads(line)
                self._rows[row_key(row)] = row
            except (ValueError, KeyError, TypeError) as error:
                raise ConfigError(
                    f"line {number} of {self.path} is damaged", "Delete that line (its row is measured again), or the folder."
                ) from error
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
