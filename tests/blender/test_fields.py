"""Blender's properties are the package's table of choices."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import tomllib
from blender.build import BuildError, manifest, package_version
from blender.extension.fields import LEFT_OUT, OWN, PICTURES, chosen, rows, unset, words

from geco.choices import CHOICES, sort
from geco.images.formats import HEIC, SUFFIXES


def at_first() -> SimpleNamespace:
    """The properties as Blender has them at first."""
    found = {}
    for row in rows():
        first = words(row)[0] if row.kind == "str" and row.values else row.default
        found[row.name] = unset(row) if first is None and row.kind in ("int", "float") else first
    return SimpleNamespace(**found)


def test_every_choice_of_the_mesh_is_shown_or_left_out_by_name() -> None:
    shown = {row.name for row in rows()}
    wanted = {row.name for row in CHOICES if row.group != "file"} | {"size"}
    assert wanted - shown <= LEFT_OUT and {"faces", "texture_size", "watertight", "seed"} <= shown


def test_the_suffixes_of_pictures_are_those_that_the_package_reads() -> None:
    assert set(PICTURES) == SUFFIXES - set(HEIC.suffixes)


def test_nothing_chosen_is_the_command_lines_default() -> None:
    assert sort(chosen(at_first(), server=True)) == sort({})


def test_what_is_chosen_arrives_by_its_name_and_a_servers_choices_only_there() -> None:
    settings = at_first()
    settings.faces, settings.outline, settings.truncation, settings.steps = 500, False, 0.0, 20
    found = chosen(settings, server=False)
    assert (found["faces"], found["outline"], found["truncation"]) == (500, False, 0.0)
    assert "steps" not in found and chosen(settings, server=True)["steps"] == 20
    assert OWN not in found.values() and "size" not in found and "seed" not in found


def test_the_manifest_says_the_packages_version_its_platform_and_its_wheels() -> None:
    read = tomllib.loads(manifest(package_version(), "linux-x64", ["b.whl", "a.whl"]))
    assert read["version"] == package_version() and read["id"] == "geco"
    assert read["platforms"] == ["linux-x64"] and read["wheels"] == ["./wheels/a.whl", "./wheels/b.whl"]
    assert read["license"] == ["SPDX:Apache-2.0"] and set(read["permissions"]) == {"files", "network"}
    assert len(read["tagline"]) <= 64 and all(len(text) <= 64 for text in read["permissions"].values())
    with pytest.raises(BuildError, match=r"9\.9\.9"):
        manifest("9.9.9", "linux-x64", [])
