"""The table of SyncDreamer's 30 objects against the code that it was taken from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from geco.data import gso
from geco.errors import ConfigError


def published_angle(name: str) -> float:
    """The rules of the public evaluation, said in its order (radians there), for comparison with
    the table.
    """
    if name == "sofa":
        return -90.0
    groups = {
        270.0: "blocks alarm backpack chicken soap grandfather grandmother lion lunch_bag mario oil",
        180.0: "elephant school_bus1",
        225.0: "school_bus2 shoe train turtle",
        112.5: "sorter",
    }
    return next((angle for angle, names in groups.items() if name in names.split()), 0.0)


def test_thirty_names_with_the_published_angles() -> None:
    assert len(gso.OBJECTS) == 30 and list(gso.OBJECTS) == sorted(gso.OBJECTS)
    for name, entry in gso.OBJECTS.items():
        assert entry.name == name and gso.orientation(name) == entry.angle == published_angle(name)
    assert sum(entry.angle == 0 for entry in gso.OBJECTS.values()) == 11


def test_only_verified_models_are_named() -> None:
    assert {name: entry.model for name, entry in gso.OBJECTS.items() if entry.model} == {
        "chicken": "CHICKEN_NESTING"
    }


@pytest.mark.parametrize("name", ["alarm", "bell", "sofa", "sorter", "train"])
def test_rotation_turns_by_minus_the_angle_about_z(name: str) -> None:
    matrix = gso.rotation(name)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(matrix) == pytest.approx(1)
    np.testing.assert_allclose(matrix @ [0, 0, 1], [0, 0, 1])
    turned = matrix @ [1, 0, 0]
    assert np.degrees(np.arctan2(turned[1], turned[0])) % 360 == pytest.approx(-gso.orientation(name) % 360)


def test_sofa_and_alarm_stand_alike() -> None:
    np.testing.assert_allclose(gso.rotation("sofa"), gso.rotation("alarm"), atol=1e-12)  # -90 and 270


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ConfigError, match="none of SyncDreamer's 30"):
        gso.orientation("mug")


def test_meshes_are_found_in_every_layout(tmp_path: Path) -> None:
    wanted = {
        "alarm": tmp_path / "alarm" / "meshes" / "model.obj",
        "bell": tmp_path / "bell-mesh" / "meshes" / "model.obj",
        "chicken": tmp_path / "CHICKEN_NESTING" / "meshes" / "model.obj",
        "shoe": tmp_path / "shoe.glb",
        "shoe1": tmp_path / "shoe1" / "model.obj",
    }
    for path in wanted.values():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    (tmp_path / "mug.glb").write_bytes(b"x")
    assert gso.find_meshes(tmp_path) == wanted


def test_folders_without_them_are_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(ConfigError, match=r"gso-eval-meshes\.zip"):
            gso.find_meshes(folder)
