"""``geco info``: what is installed is read off the package itself, not off a list beside it."""

from __future__ import annotations

import json
from importlib import metadata

import pytest

from geco.cli.info import missing_packages, required
from geco.cli.main import main

LINES = [
    "numpy>=1.26",
    'scipy>=1.11; extra == "data"',
    'geco3d[mesh]; extra == "data"',
    "trimesh>=4 ; extra == 'mesh'",
    "Some-Thing[fast]>=2; extra == 'train'",
    'geco3d[data, mesh]; extra == "train"',
]


@pytest.mark.parametrize(
    ("extra", "wanted"),
    [
        ("mesh", {"trimesh"}),
        ("data", {"scipy", "trimesh"}),
        ("train", {"Some-Thing", "scipy", "trimesh"}),
        ("none", set()),
    ],
)
def test_an_extra_needs_what_it_names_and_what_the_extras_in_it_name(extra: str, wanted: set[str]) -> None:
    assert required(LINES, extra) == wanted


def test_every_extra_of_the_installed_package_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        extras = metadata.metadata("geco3d").get_all("Provides-Extra")
    except metadata.PackageNotFoundError:
        pytest.skip("GECO runs from its source here")
    assert main(["info", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["extras"]
    assert extras and list(told) == extras
    here = {entry.metadata["Name"].lower().replace("_", "-") for entry in metadata.distributions()}
    assert all(name.lower() not in here for missing in told.values() for name in missing)


def test_a_base_install_without_what_comes_with_extras_is_described(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = metadata.version

    def version(name: str) -> str:
        if name in ("safetensors", "torch"):
            raise metadata.PackageNotFoundError(name)
        return whole(name)

    monkeypatch.setattr(metadata, "version", version)
    assert main(["info", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)["runtime"]) == {"numpy", "onnxruntime", "Pillow"}


def test_what_is_not_installed_is_named_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("geco.cli.info.required", lambda lines, extra: {"numpy", "no-such-package"})
    assert all(missing == ["no-such-package"] for missing in missing_packages().values())
    assert main(["info"]) == 0
    if missing_packages():
        assert "lacks no-such-package (pip install 'geco3d[torch]')" in capsys.readouterr().out
