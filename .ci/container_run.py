"""Run an unpacked image as a container would, and ask it for a mesh.

    python3 .ci/container_run.py ROOT CONFIG.json --mesh bus.glb

ROOT is the image's file system, CONFIG.json its configuration (`buildah inspect --type image`). It runs in
namespaces of its own for mounts and processes: the root read-only for everybody, /tmp in memory, as the
image's user, with the image's environment and entry point as process 1. The network is this machine's, since
nothing else can be asked without a container runtime. Ends with 1 at the first check that does not hold.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

PATIENCE = 120.0  # seconds until the health check must pass, on the slowest machine
BOUNDARY = "container"
SPACE = "somebody-geco.hf.space"  # the public name that a Space tells its container
# $1 the root, $2 the user, the rest a command that is looked up inside
INSIDE = """set -e
root=$1 user=$2; shift 2
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount -t tmpfs -o mode=1777,size=1g tmpfs "$root/tmp"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
exec setpriv --no-new-privs chroot --userspec="$user" --groups= "$root" "$@"
"""


class Image:
    """An unpacked image, and how its configuration says that it is run."""

    def __init__(self, root: Path, config: dict[str, Any], port: int) -> None:
        self.root, self.user = root, config["User"]
        self.entry, self.health = config["Entrypoint"], config["Healthcheck"]["Test"][1:]
        self.environment = [*config["Env"], f"PORT={port}", f"SPACE_HOST={SPACE}"]
        self.folder = config["WorkingDir"]

    def command(self, inside: list[str], user: str | None = None) -> list[str]:
        """What starts a command in the image, in namespaces of its own."""
        chosen = ["env", "-i", f"--chdir={self.folder}", *self.environment, *inside]
        outside = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", INSIDE, "inside"]
        return [*outside, str(self.root), user or self.user, *chosen]

    def run(self, inside: list[str], user: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(self.command(inside, user), capture_output=True, text=True)


def main() -> int:
    """The checks in order, a line each."""
    parser = argparse.ArgumentParser(description="Run an unpacked image and ask it for a mesh.")
    parser.add_argument("root", type=Path)
    parser.add_argument("config", type=Path)
    parser.add_argument("--mesh", type=Path, required=True, help="where the GLB is kept")
    options = parser.parse_args()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    image = Image(options.root, json.loads(options.config.read_text())["Docker"]["config"], port)

    holds(image.user.split(":")[0] not in ("", "0", "root"), f"it runs as {image.user}")
    start = time.perf_counter()
    server = subprocess.Popen(image.command(image.entry))
    try:
        while (health := image.run(image.health)).returncode:
            if time.perf_counter() - start > PATIENCE or server.poll() is not None:
                holds(False, f"the health check passes: {health.stderr.strip()}")
            time.sleep(0.5)
        holds(True, f"the health check {image.health} passes after {time.perf_counter() - start:.1f} s")
        main_process = first_child(server.pid)
        uid = Path(f"/proc/{main_process}/status").read_text().split("Uid:")[1].split()[0]
        holds(uid == image.user.split(":")[0], f"the server's process belongs to user {uid}")
        check_root(image)
        check_space(port)
        ask(port, options.mesh)
        os.kill(main_process, signal.SIGTERM)
        holds(server.wait(40) == 143, "SIGTERM ends it with 143")
    finally:
        server.kill()
        server.wait()
    return 0


def check_root(image: Image) -> None:
    """Nobody can write into the root, not even root itself; /tmp can be written."""
    for user in (image.user, "0:0"):
        tried = image.run(["touch", "/opt/geco/new"], user)
        holds(tried.returncode != 0 and "Read-only" in tried.stderr, f"{user} cannot write into the root")
    holds(image.run(["touch", "/tmp/new"]).returncode == 0, "/tmp can be written")


def check_space(port: int) -> None:
    """Under its public name the page is answered, and the hub may show it in a frame."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/", headers={"Host": SPACE})
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        policy = answer.headers["Content-Security-Policy"]
    holds("frame-ancestors https://huggingface.co" in policy, "a Space's page can be shown by the hub")


def ask(port: int, mesh: Path) -> None:
    """The bus as a GLB, kept, and as a USDZ, which needs a temporary folder."""
    picture = Path(__file__).parent.parent / "examples" / "bus.png"
    start = time.perf_counter()
    body = post(port, picture, "glb")
    holds(body[:4] == b"glTF", f"a GLB of {len(body):,} bytes after {time.perf_counter() - start:.1f} s")
    mesh.write_bytes(body)
    holds(post(port, picture, "usdz")[:2] == b"PK", "a USDZ, too")


def post(port: int, picture: Path, format: str) -> bytes:
    """What the service makes of a picture."""
    part = f"--{BOUNDARY}\r\nContent-Disposition: form-data; name="
    head = f'{part}"format"\r\n\r\n{format}\r\n{part}"picture"; filename="{picture.name}"\r\n\r\n'
    body = head.encode() + picture.read_bytes() + f"\r\n--{BOUNDARY}--\r\n".encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/v1/mesh", body)
    request.add_header("Content-Type", f"multipart/form-data; boundary={BOUNDARY}")
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return bytes(answer.read())
    except urllib.error.HTTPError as error:
        holds(False, f"{format}: {error.code} {error.read().decode()}")
        raise


def first_child(pid: int) -> int:
    """The process that ``unshare`` forked: process 1 of the container."""
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def holds(condition: bool, what: str) -> None:
    """Say it; end where it does not hold."""
    print(f"{'ok  ' if condition else 'NOT '} {what}", flush=True)
    if not condition:
        raise SystemExit(1)


if __name__ == "__main__":
    sys.exit(main())
