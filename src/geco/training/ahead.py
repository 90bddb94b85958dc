"""Micro-batches made by a thread before they are asked for, so that the device does not wait for them."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Made = TypeVar("Made")

AHEAD = 2  # micro-batches that are made before they are wanted
KEPT = 12  # that are kept: Stage I asks for those of the student again for the generator


class Ahead(Generic[Made]):
    """``make(number)``, the next numbers made beforehand.

    The parts of a stage ask in turn, each for rising numbers; of several processes each asks for its own
    share, so the next one is as far away as the last one was.

    Args:
        make: depends on its number alone; safe to call in a thread.
    """

    def __init__(self, make: Callable[[int], Made]) -> None:
        self._make = make
        self._made: OrderedDict[int, Future[Made]] = OrderedDict()
        self._asked: deque[int] = deque(maxlen=KEPT)
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()

    def __call__(self, number: int) -> Made:
        """Of this number; an error of the thread is raised here."""
        with self._lock:
            found = self._future(number)
            distance = min((number - each for each in self._asked if each < number), default=1)
            self._asked.append(number)
            for further in range(1, AHEAD + 1):
                self._future(number + further * distance)
        return found.result()

    def _future(self, number: int) -> Future[Made]:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="ahead")
        if number not in self._made:
            self._made[number] = self._pool.submit(self._make, number)
        self._made.move_to_end(number)
        while len(self._made) > KEPT:
            self._made.popitem(last=False)[1].cancel()
        return self._made[number]
