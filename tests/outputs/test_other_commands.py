"""Commands beside ``geco run`` write over nothing that they did not make either."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from geco.cli.data_info import check_sheet
from geco.cli.main import main
from geco.errors import GecoError, OutputError
from geco.loading import EMBEDDED
from geco.marks import Source, mark_text, read_mark
from geco.model_files.card import Usage, write_model_card
from geco.render.turntable import save_turntable
from geco.sampling import Sampling
from geco.training.curves import write_curves
from tests.mesh.shapes import sphere


def test_a_sheet_of_shards_replaces_only_an_earlier_sheet_of_the_same_shards(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "shards").mkdir()
    photo = tmp_path / "photo.png"
    Image.new("RGB", (8, 8)).save(photo)
    before = photo.read_bytes()
    assert main(["data", "info", str(tmp_path / "shards"), "--sheet", str(photo)]) == 2
    assert "not a result of GECO" in capsys.readouterr().err and photo.read_bytes() == before
    for name, allowed in (("shards", True), ("others", False)):
        photo.write_bytes(mark_text("sheet", Source(name)).encode())
        if allowed:
            check_sheet(tmp_path / "shards", photo, overwrite=False)
        else:
            with pytest.raises(OutputError, match="another input"):
                check_sheet(tmp_path / "shards", photo, overwrite=False)
            check_sheet(tmp_path / "shards", photo, overwrite=True)
    with pytest.raises(OutputError, match="not a picture"):
        check_sheet(tmp_path / "shards", tmp_path / "a.txt", overwrite=True)


def test_the_manifest_of_another_program_is_no_place_for_ours(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "manifest.json").write_text('{"name": "my web page"}')
    assert main(["data", "procedural", "-o", str(tmp_path), "--count", "1"]) == 2
    assert "manifest.json" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]
    (tmp_path / "manifest.json").unlink()
    for count in ("1", "2"):  # our own may be extended
        assert main(["data", "procedural", "-o", str(tmp_path), "--count", count]) == 0
    assert json.loads((tmp_path / "manifest.json").read_text())["count"] == 2


def test_the_exporter_does_not_write_its_card_over_the_models_own(tmp_path: Path) -> None:
    export = pytest.importorskip("geco.onnx_runtime.export")
    write_model_card(tmp_path, "small", "Apache-2.0", Usage(16, 64, Sampling()).to_dict())
    card = (tmp_path / "config.json").read_bytes()
    with pytest.raises(OutputError, match=r"config\.json"):
        export.export_small(tmp_path, tmp_path)
    shutil.copytree(EMBEDDED, tmp_path / "exported")
    before = sorted((tmp_path / "exported").rglob("*"))
    with pytest.raises(OutputError, match="is the model itself"):
        export.export_small(tmp_path / "exported", tmp_path / "exported")
    # over an earlier export: on to the model, which is missing
    with pytest.raises(GecoError, match="multiview"):
        export.export_small(tmp_path, tmp_path / "exported")
    assert sorted((tmp_path / "exported").rglob("*")) == before
    assert (tmp_path / "config.json").read_bytes() == card


def test_the_converter_writes_over_neither_its_sources_nor_another_programs_card(tmp_path: Path) -> None:
    convert = pytest.importorskip("geco.torch_runtime.convert")
    (tmp_path / "multiview").mkdir()
    source = tmp_path / "multiview" / "network.safetensors"
    source.write_bytes(b"weights")
    for arguments in ((tmp_path, "instant-mesh-large"), (tmp_path / "none", source)):
        with pytest.raises(OutputError, match="input"):
            convert.convert_public(convert.Halves(*arguments), tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "another"}')
    with pytest.raises(OutputError, match=r"config\.json"):
        convert.convert_public(convert.Halves(tmp_path / "none", "instant-mesh-large"), tmp_path)
    assert source.read_bytes() == b"weights" and sorted(path.name for path in tmp_path.iterdir()) == [
        "config.json",
        "multiview",
    ]


@pytest.mark.parametrize("suffix", [".png", ".gif", ".mp4"])
def test_a_turntable_says_what_it_is_and_is_the_same_every_time(suffix: str, tmp_path: Path) -> None:
    if suffix == ".mp4":
        pytest.importorskip("imageio_ffmpeg")
    source = Source("my cat #1.png", "0123456789abcdef")
    for name in ("a", "b"):
        save_turntable(sphere(1), tmp_path / f"{name}{suffix}", size=32, mark=mark_text("turntable", source))
    mark = read_mark(tmp_path / f"a{suffix}")
    assert mark is not None and mark.is_of(source) and mark.made == "turntable"
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


def test_curves_say_that_they_are_ours(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text('{"step": 1, "loss": 1.0}\n{"step": 2, "loss": 0.5}\n')
    path = write_curves(tmp_path)
    assert path is not None
    mark = read_mark(path)
    assert mark is not None and mark.made == "curves"
