"""Small files that ask for much: each is refused, or read, in little time and memory, wherever it is read."""

from __future__ import annotations

import io
import json
import shutil
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from geco.data.objects import Limits, ObjectError, find_objects, load_object
from geco.files import atomic_write
from geco.processes import Bounds, Workers
from tests.cases import HOSTILE
from tests.cli_command import geco
from tests.data.costly import (
    big_polygons,
    bzip_bomb,
    coloured,
    crowded_zip,
    data_uris,
    empty_accessors,
    empty_targets,
    endless_materials,
    libraries,
    many_pictures,
    many_primitives,
    negative_indices,
    ply_lists,
    ply_nothings,
    shared_targets,
    skinned_instances,
    sparse_copies,
    spelled_libraries,
    switching_materials,
    wide_picture,
    zipped,
)
from tests.data.glb import GlbWriter, box

SECONDS, MEMORY = 10.0, 2.0  # that no single small input may take more of (GiB)


SMALL: dict[str, tuple[str, Callable[[Path], None], tuple[str, ...]]] = {
    "elements without bytes": ("a.glb", empty_accessors, ("too-large",)),
    "targets without bytes": ("a.glb", empty_targets, ("too-large", "too-many-faces")),
    "targets that share their bytes": ("a.glb", shared_targets, ("too-large", "too-slow", "")),
    "sparse accessors copied for each primitive": ("a.glb", sparse_copies, ("too-large",)),
    "a hundred thousand primitives": ("a.glb", many_primitives, ("",)),
    "skinned instances": ("a.glb", skinned_instances, ("", "too-slow")),
    "pictures named again": ("a.glb", many_pictures, ("texture-too-large",)),
    "a wide picture": ("a.glb", wide_picture, ("",)),
    "data URIs named again": ("a.gltf", data_uris, ("",)),  # a buffer is read where something in it is used
    "materials in turn": ("a.obj", switching_materials, ("",)),
    "materials without end": ("a.obj", endless_materials, ("too-large",)),
    "libraries times entries": ("a.zip", libraries, ("",)),
    "a library by many names": ("a.obj", spelled_libraries, ("",)),
    "polygons of many corners": (
        "a.zip",
        zipped("a.obj", big_polygons),
        ("too-many-faces", "too-slow", "too-large"),
    ),
    "negative indices": ("a.zip", zipped("a.obj", negative_indices), ("", "too-slow")),
    "a list that says too much": ("a.ply", ply_lists, ("broken",)),
    "elements of nothing": ("a.ply", ply_nothings, ("broken",)),
    "a crowded archive": ("a.zip", crowded_zip, ("",)),
    "an archive of another method": ("a.zip", bzip_bomb, ("unsupported",)),
}


LONG = (
    "pictures named again",
    "polygons of many corners",
    "negative indices",
    "a crowded archive",
    "a wide picture",
)


def read(path: str) -> tuple[str, float]:
    """Why it is refused ("" where it is read), and the processor time that took."""
    start = time.process_time()
    try:
        load_object(path)
        return "", time.process_time() - start
    except ObjectError as error:
        return str(error.reason), time.process_time() - start


@pytest.mark.parametrize(
    "cases",
    [[case for case in SMALL if case not in LONG], pytest.param([*LONG], marks=pytest.mark.slow)],
    ids=["quick", "long"],
)
def test_small_files_take_little(tmp_path: Path, cases: list[str]) -> None:
    jobs = []
    for case in cases:
        name, make, _ = SMALL[case]
        (tmp_path / case).mkdir()
        make(tmp_path / case / name)
        assert sum(path.stat().st_size for path in (tmp_path / case).iterdir()) < 8 << 20, case
        jobs.append((case, str(tmp_path / case / name)))
    with Workers(read, 1, Bounds(120.0, MEMORY)) as workers:
        outcomes = {outcome.key: outcome for outcome in workers.run(jobs)}
    for case in cases:
        expected = SMALL[case][2]
        assert outcomes[case].reason is None, outcomes[case]
        reason, seconds = outcomes[case].value
        assert reason in expected and seconds < SECONDS, (case, reason, seconds)


def test_sixteen_bits_of_grey_are_scaled_not_clipped(tmp_path: Path) -> None:
    for dtype, value, expected in ((np.uint16, 30_000, 117), (np.float32, 0.25, 64)):
        stream = io.BytesIO()
        Image.fromarray(np.full((4, 4), value, dtype)).save(stream, "TIFF" if dtype is np.float32 else "PNG")
        writer = GlbWriter()
        writer.document.update(
            images=[{"bufferView": writer.view(stream.getvalue())}], textures=[{"source": 0}]
        )
        writer.mesh(*box(), material=writer.material(0))
        assert load_object(writer.save(tmp_path / "a.glb")).textures[0][0, 0].tolist() == [expected] * 3 + [
            255
        ]


def test_the_clock_counts_processor_time_and_gives_more_for_more_bytes(tmp_path: Path) -> None:
    rows = (
        b"".join([b"v 0 1 2 1 0 0\n", b"v 1 1 2 1 0 0\n", b"v 0 3 2 1 0 0\n"] * 20_000)
        + b"f 1 2 3\nf 4 5 6\n"
    )
    (tmp_path / "a.obj").write_bytes(rows)
    with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("b.obj", rows)
    assert len(load_object(tmp_path / "a.obj", Limits(seconds=0.001)).faces) == 2  # 1 MiB, so another second
    with pytest.raises(ObjectError, match=r"more than 0 s of processor time.*--read-limit") as caught:
        load_object(tmp_path / "b.zip", Limits(seconds=0.001))
    assert caught.value.reason == "too-slow"


def test_nothing_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TMPDIR", "TEMP", "TMP"):
        monkeypatch.setenv(name, str(tmp_path / "nowhere"))  # not even a temporary folder is needed
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.glb", coloured().encode())
    before = sorted(tmp_path.rglob("*"))
    assert len(load_object(tmp_path / "a.zip").faces) == 12
    assert sorted(tmp_path.rglob("*")) == before


def test_entries_of_a_manifest_stop_nobody_else(tmp_path: Path) -> None:
    coloured().save(tmp_path / "good.glb")
    coloured().save(tmp_path / "twice.glb")
    entries: list[object] = [
        {"file": name}
        for name in (
            "x" * 400 + ".glb",
            "a\0b.glb",
            "",
            ".",
            "../" * 5 + "etc/passwd",
            "a/" * 3000 + "b.glb",
            "\ud800.glb",
        )
    ]
    entries += [
        None,
        3,
        "good.glb",
        [],
        {},
        {"file": 7},
        {"file": ["a"]},
        {"file": "gone.glb", "licence": {"a": 1}},
    ]
    entries += [
        {"file": "sized.glb", "sha256": "x"},
        {"file": "tilted.glb", "up": "x"},
        {"file": "long.glb", "author": "x" * 99_999},
    ]
    entries += [{"file": "twice.glb", "licence": "CC0-1.0"}, {"file": "twice.glb", "licence": "CC-BY-4.0"}]
    entries += [{"file": "good.glb", "licence": "CC0-1.0", "author": None}]
    atomic_write(tmp_path / "manifest.json", json.dumps({"objects": entries}).encode())
    reasons: dict[str, int] = {}
    assert all(source.identity.encode("utf-8", "surrogatepass") for source in find_objects(tmp_path))
    for source in find_objects(tmp_path):
        assert len(source.key) <= 100
        try:
            source.load()
            assert (source.key, source.licence) == ("good", "CC0-1.0")
        except ObjectError as error:
            reasons[str(error.reason)] = reasons.get(str(error.reason), 0) + 1
    assert reasons == {"missing": 6, "unsafe-path": 1, "broken": 12}


def test_manifests_name_files_in_many_ways_and_the_nearest_has_the_say(tmp_path: Path) -> None:
    (tmp_path / "sub" / "deep").mkdir(parents=True)
    for name in ("a", "sub/b", "sub/deep/c", "sub/d"):
        coloured().save(tmp_path / f"{name}.glb")
    files = ("./a.glb", "sub\\b.glb", "sub/deep/../deep/c.glb", "sub/d.glb")
    outer = [{"file": file, "licence": "outer", "author": "A\ud800nn"} for file in files]
    (tmp_path / "manifest.json").write_text(json.dumps({"objects": outer}))
    (tmp_path / "sub" / "manifest.json").write_text(
        json.dumps({"objects": [{"file": "d.glb", "licence": "inner"}]})
    )
    found = {source.name: (source.licence, source.author) for source in find_objects(tmp_path)}
    assert found == {
        "a.glb": ("outer", "A?nn"),
        "sub/b.glb": ("outer", "A?nn"),
        "sub/deep/c.glb": ("outer", "A?nn"),
        "sub/d.glb": ("inner", ""),
    }


def test_the_run_goes_on_past_a_name_that_is_too_long_and_a_manifest_below_that_is_none(
    tmp_path: Path,
) -> None:
    shutil.copytree(HOSTILE / "objects-long-name", tmp_path / "o")
    for name in ("deep", "pipe"):
        (tmp_path / "o" / name).mkdir()
        coloured().save(tmp_path / "o" / name / "a.glb")
    (tmp_path / "o" / "deep" / "manifest.json").write_text("[" * 100_000)
    (tmp_path / "o" / "pipe" / "manifest.json").mkdir()
    done = geco(
        "data",
        "render",
        tmp_path / "o",
        "-o",
        tmp_path / "s",
        "--views",
        "condition",
        "--size",
        "16",
        "--workers",
        "1",
    )
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "s" / "report.json").read_text())
    assert (
        sorted(why["reason"] for why in report["skipped"].values()) == ["broken", "missing"]
        and report["written"] == 2
    )
