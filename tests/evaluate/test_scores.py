"""A row's numbers where the answer is known: the object itself, the object moved, nothing at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from geco.data.objects import find_objects
from geco.errors import GecoError, OutputError
from geco.evaluate.foreign import align_mesh, find_mesh
from geco.evaluate.job import MethodResult
from geco.evaluate.methods import parse_methods
from geco.evaluate.score_row import Scorer
from geco.evaluate.scores import Measures, load_measures, score_pictures
from geco.evaluate.settings import Settings
from geco.evaluate.truth import Truth, camera_sets, make_truth
from geco.images import over_white
from geco.mesh.types import Mesh
from geco.metrics.images import not_white
from tests.evaluate.objects import write_foreign, write_object

SIZE = 64
NO_WEIGHTS = Measures({}, {"lpips_vgg": "none"})


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Truth:
    folder = tmp_path_factory.mktemp("objects")
    write_object(folder / "Thing One.glb")
    return make_truth(find_objects(folder)[0], SIZE, ("input", "A", "B"))


def scored(report: Path, truth: Truth, mesh: Mesh | str, **settings: Any) -> list[dict[str, Any]]:
    """The rows of a model that gave ``mesh`` and the true views."""
    method = parse_methods(["geco"])[0]
    views = over_white(truth.views["A"])
    outcome = MethodResult(views, {"bare": mesh}, {"bare": {"total": 1.5}}, {"bare": {"faces": 1}}, 100.0)
    scorer = Scorer(
        report, Settings(size=SIZE, variants=("bare",), **settings), method, NO_WEIGHTS, keep_meshes=True
    )
    return scorer.rows(truth, 0, outcome, None, {"rig": "zero123plus-v1.2", "load_seconds": 2.0})


def true_mesh(truth: Truth) -> Mesh:
    return Mesh(truth.object.vertices, truth.object.faces, colors=truth.object.colors)


def test_cameras_are_the_protocol_s() -> None:
    sets = camera_sets()
    assert {name: len(each.poses) for name, each in sets.items()} == {"input": 1, "A": 6, "B": 15}
    for each in sets.values():
        np.testing.assert_allclose(np.linalg.norm(each.poses[:, :3, 3], axis=1), 4.0, atol=1e-5)
    np.testing.assert_allclose(sets["input"].poses[0, :3, 3], [4, 0, 0], atol=1e-5)
    heights = np.degrees(np.arcsin(sets["A"].poses[:, 2, 3] / 4))
    np.testing.assert_allclose(heights, [20, -10] * 3, atol=1e-3)
    np.testing.assert_allclose(sets["B"].poses[:, 2, 3], 0, atol=1e-5)
    turns = np.degrees(np.arctan2(sets["B"].poses[:, 1, 3], sets["B"].poses[:, 0, 3])) % 360
    np.testing.assert_allclose(np.sort(turns), np.arange(15) * 24, atol=1e-3)


def test_the_truth_itself_scores_full_whatever_its_scale_and_place(tmp_path: Path, truth: Truth) -> None:
    mesh = true_mesh(truth)
    moved = mesh.with_(vertices=mesh.vertices * 0.37 + np.array([3, -1, 0.5], np.float32))
    row = scored(tmp_path, truth, moved)[0]
    assert row["status"] == "ok" and row["seconds"] == 1.5 and row["memory"]["peak_mb"] == 100.0
    for part in ("input", "A", "B"):
        # two renderers: only edge pixels and the truth's soft light differ
        assert row[part]["iou"] > 0.97, part
        assert row[part]["lpips_vgg"] is None
    assert row["views"]["psnr"] == 100 and row["views"]["iou"] > 0.97 and "views_native" not in row
    assert row["mesh"]["chamfer"] < 1e-5 and row["mesh"]["f@1%"] == 1 and row["mesh"]["volume_iou"] > 0.99
    assert row["alignment"]["method"] == "box" and row["alignment"]["scale"] == pytest.approx(
        1 / 0.37, rel=1e-4
    )
    assert (tmp_path / "meshes" / truth.key / "geco-seed0.glb").is_file()


def test_a_turned_mesh_of_our_own_is_not_helped(tmp_path: Path, truth: Truth) -> None:
    mesh = true_mesh(truth)
    turned = mesh.with_(vertices=mesh.vertices * np.array([-1, -1, 1], np.float32))
    assert scored(tmp_path, truth, turned, protocol="A")[0]["A"]["iou"] < 0.9
    helped = scored(tmp_path, truth, turned, protocol="A", alignment="search")[0]
    assert helped["A"]["iou"] > 0.95 and helped["alignment"]["turned_degrees"] == pytest.approx(180, abs=1)


def test_no_mesh_is_a_failure_that_keeps_the_views(tmp_path: Path, truth: Truth) -> None:
    row = scored(tmp_path, truth, "no object in the picture")[0]
    assert row["status"] == "failed" and row["error"] == "no object in the picture"
    assert row["views"]["psnr"] == 100 and "mesh" not in row and "A" not in row


def test_a_full_disk_is_no_failure_of_the_method(tmp_path: Path, truth: Truth) -> None:
    (tmp_path / "meshes").write_text("a file where the folder should be")
    with pytest.raises(OutputError):
        scored(tmp_path, truth, true_mesh(truth))


def test_one_set_is_one_set(tmp_path: Path, truth: Truth) -> None:
    row = scored(tmp_path, truth, true_mesh(truth), protocol="B")[0]
    assert "B" in row and "A" not in row


def test_copied_inputs(tmp_path: Path, truth: Truth) -> None:
    scorer = Scorer(tmp_path, Settings(size=SIZE), parse_methods(["copy-input"])[0], NO_WEIGHTS, True)
    (row,) = scorer.rows(truth, 0, MethodResult(), None, {})
    assert (
        row["status"] == "ok" and 5 < row["views"]["psnr"] < 40 and "mesh" not in row and "seconds" not in row
    )


def test_the_foreground_counts_both_silhouettes(truth: Truth) -> None:
    white = np.ones((6, SIZE, SIZE, 3), np.float32)
    nothing = score_pictures(
        white, not_white(white).astype(np.float32), truth.views["A"], truth.input, NO_WEIGHTS
    )
    assert nothing["iou"] == 0 and nothing["foreground_psnr"] < nothing["psnr"] < 30  # type: ignore[operator]


@pytest.mark.parametrize("yaw", [0.0, 137.0])
def test_a_foreign_mesh_comes_home(tmp_path: Path, truth: Truth, yaw: float) -> None:
    path = write_foreign(tmp_path / "Thing-One.ply", yaw, 12.5, (30.0, -4.0, 7.0))
    found = align_mesh(path, truth, "target")
    record = found.alignment
    rgb, alpha = found.render(camera_sets()["A"], SIZE, "target")
    scores = score_pictures(rgb, alpha, truth.views["A"], truth.input, NO_WEIGHTS)
    assert scores["psnr"] > 25 and scores["iou"] > 0.95  # type: ignore[operator]
    # the recorded matrix takes the file's own coordinates to the truth's
    matrix = np.asarray(record["matrix"])
    corner = matrix @ [30.0, -4.0, 7.0, 1.0]  # the foreign file's image of the object's origin
    own = truth.object.transform @ [0.0, 0.0, 0.0, 1.0]
    np.testing.assert_allclose(corner, own, atol=0.01)
    assert record["method"] == "search" and record["file"] == "Thing-One.ply"
    assert record["scale"] == pytest.approx(truth.object.scale / 12.5, rel=0.01)


def test_meshes_are_found_by_name(tmp_path: Path) -> None:
    for name in (
        "Thing_One.ply",
        "deep/other.obj",
        "third/mesh.stl",
        "pair/a.ply",
        "pair/b.ply",
        "notes.txt",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    assert find_mesh(tmp_path, ["thing one"]) == tmp_path / "Thing_One.ply"
    assert find_mesh(tmp_path, ["key", "OTHER"]) == tmp_path / "deep" / "other.obj"
    assert find_mesh(tmp_path, ["third"]) == tmp_path / "third" / "mesh.stl"
    assert find_mesh(tmp_path, ["pair"]) is None and find_mesh(tmp_path, ["notes"]) is None


def test_a_broken_foreign_mesh_is_a_failure_and_a_missing_one_is_missing(
    tmp_path: Path, truth: Truth
) -> None:
    (tmp_path / "meshes").mkdir()
    method = parse_methods([], [f"other={tmp_path / 'meshes'}"])[0]
    scorer = Scorer(tmp_path / "report", Settings(size=SIZE), method, NO_WEIGHTS, True)
    assert scorer.rows(truth, 0, MethodResult(), None, {})[0]["status"] == "missing"
    (tmp_path / "meshes" / "thing-one.glb").write_bytes(b"glTF\2\0\0\0")
    row = scorer.rows(truth, 0, MethodResult(), None, {})[0]
    assert row["status"] == "failed" and "thing-one.glb" in row["error"]


def test_metrics_left_out_are_named_and_nothing_stands_in() -> None:
    measures = load_measures("none", "none")
    assert set(measures.missing) == {"lpips_vgg", "lpips_alex", "clip"} and set(measures.learned) == {
        "perceptual"
    }
    assert set(measures.missing.values()) == {"not asked for"}


def test_an_error_of_the_process_fails_every_column(tmp_path: Path, truth: Truth) -> None:
    scorer = Scorer(tmp_path, Settings(size=SIZE), parse_methods(["geco"])[0], NO_WEIGHTS, True)
    rows = scorer.rows(truth, 3, MethodResult(), str(GecoError("died")), {})
    assert [(row["method"], row["status"], row["seed"]) for row in rows] == [
        ("geco", "failed", 3),
        ("geco+finish", "failed", 3),
    ]
