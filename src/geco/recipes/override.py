"""Single numbers of a recipe from the command line: ``--set NAME=VALUE``, typed by the annotation
of the field it names.
"""

from __future__ import annotations

import math
import types
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints

from geco.errors import ConfigError
from geco.recipes.recipe import Length, Recipe, Stage

# The recipe's field that holds a stage's own numbers; a stage that has a Length takes that one's fields too.
OPTIONS = {
    "teacher": "teacher",
    "reconstructor": "reconstruction",
    "regressor": "regression",
    "autoencoder": "autoencoding",
    "stage1": "stage1",
    "pairs": "pairs",
    "stage2": "stage2",
}
WITHOUT_LENGTH = {"pairs"}
ELSEWHERE = {"seed"}  # options of their own: here they would be overruled in silence
FROM_ONE = {
    *("batch", "chunk", "renders", "views", "steps", "points", "surface"),
    *("accumulate", "warmup_steps", "student_repeats", "rank", "objects", "targets"),
}
SHARES = {  # in [0, 1]
    *("last_part", "drop_part", "decay_part", "worsen", "predicted_share"),
    *("drop", "t_range", "blur", "noise", "cut"),
}
DECAYS = {"average", "betas"}  # in [0, 1); all other numbers from 0


def override(recipe: Recipe, stage: str, assignments: Sequence[str]) -> tuple[Recipe, dict[str, Any]]:
    """The recipe with single fields of one stage replaced.

    Args:
        stage: of :data:`OPTIONS`.
        assignments: "NAME=VALUE" each; the last one of a name counts. Pairs of numbers are written
            "0.02,0.98", nothing "none".

    Returns:
        The recipe, and what was replaced: field -> value, tuples as lists, for the model's card.

    Raises:
        ConfigError: no such field (the message lists them), a value of another type, or one out of its range.
    """
    if not assignments:
        return recipe, {}
    held, length = getattr(recipe, OPTIONS[stage]), recipe.lengths.get(cast(Stage, stage), Length())
    known = {name: kind for name, kind in get_type_hints(type(held)).items() if name not in ELSEWHERE}
    of_length = (
        {}
        if stage in WITHOUT_LENGTH
        else {n: kind for n, kind in get_type_hints(Length).items() if n not in known}
    )
    values: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        kind = (known | of_length).get(name.strip())
        if not equals or kind is None:
            raise ConfigError(
                f"--set {assignment}: {stage} has no such number", f"Known: {_listed(known | of_length)}."
            )
        values[name.strip()] = _checked(assignment, name.strip(), text.strip(), kind)
    own = {field.name: values[field.name] for field in fields(held) if field.name in values}
    changes: dict[str, Any] = {OPTIONS[stage]: replace(held, **own)}
    if rest := {name: value for name, value in values.items() if name in of_length}:
        changes["lengths"] = recipe.lengths | {cast(Stage, stage): replace(length, **rest)}
    told = {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
    return replace(recipe, **changes), told


def _checked(assignment: str, name: str, text: str, kind: Any) -> Any:
    try:
        value = parse(text, kind)
    except ValueError as error:
        raise ConfigError(
            f"--set {assignment}: {text!r} is not {describe(kind)}", "Check the value."
        ) from error
    numbers = [n for n in (value if isinstance(value, tuple) else (value,)) if isinstance(n, (int, float))]
    low, high = float(name in FROM_ONE), 1.0 if name in SHARES | DECAYS else math.inf
    if not all(low <= number <= high and not (name in DECAYS and number == 1) for number in numbers):
        end = ")" if name in DECAYS else "]"
        raise ConfigError(
            f"--set {assignment}: {name} lies in [{low:g}, {high:g}{end}", "Take another value."
        )
    return value


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
        if len(parts) != len(inner):
            raise ValueError(text)
        return tuple(parse(part.strip(), one) for part, one in zip(parts, inner))
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
        return f"{len(inner)} values with commas between, each {describe(inner[0])}"
    return {int: "a whole number", float: "a number", bool: "true or false"}.get(kind, "a word")


def _listed(known: dict[str, Any]) -> str:
    return ", ".join(sorted(known))
