"""The constraints file pins all that an installation of the base and of the tests brings, and
pins nothing impossible.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def pins() -> dict[str, Requirement]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    found = [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]
    assert len({canonicalize_name(each.name) for each in found}) == len(found), "a package is pinned twice"
    return {canonicalize_name(each.name): each for each in found}


def project() -> dict[str, Any]:
    tomllib = pytest.importorskip("tomllib", reason="Python 3.11 and later read pyproject.toml")
    content: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return content


def of_extra(extras: dict[str, list[str]], name: str) -> Iterator[Requirement]:
    for requirement in map(Requirement, extras[name]):
        if canonicalize_name(requirement.name) == "geco3d":
            for inner in requirement.extras:
                yield from of_extra(extras, inner)
        else:
            yield requirement


def closure(roots: Iterable[Requirement]) -> Iterator[Requirement]:
    """The requirements and theirs in turn, as far as they are installed here."""
    todo, seen = list(roots), set()
    while todo:
        requirement = todo.pop()
        key = (canonicalize_name(requirement.name), tuple(sorted(requirement.extras)))
        yield requirement
        if key in seen:
            continue
        seen.add(key)
        try:
            needs = [Requirement(text) for text in distribution(requirement.name).requires or []]
        except PackageNotFoundError:
            continue
        for need in needs:
            if need.marker is None or any(
                need.marker.evaluate({"extra": e}) for e in ["", *requirement.extras]
            ):
                todo.append(need)


def test_everything_that_the_readmes_commands_install_is_pinned(pins: dict[str, Requirement]) -> None:
    about = project()
    extras = about["optional-dependencies"]
    roots = [
        *map(Requirement, about["dependencies"]),
        *of_extra(extras, "test"),
        *of_extra(extras, "docs"),
    ]
    needed = list(closure(roots))
    assert len(needed) > 100
    assert not {canonicalize_name(each.name) for each in needed} - pins.keys()
    for requirement in needed:
        (pin,) = pins[canonicalize_name(requirement.name)].specifier
        assert pin.operator == "==" and requirement.specifier.contains(pin.version, prereleases=True), (
            requirement
        )


def test_no_pin_asks_for_another_python_than_the_projects(pins: dict[str, Requirement]) -> None:
    """A pin whose release needs a newer Python says so, or the oldest one could install nothing at all."""
    oldest = {"python_version": "3.10", "python_full_version": "3.10.0"}
    for name, pin in pins.items():
        try:
            needs = SpecifierSet(distribution(name).metadata.get("Requires-Python") or "")
        except PackageNotFoundError:
            continue
        if not needs.contains("3.10.0"):
            assert pin.marker is not None and not pin.marker.evaluate(oldest), name


def test_torch_is_the_release_that_was_measured(pins: dict[str, Requirement]) -> None:
    assert str(pins["torch"].specifier) == "==2.13.0"
