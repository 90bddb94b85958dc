"""Procedural objects: the same bytes by seed everywhere, closed pieces, true normals and charts,
folders that go on.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from geco.cli import data_procedural
from geco.data.objects import BOUNDING_RADIUS, load_object
from geco.data.procedural import FAMILIES, family_of, make_object, object_seed, write_objects
from geco.data.procedural.assembly import Assembly
from geco.errors import ConfigError
from tests.data.digests import digest

SEEDS = range(24)


def test_same_seed_same_bytes_in_another_process() -> None:
    code = (
        "from tests.data.digests import digest\nfrom geco.data.procedural import make_object\n"
        "print(digest(make_object(5)), digest(make_object(11)))"
    )
    root = Path(__file__).parents[2]
    # Another hash seed and another order of construction: neither may show.
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=root,
        env={"PYTHONPATH": f"{root / 'src'}:{root}", "PYTHONHASHSEED": "77", "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    here = [digest(make_object(11)), digest(make_object(5))]
    assert run.stdout.split() == here[::-1]
    assert here[0] != here[1]


@pytest.mark.parametrize("seed", SEEDS)
def test_objects_are_normalised_textured_and_finite(seed: int) -> None:
    mesh = make_object(seed)
    assert mesh.normals is not None and mesh.uvs is not None and mesh.texture is not None
    assert (np.isfinite(mesh.vertices).all() and len(np.unique(mesh.faces)) == len(mesh.vertices)) or len(
        mesh.faces
    ) > 0
    np.testing.assert_allclose(mesh.bounds.sum(axis=0), 0, atol=2e-6)
    assert np.linalg.norm(mesh.vertices, axis=1).max() == pytest.approx(BOUNDING_RADIUS, abs=1e-6)
    assert mesh.uvs.min() >= 0 and mesh.uvs.max() <= 1
    assert mesh.texture.shape == (512, 512, 3) and mesh.texture.dtype == np.uint8
    np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1, atol=1e-5)
    assert 100 < len(mesh.faces) < 60_000


@pytest.mark.parametrize("family", list(FAMILIES), ids=lambda family: family.__name__)
def test_every_piece_of_every_family_is_closed_and_faces_outwards(family) -> None:  # type: ignore
    for seed in range(2):
        assembly = Assembly(np.random.default_rng(seed))
        family(assembly)
        assert len(assembly.parts) >= 1
        for shape, _, _ in assembly.parts:
            assert shape.volume() > 0
            scale = np.ptp(shape.vertices, axis=0).max()
            welded = np.unique(np.rint(shape.vertices / (scale * 1e-6)), axis=0, return_inverse=True)[
                1
            ].reshape(-1)
            faces = welded[shape.faces]
            edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
            edges = edges[edges[:, 0] != edges[:, 1]]
            forward, count = np.unique(edges, axis=0, return_counts=True)
            backward, opposite = np.unique(edges[:, ::-1], axis=0, return_counts=True)
            # every edge is walked once in each sense: closed, one orientation
            np.testing.assert_array_equal(forward, backward)
            np.testing.assert_array_equal(count, opposite)


@pytest.mark.parametrize("seed", range(6))
def test_normals_agree_with_the_faces(seed: int) -> None:
    mesh = make_object(seed)
    assert mesh.normals is not None
    flat = mesh.face_normals()
    area = np.linalg.norm(flat, axis=1)
    cosine = (flat * mesh.normals[mesh.faces].mean(axis=1)).sum(axis=1) / np.maximum(area, 1e-20)
    assert np.average(cosine > 0.5, weights=area) > 0.98


def test_sets_are_varied() -> None:
    families = [family_of(object_seed(0, index)) for index in range(400)]
    assert len(set(families)) == len(FAMILIES)
    assert max(families.count(name) for name in set(families)) < 60
    thumbnails = np.stack(
        [make_object(seed).texture[::16, ::16].reshape(-1).astype(float) for seed in range(12)]
    )  # type: ignore[index]
    distance = np.abs(thumbnails[:, None] - thumbnails[None]).mean(axis=2) + np.eye(12) * 255
    assert distance.min() > 5


def test_animals_are_mirror_images_of_themselves() -> None:
    from geco.data.procedural.creatures import snowman

    assembly = Assembly(np.random.default_rng(3))
    snowman(assembly)
    points = np.unique(
        np.rint(np.concatenate([shape.vertices for shape, _, _ in assembly.parts]) * 1e5), axis=0
    )
    mirrored = np.unique(points * [1, -1, 1], axis=0)
    both = {tuple(p) for p in points + 0.0} & {tuple(p) for p in mirrored + 0.0}
    assert len(both) > 0.9 * len(points)


def test_folder_reads_back_and_goes_on(tmp_path: Path) -> None:
    path = write_objects(tmp_path, 3, seed=7)
    first = {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in tmp_path.glob("*.glb")}
    manifest = json.loads(path.read_text())
    assert [entry["key"] for entry in manifest["objects"]] == [f"procedural-7-{i:06d}" for i in range(3)]
    for index, entry in enumerate(manifest["objects"]):
        assert entry["licence"] == "CC0-1.0" and entry["seed"] == object_seed(7, index)
        made, read = make_object(entry["seed"]), load_object(tmp_path / entry["file"])
        assert (
            entry["faces"] == len(read.faces) and entry["bytes"] == (tmp_path / entry["file"]).stat().st_size
        )
        np.testing.assert_allclose(read.vertices, made.vertices, atol=1e-5)
        assert np.abs(read.textures[0][..., :3].astype(float) - made.texture).mean() < 6  # JPEG
    (tmp_path / "procedural-7-000001.glb").unlink()
    write_objects(tmp_path, 4, seed=7)
    again = {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in tmp_path.glob("*.glb")}
    assert len(again) == 4
    assert {name: data for name, (data, _) in again.items() if name in first} == {
        name: data for name, (data, _) in first.items()
    }
    assert again["procedural-7-000000.glb"] == first["procedural-7-000000.glb"]  # kept, not rewritten


def test_a_folder_of_other_objects_is_refused(tmp_path: Path) -> None:
    write_objects(tmp_path, 1, seed=1)
    (tmp_path / "procedural-1-000000.glb").rename(tmp_path / "procedural-2-000000.glb")
    with pytest.raises(ConfigError, match="was not written by this version"):
        write_objects(tmp_path, 1, seed=2)
    with pytest.raises(ConfigError, match="at least 1"):
        write_objects(tmp_path, 0)


def test_command_with_two_processes_writes_what_one_writes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import argparse

    parser = argparse.ArgumentParser()
    data_procedural.add(parser.add_subparsers())
    options = parser.parse_args(
        ["procedural", "-o", str(tmp_path / "two"), "--count", "4", "--seed", "3", "--workers", "2"]
    )
    assert options.function(options) == 0
    assert "4 objects" in capsys.readouterr().out
    write_objects(tmp_path / "one", 4, seed=3)
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "two").iterdir()) and len(names) == 5
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
