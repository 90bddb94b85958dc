"""`geco serve` under mixed clients: python -m benchmarks.serve_load --clients 64 --minutes 10 --seed 0

Starts a server on the loopback address, asks for some meshes alone (the references), then lets the clients
loose: good, bad, slow and vanishing requests, mixed by the seed. At the end SIGTERM, in the middle of it all.
Prints one
JSON: what came of the requests, wrong answers (a good request's file must be byte for byte the reference),
memory of the server and its worker by the minute, the longest time in which requests waited and none was
done, and how the server ended. Exit code 1 where one of these is not as it should be. Needs psutil.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

import psutil

from benchmarks.serve_clients import Client, Order, Seen, orders, read

ORDERS = 8  # different good requests
STOPPED = 143  # the exit code after SIGTERM
TIME_LIMIT, GRACE = 60.0, 30.0  # the server's own defaults
# of the memory after the first minute that counts as level: the allocator's and the threads' play
GROWTH = 1.15
LOOK = 0.25  # seconds between two looks


class Watched:
    """The server's process, looked at from the outside."""

    def __init__(self, options: Sequence[str]) -> None:
        command = [sys.executable, "-m", "geco.cli.main", "serve", "--port", "0", "-q", *options]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self.lines: list[str] = []
        self.port = 0
        up = threading.Event()
        threading.Thread(target=self._listen, args=(up,), daemon=True).start()
        up.wait(300)
        if not self.port:
            raise SystemExit(f"the server does not start: {self.lines}")
        self.memory: dict[int, dict[str, float]] = {}
        self.blocked = 0.0
        self.began, self._ended = time.monotonic(), threading.Event()

    def _listen(self, up: threading.Event) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines = [*self.lines[-500:], line.rstrip()]
            if not self.port and (found := re.search(r"http://.*:(\d+)", line)):
                self.port = int(found[1])
                up.set()
        up.set()

    def start_looking(self) -> None:
        """In a thread: memory, and how long no work is done while some waits."""
        self.began = time.monotonic()
        threading.Thread(target=self._look, daemon=True).start()

    def _look(self) -> None:
        done, since = -1, time.monotonic()
        while not self._ended.wait(LOOK):
            try:
                self._weigh()
                page = self._metrics()
            except (OSError, psutil.Error, ValueError):
                continue
            now = time.monotonic()
            count = int(page["geco_work_seconds_count"] + page["geco_dropped_total"])
            if count != done or not page["geco_line_requests"]:
                done, since = count, now
            self.blocked = max(self.blocked, now - since)

    def _weigh(self) -> None:
        server = psutil.Process(self.process.pid)
        workers = [
            child for child in server.children() if "resource_tracker" not in " ".join(child.cmdline())
        ]
        minute = int((time.monotonic() - self.began) / 60)
        row = self.memory.setdefault(minute, {"server": 0.0, "worker": 0.0})
        row["server"] = max(row["server"], round(server.memory_info().rss / 2**20, 1))
        row["worker"] = max(
            row["worker"], round(sum(child.memory_info().rss for child in workers) / 2**20, 1)
        )

    def _metrics(self) -> dict[str, float]:
        import socket

        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as link:
            link.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            text = read(link).body.decode()
        rows = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, value in rows}

    def stop(self) -> tuple[int, float]:
        """SIGTERM; exit code and seconds until the end."""
        self._ended.set()
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(4 * GRACE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        return code, time.monotonic() - began


def references(port: int, wanted: list[Order]) -> dict[Order, bytes]:
    """The answers to good requests, one after the other."""
    import socket

    known = {}
    for order in wanted:
        with socket.create_connection(("127.0.0.1", port), timeout=120) as link:
            link.sendall(order.request())
            answer = read(link)
        if answer.status != 200:
            raise SystemExit(f"no reference for {order}: {answer}")
        known[order] = answer.body
    return known


def run(clients: int, minutes: float, seed: int, options: Sequence[str] = ()) -> dict[str, Any]:
    """The whole trial; what is printed."""
    watched = Watched(["--grace", str(GRACE), "--time-limit", str(TIME_LIMIT), *options])
    try:
        known = references(watched.port, orders(random.Random(seed), ORDERS))
        seen, stop = Seen(), threading.Event()
        crowd = [Client(watched.port, seed * 1000 + number, known, seen, stop) for number in range(clients)]
        watched.start_looking()
        for client in crowd:
            client.start()
        end = time.monotonic() + 60 * minutes
        while time.monotonic() < end:
            time.sleep(min(30.0, max(end - time.monotonic(), 0)))
            print(
                f"{time.monotonic() - watched.began:.0f} s: {dict(seen.counts)}", file=sys.stderr, flush=True
            )
        before = dict(seen.counts)
        stop.set()  # nobody asks for anything new: what is open is what must be answered
        opened = [client for client in crowd if client.since is not None]
        code, seconds = watched.stop()
        for client in crowd:
            client.join(10)
        answered = {
            name: count - before.get(name, 0)
            for name, count in seen.counts.items()
            if name.startswith("good")
        }
        return report(watched, seen, len(opened), {k: n for k, n in answered.items() if n}, code, seconds)
    finally:
        watched.process.kill()


def report(
    watched: Watched, seen: Seen, opened: int, answered: dict[str, int], code: int, seconds: float
) -> dict[str, Any]:
    """The JSON; ``faults`` is empty where all is as it should be."""
    memory = watched.memory
    level = {name: [memory[minute][name] for minute in sorted(memory)] for name in ("server", "worker")}
    faults = list(seen.wrong[:20])
    unanswered = sum(
        count for name, count in answered.items() if name == "good 0" or name.endswith("Stopping")
    )
    if unanswered or sum(answered.values()) < opened:
        faults.append(f"{opened} good requests were open at SIGTERM, answered {answered}")
    if code != STOPPED or seconds > GRACE:
        faults.append(f"ended with {code} after {seconds:.1f} s")
    if watched.blocked > TIME_LIMIT:
        faults.append(f"blocked for {watched.blocked:.1f} s")
    for name, values in level.items():
        if len(values) > 2 and max(values[1:]) > GROWTH * max(values[0], values[1]):
            faults.append(f"memory of the {name} grows: {values}")
    if any("Traceback" in line for line in watched.lines):
        faults.append("a traceback on standard error")
    return {
        "requests": dict(sorted(seen.counts.items())),
        "wrong": len(seen.wrong),
        "memory_mib_by_minute": level,
        "longest_blocked_s": round(watched.blocked, 2),
        "longest_good_request_s": round(seen.waited, 2),
        "stop": {
            "open": opened,
            "answered": answered,
            "exit_code": code,
            "seconds": round(seconds, 2),
            "grace": GRACE,
        },
        "faults": faults,
    }


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("options", nargs="*", help="of geco serve, after --")
    options = parser.parse_args()
    found = run(options.clients, options.minutes, options.seed, options.options)
    print(json.dumps(found, indent=1))
    return 1 if found["faults"] else 0


if __name__ == "__main__":
    sys.exit(main())
