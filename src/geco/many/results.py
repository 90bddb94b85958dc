"""What a worker is told of a run and of a picture, and what comes back: all of it small and picklable."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from geco.choices import Asked
from geco.errors import GecoError
from geco.outputs import Guard, Job, Output
from geco.outputs.origin import Origin

# Failures that come of the picture itself: the same picture fails again. Others are of the disk, the machine
# or the model, and a second run tries them again.
OF_THE_PICTURE = ("InputImageError", "MeshError", "Crashed", "TimeLimit", "MemoryLimit", "InternalError")


class Given(Protocol):
    """A picture that was asked for, in a file or read already (``data``)."""

    @property
    def path(self) -> Path: ...

    @property
    def data(self) -> bytes | None: ...

    @property
    def label(self) -> str: ...

    def source(self) -> Any: ...


AnyJob: TypeAlias = Job[Any]


@dataclass(frozen=True)
class Setup:
    """What all pictures of a run have in common.

    Attributes:
        model, device, max_memory: of :meth:`geco.pipeline.GecoPipeline.from_pretrained`.
        asked: of the views, the mesh and its file.
        overwrite: see :class:`geco.outputs.Wanted`.
        digests: whether results shall say the SHA-256 of their picture.
    """

    model: str
    device: str | None
    max_memory: str | None
    asked: Asked
    overwrite: bool = False
    digests: bool = False


@dataclass(frozen=True)
class Task:
    """One picture and its files, without what the whole run needs to check them."""

    number: int
    picture: Given
    outputs: list[Output]
    steps: Path | None
    step_files: list[Path]
    overwrite: bool

    def job(self) -> AnyJob:
        """As the plan has it, looking after this picture's files alone."""
        inputs = [self.picture.path] if self.picture.data is None else []
        guard = Guard(inputs, self.overwrite)
        return Job(self.picture, Origin(self.picture), self.outputs, self.steps, self.step_files, guard)


@dataclass(frozen=True)
class Sample:
    """One mesh that is written.

    Attributes:
        files: the mesh first, unless steps were saved before it.
        seconds: a stage; "total" is the whole.
        memory: bytes at most so far, of the process and of its device; None where nobody tells.
    """

    seed: int
    mesh: Path
    files: list[Path]
    model: str
    seconds: dict[str, float]
    facts: dict[str, Any]
    memory: dict[str, int | None]

    def line(self, picture: str) -> dict[str, Any]:
        """What ``--json`` prints of it."""
        return {
            "picture": picture,
            "output": str(self.mesh),
            "files": [str(path) for path in self.files],
            "seed": self.seed,
            "model": self.model,
            "peak_memory": self.memory,
            "timings": {name: round(seconds, 4) for name, seconds in self.seconds.items()},
            **self.facts,
        }


@dataclass(frozen=True)
class Failure:
    """Why a picture has no mesh, or not all of its files.

    Attributes:
        type: of the error (``InputImageError``), or Crashed, TimeLimit, MemoryLimit, InternalError.
    """

    type: str
    problem: str
    remedy: str = ""

    @classmethod
    def of(cls, error: GecoError) -> Failure:
        return cls(type(error).__name__, error.problem, error.remedy)

    def __str__(self) -> str:
        return f"{self.problem}. {self.remedy}" if self.remedy else self.problem


@dataclass
class Result:
    """What became of one picture.

    Attributes:
        number: of its job in the plan.
        files: all that was written, also before a failure.
        doubt: why its cut-out is doubtful; None: it is not.
        digest: SHA-256 of the picture's bytes, and ``stamp`` what the system says of its file
            (:func:`geco.many.manifest.stamp_of`), where they were asked for.
    """

    number: int
    samples: list[Sample] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    doubt: str | None = None
    failure: Failure | None = None
    digest: str = ""
    stamp: list[int] | None = None
    seconds: float = 0.0
