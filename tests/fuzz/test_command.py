"""The fuzzer itself: whatever an input does to its worker is noticed, named, counted, and can be redone."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from random import Random

import pytest
from benchmarks import fuzz
from benchmarks.fuzzing.attempt import innermost, make
from benchmarks.fuzzing.case import Case, damage, hostile, to_json, wrong_value
from benchmarks.fuzzing.tally import Tally

from tests.fuzz import trouble

KIND = "tests.fuzz.trouble"
WANTED = {
    "fine": "result", "refused": "MeshError", "raises": "exception", "hangs": "timeout",
    "crashes": "crashed", "memory": "memory", "leaves": "left behind", "untidy": "untidy message",
    "computes": "timeout", "exits": "exception", "warns": "result",
}  # fmt: skip

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers are bounded on Linux")


def test_every_sort_of_trouble_is_noticed_and_named() -> None:
    numbers: dict[str, int] = {}
    for index in range(200):
        numbers.setdefault(make(KIND, 0, index).files["sort"].decode(), index)
    assert set(numbers) == set(trouble.SORTS)
    options = fuzz.parser().parse_args(
        ["objects", "--seconds", "1", "--memory", "2", "--patience", "2.5", "--workers", "2"]
    )
    options.kind = KIND
    tally = Tally()
    found = {}
    for row in fuzz.rows(options, sorted(numbers.values())):
        tally.add(row)
        found[row["index"]] = row
    assert {sort: found[index]["outcome"] for sort, index in numbers.items()} == WANTED
    assert tally.wrong == 8
    findings = {finding["what"]: finding for finding in tally.summary()["findings"]}
    assert (
        findings["KeyError"]["where"].startswith("tests/fuzz/trouble.py")
        and "missing" in findings["KeyError"]["message"]
    )
    assert findings["KeyError"]["inputs"] == [numbers["raises"]]
    assert (
        "SIGSEGV" in found[numbers["crashes"]]["message"]
        and "trouble.py" in found[numbers["crashes"]]["where"]
    )
    assert (
        "trouble.py" in found[numbers["hangs"]]["where"] and "trouble.py" in found[numbers["memory"]]["where"]
    )
    said = tally.summary()["warnings"]
    assert len(said) == 2 and said["standard error: a line of a library"] == 1
    assert any(place.startswith("UserWarning tests/fuzz/trouble.py") for place in said)


def test_the_command_ends_with_a_line_of_json_and_saves_what_went_wrong(
    tmp_path: Path, capsys, monkeypatch
) -> None:
    monkeypatch.setattr(fuzz, "KINDS", (KIND,))
    raising = next(index for index in range(100) if make(KIND, 3, index).files["sort"] == b"raises")
    assert (
        fuzz.main([KIND, "--only", str(raising), "--seed", "3", "--workers", "1", "--keep", str(tmp_path)])
        == 1
    )
    out, err = capsys.readouterr()
    line = json.loads(out.splitlines()[-1])
    assert (
        line["outcomes"] == {"exception": 1}
        and line["wrong"] == 1
        and line["findings"][0]["inputs"] == [raising]
    )
    assert "KeyError: 'missing'" in err and "trouble.py" in err
    assert (tmp_path / f"{KIND}-3-{raising}" / "sort").read_bytes() == b"raises"
    fine = next(index for index in range(100) if make(KIND, 3, index).files["sort"] == b"fine")
    assert fuzz.main([KIND, "--start", str(fine), "--count", "1", "--seed", "3"]) == 0


@pytest.mark.parametrize("kind", ["pictures", "objects"])
def test_an_input_depends_on_its_seed_and_number_alone(kind: str) -> None:
    first = [make(kind, 5, index) for index in range(12)]
    assert [make(kind, 5, index) for index in reversed(range(12))] == first[::-1]
    assert len({repr(case.files) for case in first + [make(kind, 6, index) for index in range(12)]}) > 20


def test_damage_changes_bytes_and_json() -> None:
    data, document = bytes(range(256)), {"a": [1, 2.5, {"b": "c"}], "d": True}
    assert sum(damage(data, Random(seed)) != data for seed in range(100)) > 90
    changed = [wrong_value(document, Random(seed)) for seed in range(200)]
    assert sum(value != document for value in changed) > 180 and document == {
        "a": [1, 2.5, {"b": "c"}],
        "d": True,
    }
    assert len({type(hostile(Random(seed))) for seed in range(200)}) >= 6
    assert all(isinstance(to_json(value, Random(0)), bytes) for value in changed)


def test_memory_that_grows_is_told_from_memory_that_settles() -> None:
    settling, growing = Tally(), Tally()
    for number in range(400):
        row = {"outcome": "result", "detail": "x", "index": number, "process": 1, "descriptors": 5}
        measured = number % 20 == 0
        settling.add({**row, **({"memory": min(number, 40) * 2**20} if measured else {})})
        growing.add({**row, **({"memory": number * 2**20} if measured else {})})
    assert settling.summary()["memory"]["growth_mb"] == 0
    assert growing.summary()["memory"]["growth_mb"] > 200


def test_the_innermost_line_of_ours_is_found_in_a_stack() -> None:
    stack = 'Thread 0x1 (most recent call first):\n  File "/x/threading.py", line 3 in wait\n\nThread 0x2:\n'
    stack += (
        '  File "/lib/PIL/Image.py", line 9 in load\n  File "/x/src/geco/images/load.py", line 7 in _decode\n'
    )
    stack += '  File "/x/benchmarks/fuzzing/attempt.py", line 1 in _outcome\n'
    assert innermost(stack) == "geco/images/load.py:7 (_decode)"


def test_a_case_is_written_below_its_folder(tmp_path: Path) -> None:
    Case("x", {"a/b.txt": b"1"}, {"k": 1}).save(tmp_path / "c")
    assert (tmp_path / "c" / "a" / "b.txt").read_bytes() == b"1" and json.loads(
        (tmp_path / "c" / "how.json").read_text()
    )["how"] == {"k": 1}
