"""What can be evaluated: names on the command line to methods, and where their models lie."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from geco.errors import ConfigError, WeightsError
from geco.evaluate.behind import BEST_OF, EXAMPLE, SETTINGS, settings_of
from geco.evaluate.model_folders import draws, model_folder, role_folder
from geco.model_files.card import CARD
from geco.model_files.products import find_product
from geco.sampling import Steering

Kind = Literal["model", "copy-input", "ground-truth-views", "optimize", "meshes"]
Variant = Literal["bare", "outline", "projection", "finish"]
VARIANTS: tuple[str, ...] = get_args(Variant)
PLAIN_NAMES = (
    "geco",
    "teacher-N",
    "undistilled",
    "copy-input",
    "ground-truth-views",
    "regressor",
    "pixelnerf",
    "stage1",
    "optimize-sds",
    "optimize-vsd",
)
ROLES = ("stage1", "regressor", "pixelnerf")  # names whose model is a folder of that name in another
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_TEACHER = re.compile(r"teacher-([1-9]\d{0,3})")


@dataclass(frozen=True)
class Method:
    """One way to come from a picture to views and a mesh.

    Attributes:
        name: as it stands in the tables.
        kind: "model" runs a model; "copy-input" repeats the input picture; "ground-truth-views" reconstructs
            from rendered views with the model's reconstructor; "optimize" distils a teacher for each picture;
            "meshes" reads what another program made.
        source: the model ("small", a folder, a hub id), or the folder of meshes; "" where there is none.
        steering: what of the model's own way of drawing views is otherwise.
        teacher: the model must be one of noise levels, not a distilled generator.
        deterministic: the seed changes nothing, so one is enough.
        best_of: seeds that are drawn for a mesh; seed s draws its own, from s * best_of on.
    """

    name: str
    kind: Kind
    source: str = ""
    steering: Steering = field(default_factory=Steering)
    teacher: bool = False
    deterministic: bool = False
    best_of: int = 1

    def columns(self, variants: Sequence[str]) -> dict[str, str]:
        """Column of the tables -> variant of the mesh. The bare networks' mesh carries the
        method's name alone.
        """
        if self.kind in ("copy-input", "optimize", "meshes"):
            return {self.name: "bare"}
        return {self.name if variant == "bare" else f"{self.name}+{variant}": variant for variant in variants}

    @property
    def is_steered(self) -> bool:
        """Whether there is a sampling to steer: a model draws its views."""
        return self.kind == "model" and not self.deterministic

    @property
    def has_process(self) -> bool:
        """Whether a model runs for it, in a process of its own."""
        return self.kind in ("model", "ground-truth-views", "optimize")


def parse_methods(
    names: Sequence[str],
    meshes: Sequence[str] = (),
    model: str = "small",
    asked: Steering | None = None,
) -> list[Method]:
    """Methods in the order given, meshes last.

    Args:
        names: each one of :data:`PLAIN_NAMES`, a model folder, or ``NAME=FOLDER``; ``teacher-N=FOLDER``,
            ``undistilled=FOLDER`` and the other plain names take that folder instead of ``model``. Behind an
            ``@`` stands what is otherwise than the model's own: ``geco@1`` or ``stage1@0.5=FOLDER`` truncates
            a one-step generator's noise, ``teacher-28@clean@guidance-3`` steers a teacher
            (:data:`SETTINGS`), ``optimize-vsd@steps-200`` says how many updates an object has.
        meshes: each ``NAME=FOLDER``.
        model: what the plain names run. A folder may hold the folders ``teacher``, ``stage1``,
            ``regressor`` and ``pixelnerf`` for those roles.
        asked: of every model that draws views, where its name does not say it.

    Raises:
        ConfigError: an unknown or repeated name, nothing to do, or a name against ``asked``.
        WeightsError: a role that the model does not have.
    """
    found = [_parse(name, model) for name in names] + [_meshes(entry) for entry in meshes]
    found = [_steered(method, asked or Steering()) for method in found]
    if not found:
        raise ConfigError(
            "no method was given",
            f"Give --methods NAME[,NAME...] of {', '.join(PLAIN_NAMES)}, or --meshes NAME=DIR.",
        )
    taken: set[str] = set()
    for method in found:
        if method.name.lower() in taken:
            raise ConfigError(
                f"two methods are called {method.name!r}", "Give one of them another name: NAME=FOLDER."
            )
        taken.add(method.name.lower())
    return found


def _steered(method: Method, asked: Steering) -> Method:
    """The method, with what is asked of all where it says nothing of its own."""
    if not method.is_steered:
        return method
    own = method.steering.asked
    for name, value in asked.asked.items():
        if own.get(name, value) != value:
            raise ConfigError(
                f"{method.name} says its {name} itself, and {name} {value} is asked of all",
                f"Write what is meant for one method behind its name: {EXAMPLE}",
            )
    return replace(method, steering=method.steering.over(asked))


def _parse(entry: str, model: str) -> Method:
    """``NAME[@SETTING ...][=FOLDER]`` to a method."""
    name, equals, folder = entry.partition("=")
    plain, at, text = name.partition("@")
    if not at or (not equals and (Path(entry) / CARD).is_file()):
        return _method(entry, model)
    method = _method(f"{plain}{equals}{folder}", model)
    asked = settings_of(name, text)
    if method.kind == "optimize":
        taken = asked.keys() <= {"steps", "guidance"}
    else:
        taken = method.is_steered and not (method.teacher and {"steps", "truncation"} & asked.keys())
    if not taken:
        raise ConfigError(
            f"{name}: what stands behind @ is {SETTINGS}, and {plain} takes no such thing",
            EXAMPLE,
        )
    best_of = asked.pop(BEST_OF, 1)
    steering = Steering(**{**method.steering.asked, **asked})
    return replace(method, name=name, steering=steering, best_of=best_of)


def _method(entry: str, model: str) -> Method:
    name, equals, folder = entry.partition("=")
    if equals:
        _check_name(name)
        return _plain(name, folder, own_folder=True) or _of_model(name, model_folder(folder))
    plain = _plain(entry, model, own_folder=False)
    if plain is not None:
        return plain
    if (Path(entry) / CARD).is_file():
        name = Path(entry).resolve().name
        _check_name(name)
        return _of_model(name, entry)
    raise ConfigError(
        f"no method is called {entry!r}, and it is no folder of a model",
        f"Use {', '.join(PLAIN_NAMES)}, a model folder, or NAME=FOLDER.",
    )


def _of_model(name: str, source: str) -> Method:
    """A model's own way; a regressor's (TripoSR's kind) draws nothing, so one seed is enough."""
    folder = Path(source)
    if (product := find_product(source)) is not None and product.is_here():
        folder = product.folder
    return Method(name, "model", source, deterministic=(folder / CARD).is_file() and not draws(folder))


def _plain(name: str, source: str, own_folder: bool) -> Method | None:
    """A method of a fixed name on ``source``; None for another name."""
    if name == "copy-input":
        return Method(name, "copy-input", deterministic=True)
    if own_folder and (name in PLAIN_NAMES or _TEACHER.fullmatch(name)):
        source = model_folder(source)
    if name == "geco":
        return Method(name, "model", source)
    if name == "ground-truth-views":
        return Method(name, "ground-truth-views", source, deterministic=True)
    if name in ROLES:
        folder = source if own_folder else role_folder(source, name)
        if folder is None:
            raise WeightsError(
                f"the model {source!r} has no {name}",
                f"Train one, then give its folder: --methods {name}=FOLDER, or --model RUN where "
                f"RUN/{name} is that folder.",
            )
        return Method(name, "model", folder, deterministic=name != "stage1")
    if score_distillation(name):
        folder = (not own_folder and role_folder(source, "teacher")) or source
        return Method(name, "optimize", folder)
    steps = 1 if name == "undistilled" else int(match[1]) if (match := _TEACHER.fullmatch(name)) else None
    if steps is None:
        return None
    if steps > 1000:
        raise ConfigError(f"{name}: there are 1000 noise levels", "Ask for at most teacher-1000.")
    folder = (not own_folder and role_folder(source, "teacher")) or source
    return Method(name, "model", folder, Steering(steps=steps, sampler="ddim"), teacher=True)


def score_distillation(name: str) -> Any:
    """ "sds" or "vsd" of a method's name, with what stands behind its ``@`` or not; None of another's."""
    plain, _, kind = name.partition("@")[0].partition("-")
    return kind if plain == "optimize" and kind in ("sds", "vsd") else None


def _meshes(entry: str) -> Method:
    name, equals, folder = entry.partition("=")
    if not equals:
        raise ConfigError(f"--meshes {entry!r} names no column", "Write --meshes NAME=DIR.")
    _check_name(name)
    if name in PLAIN_NAMES or _TEACHER.fullmatch(name):
        raise ConfigError(
            f"a folder of meshes cannot be called {name!r}", "That is the name of a method; choose another."
        )
    if not Path(folder).is_dir():
        raise ConfigError(
            f"--meshes {name}: the folder {folder} does not exist", "Give a folder with one mesh an object."
        )
    return Method(name, "meshes", folder, deterministic=True)


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{name!r} cannot be the name of a column",
            "Use 1 to 64 letters, digits, dots, dashes and underscores.",
        )
