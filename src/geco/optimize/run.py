"""The loop of an optimisation: progress, previews, checkpoints, an early end.

All that is random follows from seed and step, so a run that was killed and goes on makes the object that it
would have made, bit for bit on a CPU.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from PIL import Image

from geco.errors import WeightsError
from geco.files import atomic_write
from geco.images.color import to_bytes
from geco.images.write import save_picture
from geco.memory import is_shortage
from geco.public_weights.ckpt import read_torch_file
from geco.training.run_folder import CHECKPOINT
from geco.training.state import save_checkpoint
from geco.types import Floats

PREVIEW, LOG = "preview.png", "progress.json"
GAIN = 0.01  # part of the picture term that must be won for the object to count as still changing
MEMORY = 0.9  # of the picture term's moving mean, by which that is judged
# Seconds between two checkpoints: what a kill costs at most, beside the steps to the next whole turn.
CHECKPOINT_SECONDS = 20.0

# Steps done, steps in all, values of the last, seconds that are left.
OnStep = Callable[[int, int, dict[str, float], float], None]


class Task(Protocol):
    """What is optimised.

    Attributes:
        steps: in all. whole: a checkpoint may be made at multiples of it.
    """

    steps: int
    whole: int

    def step(self, index: int) -> dict[str, float]:
        """Update ``index``; what to show of it, with the picture term as ``picture``."""

    def settles(self, index: int) -> bool:
        """Whether only details still change, so that the run may end early."""

    def preview(self, index: int) -> Floats:
        """(H, W, 3) in [0, 1], as it is before update ``index``."""

    def state_dict(self) -> dict[str, Any]:
        """What :meth:`load_state_dict` takes: tensors and plain values."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""


@dataclass
class Progress:
    """How far a run is.

    Attributes:
        step: updates done. seconds: that they took, of CPU time and of the clock.
        best, since, mean: smallest moving mean of the picture term, when it was won, and the mean itself.
    """

    step: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    best: float = float("inf")
    since: int = 0
    mean: float = 0.0

    def saw(self, picture: float, settles: bool) -> None:
        """One more update, with this picture term."""
        self.step += 1
        self.mean = picture if self.step == 1 else MEMORY * self.mean + (1 - MEMORY) * picture
        if not settles or self.mean < (1 - GAIN) * self.best:
            self.best, self.since = self.mean, self.step


def run(
    task: Task,
    preview_steps: int,
    patience: int | None = None,
    folder: Path | None = None,
    mark: str = "",
    on_step: OnStep | None = None,
) -> Progress:
    """All steps, or as many as are needed.

    Args:
        preview_steps: between two previews. patience: steps without gain before the end; None: never.
        folder: for :data:`PREVIEW`, the checkpoint, from which the run goes on where there is one, and
            :data:`LOG`; None: neither.
        mark: what previews say of themselves.

    Raises:
        WeightsError: the checkpoint is broken. OutputError: the folder cannot be written.
    """
    progress = _resumed(task, folder) if folder is not None else Progress()
    saved = time.monotonic()
    while progress.step < task.steps:
        began, cpu = time.monotonic(), time.process_time()
        values = task.step(progress.step)
        progress.saw(values["picture"], task.settles(progress.step))
        progress.seconds += time.monotonic() - began
        progress.cpu_seconds += time.process_time() - cpu
        if on_step is not None:
            left = (task.steps - progress.step) * progress.seconds / progress.step
            on_step(progress.step, task.steps, values, left)
        if patience is not None and progress.step - progress.since >= patience:
            break
        if folder is None:
            continue
        if progress.step % preview_steps == 0:
            _preview(task, progress, folder, mark, values)
        whole = progress.step % task.whole == 0
        if whole and time.monotonic() - saved > CHECKPOINT_SECONDS:
            _save(task, progress, folder)
            saved = time.monotonic()
    if folder is not None:
        _preview(task, progress, folder, mark, {})
    return progress


def _preview(task: Task, progress: Progress, folder: Path, mark: str, values: dict[str, float]) -> None:
    picture = Image.fromarray(to_bytes(task.preview(progress.step)))
    save_picture(picture, folder / PREVIEW, mark)
    facts = {"step": progress.step, "steps": task.steps, "cpu_seconds": round(progress.cpu_seconds, 1)}
    facts |= {name: float(f"{value:.6g}") for name, value in values.items()}
    atomic_write(folder / LOG, (json.dumps(facts) + "\n").encode())


def _save(task: Task, progress: Progress, folder: Path) -> None:
    save_checkpoint(folder / CHECKPOINT, {"task": task.state_dict(), "progress": vars(progress).copy()})


def _resumed(task: Task, folder: Path) -> Progress:
    """From the folder's checkpoint, where there is one."""
    path = folder / CHECKPOINT
    if not path.exists():
        return Progress()
    try:
        state: Any = read_torch_file(path)
        task.load_state_dict(state["task"])
        return Progress(**state["progress"])
    except WeightsError as error:
        raise WeightsError(f"cannot read {path}: {error.problem}", "Delete it to start again.") from error
    except (KeyError, TypeError, AttributeError, ValueError, RuntimeError) as error:
        if is_shortage(error):
            raise
        problem = f"{path} is damaged, or of another version ({type(error).__name__}: {error})"
        raise WeightsError(problem, "Delete it to start again.") from error
