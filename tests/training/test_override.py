"""--set: a field's annotation types its value; what is unknown, of another type or out of range
is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, fields, is_dataclass
from typing import Any, Literal, get_args

import pytest

from geco.errors import ConfigError
from geco.recipes.override import ELSEWHERE, LENGTH, OF_RECIPE, OPTIONS, WITHOUT_LENGTH, override, parse
from geco.recipes.recipe import Length, Recipe, Stage
from geco.recipes.small import small
from geco.recipes.tiny import tiny
from geco.training.augment import Jitter
from geco.training.autoencoder import AutoencoderOptions
from geco.training.pairs import PairOptions
from geco.training.reconstructor_options import ReconstructorOptions, ViewFaults
from geco.training.stage1_options import Stage1Options
from geco.training.stage2 import Stage2Options
from geco.training.teacher import TeacherOptions


def test_numbers_of_the_stage_and_of_its_length_are_replaced_and_told() -> None:
    given = [
        "student_repeats=5",
        "timestep=600",
        "guidance_scale=2",
        "rate=5e-5",
        "weighting=sigma2",
        "betas=0.5, 0.9",
    ]
    made, told = override(small(), "stage1", [*given, "decay_part=0", "student_limit=None"])
    o, before = made.stage1, small()
    assert (o.student_repeats, o.timestep, o.guidance_scale, o.rate, o.weighting) == (
        5,
        600,
        2.0,
        5e-5,
        "sigma2",
    )
    assert o.betas == (0.5, 0.9) and o.student_limit is None and isinstance(o.guidance_scale, float)
    assert made.length("stage1").decay_part == 0.0 and made.length("stage1").warmup_steps == 20
    assert told["betas"] == [0.5, 0.9] and told["student_limit"] is None and len(told) == 8
    assert (
        o.batch == before.stage1.batch
        and made.stage2 == before.stage2
        and made.length("stage2") == before.length("stage2")
    )
    assert override(small(), "stage1", []) == (before, {})
    assert override(tiny(), "stage1", ["batch=3", "batch=4"])[0].stage1.batch == 4


@pytest.mark.parametrize("stage", OPTIONS)
def test_every_number_of_every_stage_can_be_given_as_it_is(stage: str) -> None:
    recipe = small()
    held, length = getattr(recipe, OPTIONS[stage]), recipe.lengths.get(stage, Length())  # type: ignore
    values: dict[str, Any] = {}
    named = [(field.name, getattr(held, field.name)) for field in fields(held)]
    own = {name for name, _ in named}
    for field in () if stage in WITHOUT_LENGTH else fields(length):
        named.append((LENGTH * (field.name in own) + field.name, getattr(length, field.name)))
    for name, value in [*named, *((name, getattr(recipe, name)) for name in OF_RECIPE[stage])]:
        inside = asdict(value) if is_dataclass(value) else None  # type: ignore[arg-type]
        values |= {f"{name}.{n}": v for n, v in inside.items()} if inside else {name: value}

    values = {n: v for n, v in values.items() if not isinstance(v, dict)}  # tables are for a file

    def text(value: Any) -> str:
        return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)

    made, told = override(recipe, stage, [f"{n}={text(v)}" for n, v in values.items() if n not in ELSEWHERE])
    assert made == recipe or stage not in recipe.lengths
    assert getattr(made, OPTIONS[stage]) == held and len(told) == len(values.keys() - ELSEWHERE)
    assert stage in WITHOUT_LENGTH or made.lengths[stage] == length  # type: ignore[index]


def test_all_stages_are_known() -> None:
    assert {*get_args(Stage), "pairs"} == OPTIONS.keys()


@pytest.mark.parametrize(
    ("assignment", "told"),
    [
        ("studentrepeats=5", "student_repeats"),  # the names are listed
        ("batch", "batch"),
        ("batch=two", "a whole number"),
        ("batch=2.5", "a whole number"),
        ("batch=0", "batch = 0, outside 1 to"),
        ("rate=-1", "rate = -1.0, outside 0 to"),
        ("rate=nan", "a number"),
        ("average=1", "must be below 1"),
        ("drop=1.5", "drop = 1.5, outside 0 to 1"),
        ("weighting=sigma", "one of sigma2, constant, dmd"),
        ("betas=0.9", "2 values"),
        ("t_range=0.5,0.5", "smaller first"),
        ("betas=0.9,1", "must be below 1"),
        ("jitter.gain=2", "gain = 2.0, outside 0 to 1"),
        ("jitter=2", "jitter.gain"),
        ("jitter.zoom=1.1,0.9", "smaller number comes first"),
        ("warmup_steps=0", "warmup_steps = 0, outside 1"),
        ("rank=none none", "or none"),
        ("rate=none", "a number"),
    ],
)
def test_what_is_wrong_is_named(assignment: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        override(tiny(), "stage1", [assignment])


@pytest.mark.parametrize(
    "make",
    [
        lambda: TeacherOptions(batch=0),
        lambda: Stage1Options(timestep=1000),
        lambda: Stage2Options(batch=2.5),  # type: ignore[arg-type]
        lambda: ReconstructorOptions(worsen=1.5),
        lambda: ReconstructorOptions(predicted_levels=(700, 700)),
        lambda: AutoencoderOptions(betas=(0.9, 1.0)),
        lambda: PairOptions(chunk=0),
        lambda: Length(accumulate=0),
        lambda: Jitter(shift=float("nan")),
    ],
)
def test_options_check_themselves_in_python_too(make: Callable[[], object]) -> None:
    with pytest.raises(ConfigError):
        make()


def test_settings_inside_settings_have_dotted_names() -> None:
    made, told = override(small(), "reconstructor", ["faults.bend=0", "batch=2"])
    assert made.reconstruction.faults == ViewFaults(bend=0.0) and made.reconstruction.batch == 2
    assert told == {"faults.bend": 0.0, "batch": 2} and small().reconstruction.faults.bend == 1.6


def test_the_seed_of_pairs_has_an_option_of_its_own() -> None:
    with pytest.raises(ConfigError, match="no such number"):
        override(tiny(), "pairs", ["seed=3"])
    with pytest.raises(ConfigError, match="no such number"):
        override(tiny(), "pairs", ["decay_part=0"])


def test_words_and_truths() -> None:
    assert (
        parse("TRUE", bool) is True and parse("false", bool) is False and parse("a", Literal["a", "b"]) == "a"
    )
    for text, kind in (("yes", bool), ("c", Literal["a", "b"]), ("", int)):
        with pytest.raises(ValueError):
            parse(text, kind)


def test_a_stage_takes_the_recipes_own_numbers_too() -> None:
    made, told = override(
        small(), "stage1", ["precision=fp16", "rank=64", "checkpointing=false", "resolution=128"]
    )
    assert (made.precision, made.resolution, made.stage1.rank) == ("fp16", 128, 64)
    assert told["precision"] == "fp16" and small().precision == "bf16"
    made, _ = override(small(), "pairs", ["pair_count=12", "size=256", "resolution=32"])
    assert (made.pair_count, made.pairs.size, made.resolution) == (12, 256, 32)
    made, _ = override(small(), "autoencoder", ["autoencoder.widths=8,16,32"])
    assert made.autoencoder.widths == (8, 16, 32)
    made, _ = override(small(), "teacher", ["sampling.steps=30", "multiview.width=96"])
    assert made.sampling.steps == 30 and made.multiview.width == 96


def test_every_field_of_a_recipe_is_some_stages() -> None:
    taken = {*OPTIONS.values(), *(name for names in OF_RECIPE.values() for name in names)}
    assert taken | {"name", "lengths"} == {field.name for field in fields(Recipe)}


@pytest.mark.parametrize(
    ("stage", "assignment", "where"),
    [
        ("stage1", "pair_count=3", "pair_count is a number of pairs"),
        ("pairs", "seed=3", "--seed"),
        ("teacher", "multiview.size=32", "geco data render --size"),
        ("stage1", "stage1.rank=4", "Write rank"),
        ("stage1", "stage2.mask=0", "mask is a number of stage2"),
        ("stage2", "name=mine", "--recipe FILE.py"),
        ("stage1", "lengths=3", "--recipe FILE.py"),
        ("pairs", "decay_part=0", "decay_part is a number of teacher, reconstructor"),
    ],
)
def test_what_is_set_elsewhere_says_where(stage: str, assignment: str, where: str) -> None:
    with pytest.raises(ConfigError) as error:
        override(tiny(), stage, [assignment])
    assert "no such number" in error.value.problem and where in str(error.value.remedy)


def test_numbers_of_the_length_may_say_so() -> None:
    made, told = override(small(), "stage1", ["length.accumulate=3", "length.budget_minutes=none"])
    assert made.lengths["stage1"].accumulate == 3 and made.lengths["stage1"].budget_minutes is None
    assert told == {"length.accumulate": 3, "length.budget_minutes": None}


@pytest.mark.parametrize(
    ("stage", "assignment", "told"),
    [
        ("stage1", "precision=fp8", "one of no, bf16, fp16"),
        ("pairs", "pair_count=0", "pair_count = 0, outside 1"),
        ("stage2", "resolution=2", "resolution = 2, outside"),
        ("stage1", "texture_size=9000", "texture_size = 9000, outside"),
        ("stage1", "pair_count=3", "no such number"),  # of another stage
        ("teacher", "multiview.size=32", "no such number"),  # the data's
    ],
)
def test_what_a_recipe_cannot_be_is_refused(stage: str, assignment: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        override(tiny(), stage, [assignment])
