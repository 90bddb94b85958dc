"""``geco view``: a mesh in the browser, from this machine alone."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """Add the command's arguments."""
    command: argparse.ArgumentParser = commands.add_parser(
        "view",
        help="show a mesh in the browser",
        description="Show a mesh in the browser: the viewer of `geco serve`'s page, from a server that only "
        "this machine can reach. Nothing is sent out, and no extra is needed.",
        epilog="It ends with Ctrl-C.",
    )
    command.add_argument(
        "file", metavar="FILE", help=".glb as it is; .gltf, .obj, .ply, .stl and .zip are read first"
    )
    command.add_argument("--port", type=int, default=0, metavar="N", help="default: any that is free")
    command.add_argument("--no-browser", action="store_true", help="only print the address")
    command.set_defaults(function=run)


def run(options: argparse.Namespace) -> int:
    """Serve it until Ctrl-C."""
    import webbrowser

    from geco.serve.viewed import as_glb
    from geco.serve.viewing import Viewing

    path = Path(options.file)
    server = Viewing(as_glb(path), path.name, options.port)
    try:
        thread = server.start()
        print(server.address, flush=True)
        if not options.no_browser and not webbrowser.open(server.address):
            print("geco: no browser could be started; open the address in one", file=sys.stderr)
        print("geco: Ctrl-C ends it", file=sys.stderr)
        while thread.is_alive():
            thread.join(1)
    except KeyboardInterrupt as error:
        # how it is meant to end; any other signal ends as everywhere
        if type(error) is not KeyboardInterrupt:
            raise
        print("geco: ended", file=sys.stderr)
    finally:
        server.server_close()
    return 0
