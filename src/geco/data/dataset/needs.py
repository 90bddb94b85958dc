"""Which view sets a stage reads, and the error when shards lack them."""

from __future__ import annotations

from collections.abc import Sequence

from geco.data.shards import Shards
from geco.errors import ConfigError


class MissingViewsError(ConfigError):
    """Shards without a view set or a channel that a stage needs.

    Attributes:
        missing: the sets or channels that are not there.
    """

    def __init__(self, shards: Shards, stage: str, missing: Sequence[str], what: str, remedy: str) -> None:
        self.missing = tuple(missing)
        there = ", ".join(shards.sets if what == "view set" else shards.channels)
        names = " and ".join(repr(name) for name in missing)
        super().__init__(
            f"{shards.folder} lacks the {what} {names} that {stage} needs (it has {there})", remedy
        )


def require(shards: Shards, stage: str, sets: Sequence[str], channels: Sequence[str] = ("rgba",)) -> None:
    """Raise :class:`MissingViewsError`, with the command that renders what is missing, unless all
    sets and channels are there.
    """
    missing = [name for name in sets if name not in shards.sets]
    if missing:
        raise MissingViewsError(shards, stage, missing, "view set", _remedy(shards, missing, channels))
    absent = [name for name in channels if name not in shards.channels]
    if absent:
        raise MissingViewsError(shards, stage, absent, "channel", _remedy(shards, (), channels))


def of_family(shards: Shards, stage: str, families: Sequence[str], example: str) -> list[str]:
    """The sets of these families, e.g. ``condition`` and ``condition-6`` for "condition";
    :class:`MissingViewsError` if none.

    Args:
        example: the set that the error proposes to render.
    """
    found = [name for name in shards.sets if family(name) in families]
    if not found:
        require(shards, stage, [example])
    return found


def family(name: str) -> str:
    """A set's name without its count: pairs-6 -> pairs."""
    head, _, count = name.rpartition("-")
    return head if head and count.isdigit() else name


def _remedy(shards: Shards, sets: Sequence[str], channels: Sequence[str]) -> str:
    """The command for what is there and what is missing together."""
    views, wanted = [*shards.sets, *sets], list(dict.fromkeys(["rgba", "depth", *shards.channels, *channels]))
    more = f" --channels {','.join(wanted)}" if wanted != ["rgba", "depth"] else ""  # the default
    return (
        "Render it with the others into another folder: "
        f"geco data render OBJECTS -o SHARDS --views {','.join(views)} --size {shards.size}{more}"
    )
