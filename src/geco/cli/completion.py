"""``geco completion``: a script that completes commands, options, values and file names in a shell."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from typing import Any

from geco.errors import MissingExtraError

SHELLS = ("bash", "zsh", "tcsh")
# What a metavar says of its value, a word of it: FILE|DIR, OBJECTS_DIR, ID|FILE, FILE.png.
_FILES = {"FILE", "PICTURE", "PACK"}
_FOLDERS = {"DIR", "FOLDER", "RUN", "MODEL", "SHARDS"}


def add(commands: Any) -> None:
    """Add the command's arguments."""
    command: argparse.ArgumentParser = commands.add_parser(
        "completion",
        help="print a script for tab completion (extra: completion)",
        description="Print a script that completes commands, options, values and file names.",
        epilog="bash: geco completion bash > ~/.local/share/bash-completion/completions/geco · zsh: a file "
        "_geco in a folder of $fpath · tcsh: geco completion tcsh > ~/.geco.tcsh, which ~/.tcshrc sources",
    )
    command.add_argument("shell", choices=SHELLS, help="whose script")
    command.set_defaults(function=show)


def show(options: argparse.Namespace) -> int:
    """Print the script of one shell; raises MissingExtraError without shtab."""
    try:
        import shtab
    except ImportError as error:
        raise MissingExtraError("shtab", "completion", "geco completion") from error
    from geco.cli.main import parser

    top = parser()
    for action in _actions(top):
        kind = _kind(action)
        if kind is not None:
            action.complete = getattr(shtab, kind)  # type: ignore[attr-defined]
    print(shtab.complete(top, options.shell))
    return 0


def _kind(action: argparse.Action) -> str | None:
    """What shtab calls the names that an argument takes: "FILE", "DIRECTORY", or None for no path."""
    said = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    if action.choices is not None or action.nargs == 0:
        return None
    words = set(re.split(r"[^A-Z]+", said))
    if words & _FILES:
        return "FILE"
    return "DIRECTORY" if words & _FOLDERS else None


def _actions(top: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Every argument of a parser and of the commands inside it."""
    for action in top._actions:  # as shtab itself finds them: argparse has no public list
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from _actions(inner)
        else:
            yield action
