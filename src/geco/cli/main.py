"""``geco``: parses the arguments, runs one command, and turns our own errors into one line and exit code 2."""

from __future__ import annotations

import argparse
import sys

from geco.cli import cameras, convert, data, evaluate, info, run, serve, train
from geco.errors import GecoError
from geco.version import __version__

COMMANDS = (run, serve, info, convert, cameras, data, train, evaluate)


def parser() -> argparse.ArgumentParser:
    """The whole command line; each command adds its own arguments and sets ``function``."""
    top = argparse.ArgumentParser(prog="geco", description="One picture of an object to a textured 3D mesh within a second.")
    top.add_argument("--version", action="version", version=f"geco {__version__}")
    top.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add(commands)
    return top


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 2 an error that the message explains, 130 interrupted."""
    options = parser().parse_args(argv)
    try:
        return int(options.function(options) or 0)
    except GecoError as error:
        if options.debug:
            raise
        print(f"geco: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("geco: interrupted; results written so far are whole", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output has gone (`geco info | head`); silence the flush at exit too.
        sys.stderr.close()
        return 0


if __name__ == "__main__":
    sys.exit(main())
