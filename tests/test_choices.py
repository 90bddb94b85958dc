"""The table of choices against what is made of it: the command line, the service's form, and the options of
the mesh and of the views.
"""

from __future__ import annotations

import argparse
import inspect
from dataclasses import fields, replace
from typing import Any

import pytest

from geco.asset import Asset
from geco.batches import MOST_SAMPLES
from geco.choices import CHOICES, Choice, choice, choices, numbers, sort
from geco.cli import choice_options
from geco.cli.main import parser
from geco.errors import ConfigError
from geco.images import cut_out
from geco.mesh.export import FORMATS
from geco.mesh.export.sizes import LARGEST, SMALLEST
from geco.outputs import MESH_SUFFIXES
from geco.pipeline import GecoPipeline
from geco.sampling import Steering
from geco.surface_to_asset import AssetOptions

LODS = Choice("lods", "list", "mesh", "levels", low=4, high=9000)
NOT_OFFERED = {"on_device"}  # of AssetOptions: a choice of the machine, which --device implies


def given(*words: str) -> dict[str, Any]:
    return choice_options.values(parser().parse_args(["run", "p.png", *words]))


def test_every_choice_is_an_option_of_geco_run_and_its_default_is_that_of_the_pipeline() -> None:
    assert list(given()) == [row.name for row in CHOICES]
    asked = sort(given())
    assert asked.mesh == AssetOptions() and asked.views == Steering()
    for values, function in ((asked.picture, cut_out), (asked.file, Asset.save)):
        own = inspect.signature(function).parameters
        for name, value in values.items():
            assert own["method" if name == "cutout" else name].default == value, name
    assert inspect.signature(GecoPipeline.see).parameters["cutout"].default == asked.picture["cutout"]


def test_every_option_of_the_mesh_and_of_the_views_is_a_choice() -> None:
    assert {row.target for row in choices("mesh")} == {f.name for f in fields(AssetOptions)} - NOT_OFFERED
    assert {row.target for row in choices("views")} == {f.name for f in fields(Steering)}
    assert (choice("size").low, choice("size").high) == (SMALLEST, LARGEST)
    assert choice("samples").high == MOST_SAMPLES
    assert {f".{value}" for value in choice("format").values} == set(MESH_SUFFIXES) == set(FORMATS)


def test_what_is_given_arrives() -> None:
    words = (
        "--faces 500 --no-outline --no-projection --watertight --uv xatlas --cutout none --steps 3 --seed 4"
    )
    asked = sort(given(*words.split(), "--size", "0.5", "--texture-format", "png", "--pivot", "base"))
    wanted = AssetOptions(faces=500, outline=False, projection=False, watertight=True, uv_method="xatlas")
    assert asked.mesh == wanted and asked.views == Steering(steps=3)
    assert asked.picture == {"cutout": "none"} and asked.file == {
        "size": 0.5,
        "texture_format": "png",
        "pivot": "base",
        "compression": "none",
    }


@pytest.mark.parametrize("row", [row for row in choices("views", "mesh") if row.low is not None], ids=str)
def test_the_ranges_are_those_of_the_options(row: Choice) -> None:
    assert row.low is not None and row.high is not None
    if row.kind == "list":
        return
    kind = int if row.kind == "int" else float
    for value in (row.low, row.high):
        sort({row.name: kind(value)})
    for value in (row.low - 1, row.high + 1):
        with pytest.raises(ConfigError):
            sort({row.name: kind(value)})


def test_lists_are_numbers_with_commas() -> None:
    assert numbers(LODS, "8000, 400,4") == (8000, 400, 4)
    for wrong in ("", "8000,", "8000;400", "1e3", "8000,3", "9001", "²"):
        with pytest.raises(ConfigError, match="lods"):
            numbers(LODS, wrong)


def test_a_row_is_an_option_by_its_kind() -> None:
    made = argparse.ArgumentParser()
    choice_options.add(made, [LODS, replace(LODS, name="side_on", kind="bool", default=True, help="look")])
    read = made.parse_args(["--lods", "8000,400", "--no-side-on"])
    assert (read.lods, read.side_on) == ("8000,400", False)
    assert "do not look" in made.format_help()


def test_the_form_of_the_service_is_the_table_with_the_server_s_limits() -> None:
    pytest.importorskip("fastapi")
    from geco.serve import Limits, Settings, create_app

    limits = Limits(faces=5000)
    document = create_app(settings=Settings(limits)).openapi()
    bodies = document["components"]["schemas"]
    form = bodies["Body_preview"]
    rows = [choice("seed"), *choices("views", "mesh", "file", "picture")]
    assert list(form["properties"]) == ["picture", *(row.name for row in rows), "model"]
    assert form["required"] == ["picture"]
    kinds = {"bool": "boolean", "int": "integer", "float": "number", "str": "string", "list": "string"}
    for row in rows:
        made = form["properties"][row.name]
        most = getattr(limits, row.limit) if row.limit else row.high
        found = (made["type"], made.get("minimum"), made.get("maximum"), tuple(made.get("enum", ())))
        numeric = row.kind in ("int", "float")
        wanted = (row.low, most) if numeric else (None, None)
        assert found == (kinds[row.kind], *wanted, row.values), row.name
        assert made.get("default") == row.default and made["description"] == row.help
    assert set(bodies["Body_mesh"]["properties"]) == {
        *form["properties"],
        "format",
        "samples",
    }
