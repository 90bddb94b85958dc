"""Throughput of `geco serve` against its workers: python -m benchmarks.serve_workers --workers 1 2

For each number of workers, in turn and as many times as --rounds says, a server is started, warmed, and asked
by twice as many clients as it has workers, each of which asks again as soon as it has its answer. Prints a
JSON a run: meshes a second, CPU seconds a mesh and memory of all its processes. Needs psutil; a
quiet machine.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil

from benchmarks.serve_clients import form

PICTURE = Path(__file__).parent.parent / "examples" / "bus.png"


class Service:
    """A server and what its processes take."""

    def __init__(self, workers: int) -> None:
        command = [sys.executable, "-m", "geco.cli.main", "serve", "--port", "0", "-q", "--grace", "60"]
        self.process = subprocess.Popen(
            [*command, "--workers", str(workers)], stderr=subprocess.PIPE, text=True
        )
        assert self.process.stderr is not None
        found = re.search(r"http://.*:(\d+)", line := self.process.stderr.readline())
        if found is None:
            raise SystemExit(f"the server does not start: {line}")
        self.port = int(found[1])
        own = psutil.Process(self.process.pid)
        self.tree = [own, *own.children(recursive=True)]

    def cpu(self) -> float:
        """Seconds so far."""
        return sum(sum(each.cpu_times()[:2]) for each in self.tree)

    def memory(self) -> float:
        """MB now."""
        return sum(each.memory_info().rss for each in self.tree) / 1e6

    def ask(self, picture: bytes, seed: int) -> bool:
        """Whether a request has its mesh."""
        import socket

        with socket.create_connection(("127.0.0.1", self.port), timeout=300) as made:
            made.sendall(form(picture, seed=seed).replace(b"\r\nHost", b"\r\nConnection: close\r\nHost", 1))
            answer = b""
            while piece := made.recv(1 << 16):
                answer += piece
        return answer.startswith(b"HTTP/1.1 200")


def measure(workers: int, seconds: float) -> dict[str, Any]:
    """One run."""
    service, picture = Service(workers), PICTURE.read_bytes()
    try:
        for seed in range(2 * workers):
            service.ask(picture, seed)
        counts, until = [0] * 2 * workers, time.monotonic() + seconds

        def client(number: int) -> None:
            seed = number
            while time.monotonic() < until:
                counts[number] += service.ask(picture, seed)
                seed += len(counts)

        began, before = time.monotonic(), service.cpu()
        threads = [threading.Thread(target=client, args=(number,)) for number in range(len(counts))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        done, took = sum(counts), time.monotonic() - began
        return {
            "workers": workers,
            "meshes": done,
            "a_second": round(done / took, 3),
            "cpu_seconds_each": round((service.cpu() - before) / max(done, 1), 3),
            "memory_mb": round(service.memory()),
        }
    finally:
        service.process.terminate()
        service.process.wait(90)


def main() -> None:
    """One line of JSON a run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    for _ in range(options.rounds):
        for workers in options.workers:
            print(json.dumps(measure(workers, options.seconds)), flush=True)


if __name__ == "__main__":
    main()
