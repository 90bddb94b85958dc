"""USDZ as the rules of Apple and Pixar want it."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from geco.errors import ConfigError
from geco.mesh.export import About, save
from tests.mesh.shapes import EXTRAS, sphere, textured


def usd_complaints(path: Path) -> list[str]:
    """What USD's own validators say: all of them where this version has them in Python, else the
    older checker for AR viewers.
    """
    from pxr import Usd, UsdUtils

    if hasattr(UsdUtils, "ComplianceChecker"):
        checker = UsdUtils.ComplianceChecker(arkit=True)
        checker.CheckCompliance(str(path))
        return [*checker.GetErrors(), *checker.GetFailedChecks()]
    from pxr import UsdValidation

    registry = UsdValidation.ValidationRegistry()
    validators = registry.GetOrLoadAllValidators()
    assert len(validators) > 20
    return [
        error.GetMessage()
        for error in UsdValidation.ValidationContext(validators).Validate(Usd.Stage.Open(str(path)))
    ]


@pytest.mark.parametrize("kind", ["jpeg", "png"])
def test_usdz(tmp_path: Path, kind: str) -> None:
    pytest.importorskip("pxr")
    from pxr import Usd, UsdGeom, UsdShade

    mesh = textured()
    save(mesh, tmp_path / "a.usdz", texture_format=kind, about=About("4 chairs", extras=EXTRAS))
    stage = Usd.Stage.Open(str(tmp_path / "a.usdz"))
    assert UsdGeom.GetStageUpAxis(stage) == "Y" and UsdGeom.GetStageMetersPerUnit(stage) == 1.0
    shapes = [prim for prim in stage.Traverse() if prim.IsA(UsdGeom.Mesh)]
    assert len(shapes) == 1
    shape = UsdGeom.Mesh(shapes[0])
    np.testing.assert_array_equal(np.array(shape.GetPointsAttr().Get()), mesh.vertices[:, [1, 2, 0]])
    np.testing.assert_array_equal(np.array(shape.GetFaceVertexIndicesAttr().Get()), mesh.faces.ravel())
    st = np.array(UsdGeom.PrimvarsAPI(shape).GetPrimvar("st").Get())
    np.testing.assert_allclose(st, mesh.uvs * [1, -1] + [0, 1], atol=1e-6)
    assert (
        UsdShade.MaterialBindingAPI(shapes[0]).ComputeBoundMaterial()[0].GetPath()
        == "/_4_chairs/_4_chairs_material"
    )
    assert stage.GetRootLayer().customLayerData["seed"] == 7
    assert usd_complaints(tmp_path / "a.usdz") == []
    with pytest.raises(ConfigError):
        save(mesh, tmp_path / "b.usdz", texture_format="webp")
    save(sphere(2).with_(colors=np.full((66, 3), 0.5, np.float32)), tmp_path / "b.usdz")
    assert Usd.Stage.Open(str(tmp_path / "b.usdz")) and usd_complaints(tmp_path / "b.usdz") == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.usdz", "b.usdz"]


def test_usdz_aligns_its_files(tmp_path: Path) -> None:
    pytest.importorskip("pxr")
    save(textured(), tmp_path / "a.usdz")
    data = (tmp_path / "a.usdz").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.usdz") as package:
        entries = package.infolist()
        assert [entry.filename for entry in entries] == [
            "object.usdc",
            "object.jpg",
        ] and package.testzip() is None
    for entry in entries:
        name, extra = struct.unpack_from("<HH", data, entry.header_offset + 26)
        start = entry.header_offset + 30 + name + extra
        assert entry.compress_type == zipfile.ZIP_STORED and start % 64 == 0
        assert data[start:].startswith(b"PXR-USDC" if entry.filename.endswith("usdc") else b"\xff\xd8")
