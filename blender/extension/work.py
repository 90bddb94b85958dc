"""Pictures worked on by a thread, with progress and cancel. Blender is not touched here: it may be from its
main thread only, which asks :meth:`Work.poll`.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .made import Made

Say = Callable[[str, float], None]  # what is being done, and how much of this picture is done (0 to 1)


@dataclass(frozen=True)
class Job:
    """One picture.

    Attributes:
        name: what its objects are called.
        picture: a file, or pixels (H, W, 4) uint8.
        seeds: one object each.
    """

    name: str
    picture: Any
    seeds: tuple[int, ...]

    @property
    def label(self) -> str:
        """For messages."""
        return self.picture.name if isinstance(self.picture, Path) else self.name


class Cancelled(Exception):
    """The user does not want the rest."""


class Failure(Exception):
    """A picture that could not be made, in one line for the user."""


@dataclass
class Steps:
    """How a maker tells what it does, and is told to stop.

    Attributes:
        say: see :data:`Say`. stop: set when the rest is not wanted.
    """

    say: Say
    stop: threading.Event

    def step(self, text: str, done: float) -> None:
        """Raises Cancelled."""
        if self.stop.is_set():
            raise Cancelled
        self.say(text, done)


Maker = Callable[[Job, Steps], Iterator[Made]]


@dataclass
class Work:
    """Jobs in a thread of their own.

    Attributes:
        maker: makes a job's objects one by one; raises :class:`Failure` where it cannot.
        jobs: in order; one that fails does not end the others.
        made: what is ready. failures: one line each.
        text: what is being done. factor: how much of all of it is done, 0 to 1.
    """

    maker: Maker
    jobs: Sequence[Job]
    made: list[Made] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    text: str = "starting"
    factor: float = 0.0
    stop: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Begin; it ends with Blender, which does not wait for it."""
        self._thread = threading.Thread(target=self._run, name="geco", daemon=True)
        self._thread.start()

    def cancel(self) -> None:
        """Nothing more is wanted; what is ready stays. The thread ends at its next step."""
        self.stop.set()

    @property
    def running(self) -> bool:
        """Whether the thread is still at it."""
        return self._thread.is_alive()

    def _run(self) -> None:
        try:
            for place, job in enumerate(self.jobs):
                self._do(place, job)
        except Cancelled:
            self.text = "cancelled"

    def _do(self, place: int, job: Job) -> None:
        count = len(self.jobs)
        where = f" ({place + 1} of {count})" if count > 1 else ""

        def say(text: str, done: float) -> None:
            self.text, self.factor = f"{job.label}{where}: {text}", (place + done) / count

        try:
            for made in self.maker(job, Steps(say, self.stop)):
                self.made.append(made)
        except Cancelled:
            raise
        except Failure as failure:
            self.failures.append(f"{job.label}: {failure}")
        except Exception as error:  # a bug of ours: the console gets all of it, the user one line
            traceback.print_exc()
            self.failures.append(f"{job.label}: {type(error).__name__}: {error} (see the console)")
