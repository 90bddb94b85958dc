"""Progress bars of ``geco run``: on standard error, where somebody watches and there is something to wait
for.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


class Steps:
    """A bar over the steps of a model of many; as ``on_step`` of a pipeline. It goes when they are done.

    Args:
        quiet: show none.
    """

    def __init__(self, quiet: bool) -> None:
        self._shown = not quiet and sys.stderr.isatty()
        self._bar: Any = None

    def __call__(self, done: int, steps: int) -> None:
        """``done`` of ``steps`` are done."""
        if not self._shown or steps < 2:
            return
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(total=steps, unit="step", file=sys.stderr, leave=False)
        self._bar.update(done - self._bar.n)
        if done == steps:
            self.close()

    def close(self) -> None:
        """Take the bar away, also when the steps ended early."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def pictures(jobs: Sequence[T], quiet: bool) -> Iterator[T]:
    """The jobs, behind a bar where there is more than one."""
    if quiet or len(jobs) < 2 or not sys.stderr.isatty():
        return iter(jobs)
    from tqdm import tqdm

    return iter(tqdm(jobs, unit="picture", file=sys.stderr))
