"""Objects made in Blender's own process: the package lies in the extension as a wheel."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from geco.choices import sort
from geco.errors import GecoError
from geco.timing import Stopwatch

from .made import Made, made_of
from .work import Failure, Job, Maker, Steps

if TYPE_CHECKING:
    from geco import GecoPipeline

# Stage -> share of a picture's time, of the embedded model on two cores: how far the bar goes.
SHARES = {
    "picture": 0.05,
    "views": 0.35,
    "reconstruct": 0.14,
    "surface": 0.17,
    "clean": 0.02,
    "unwrap": 0.05,
    "bake": 0.16,
    "project": 0.06,
}
WORDS = {
    "picture": "reading the picture",
    "views": "drawing six views",
    "reconstruct": "from views to a volume",
    "surface": "surface",
    "clean": "cleaning the mesh",
    "unwrap": "unwrapping",
    "bake": "baking the texture",
    "project": "laying the picture on",
}


def maker(choices: dict[str, Any], threads: int | None) -> Maker:
    """What makes objects with these choices (names of ``geco run``).

    Args:
        choices: name -> value; what is missing is the model's own.
        threads: of the networks; None: as many as there are cores, up to four.

    Raises:
        Failure: a choice is out of range.
    """
    with _one_line():
        asked = sort(choices)

    def make(job: Job, steps: Steps) -> Iterator[Made]:
        with _one_line():
            steps.step("loading the model", 0.0)
            pipeline = loaded(threads)
            sampling = pipeline.sampling(**asked.views.asked)
            steps.step(WORDS["picture"], 0.0)
            seen = pipeline.see(job.picture, **asked.picture)
            # One seed at a time: on a CPU eight together take no less, and a cancel is heard sooner.
            for place, seed in enumerate(job.seeds):
                told = Told(steps, place, len(job.seeds))
                told.at("views")
                views = next(iter(pipeline.views(seen, [seed], sampling)))
                asset = pipeline.finish(views, seen, asked.mesh, told)
                facts = {"model": asset.model, "agreement": asset.facts.get("agreement")}
                yield made_of(asset.mesh, job.name, seed, facts)

    return make


@functools.lru_cache(maxsize=1)
def loaded(threads: int | None) -> GecoPipeline:
    """The embedded model, kept for the next run: loading it takes as long as an object. In the thread, and so
    is the import.
    """
    from geco import GecoPipeline

    return GecoPipeline.from_pretrained("small", threads=threads)


class Told(Stopwatch):
    """A stopwatch that says which stage begins; there a cancel is heard."""

    def __init__(self, steps: Steps, place: int, of: int) -> None:
        super().__init__()
        self._steps, self._place, self._of = steps, place, of

    def at(self, stage: str) -> None:
        """Raises Cancelled."""
        names = list(SHARES)
        before = sum(SHARES[name] for name in names[: names.index(stage)]) if stage in SHARES else 0.0
        seed = f", seed {self._place + 1} of {self._of}" if self._of > 1 else ""
        self._steps.step(WORDS.get(stage, stage) + seed, (self._place + before) / self._of)

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """As the stopwatch's, told first."""
        self.at(name)
        with super().stage(name):
            yield


@contextlib.contextmanager
def _one_line() -> Iterator[None]:
    try:
        yield
    except GecoError as error:
        raise Failure(str(error)) from error
