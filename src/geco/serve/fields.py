"""The form of a request: rows of :mod:`geco.choices` whose ranges the server's limits narrow.

Without postponed annotations: the ranges are values of a function, which FastAPI could not look up by their
names.
"""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import Depends, File, Form, UploadFile

from geco.choices import CHOICES, Choice, choice, choices, numbers
from geco.errors import ConfigError
from geco.mesh.export.names import object_name
from geco.serve.errors import Refusal
from geco.serve.jobs import MeshTask
from geco.serve.settings import Limits, Settings

if TYPE_CHECKING:  # the values are the table's, which no reader of types runs
    Format = str
else:
    Format = Literal[choice("format").values]
FormatField = Annotated[Format, Form(description="of the file; obj is zipped with its material and texture")]
# that set a range, by field
OPTIONS = {row.name: f"--max-{row.limit}" for row in CHOICES if row.limit}
TYPES: dict[str, type] = {"bool": bool, "int": int, "float": float, "str": str, "list": str}
LONGEST_NAME = 255  # characters of a picture's file name that are looked at; no file system has more
LIST = r"^[0-9]{1,9}(,[0-9]{1,9})*$"
ROWS = (choice("seed"), *choices("views", "mesh", "file", "picture"))


def task_of(settings: Settings, rows: Iterable[Choice] = ROWS) -> Callable[..., Awaitable[MeshTask]]:
    """A dependency of routes: the form of these rows, checked, as a task without a format."""
    picture_field = File(description="a picture of one object, with or without a background")
    Values = Annotated[dict[str, Any], Depends(values_of([*rows, model_of(settings)], settings.limits))]

    async def asked(picture: Annotated[UploadFile, picture_field], values: Values) -> MeshTask:
        data = await picture.read()
        seed = values.pop("seed")
        pixels, model = settings.limits.pixels, values.pop("model")
        task = MeshTask(data, seed, over(values, settings), pixels=pixels, model=model)
        return named(task, picture.filename or "")

    return asked


def named(task: MeshTask, file: str) -> MeshTask:
    """The task of a picture whose file is called so."""
    path = PurePath(file[-LONGEST_NAME:])
    return replace(task, name=object_name(path.stem), file=path.name)


def batch_of(settings: Settings) -> Callable[..., Awaitable[tuple[UploadFile, MeshTask]]]:
    """A dependency: an archive of pictures, and a task for each without its picture and format."""
    pictures_field = File(description="a zip archive of pictures of one object each")
    Values = Annotated[dict[str, Any], Depends(values_of([*ROWS, model_of(settings)], settings.limits))]

    async def asked(
        pictures: Annotated[UploadFile, pictures_field], values: Values
    ) -> tuple[UploadFile, MeshTask]:
        seed = values.pop("seed")
        pixels, model = settings.limits.pixels, values.pop("model")
        return pictures, MeshTask(b"", seed, over(values, settings), pixels=pixels, model=model)

    return asked


def model_of(settings: Settings) -> Choice:
    """Which of the server's models."""
    about = "which of the server's models, see /api/v1/models"
    return Choice("model", "str", "seeds", about, settings.models[0], values=settings.models)


def samples_of(limits: Limits) -> Callable[..., Awaitable[range]]:
    """A dependency: the seeds of a form, one a sample: the first where each is the best of several."""
    rows = [choice("samples"), choice("seed"), choice("best_of")]
    Values = Annotated[dict[str, Any], Depends(values_of(rows, limits))]

    async def asked(values: Values) -> range:
        seed, samples, best_of = values["seed"], values["samples"], values["best_of"]
        if seed + samples * best_of > 2**32:
            raise Refusal(422, "InvalidRequest", "the seeds end at 4294967295", "Begin with a lower one.")
        return range(seed, seed + samples * best_of, best_of)

    return asked


def over(values: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """The values; how views are drawn as the server's own options say, where a request does not."""
    own = {row.name: getattr(settings.views, row.target) for row in choices("views")}
    for row in CHOICES:  # numbers of a list, which a type of a field does not bound
        if row.kind == "list" and values.get(row.name):
            try:
                numbers(replace(row, high=getattr(settings.limits, row.limit)), values[row.name])
            except ConfigError as error:
                raise Refusal(422, "InvalidRequest", error.problem, error.remedy) from None
    return {**values, **{name: own[name] for name in own if values.get(name) is None}}


def values_of(rows: Iterable[Choice], limits: Limits) -> Callable[..., Awaitable[dict[str, Any]]]:
    """A dependency: fields of a form, by name, each within its range and the server's limit."""

    async def asked(**values: Any) -> dict[str, Any]:
        return values

    signature = inspect.Signature([_parameter(row, limits) for row in rows])
    asked.__signature__ = signature  # type: ignore[attr-defined]
    return asked


def _parameter(row: Choice, limits: Limits) -> inspect.Parameter:
    """A row as FastAPI reads fields off a function."""
    kind, about = field_of(row, limits)
    return inspect.Parameter(
        row.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=row.default,
        annotation=Annotated[kind, Form(**about)],
    )


def field_of(row: Choice, limits: Limits) -> tuple[Any, dict[str, Any]]:
    """A row as a field of a form or of JSON: its type, and its description with its range."""
    kind: Any = Literal[row.values] if row.values else TYPES[row.kind]
    most = getattr(limits, row.limit) if row.limit else row.high
    about: dict[str, Any] = {"description": row.help}
    if row.kind in ("int", "float"):
        about |= {"ge": row.low, "le": most}
    if row.kind == "float":
        about["allow_inf_nan"] = False
    if row.kind == "list":
        about["pattern"] = LIST
    return kind if row.default is not None else kind | None, about


def invalid(error: Mapping[str, Any]) -> Refusal:
    """What the first of pydantic's errors comes to."""
    where = str(error["loc"][-1]) if error["loc"] else "the body"
    remedy = "See /openapi.json for the fields and their ranges."
    if error["type"] == "less_than_equal" and where in OPTIONS:
        remedy = f"Ask for less; the limit is this server's ({OPTIONS[where]})."
    return Refusal(422, "InvalidRequest", f"{where}: {error['msg']}", remedy)
