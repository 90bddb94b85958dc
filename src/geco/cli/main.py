"""``geco``: parses the arguments, runs one command, and turns what stops it into one line and an
exit code.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

from geco.cli import ending, streams
from geco.version import __version__

EXIT_CODES = (
    "Exit codes: 0 done; 2 an error that one line explains; 130 Ctrl-C, 143 SIGTERM, 129 SIGHUP (what is "
    "written is whole); "
    "141 the reader of the output has gone."
)


# in the order of the help
COMMANDS = [
    "run",
    "view",
    "optimize",
    "get",
    "serve",
    "info",
    "convert",
    "cameras",
    "data",
    "train",
    "recipes",
    "evaluate",
    "export",
    "publish",
    "completion",
]


def parser(command: str | None = None) -> argparse.ArgumentParser:
    """The command line; each command adds its own arguments and sets ``function``.

    Args:
        command: one of :data:`COMMANDS`, to build no other's: a third of the time that the imports of a run
            take goes into what other commands need. Anything else builds all.
    """
    about = "One picture of an object to a textured 3D mesh within a second."
    top = argparse.ArgumentParser(prog="geco", description=about, epilog=EXIT_CODES)
    top.add_argument("--version", action="version", version=f"geco {__version__}")
    top.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in [command] if command in COMMANDS else COMMANDS:
        import_module(f"geco.cli.{name}").add(commands)
    return top


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit code, see :data:`EXIT_CODES`."""
    streams.make_usable()
    arguments = sys.argv[1:] if argv is None else argv
    with ending.signals():
        return ending.guarded(lambda: _command(arguments), *_asked(arguments))


def _command(arguments: list[str]) -> int:
    from geco import clash, memory

    clash.check()
    try:
        options = parser(_asked(arguments)[0]).parse_args(arguments)
    except SystemExit as end:  # argparse has printed: help and version, or what is wrong with the arguments
        return int(end.code or 0)
    memory.claim(ending.LOWER.get(options.command, ""))
    return int(options.function(options) or 0)


def _asked(arguments: list[str]) -> tuple[str, bool]:
    """The command's name, and whether tracebacks are wanted, before the arguments are understood."""
    names = [argument for argument in arguments if not argument.startswith("-")]
    return (names[0] if names else ""), "--debug" in arguments


if __name__ == "__main__":
    sys.exit(main())
