"""Objects of an evaluation: who they are, whose mesh is whose, and that no file ends the whole."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from geco.data.objects import BoundedReader, ObjectError, find_objects
from geco.errors import ConfigError, GecoError
from geco.evaluate.foreign import find_mesh
from geco.evaluate.plan import choose_objects
from geco.evaluate.reading import Reader, Reading
from geco.processes import Bounds
from tests.cases import HOSTILE
from tests.cli_command import geco
from tests.evaluate.objects import write_foreign, write_object


def misbehave(what: str) -> str:
    if what == "raise":
        raise ObjectError("broken", "x.glb: broken", "Mend it.")  # type: ignore[arg-type]
    if what == "hang":
        while True:
            pass
    if what == "die":
        import os

        os._exit(3)
    if what == "eat":
        return str(len(np.ones(10**10)))
    if what == "trip":
        return what[100]
    if what == "machine":
        raise ConfigError("no room", "Make some.")
    return what


def test_what_a_file_does_to_its_process_is_its_own_reason() -> None:
    with BoundedReader(misbehave, Bounds(2.0, 1.0)) as reader:
        for what, reason in (
            ("raise", "broken"),
            ("die", "crashed"),
            ("trip", "error"),
            ("eat", "memory"),
            ("hang", "timeout"),
        ):
            assert reader("fine", "x") == "fine"
            with pytest.raises(ObjectError) as caught:
                reader(what, "x.glb")
            assert caught.value.reason == reason and "x.glb" in caught.value.problem
        with pytest.raises(ConfigError, match="no room"):
            reader("machine", "x.glb")


def test_names_that_two_objects_share_are_neithers(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        write_object(tmp_path / "objects" / folder / "models" / "model.glb")
    write_object(tmp_path / "objects" / "Chair 1.glb")
    names = {source.key: source.names for source in find_objects(tmp_path / "objects")}
    assert names["a_models_model"] == ("a/models/model", "a_models_model", "a")
    assert names["Chair_1"][0] == "Chair 1"
    assert list(choose_objects(str(tmp_path / "objects"), 2)) == ["Chair_1", "a_models_model"]
    # Whose mesh is whose does not hang on how many objects are measured.
    assert choose_objects(str(tmp_path / "objects"), 2)["a_models_model"].names == names["a_models_model"]


@pytest.mark.parametrize(
    "layout", ["{}/models/model.ply", "{}/mesh.ply", "{}.ply", "{}_models_model.ply", "deep/{}/model.ply"]
)
def test_meshes_made_elsewhere_are_found_by_path_key_or_folder_and_never_taken_for_anothers(
    tmp_path: Path, layout: str
) -> None:
    for folder in ("a", "b", "c"):
        write_object(tmp_path / "objects" / folder / "models" / "model.glb")
    for folder in ("a", "b"):
        write_foreign(tmp_path / "foreign" / layout.format(folder), 0.0, 1.0, (0.0, 0.0, 0.0))
    found = {
        source.key[0]: find_mesh(tmp_path / "foreign", source.names)
        for source in find_objects(tmp_path / "objects")
    }
    assert found == {
        "a": tmp_path / "foreign" / layout.format("a"),
        "b": tmp_path / "foreign" / layout.format("b"),
        "c": None,
    }


def test_several_meshes_of_one_name_are_said(tmp_path: Path) -> None:
    for place in ("x/chair.ply", "y/chair.ply"):
        write_foreign(tmp_path / place, 0.0, 1.0, (0.0, 0.0, 0.0))
    with pytest.raises(GecoError, match=r"several meshes called chair \(x/chair.ply, y/chair.ply\)"):
        find_mesh(tmp_path, ["chair"])
    shutil.copy(tmp_path / "x" / "chair.ply", tmp_path / "x" / "stool.ply")
    shutil.copy(tmp_path / "x" / "chair.ply", tmp_path / "x" / "stool.obj")  # another format of the same mesh
    assert find_mesh(tmp_path, ["stool"]) == tmp_path / "x" / "stool.obj"


def test_hostile_objects_get_a_row_and_the_others_are_measured(tmp_path: Path) -> None:
    folder = tmp_path / "objects"
    write_object(folder / "good" / "model.glb")
    for case in ("objects-libraries", "objects-millions"):
        shutil.copytree(HOSTILE / case, folder / case)
    entries = [{"file": "x" * 400 + ".glb"}, {"file": "../../secret.glb"}, {"file": 7}, {"file": "gone.glb"}]
    (folder / "manifest.json").write_text(json.dumps({"objects": entries}))
    (folder / "below").mkdir()
    (folder / "below" / "manifest.json").write_text("[" * 50_000)
    write_object(folder / "below" / "model.glb")
    write_foreign(tmp_path / "foreign" / "good" / "model.ply", 30.0, 2.0, (0.0, 1.0, 0.0))
    shutil.copy(HOSTILE / "objects-millions" / "millions.glb", tmp_path / "foreign" / "unasked.glb")
    quick = ("--size", "32", "--lpips-weights", "none", "--clip-weights", "none", "--protocol", "A")
    more = ("--meshes", f"other={tmp_path / 'foreign'}", "-o", tmp_path / "r")
    done = geco("evaluate", "--objects", folder, "--methods", "copy-input", *quick, *more)
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "r" / "results.json").read_text())
    assert results["objects"] == ["good_model", "objects-libraries_libraries"]
    assert results["methods"]["other"]["mesh"]["chamfer"]["mean"] < 0.01
    reasons = sorted(why["reason"] for why in results["skipped"].values())
    assert reasons == ["broken", "broken", "missing", "missing", "too-large", "unsafe-path"]


def test_reading_a_small_file_is_bounded_by_the_readers_own_clock(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.obj", "v 1 2 3\n" * 200_000 + "f 1 2 3\n")
    (source,) = find_objects(tmp_path)
    with (
        Reader(Reading(seconds=0.01)) as reader,
        pytest.raises(ObjectError, match="processor time") as caught,
    ):
        reader.truth(source, 32, ("input", "A"))
    assert caught.value.reason == "too-slow" and "--read-limit" in str(caught.value)
