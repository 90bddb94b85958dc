"""One job: what was asked for, how far it is, and what came of it; as its clients and its file read it."""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timezone
from typing import Any

STATES = ("queued", "running", "done", "failed", "cancelled", "lost")
OPEN = ("queued", "running")


@dataclass
class Result:
    """One finished sample, beside its files.

    Attributes:
        seed: of the noise.
        media: type of the mesh's file. file: its name for who downloads it. bytes: its size.
        faces: of the mesh.
        timings: seconds a stage.
        facts: what else the pipeline found out.
    """

    seed: int
    media: str
    file: str
    bytes: int
    faces: int
    timings: dict[str, float] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass
class Job:
    """A job.

    Attributes:
        id: 128 random bits: whoever knows it may read the job.
        name: of the object, by the picture's file. format: of the mesh's files. model: by its name.
        seeds: one a sample.
        state: see :data:`STATES`.
        stage, done, of: what the worker does, and its steps where it has some.
        created, ended: seconds since 1970.
        drawn: seeds whose views are there. results: of the samples that are finished.
        error: type, problem and remedy, where it failed or was lost.
        serial: of its newest event.
        log: the events that a listener may have missed, as (serial, name); of those that a later one makes
            needless only the last is kept.
        position: in the line.
        news: set, and replaced, at each event.
    """

    name: str
    format: str
    model: str
    seeds: tuple[int, ...]
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    state: str = "queued"
    stage: str | None = None
    done: int = 0
    of: int = 0
    created: float = field(default_factory=time.time)
    ended: float | None = None
    drawn: list[int] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    error: dict[str, str] | None = None
    serial: int = 0
    log: list[tuple[int, str]] = field(default_factory=list)
    position: int | None = None
    news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_open(self) -> bool:
        """Whether something may still come of it."""
        return self.state in OPEN

    def note(self, event: str) -> None:
        """An event has happened: wake who listens."""
        self.serial += 1
        if self.log and self.log[-1][1] == event and event in ("state", "stage"):
            self.log.pop()
        self.log.append((self.serial, event))
        self.news.set()
        self.news = asyncio.Event()

    def begin_stage(self, name: str, done: int = 0, of: int = 0) -> None:
        """The worker has told of a stage."""
        self.stage, self.done, self.of = name, done, of
        self.note("stage")

    def end(self, state: str, error: dict[str, str] | None = None) -> None:
        """It is over. :meth:`note` is left to who has written it down."""
        self.state, self.error, self.ended = state, error, time.time()
        self.stage, self.done, self.of, self.position = None, 0, 0, None

    def lose(self, why: str) -> None:
        """It was not over when its server ended."""
        where = "waited in the line" if self.state == "queued" else "was worked on"
        left = f"{len(self.results)} of {len(self.seeds)} samples were done and are kept"
        problem = f"{why} while this job {where}; " + (left if self.results else "nothing of it was done")
        self.end("lost", {"type": "Lost", "problem": problem, "remedy": "Send the picture again."})

    def record(self) -> dict[str, Any]:
        """What is kept of it on disk."""
        names = [each.name for each in fields(self) if each.name not in ("news", "position")]
        kept = {name: getattr(self, name) for name in names}
        return kept | {"results": [asdict(result) for result in self.results]}

    @classmethod
    def of_record(cls, record: dict[str, Any]) -> Job:
        """Of :meth:`record`; raises KeyError, TypeError, ValueError where it is none."""
        known = {each.name for each in fields(cls)}
        job = cls(**{name: value for name, value in record.items() if name in known})
        job.seeds, job.log = tuple(job.seeds), [(int(number), str(name)) for number, name in job.log]
        job.results = [Result(**result) for result in record["results"]]
        if job.state not in STATES or not isinstance(job.created, (int, float)):
            raise ValueError("no job's record")
        return job

    def shown(self, keep: float) -> dict[str, Any]:
        """As its clients read it; ``keep`` is the seconds for which it stays after its end."""
        here = f"/api/v1/jobs/{self.id}"
        return {
            **{name: getattr(self, name) for name in ("id", "name", "format", "model", "state")},
            "position": self.position,
            "stage": self.stage,
            "step": {"done": self.done, "of": self.of} if self.of else None,
            "created": shown_time(self.created),
            "ended": shown_time(self.ended),
            "expires": shown_time(None if self.ended is None else self.ended + keep),
            "seeds": list(self.seeds),
            "views": [{"seed": seed, "url": f"{here}/views/{seed}.png"} for seed in self.drawn],
            "results": [_shown_result(here, result) for result in self.results],
            "error": self.error,
        }


def _shown_result(here: str, result: Result) -> dict[str, Any]:
    return {
        "seed": result.seed,
        "url": f"{here}/meshes/{result.seed}",
        "still": f"{here}/still/{result.seed}.png",
        "faces": result.faces,
        "agreement": result.facts.get("agreement"),
        "timings": {stage: round(seconds, 4) for stage, seconds in result.timings.items()},
        "facts": result.facts,
        "bytes": result.bytes,
    }


def shown_time(seconds: float | None) -> str | None:
    """ISO 8601 in UTC, whole milliseconds."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds")
