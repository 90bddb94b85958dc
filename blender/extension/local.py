"""Objects made in Blender's own process: the package lies in the extension as a wheel."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from geco.batches import candidates
from geco.choices import sort
from geco.errors import GecoError
from geco.timing import Stopwatch

from .made import Made, made_of
from .work import Failure, Job, Maker, Steps

if TYPE_CHECKING:
    from geco import GecoPipeline
    from geco.seen import Views

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
LOOKS = ("views", "reconstruct")  # what each of several seeds costs
FIRST, EACH = SHARES["picture"], SHARES["views"] + SHARES["reconstruct"]
WORDS = {
    "picture": "reading the picture",
    "views": "drawing six views",
    "reconstruct": "from views to a volume",
    "agreement": "comparing with the picture",
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
            for place, seed in enumerate(job.seeds):
                told = Told(steps, place, len(job.seeds), asked.mesh.best_of)
                drawn = candidates([seed], asked.mesh.best_of)
                # One at a time: on a CPU eight together take no less, and a cancel is heard sooner.
                views = pipeline.views(seen, drawn, sampling, at_once=1)
                asset = pipeline.best(told.each(views), seen, asked.mesh, told)
                facts = {"model": asset.model, "agreement": asset.facts.get("agreement")}
                yield made_of(asset.mesh, job.name, asset.seed, facts)

    return make


@functools.lru_cache(maxsize=1)
def loaded(threads: int | None) -> GecoPipeline:
    """The embedded model, kept for the next run: loading it takes as long as an object. In the thread, and so
    is the import.
    """
    from geco import GecoPipeline

    return GecoPipeline.from_pretrained("small", threads=threads)


class Told(Stopwatch):
    """A stopwatch that says which stage begins; there a cancel is heard.

    Args:
        steps: who is told. place, of: which of the picture's objects this is.
        looks: seeds that are looked at, of which one becomes the object.
    """

    def __init__(self, steps: Steps, place: int, of: int, looks: int = 1) -> None:
        super().__init__()
        self._steps, self._place, self._of = steps, place, of
        self._looks, self._looked, self._done = looks, -1, 0.0

    def each(self, views: Iterator[Views]) -> Iterator[Views]:
        """The views, told before each is drawn."""
        for _ in range(self._looks):
            self._looked += 1
            self.at("views")
            yield next(views)

    def at(self, stage: str) -> None:
        """Raises Cancelled."""
        if stage in SHARES:
            names = list(SHARES)
            before = sum(SHARES[name] for name in names[: names.index(stage)])
            if stage in LOOKS:
                before = FIRST + (self._looked * EACH + before - FIRST) / self._looks
            self._done = max(self._done, before)
        seed = f", object {self._place + 1} of {self._of}" if self._of > 1 else ""
        look = f", seed {self._looked + 1} of {self._looks}" if self._looks > 1 and stage in LOOKS else ""
        self._steps.step(WORDS.get(stage, stage) + look + seed, (self._place + self._done) / self._of)

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
