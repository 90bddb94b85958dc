"""One job for a process: what it is given, what it may take, what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from geco.errors import ConfigError

SECONDS = 300.0  # for one job; the slowest object of the measured sets takes 3
MEMORY_GB = 4.0  # of data a worker; what a 512 MiB file and its textures need, with room


@dataclass(frozen=True)
class Outcome:
    """What became of one job: ``value``, or a ``reason`` (crashed, timeout, memory, error, stopped, or
    an object's own) with a message.
    """

    key: str
    value: Any = None
    reason: str | None = None
    message: str = ""


@dataclass(frozen=True)
class Bounds:
    """What one job may take: seconds of wall clock; GiB of data (0 = no limit; Linux only)."""

    seconds: float = SECONDS
    memory_gb: float = MEMORY_GB

    def __post_init__(self) -> None:
        if not self.seconds > 0 or not self.memory_gb >= 0:
            raise ConfigError(
                f"bounds of {self.seconds} s and {self.memory_gb} GiB", "Both must be positive."
            )


@dataclass
class Job:
    """A key to report, the function's argument, how often it was tried, and the seconds that it may take
    where they are not those of the bounds.
    """

    key: str
    argument: Any
    attempts: int = 0
    seconds: float | None = None


class Stopped(BaseException):
    """Raised in a job that was told to stop, at the next thing that it tells. No Exception, so that nothing
    on the way takes it for a fault.
    """
