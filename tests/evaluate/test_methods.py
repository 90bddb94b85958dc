"""Names on the command line to methods."""

from __future__ import annotations

from pathlib import Path

import pytest

from geco.errors import ConfigError, GecoError, WeightsError
from geco.evaluate.methods import Method, parse_methods
from geco.sampling import Steering


def model(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    return folder


def test_plain_names_run_the_model() -> None:
    geco, teacher, one, copy, truth = parse_methods(
        ["geco", "teacher-75", "undistilled", "copy-input", "ground-truth-views"]
    )
    assert geco == Method("geco", "model", "small")
    assert (teacher.steering.steps, teacher.teacher, teacher.source) == (75, True, "small")
    assert (one.steering.steps, one.teacher) == (1, True)
    assert copy.kind == "copy-input" and copy.deterministic and not copy.has_process
    assert truth.kind == "ground-truth-views" and truth.deterministic and truth.source == "small"


def test_columns_name_what_is_not_bare() -> None:
    method = parse_methods(["geco"])[0]
    assert method.columns(("bare", "outline", "finish")) == {
        "geco": "bare",
        "geco+outline": "outline",
        "geco+finish": "finish",
    }
    assert parse_methods(["copy-input"])[0].columns(("finish",)) == {"copy-input": "bare"}


def test_roles_lie_in_the_model_s_folder(tmp_path: Path) -> None:
    run = model(tmp_path / "run")
    for role in ("teacher", "stage1", "regressor", "pixelnerf"):
        model(run / role)
    stage1, regressor, pixelnerf, teacher, geco = parse_methods(
        ["stage1", "regressor", "pixelnerf", "teacher-4", "geco"], model=str(run)
    )
    assert pixelnerf.source == str(run / "pixelnerf") and pixelnerf.deterministic
    assert stage1.source == str(run / "stage1") and not stage1.deterministic
    assert regressor.source == str(run / "regressor") and regressor.deterministic
    assert teacher.source == str(run / "teacher") and geco.source == str(run)


def test_folders_become_columns(tmp_path: Path) -> None:
    run, meshes = model(tmp_path / "run-7"), tmp_path / "meshes"
    meshes.mkdir()
    by_folder, named, teacher, foreign = parse_methods(
        [str(run), f"mine={run}", f"teacher-5={run}"], [f"other={meshes}"]
    )
    assert by_folder.name == "run-7" and named.name == "mine" and named.source == str(run)
    assert (teacher.name, teacher.steering.steps, teacher.source) == ("teacher-5", 5, str(run))
    assert (foreign.kind, foreign.source, foreign.deterministic) == ("meshes", str(meshes), True)


def test_score_distillation_takes_a_teacher_and_its_steps(tmp_path: Path) -> None:
    run = model(tmp_path / "run")
    model(run / "teacher")
    sds, vsd = parse_methods(["optimize-sds", f"optimize-vsd@steps-40@guidance-2={run}"], model=str(run))
    assert (sds.kind, sds.source, sds.deterministic) == ("optimize", str(run / "teacher"), False)
    assert vsd.source == str(run) and vsd.steering == Steering(steps=40, guidance=2.0)
    assert sds.columns(("bare", "finish")) == {"optimize-sds": "bare"} and sds.has_process
    # what is asked of all models that draw views is not meant for it
    assert parse_methods([f"optimize-sds={run}"], asked=Steering(steps=7))[0].steering == Steering()
    for wrong in ("optimize-sds@clean", "optimize-sds@0.5", "optimize-dmd"):
        with pytest.raises(ConfigError):
            parse_methods([f"{wrong}={run}" if "@" in wrong else wrong])


def test_truncation_stands_behind_a_name(tmp_path: Path) -> None:
    run = model(tmp_path / "run")
    own, whole, half, named = parse_methods(["geco", "geco@1", f"stage1@0.5={run}", f"mine@0={run}"])
    assert own.steering == Steering() and (whole.name, whole.source) == ("geco@1", "small")
    assert (half.name, half.source, named.name) == ("stage1@0.5", str(run), "mine@0")
    assert [each.steering.truncation for each in (whole, half, named)] == [1.0, 0.5, 0.0]


def test_the_best_of_several_seeds_stands_behind_a_name() -> None:
    one, best, both = parse_methods(["geco", "geco@best-4", "geco@0.5@best-16"])
    assert [each.best_of for each in (one, best, both)] == [1, 4, 16]
    assert best.steering == Steering() and both.steering.truncation == 0.5


def test_teachers_are_steered_behind_their_names_and_all_at_once(tmp_path: Path) -> None:
    run = model(tmp_path / "run")
    names = [f"teacher-28@clean@guidance-3={run}", f"mine@steps-7@euler-ancestral={run}", "copy-input"]
    teacher, mine, lower = parse_methods(names, asked=Steering(guidance=3.0, reference="clean"))
    assert teacher.name == "teacher-28@clean@guidance-3" and lower.steering == Steering()
    assert teacher.steering == Steering(steps=28, guidance=3.0, sampler="ddim", reference="clean")
    assert mine.steering == Steering(steps=7, guidance=3.0, sampler="euler-ancestral", reference="clean")
    with pytest.raises(ConfigError, match="says its steps itself"):
        parse_methods([f"teacher-75={run}"], asked=Steering(steps=28))


@pytest.mark.parametrize(
    ("names", "meshes", "kind", "word"),
    [
        ([], [], ConfigError, "no method"),
        (["geco@2"], [], ConfigError, "truncation"),
        (["geco@"], [], ConfigError, "truncation"),
        (["teacher-5@0.5"], [], ConfigError, "truncation"),
        (["copy-input@1"], [], ConfigError, "truncation"),
        (["teacher-5@steps-7"], [], ConfigError, "steps-N"),
        (["geco@steps-0"], [], ConfigError, "steps-N"),
        (["geco@guidance-much"], [], ConfigError, "guidance-G"),
        (["geco@blurred"], [], ConfigError, "clean or noised"),
        (["geco@best-17"], [], ConfigError, "best-K"),
        (["geco@best-0"], [], ConfigError, "best-K"),
        (["geco@best-many"], [], ConfigError, "best-K"),
        (["copy-input@best-2"], [], ConfigError, "best-K"),
        (["no-such"], [], ConfigError, "no-such"),
        (["teacher-0"], [], ConfigError, "teacher-0"),
        (["teacher-1001"], [], ConfigError, "1000 noise levels"),
        (["geco", "geco"], [], ConfigError, "two methods"),
        (["regressor"], [], WeightsError, "regressor=FOLDER"),
        (["stage1"], [], WeightsError, "stage1"),
        (["mine=/no/such"], [], WeightsError, "/no/such"),
        (["../x=small"], [], ConfigError, "cannot be the name"),
        (["geco"], ["other"], ConfigError, "NAME=DIR"),
        (["geco"], ["other=/no/such"], ConfigError, "/no/such"),
        (["geco"], ["copy-input=."], ConfigError, "copy-input"),
    ],
)
def test_mistakes_say_what_to_do(
    names: list[str], meshes: list[str], kind: type[GecoError], word: str
) -> None:
    with pytest.raises(kind) as caught:
        parse_methods(names, meshes)
    assert word in str(caught.value) and caught.value.remedy


def test_a_regressor_by_its_card_needs_one_seed(tmp_path: Path) -> None:
    from geco.model_files.card import write_model_card

    for name, facts in (("triposr", {"views": False}), ("full", {})):
        (tmp_path / name).mkdir()
        write_model_card(tmp_path / name, name, "test", facts)
    entries = [f"triposr={tmp_path / 'triposr'}", f"one={tmp_path / 'full'}", str(tmp_path / "triposr")]
    assert [m.deterministic for m in parse_methods(entries[:2])] == [True, False]
    assert parse_methods(entries[2:])[0].deterministic
