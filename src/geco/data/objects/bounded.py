"""Reading objects in a process of its own: what a file does to it, it does to that process only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from geco.data.objects.refusal import ObjectError, Reason
from geco.processes import Bounds, Child

T = TypeVar("T")


class BoundedReader:
    """One process that does one thing at a time, started at the first use and again after it died.

    Args:
        function: picklable, of one argument: it reads an object, and may do more with it.
        bounds: of each call.
    """

    def __init__(self, function: Callable[[Any], T], bounds: Bounds | None = None) -> None:
        self.function, self.bounds = function, bounds or Bounds()
        self._child: Child | None = None

    def __enter__(self) -> BoundedReader:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __call__(self, argument: Any, name: str) -> Any:
        """What the function makes of the argument.

        Args:
            name: of the object, for messages.

        Raises:
            ObjectError: as the function does; also timeout, memory, crashed, and error for any other
                exception there.
            GecoError: what the function raised that says nothing about the object.
        """
        if self._child is None or not self._child.alive:
            self.close()
            self._child = Child(self.function, self.bounds)
        try:
            outcome = self._child.call(argument, name)
        except BaseException:
            self.close()  # its pipe may hold half an answer
            raise
        if outcome.reason is None:
            return outcome.value
        if outcome.reason in _OF_THE_PROCESS:
            problem, remedy = f"{name}: {outcome.message}", _OF_THE_PROCESS[outcome.reason]
            raise ObjectError(Reason(outcome.reason), problem, remedy)
        raise ObjectError(Reason(outcome.reason), outcome.message)

    def close(self) -> None:
        """End the process."""
        if self._child is not None:
            self._child.kill()
            self._child = None


_OF_THE_PROCESS = {
    "timeout": "Simplify the object, or raise --time-limit.",
    "memory": "Simplify the object (fewer faces, smaller textures), or raise --memory.",
    "crashed": "Simplify the object, or leave it out.",
    "error": "Leave the object out, and tell us.",
}
