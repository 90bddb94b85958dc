"""A report belongs to its settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from geco.cli.main import main
from geco.errors import ConfigError
from geco.evaluate.methods import parse_methods
from geco.evaluate.settings import FILE, Settings, agree_on_measures, agreed, describe, seeds_of, settle
from geco.locks import LOCK, locked
from tests.cases import BUGS


def described(
    folder: Path, names: list[str] | None = None, meshes: list[str] | None = None, **changes: Any
) -> dict[str, Any]:
    thing = folder / "thing.glb"
    if not thing.exists():
        thing.write_bytes(b"glTF")
    return describe(
        Settings(**changes), parse_methods(names or ["copy-input"], meshes or []), {"thing": thing}
    )


def test_the_same_settings_go_on(tmp_path: Path) -> None:
    report = tmp_path / "report"
    first = settle(report, described(tmp_path))
    before = (report / FILE).stat().st_mtime_ns
    assert settle(report, described(tmp_path)) == first
    assert (report / FILE).stat().st_mtime_ns == before


@pytest.mark.parametrize(
    "change",
    [
        {"size": 64},
        {"protocol": "A"},
        {"variants": ("bare",)},
        {"mesh_light": "target"},
        {"alignment": "search"},
    ],
)
def test_other_settings_are_refused_by_name(tmp_path: Path, change: dict[str, Any]) -> None:
    settle(tmp_path / "report", described(tmp_path))
    with pytest.raises(ConfigError) as caught:
        settle(tmp_path / "report", described(tmp_path, **change))
    assert next(iter(change)) in caught.value.problem and "-o" in caught.value.remedy


def test_other_objects_or_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "meshes").mkdir()
    mesh = tmp_path / "meshes" / "thing.ply"
    mesh.write_text("one")
    other = [f"other={tmp_path / 'meshes'}"]
    settle(tmp_path / "report", described(tmp_path, meshes=other))
    mesh.write_text("two")
    with pytest.raises(ConfigError, match="method other"):
        settle(tmp_path / "report", described(tmp_path, meshes=other))
    (tmp_path / "thing.glb").write_bytes(b"changed")
    with pytest.raises(ConfigError, match=r"objects .thing"):
        settle(tmp_path / "report", described(tmp_path))


def test_methods_and_seeds_may_be_added(tmp_path: Path) -> None:
    settle(tmp_path / "report", described(tmp_path, ["copy-input"], seeds=2))
    joined = settle(tmp_path / "report", described(tmp_path, ["geco"], seeds=1))
    assert set(joined["methods"]) == {"copy-input", "geco"} and joined["seeds"] == 2
    assert settle(tmp_path / "report", described(tmp_path, ["geco"], seeds=3))["seeds"] == 3
    assert seeds_of(tmp_path / "report") == 3 and seeds_of(tmp_path) == 1


def test_versions_count(tmp_path: Path) -> None:
    now = described(tmp_path)
    settle(tmp_path / "report", now)
    path = tmp_path / "report" / FILE
    stored = json.loads(path.read_text())
    stored["common"]["versions"]["numpy"] = "0.0.1"
    path.write_text(json.dumps(stored))
    with pytest.raises(ConfigError, match=r"versions .numpy 0\.0\.1 was"):
        settle(tmp_path / "report", now)


def test_a_folder_of_something_else_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "thesis.tex").write_text("x")
    with pytest.raises(ConfigError, match="holds files but no report"):
        settle(tmp_path / "report", described(tmp_path))
    (tmp_path / "report" / FILE).write_text("[]")
    with pytest.raises(ConfigError, match=r"settings\.json holds a list"):
        settle(tmp_path / "report", described(tmp_path))
    (tmp_path / "report" / FILE).write_text("{}")
    with pytest.raises(ConfigError, match="not the settings"):
        settle(tmp_path / "report", described(tmp_path))


def test_weights_may_not_come_and_go(tmp_path: Path) -> None:
    settle(tmp_path / "report", described(tmp_path))
    agree_on_measures(tmp_path / "report", {"lpips_vgg": "not there"})
    agree_on_measures(tmp_path / "report", {"lpips_vgg": "still not there"})
    with pytest.raises(ConfigError, match="begun without the weights of lpips_vgg"):
        agree_on_measures(tmp_path / "report", {})
    settle(tmp_path / "report", described(tmp_path))  # keeps what was agreed
    assert json.loads((tmp_path / "report" / FILE).read_text())["unavailable"] == {"lpips_vgg": "not there"}


def test_two_evaluations_do_not_write_one_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = tmp_path / "report"
    command = [
        "evaluate",
        "--objects",
        str(BUGS / "objects" / "same_name"),
        "--methods",
        "copy-input",
        "-o",
        str(report),
    ]
    with locked(report, LOCK):
        assert main(command) == 2
        assert [path.name for path in report.iterdir()] == [LOCK]
    assert "another run is writing" in capsys.readouterr().err and not list(report.iterdir())


def test_a_folder_of_other_things_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.tex").write_text("years of work")
    with pytest.raises(ConfigError, match="holds files but no report"):
        agreed(mine, described(tmp_path))
    assert [path.name for path in mine.iterdir()] == ["thesis.tex"]
