"""Every choice that one mesh leaves to its user, in one table: the options of ``geco run``, the fields of the
service and those of plug-ins are made of its rows. A new choice is one row here, and the field of
:class:`~geco.surface_to_asset.AssetOptions` (or the argument) that its value goes to.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from geco.errors import ConfigError

if TYPE_CHECKING:
    from geco.sampling import Steering
    from geco.surface_to_asset import AssetOptions

Kind = Literal["bool", "int", "float", "str", "list"]
Group = Literal["picture", "seeds", "views", "mesh", "file"]


@dataclass(frozen=True)
class Choice:
    """One row.

    Attributes:
        name: of the form's field; of the option, with dashes. A bool that is on by itself is switched off by
            ``--no-NAME`` and ``NAME=false``.
        kind: of the value; "list" is whole numbers with commas between them.
        group: what the value goes to: "picture": how it is read (:meth:`GecoPipeline.see`); "seeds": which
            samples; "views": :class:`~geco.sampling.Steering`; "mesh":
            :class:`~geco.surface_to_asset.AssetOptions`; "file": :meth:`geco.asset.Asset.save` and
            ``encode``.
        help: what it does, read after its name.
        default: None: the model's own, or none.
        low, high: of a number, both included; of each in a list.
        values: of a "str" that is one of a few.
        metavar: how the option's help calls the value.
        limit: the attribute of :class:`geco.serve.settings.Limits` that lowers ``high`` in the service, set
            there by ``--max-LIMIT``; "" is none.
        keyword: what the group calls it, where that is not its name.
    """

    name: str
    kind: Kind
    group: Group
    help: str
    default: Any = None
    low: float | None = None
    high: float | None = None
    values: tuple[str, ...] = ()
    metavar: str | None = None
    limit: str = ""
    keyword: str = ""

    @property
    def option(self) -> str:
        """Of the command line: ``--texture-size``, ``--no-outline``."""
        return ("--no-" if self.default is True else "--") + self.name.replace("_", "-")

    @property
    def about(self) -> str:
        """The option's help."""
        return f"do not {self.help}" if self.default is True else self.help

    @property
    def target(self) -> str:
        """Of the group's own parameter."""
        return self.keyword or self.name


CHOICES: tuple[Choice, ...] = (
    Choice(
        "format", "str", "file", "file format (default: by the output's suffix, else glb)",
        values=("glb", "obj", "ply", "stl", "usdz", "3mf"),
    ),
    Choice("seed", "int", "seeds", "seed of the noise (default 0)", 0, 0, 2**32 - 1, metavar="N"),
    Choice(
        "samples", "int", "seeds", "K meshes a picture, with seeds N … N+K-1", 1, 1, 1000, metavar="K",
        limit="samples",
    ),
    Choice(
        "best_of", "int", "mesh",
        "each mesh is the best of K seeds, by its outline before that is fitted: of N … N+K-1, the next K "
        "for the next sample (default 1)",
        1, 1, 16, metavar="K", limit="samples",
    ),
    Choice(
        "steps", "int", "views",
        "of a model that draws views in many, a teacher: 1 to 1000; time grows with them (default: the "
        "model's)",
        low=1, high=1000, metavar="N", limit="steps",
    ),
    Choice(
        "guidance", "float", "views",
        "scale of classifier-free guidance, 1 is none (default: the model's)", low=0, high=100, metavar="G",
    ),
    Choice(
        "sampler", "str", "views",
        "rule of the steps: ddim (deterministic) or euler-ancestral (default: the model's)",
        values=("ddim", "euler-ancestral"),
    ),
    Choice(
        "reference", "str", "views",
        "how Zero123++ reads the picture: clean, once for all steps, or noised to the level of each "
        "(default: the model's)",
        values=("clean", "noised"),
    ),
    Choice(
        "truncation", "float", "views",
        "0 to 1, of a one-step generator: how far seeds may differ, 1 the most (default: the model's)",
        low=0, high=1, metavar="T",
    ),
    Choice(
        "size", "float", "file",
        "longest side of the mesh in metres (default: about 2; stl and 3mf, in millimetres, for printing: "
        "100 mm)",
        low=1e-4, high=1e4, metavar="METRES",
    ),
    Choice(
        "faces", "int", "mesh", "at most N faces (default: what the surface gives)",
        low=100, high=2_000_000, metavar="N", limit="faces",
    ),
    Choice(
        "texture_size", "int", "mesh", "side of the texture in texels (default: the model's)",
        low=64, high=4096, metavar="N", limit="texture",
    ),
    Choice(
        "texture_format", "str", "file", "of the texture (default jpeg)", "jpeg",
        values=("jpeg", "png", "webp"),
    ),
    Choice(
        "resolution", "int", "mesh",
        "cubes a side of the surface grid (default: the model's, more where the picture is thin)",
        low=16, high=512, metavar="N", limit="resolution",
    ),
    Choice(
        "vertex_colors", "bool", "mesh",
        "colours at the vertices in place of UVs and a texture; quicker, and as sharp as the grid", False,
    ),
    Choice(
        "normal_map", "bool", "mesh",
        "with --faces or --lods: a tangent-space normal map of the surface as it was (glb, obj, usdz)", False,
    ),
    Choice(
        "lods", "list", "mesh",
        "levels of detail, each its own file: most faces of each, the finest first (10000,2500,600)",
        low=100, high=2_000_000, metavar="N,N,…", limit="faces",
    ),
    Choice("collision", "bool", "mesh", "a convex hull of few corners, as a file of its own", False),
    Choice(
        "pivot", "str", "file",
        "where the origin is: center, about the object's middle, or base, under it (default center)",
        "center", values=("center", "base"),
    ),
    Choice(
        "compression", "str", "file",
        "of a GLB's geometry: none, or draco, which viewers need a decoder for (extra draco; default none)",
        "none", values=("none", "draco"),
    ),
    Choice("watertight", "bool", "mesh", "guarantee a closed manifold, for printing", False),
    Choice("outline", "bool", "mesh", "make the surface keep to the input picture's outline", True),
    Choice("projection", "bool", "mesh", "lay the input picture onto the visible side", True),
    Choice(
        "symmetry", "str", "mesh",
        "on: the far half is the mirror image of what the picture shows, colours included; auto: where "
        "volume and picture say so (default off)",
        "off", values=("off", "on", "auto"),
    ),
    Choice(
        "uv", "str", "mesh", "unwrapping method (default charts, ours)", "charts",
        values=("charts", "xatlas"), keyword="uv_method",
    ),
    Choice(
        "cutout", "str", "picture",
        "how the background is removed (default auto: alpha, plain background, rembg if installed, "
        "built-in)",
        "auto", values=("auto", "alpha", "plain", "builtin", "grabcut", "rembg", "none"),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """What was chosen, by what takes it.

    Attributes:
        mesh: what the mesh shall be like.
        views: how they are drawn.
        picture: further arguments of :meth:`geco.pipeline.GecoPipeline.see`.
        file: further arguments of :meth:`geco.asset.Asset.save` and ``encode``.
    """

    mesh: AssetOptions
    views: Steering
    picture: dict[str, Any] = field(default_factory=dict)
    file: dict[str, Any] = field(default_factory=dict)


def choice(name: str) -> Choice:
    """The row of that name; raises KeyError."""
    return {row.name: row for row in CHOICES}[name]


def choices(*groups: Group) -> Iterator[Choice]:
    """The rows of some groups, in order, but the format: it is of the output's own name."""
    return (row for row in CHOICES if row.group in groups and row.name != "format")


def sort(values: Mapping[str, Any]) -> Asked:
    """Values by the names of the table, a missing one as its default, to those who take them. Format, seed
    and samples are left to the caller, as are keys that are none of the table's.

    Raises:
        ConfigError: a value is out of range, or two do not go together.
    """
    from geco.sampling import Steering
    from geco.surface_to_asset import AssetOptions

    def of(group: Group) -> dict[str, Any]:
        return {row.target: _value(row, values.get(row.name)) for row in choices(group)}

    return Asked(AssetOptions(**of("mesh")), Steering(**of("views")), of("picture"), of("file"))


def _value(row: Choice, given: Any) -> Any:
    if given is None:
        return row.default
    return numbers(row, given) if row.kind == "list" and isinstance(given, str) else given


def numbers(row: Choice, text: str) -> tuple[int, ...]:
    """The numbers of a list (``10000,2500,600``).

    Raises:
        ConfigError: no list of whole numbers, or one out of range.
    """
    low, high = -math.inf if row.low is None else row.low, math.inf if row.high is None else row.high
    words = [word.strip() for word in text.split(",")]
    if not all(word.isascii() and word.isdigit() and low <= int(word) <= high for word in words):
        raise ConfigError(
            f"{row.name} {text!r} is no list of whole numbers from {low:g} to {high:g}",
            "Put commas between them: 10000,2500,600.",
        )
    return tuple(int(word) for word in words)
