"""What a training leaves to look at: log.jsonl and its curves, training.json, picture grids, TensorBoard's
files, and the progress line.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from geco.errors import ConfigError, MissingExtraError
from geco.files import atomic_write, writing
from geco.foreign import Fields
from geco.images import save_picture
from geco.json_text import parse_json
from geco.marks import mark_text
from geco.training.curves import flatten, write_curves

TOTALS = "training.json"


class Record:
    """Written by the leading process only; the others call it in vain.

    Args:
        folder: the run folder.
        leads: whether this process writes.
        quiet: no progress line.
        tensorboard: event files too, under ``folder/tensorboard``.
    """

    def __init__(
        self, folder: Path, leads: bool = True, quiet: bool = False, tensorboard: bool = False
    ) -> None:
        self.folder, self.leads = folder, leads
        self._bar = tqdm(
            total=100.0, disable=quiet or not leads, bar_format="{percentage:3.0f}%|{bar:20}| {desc}"
        )
        self._events: Any = _event_writer(folder / "tensorboard") if tensorboard and leads else None

    def step(self, values: dict[str, Any], progress: float, elapsed: float) -> None:
        """One line of the log, and the progress line: loss, samples/s, time left."""
        if not self.leads:
            return
        self._append(values)
        losses = ", ".join(f"{name} {value:.4g}" for name, value in values.items() if name.endswith("loss"))
        # earlier it would be a guess
        left = elapsed * (1 - progress) / progress if progress > 1e-3 else float("nan")
        self._bar.n = 100 * min(progress, 1.0)
        self._bar.set_description_str(
            f"step {values['step']}, {losses}, {values['samples_s']:g} samples/s, {clock(left)} left"
        )
        self._write_events(values, int(values["step"]))

    def report(
        self,
        step: int,
        elapsed: float,
        values: dict[str, Any],
        picture: Image.Image | None,
        totals: dict[str, Any],
    ) -> None:
        """Validation numbers and totals as a line of the log, the picture as ``grid_STEP.png``, the log so
        far as ``curves.png``, the totals alone as ``training.json``.
        """
        if not self.leads:
            return
        self._append({"step": step, "elapsed": round(elapsed, 1), "report": values, "training": totals})
        atomic_write(self.folder / TOTALS, json.dumps(totals, indent=1).encode())
        write_curves(self.folder)
        self._write_events(flatten(values), step)
        if picture is not None:
            save_picture(picture, self.folder / f"grid_{step:06d}.png", mark_text("views"))
            if self._events is not None:
                with writing(self.folder / "tensorboard"):
                    self._events.add_image("grid", np.asarray(picture), step, dataformats="HWC")

    def resume(self, step: int) -> None:
        """Forget lines of steps that a killed run did after its last checkpoint (0: of all), and
        a torn last line.
        """
        path = self.folder / "log.jsonl"
        if not self.leads or not path.exists():
            return
        kept = [
            line
            for line in path.read_bytes().decode("utf-8", "replace").splitlines()
            if (_step(line) or step + 1) <= step
        ]
        atomic_write(path, "".join(line + "\n" for line in kept).encode())

    def close(self) -> None:
        self._bar.close()
        if self._events is not None:
            with writing(self.folder / "tensorboard"):
                self._events.close()

    def _append(self, values: dict[str, Any]) -> None:
        path = self.folder / "log.jsonl"
        with writing(path):
            size = path.stat().st_size if path.exists() else 0
            try:
                with path.open("a") as file:
                    file.write(json.dumps(values) + "\n")
            except OSError:
                with contextlib.suppress(OSError):
                    os.truncate(path, size)  # no half line
                raise

    def _write_events(self, values: dict[str, Any], step: int) -> None:
        if self._events is None:
            return
        with writing(self.folder / "tensorboard"):
            for name, value in values.items():
                if isinstance(value, (int, float)) and name not in ("step", "samples"):
                    self._events.add_scalar(name, value, step)


def clock(seconds: float) -> str:
    """90 -> "1:30"; "?" where unknown."""
    if not np.isfinite(seconds):
        return "?"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _step(line: str) -> int | None:
    try:
        return int(
            Fields(parse_json(line, "log.jsonl", ConfigError), "log.jsonl", ConfigError).integer(
                "step", 0, 2**53
            )
        )
    except ConfigError:
        return None


def _event_writer(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingExtraError("tensorboard", "train", "writing TensorBoard files") from error
    with writing(folder):
        return SummaryWriter(str(folder))  # type: ignore[no-untyped-call]
