"""Single numbers of a recipe from the command line: ``--set NAME=VALUE``, typed by the annotation of the
field it names, and checked by the options themselves.
"""

from __future__ import annotations

import math
import types
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints

from geco.checked import Checked
from geco.errors import ConfigError
from geco.recipes.recipe import Length, Recipe, Stage

# The recipe's field that holds a stage's own numbers; a stage that has a Length takes that one's fields too.
OPTIONS = {
    "teacher": "teacher",
    "reconstructor": "reconstruction",
    "regressor": "regression",
    "pixelnerf": "radiance",
    "autoencoder": "autoencoding",
    "stage1": "stage1",
    "pairs": "pairs",
    "stage2": "stage2",
}
WITHOUT_LENGTH = {"pairs"}
# What a stage takes of the recipe itself: single numbers, and settings whose fields have dotted names.
OF_RECIPE: dict[str, tuple[str, ...]] = {
    "teacher": ("precision", "resolution", "texture_size", "multiview", "sampling"),
    "reconstructor": ("precision", "resolution", "texture_size", "reconstructor"),
    "regressor": ("precision", "resolution", "texture_size", "regressor"),
    "pixelnerf": ("precision", "resolution", "texture_size", "pixelnerf"),
    "autoencoder": ("precision", "autoencoder"),
    "stage1": ("precision", "resolution", "texture_size"),
    "pairs": ("pair_count", "resolution"),
    "stage2": ("precision", "resolution", "texture_size"),
}
# What has an option of its own, or is the data's: here it would be overruled in silence.
_OF_DATA = "the size of the data's views decides (geco data render --size)"
ELSEWHERE: Mapping[str, str] = {
    "seed": "it is an option of the command: --seed",
    "multiview.size": _OF_DATA,
    "reconstructor.view_size": _OF_DATA,
    "regressor.view_size": _OF_DATA,
    "pixelnerf.view_size": _OF_DATA,
}
LENGTH = "length."  # before a name that a stage's own numbers have too


def override(recipe: Recipe, stage: str, assignments: Sequence[str]) -> tuple[Recipe, dict[str, Any]]:
    """The recipe with single fields replaced: of one stage, of its length, and of what it takes of the
    recipe itself (:data:`OF_RECIPE`). Numbers of the length may be written "length.steps", which is needed
    where the stage has one of the same name.

    Args:
        stage: of :data:`OPTIONS`.
        assignments: "NAME=VALUE" each; the last one of a name counts. Pairs of numbers are written
            "0.02,0.98", nothing "none", numbers of settings inside settings "jitter.gain".

    Returns:
        The recipe, and what was replaced: field -> value, tuples as lists, for the model's card.

    Raises:
        ConfigError: no such field (the message lists them), a value of another type, or one out of its range.
    """
    if not assignments:
        return recipe, {}
    held, length = getattr(recipe, OPTIONS[stage]), recipe.lengths.get(cast(Stage, stage), Length())
    own, of_length, of_recipe = _known(stage)
    known = own | of_length | of_recipe
    values: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, text = (part.strip() for part in assignment.partition("="))
        if not equals or name not in known:
            problem = f"--set {assignment}: {stage} has no such number"
            raise ConfigError(problem, f"{_elsewhere(stage, name)}Known: {', '.join(sorted(known))}.")
        try:
            values[name] = parse(text, known[name])
        except ValueError as error:
            problem = f"--set {assignment}: {text!r} is not {describe(known[name])}"
            raise ConfigError(problem, "Check the value.") from error
    try:
        changes = {OPTIONS[stage]: _replaced(held, {n: v for n, v in values.items() if n in own})}
        if rest := {n.removeprefix(LENGTH): v for n, v in values.items() if n in of_length}:
            changes["lengths"] = recipe.lengths | {cast(Stage, stage): replace(length, **rest)}
        made = _replaced(recipe, {n: v for n, v in values.items() if n in of_recipe})
        made = replace(made, **changes)
    except ConfigError as error:
        problem = f"--set {' --set '.join(assignments)}: {error.problem}"
        raise ConfigError(problem, error.remedy or "Take another value.") from error
    replaced = {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
    return made, replaced


def _known(stage: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Annotations by the names of ``--set``: the stage's own, its length's, the recipe's that it takes."""
    hints = get_type_hints(Recipe)
    own = {name: kind for name, kind in _kinds(hints[OPTIONS[stage]]).items() if name not in ELSEWHERE}
    of_length: dict[str, Any] = {}
    if stage not in WITHOUT_LENGTH:
        plain = _kinds(Length)
        of_length = {LENGTH + name: kind for name, kind in plain.items()}
        of_length |= {name: kind for name, kind in plain.items() if name not in own}
    return own, of_length, {n: k for n, k in _of_recipe(stage).items() if n not in ELSEWHERE}


def _elsewhere(stage: str, name: str) -> str:
    """Where a number is that ``stage`` does not have: an option, another stage, a recipe's file."""
    if name in ELSEWHERE:
        return f"{name}: {ELSEWHERE[name]}. "
    before, _, rest = name.partition(".")
    if before == OPTIONS[stage] and rest:
        return f"Write {rest}. "
    inside = rest if before in OPTIONS.values() else name
    others = [other for other in OPTIONS if inside in {n for part in _known(other) for n in part}]
    if others:
        return f"{inside} is a number of {', '.join(others)}: give it to that command. "
    if name.partition(".")[0] in {"name", "lengths", *_tables(stage)}:
        return f"{name} is for a recipe in a file of its own (--recipe FILE.py). "
    return ""


def _tables(stage: str) -> set[str]:
    """Names of the stage's numbers that hold tables."""
    hints = get_type_hints(get_type_hints(Recipe)[OPTIONS[stage]])
    return {name for name, kind in hints.items() if get_origin(kind) is dict}


def _of_recipe(stage: str) -> dict[str, Any]:
    """Annotations of the recipe's own fields that the stage takes, by the names of ``--set``."""
    hints = get_type_hints(Recipe)
    found: dict[str, Any] = {}
    for name in OF_RECIPE[stage]:
        inside = isinstance(hints[name], type) and issubclass(hints[name], Checked)
        found |= _kinds(hints[name], f"{name}.") if inside else {name: hints[name]}
    return found


def _kinds(options: type[Checked], before: str = "") -> dict[str, Any]:
    """Annotations by name, of settings inside settings too: "jitter.gain". Tables are for a recipe's file."""
    found: dict[str, Any] = {}
    for name, kind in get_type_hints(options).items():
        inside = isinstance(kind, type) and issubclass(kind, Checked)
        if get_origin(kind) is not dict:
            found |= _kinds(kind, f"{before}{name}.") if inside else {before + name: kind}
    return found


def _replaced(held: Any, values: Mapping[str, Any]) -> Any:
    """``held`` with these values by name; the options check them."""
    direct = {name: value for name, value in values.items() if "." not in name}
    for group in {name.partition(".")[0] for name in values if "." in name}:
        inside = {n.partition(".")[2]: v for n, v in values.items() if n.startswith(f"{group}.")}
        direct[group] = _replaced(getattr(held, group), inside)
    return replace(held, **direct)


def parse(text: str, kind: Any) -> Any:
    """A value of an annotation's type: int, float, bool, str, Literal, tuples of them, or None where it
    allows that.

    Raises:
        ValueError: the text is of none of these.
    """
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        if type(None) in inner and text.lower() == "none":
            return None
        return parse(text, next(part for part in inner if part is not type(None)))
    if origin is Literal:
        if text not in inner:
            raise ValueError(text)
        return text
    if origin is tuple:
        parts = text.split(",")
        kinds = [inner[0]] * len(parts) if inner[-1] is Ellipsis else inner
        if len(parts) != len(kinds):
            raise ValueError(text)
        return tuple(parse(part.strip(), one) for part, one in zip(parts, kinds))
    if kind is bool:
        return parse(text.lower(), Literal["true", "false"]) == "true"
    if kind is float and not math.isfinite(float(text)):
        raise ValueError(text)
    return kind(text)


def describe(kind: Any) -> str:
    """What a value of an annotation looks like: "a whole number", "one of sigma2, dmd", "a
    number, or none".
    """
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return " or ".join("none" if part is type(None) else describe(part) for part in inner)
    if origin is Literal:
        return f"one of {', '.join(map(str, inner))}"
    if origin is tuple:
        many = "" if inner[-1] is Ellipsis else f"{len(inner)} "
        return f"{many}values with commas between, each {describe(inner[0])}"
    return {int: "a whole number", float: "a number", bool: "true or false"}.get(kind, "a word")
