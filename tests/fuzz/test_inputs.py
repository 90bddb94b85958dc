"""A few hundred generated inputs of each kind: a result or an error of ours, nothing else
(docs/fuzzing.md).
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from benchmarks.fuzzing import objects, pictures, requests, weights
from benchmarks.fuzzing.attempt import make, own_error
from benchmarks.fuzzing.case import Case

from geco.errors import GecoError
from geco.images import cut_out, load_picture, prepare

SEED = 11


def cases(kind: str, count: int) -> Iterator[tuple[int, Case]]:
    for index in range(count):
        yield index, make(kind, SEED, index)


def outcome(kind: str, index: int, work: object, *arguments: object) -> str:
    """What became of an input; any error but ours is told with its number."""
    try:
        return str(work(*arguments))  # type: ignore[operator]
    except GecoError as error:
        found = own_error(error)["outcome"]
        assert found != "untidy message", f"{kind} {index}: {error!r}"
        return f"refused: {found}"
    except Exception as error:
        raise AssertionError(f"python -m benchmarks.fuzz {kind} --seed {SEED} --only {index}") from error


def test_pictures_are_loaded_cut_out_and_prepared_or_refused(tmp_path: Path) -> None:
    found = Counter(
        outcome("pictures", index, prepared, case, tmp_path / str(index))
        for index, case in cases("pictures", 300)
    )
    assert found["prepared"] > 60 and found["refused: InputImageError"] > 60


def prepared(case: Case, folder: Path) -> str:
    picture = load_picture(pictures.source_of(case, folder))
    prepare(cut_out(picture, method=case.how["options"]["call"]["cutout"]), 96, 0.85).rgba(96)
    return "prepared"


def test_pictures_become_meshes_or_are_refused(tmp_path: Path) -> None:
    found: Counter[str] = Counter()
    for index, case in cases("pictures", 40):
        (tmp_path / str(index)).mkdir()
        found[outcome("pictures", index, pictures.try_it, case, tmp_path / str(index)).partition(" ")[0]] += 1
    assert found["mesh"] >= 8


def test_objects_are_drawn_or_refused(tmp_path: Path) -> None:
    found: Counter[str] = Counter()
    for index, case in cases("objects", 300):
        (tmp_path / str(index)).mkdir()
        found[outcome("objects", index, objects.try_it, case, tmp_path / str(index)).partition(" ")[0]] += 1
    assert found["drawn"] > 40 and found["refused:"] > 100


# Families whose whole folders take seconds to make are for the command.
QUICK = {name: share for name, share in weights.SHARES.items() if name not in ("diffusers", "full", "clip")}


def test_model_folders_are_read_or_refused(tmp_path: Path) -> None:
    found: Counter[str] = Counter()
    for index in range(250):
        case = weights.make(Random(f"quick weights/{index}"), QUICK)
        (tmp_path / str(index)).mkdir()
        found[outcome("weights", index, weights.try_it, case, tmp_path / str(index)).partition(" ")[0]] += 1
    assert found["refused:"] > 60 and sum(found.values()) - found["refused:"] > 20


@pytest.mark.skipif(sys.platform != "linux", reason="the server's end is told by /proc there")
def test_every_answer_of_the_server_is_well_formed(tmp_path: Path) -> None:
    found: Counter[str] = Counter()
    forms = 0
    for index, case in cases("requests", 200):
        forms += (whole := case.about.startswith("form"))
        if not whole or forms <= 8:  # a mesh costs a third of a second
            found[outcome("requests", index, requests.try_it, case, tmp_path)[:3]] += 1
    assert found["200"] > 5 and found["400"] > 20 and found["422"] > 3
