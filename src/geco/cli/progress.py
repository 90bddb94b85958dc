"""Progress bars of ``geco run``: on standard error, where somebody watches and there is something to wait
for.
"""

from __future__ import annotations

import sys
from typing import Any


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


class Pictures:
    """A bar over the pictures of a run, with their rate and the time that is left; where there is more than
    one.

    Args:
        count: of all.
        todo: of those that no earlier run has done.
    """

    def __init__(self, count: int, todo: int, quiet: bool) -> None:
        self._bar: Any = None
        if not quiet and count > 1 and sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(total=count, initial=count - todo, unit="picture", file=sys.stderr)

    def __enter__(self) -> Pictures:
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def step(self) -> None:
        """One more is over."""
        if self._bar is not None:
            self._bar.update()
