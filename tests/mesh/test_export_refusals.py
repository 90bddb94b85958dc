"""What is not written: refused before anything is, or given up without a trace."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from geco.errors import ConfigError, GecoError, MeshError, OutputError
from geco.mesh import Mesh
from geco.mesh.export import FORMATS, save
from tests.mesh.shapes import textured


def test_bad_requests_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    mesh = textured()
    for name in ("a.fbx", "a", "a.glb.zip"):
        with pytest.raises(OutputError, match=r"\.glb \.obj \.ply \.stl \.usdz \.3mf"):
            save(mesh, tmp_path / name)
    nan = mesh.with_(vertices=np.where(np.arange(258)[:, None] == 3, np.nan, mesh.vertices))
    wrong: list[Mesh] = [
        nan,
        Mesh(mesh.vertices, np.zeros((0, 3))),
        mesh.with_(faces=mesh.faces + 1),
        mesh.with_(uvs=None),
        mesh.with_(uvs=mesh.uvs[:-1]),
        mesh.with_(texture=mesh.texture.astype(np.float32)),
    ]
    for bad in wrong:
        with pytest.raises(MeshError):
            save(bad, tmp_path / "a.glb")
    with pytest.raises(ConfigError):
        save(mesh, tmp_path / "a.glb", texture_format="tiff")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_place_that_cannot_be_written(tmp_path: Path, suffix: str) -> None:
    if suffix == ".usdz":
        pytest.importorskip("pxr")
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OutputError):
        save(textured(), tmp_path / "file" / f"a{suffix}")
    (tmp_path / f"folder{suffix}").mkdir()
    with pytest.raises(OutputError):
        save(textured(), tmp_path / f"folder{suffix}")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", f"folder{suffix}"]


_FULL_DISK = """
import resource, signal, sys
from geco.errors import OutputError
from geco.mesh.export import save
from tests.mesh.shapes import textured
mesh = textured(512)
import PIL.JpegImagePlugin
if sys.argv[1].endswith(".usdz"):
    import pxr.Usd
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
try:
    save(mesh, sys.argv[1], texture_format="png")
except OutputError as error:
    print("refused:", error)
"""


@pytest.mark.parametrize(("suffix", "missing"), [(suffix, 1) for suffix in FORMATS] + [(".usdz", 10_000)])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path, suffix: str, missing: int) -> None:
    """Room for all but the last bytes of the largest file (with 10,000 missing, USDZ cannot even
    write its layer).
    """
    if suffix == ".usdz":
        pytest.importorskip("pxr")
    target = tmp_path / f"a{suffix}"
    written = save(textured(512), target, texture_format="png")
    room = max(path.stat().st_size for path in written) - missing
    for path in written:
        path.unlink()
    target.write_bytes(b"the old one")
    command = [sys.executable, "-c", _FULL_DISK, str(target), str(room)]
    result = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2]
    )
    assert result.returncode == 0, result.stderr
    expected = (
        f"refused: cannot write {target}"
        if missing == 1
        else "refused: a USDZ file needs a folder for temporary files"
    )
    assert expected in result.stdout and len(result.stdout.splitlines()) == 1
    assert target.read_bytes() == b"the old one"
    assert list(tmp_path.iterdir()) == [target]


def test_every_refusal_has_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(GecoError) as caught:
        save(textured(), tmp_path / "a.xyz")
    assert caught.value.remedy
