"""Which of several seeds made the picture's object: the one whose outline agrees best with the picture's,
before anything is made to agree.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from geco.backend import Backend
from geco.errors import ConfigError, MeshError
from geco.photo.rough import Rough, agreement_facts, agreement_of, rough_of
from geco.reconstruct.fields import DenseFields, SurfaceFields
from geco.seen import Seen, Views
from geco.timing import Stopwatch


@dataclass(frozen=True)
class Chosen:
    """One seed's views and their fields.

    Attributes:
        rough: the fields on a grid and their camera, where that was looked at.
        facts: every seed that was looked at with its agreement, null where it held no surface; empty of one.
        seconds: that all views took.
    """

    views: Views
    fields: SurfaceFields
    rough: Rough | None
    facts: dict[str, Any]
    seconds: float


def choose(
    backend: Backend, drawn: Iterable[Views], seen: Seen, count: int, size: int, watch: Stopwatch
) -> Chosen:
    """Views become fields, one seed after the other; those that agree best are kept, the first of equals.

    Args:
        drawn: one item a seed; one alone is not looked at.
        count: how many there must be.
        size: cubes a side of the surface grid.

    Raises:
        ConfigError: there are not ``count``, or the model makes the same of all seeds. MeshError: none of
            several holds a surface.
    """
    if count > 1 and backend.sampling is None:
        raise ConfigError(
            f"{backend.card.name} draws no views, so every seed gives the same object", "Leave best_of out."
        )
    best: tuple[float, Views, SurfaceFields, Rough | None] | None = None
    told: list[dict[str, Any]] = []
    failed: MeshError | None = None
    seconds: set[float] = set()  # of each batch of views, which its seeds have in common
    for views in drawn:
        with watch.stage("reconstruct"):
            fields = backend.reconstruct(views.drawn, seen.read)
        seconds.add(views.seconds)
        agreement, rough = 0.0, None
        if count > 1:
            try:
                with watch.stage("agreement"):
                    agreement, rough = _looked_at(fields, size, seen)
            except MeshError as error:
                told.append({"seed": views.seed, "agreement": None})
                failed = error
                continue
        told.append({"seed": views.seed, **agreement_facts(agreement)})
        if best is None or agreement > best[0]:
            best = agreement, views, fields, rough
    if len(told) != count:
        raise ConfigError(
            f"the best of {count} seeds is asked for, and views of {len(told)} were given",
            "Give GecoPipeline.best the views of as many seeds as best_of says.",
        )
    if best is None:
        assert failed is not None
        raise failed
    facts = {"best_of": told, **agreement_facts(best[0])} if count > 1 else {}
    return Chosen(best[1], best[2], best[3], facts, sum(seconds))


def _looked_at(fields: SurfaceFields, size: int, seen: Seen) -> tuple[float, Rough | None]:
    if isinstance(fields, DenseFields):
        rough = rough_of(fields, size, seen.picture)
        return rough.agreement, rough
    return agreement_of(fields, size, seen.picture), None
