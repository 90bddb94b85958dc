"""A run of batches that can be left and taken up again at the exact sample, made ahead by threads
where wanted.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, Protocol, TypeVar

from geco.data.dataset.order import share
from geco.errors import ConfigError

Batch = TypeVar("Batch", covariant=True)


class Dataset(Protocol[Batch]):
    """Batches from (seed, step) alone; every class of this room is one."""

    def __len__(self) -> int: ...

    def batch(self, seed: int, step: int, size: int, rank: int = 0, world: int = 1) -> Batch:
        """Process ``rank``'s part of the batch of ``size`` that step ``step`` trains on."""


class Loader(Generic[Batch]):
    """Batch after batch, without end.

    Args:
        dataset: where batches come from.
        batch: samples a step, of all processes together.
        seed: of order and augmentations.
        rank, world: this process among how many.
        threads: how many make batches ahead; 0 makes each when it is asked for. The batches are the same.
        ahead: how many batches may wait.
    """

    def __init__(
        self,
        dataset: Dataset[Batch],
        batch: int,
        seed: int = 0,
        rank: int = 0,
        world: int = 1,
        threads: int = 0,
        ahead: int = 4,
    ) -> None:
        share(batch, rank, world)  # uneven batches are refused here, not at the first step
        self.dataset, self.size, self.seed, self.rank, self.world = dataset, batch, seed, rank, world
        self.step = 0
        self.ahead = ahead
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="batches") if threads else None
        self._waiting: dict[int, Future[Batch]] = {}

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        result = self.at(self.step)
        self.step += 1
        return result

    def at(self, step: int, stride: int = 1) -> Batch:
        """The batch of any step; the ones after it, every ``stride``-th, are then made ahead. Errors of a
        thread are raised here, at their step.
        """
        if self._pool is None:
            return self._make(step)
        wanted = range(step, step + 1 + self.ahead * stride, stride)
        for left in [number for number in self._waiting if number not in wanted]:
            self._waiting.pop(left).cancel()
        for number in wanted:
            if number not in self._waiting:
                self._waiting[number] = self._pool.submit(self._make, number)
        return self._waiting.pop(step).result()

    def state_dict(self) -> dict[str, Any]:
        """The position: plain integers, for a checkpoint. Batches made ahead but not handed out
        do not count.
        """
        return {"step": self.step, "batch": self.size, "seed": self.seed, "samples": len(self.dataset)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where ``state`` was taken; the number of processes may differ.

        Raises:
            ConfigError: batch size, seed or data are others, so the same position would mean other samples.
        """
        for name, mine in self.state_dict().items():
            if name != "step" and state[name] != mine:
                raise ConfigError(
                    f"the run to go on with had {name} = {state[name]}, this one has {mine}",
                    "Give the same, or start a new run.",
                )
        self.step = int(state["step"])

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool, self._waiting = None, {}

    def __enter__(self) -> Loader[Batch]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _make(self, step: int) -> Batch:
        return self.dataset.batch(self.seed, step, self.size, self.rank, self.world)
