"""SIGKILL at random moments: nothing that was whole is lost, and every restart ends where an undisturbed run
does.

    python -m benchmarks.kill --kills 200 --seed 0 --folder KILLS        a JSON line a command, and a summary
    python -m benchmarks.kill --faults --kills 60 --folder KILLS         SIGINT, SIGTERM and full disks
    instead

Every kill is a line of ``KILLS/kills.jsonl`` at once, so that a stopped benchmark goes on. Commands are tiny:
what is tried is the order of writing, not the work.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.kill_cases import Case, Digests, Room, environment, leftovers, program, removed, served

NAMES = ("run", "data-render", "data-label", "evaluate", "pairs", "train", "export", "publish", "serve")
ENDING = 20.0  # seconds that what a killed command has started may outlive it
PATIENCE = 300.0  # seconds for one command on a machine with other work
FAULTS = ("SIGINT", "SIGTERM", "full")
CODES = {"SIGINT": {130}, "SIGTERM": {143}, "full": {2}}
Facts = dict[str, Any]


@dataclass
class Reference:
    """An undisturbed run: what it leaves, and how long it took here and now."""

    digests: Digests
    seconds: float


def reference(case: Case, room: Room, folder: Path) -> Reference:
    """Run the command to its end, alone."""
    output = folder / "reference"
    removed(output)
    folder.mkdir(parents=True, exist_ok=True)
    case.prepare(output)
    began = time.monotonic()
    if case.name == "serve":
        with Server(folder / "log") as server:
            return Reference({"answer": served(server.port, room.picture)}, time.monotonic() - began)
    done = ended(case.arguments(output), folder)
    assert done["code"] == 0, done
    return Reference(case.digests(output), time.monotonic() - began)


def one_kill(
    case: Case, room: Room, whole: Reference, folder: Path, rng: random.Random, fault: str = "SIGKILL"
) -> Facts:
    """Stop the command at a random moment, look at what is there, start it again, look once more."""
    removed(folder)
    folder.mkdir(parents=True)
    (folder / "tmp").mkdir()
    output = folder / "out"
    if case.name == "serve":
        return kill_server(case, room, whole, folder, rng, fault)
    case.prepare(output)
    before = digests_or_problem(case, output)[0] if output.exists() else {}
    moment = rng.uniform(0.0, 1.05 * whole.seconds)
    facts: Facts = {"command": case.name, "fault": fault, "moment": round(moment, 2)}
    if fault == "full":
        most = int(10 ** rng.uniform(2.5, 5.0))
        stopped = ended(case.arguments(output), folder, most=most)
        facts |= {"most_bytes": most}
    else:
        stopped = ended(case.arguments(output), folder, moment, getattr(signal, fault))
    facts |= {"code": stopped["code"], "survivors": stopped["survivors"]}
    if fault in CODES and stopped["code"] != 0:
        facts |= told(stopped, CODES[fault])
    there, problem = digests_or_problem(case, output) if output.exists() else ({}, None)
    allowed = [{name: known.get(name) for name in there} for known in (whole.digests, before)]
    mixed = [name for name, found in there.items() if found not in [known[name] for known in allowed]]
    facts |= {
        "lost": [*([problem] if problem else []), *mixed, *(name for name in before if name not in there)]
    }
    if fault != "SIGKILL":
        facts["leftovers_at_once"] = left(output, folder / "tmp")
    again = ended((case.resumed if (output / "checkpoint.pt").exists() else case.arguments)(output), folder)
    facts["restart"] = again["code"] if again["code"] == 0 else f"{again['code']}: {again['error'][-300:]}"
    end, problem = digests_or_problem(case, output)
    facts["different"] = (
        [problem]
        if problem
        else sorted(n for n in {*end, *whole.digests} if end.get(n) != whole.digests.get(n))
    )
    facts["leftovers"] = left(output, folder / "tmp")
    if not bad(facts):
        removed(folder)
    return facts


def kill_server(
    case: Case, room: Room, whole: Reference, folder: Path, rng: random.Random, fault: str
) -> Facts:
    """Stop the server while it starts or answers; a new one on the same port answers as ever."""
    facts: Facts = {"command": case.name, "fault": fault, "lost": [], "leftovers": [], "different": []}
    moment = rng.uniform(0.0, whole.seconds)
    server = Server(folder / "log", folder / "tmp", wait=False)
    asking = threading.Thread(
        target=lambda: quietly(lambda: server.ready() and served(server.port, room.picture))
    )
    asking.start()
    time.sleep(moment)
    if fault == "full":
        fault = "SIGTERM"
    server.process.send_signal(getattr(signal, fault))
    facts |= {
        "moment": round(moment, 2),
        "code": server.process.wait(PATIENCE),
        "survivors": survivors(server.process.pid),
    }
    asking.join(PATIENCE)
    if fault in CODES:
        facts |= told({"code": facts["code"], "error": (folder / "log").read_text()}, CODES[fault])
    with Server(folder / "log", folder / "tmp", port=server.port) as again:
        facts["restart"] = 0
        facts["different"] = [] if served(again.port, room.picture) == whole.digests["answer"] else ["answer"]
    facts["leftovers"] = left(folder / "out", folder / "tmp")
    return facts


class Server:
    """``geco serve`` on a port of its own; with ``wait`` entering comes back when it answers."""

    def __init__(
        self, log: Path, temporary: Path | None = None, port: int | None = None, wait: bool = True
    ) -> None:
        self.port, self.log = port or free_port(), log
        command = program(["serve", "-q", "--port", str(self.port)])
        with log.open("ab") as stream:
            self.process = subprocess.Popen(
                command,
                env=environment(temporary),
                stdout=stream,
                stderr=stream,
                start_new_session=True,
                preexec_fn=hear_ctrl_c,
            )
        if wait and not self.ready():
            raise AssertionError(f"the server does not start: {log.read_text()[-500:]}")

    def ready(self) -> bool:
        """Whether it answers, soon."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and self.process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return True
            time.sleep(0.05)
        return False

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *error: object) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE)


def ended(
    arguments: list[str],
    folder: Path,
    moment: float | None = None,
    number: int = signal.SIGKILL,
    most: int | None = None,
) -> Facts:
    """Run a command to its end, or send it a signal after so many seconds; with ``most`` no file
    of it may be larger.
    """
    (folder / "tmp").mkdir(parents=True, exist_ok=True)

    def bounded() -> None:
        hear_ctrl_c()
        if most is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    errors = folder / "stderr"
    with errors.open("wb") as stream:
        process = subprocess.Popen(
            program(arguments),
            env=environment(folder / "tmp"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE if most is not None else stream,
            start_new_session=True,
            preexec_fn=bounded,
        )
        if most is not None:  # the messages must not meet the bound themselves
            errors.write_bytes(process.communicate(timeout=PATIENCE)[1])
        elif moment is not None:
            try:
                process.wait(moment)
            except subprocess.TimeoutExpired:
                process.send_signal(number)
        code = process.wait(PATIENCE)
    return {"code": code, "survivors": survivors(process.pid), "error": errors.read_text(errors="replace")}


def hear_ctrl_c() -> None:
    """A shell lets what it starts in the background ignore Ctrl-C, and so would everything that
    is started from here.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)


def survivors(session: int) -> list[str]:
    """Processes of the killed command's session that are still there after :data:`ENDING` seconds."""
    until = time.monotonic() + ENDING
    while (found := in_session(session)) and time.monotonic() < until:
        time.sleep(0.05)
    return found


def in_session(session: int) -> list[str]:
    """Names and numbers of the living processes of a session (Linux)."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = path.read_text().rpartition(") ")
        except OSError:
            continue
        state, _, _, its_session = rest.split()[:4]
        if int(its_session) == session and state != "Z":
            found.append(name)
    return found


def told(stopped: Facts, codes: set[int]) -> Facts:
    """What is wrong with the exit code and the words of a command that was stopped or met a full disk."""
    lines = [line for line in stopped["error"].replace("\r", "\n").splitlines() if line.startswith("geco: ")]
    if (
        stopped["code"] in (-signal.SIGTERM, -signal.SIGINT)
        and f"{os.sep}cli{os.sep}ending.py" not in stopped["error"]
    ):
        return {"wrong": []}  # Python itself was still starting: no line of ours had run
    lines = [line for line in lines if not line.startswith(("geco: serving", "geco: stopped"))] or lines[-1:]
    wrong = [] if stopped["code"] in codes else [f"exit code {stopped['code']}"]
    if "Traceback" in stopped["error"]:
        wrong.append("traceback: " + stopped["error"].strip().splitlines()[-1])
    elif stopped["code"] != 0 and len(lines) != 1:
        wrong.append(f"{len(lines)} lines")
    return {"wrong": wrong}


def digests_or_problem(case: Case, output: Path) -> tuple[Digests, str | None]:
    try:
        return case.digests(output), None
    except Exception as error:  # whatever a reader says to a file that is not whole
        return {}, f"{type(error).__name__}: {error}"


def left(output: Path, temporary: Path) -> list[str]:
    """Of ours; torch makes a folder of its own in every run."""
    ours = sorted(path.name for path in temporary.iterdir() if not path.name.startswith("torchinductor"))
    return [*(leftovers(output) if output.exists() else []), *ours]


def quietly(job: Callable[[], Any]) -> None:
    """A client whose server dies has nothing to say."""
    try:
        job()
    except Exception:
        return


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def bad(facts: Facts) -> bool:
    """Whether this kill did harm."""
    names = ("lost", "different", "leftovers", "leftovers_at_once", "survivors", "wrong")
    return facts["restart"] != 0 or any(facts.get(name) for name in names)


def summary(name: str, kills: list[Facts]) -> Facts:
    """One line of the report."""
    counted = {
        what: sum(bool(kill.get(what)) for kill in kills)
        for what in ("lost", "different", "leftovers", "survivors", "wrong")
    }
    at_once = sum(bool(kill.get("leftovers_at_once")) for kill in kills)
    finished = sum(kill["code"] == 0 for kill in kills)
    failed = sum(kill["restart"] != 0 for kill in kills)
    return {
        "command": name,
        "kills": len(kills),
        "over_before": finished,
        **counted,
        "left_at_once": at_once,
        "restarts_failed": failed,
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=200, help="in all, dealt out in turn (default 200)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--commands", default=",".join(NAMES), help=f"of {','.join(NAMES)}")
    parser.add_argument("--folder", type=Path, required=True, help="inputs, records, and what went wrong")
    parser.add_argument("--jobs", type=int, default=2, help="at a time (default 2)")
    parser.add_argument(
        "--faults", action="store_true", help="SIGINT, SIGTERM and a full disk instead of SIGKILL"
    )
    args = parser.parse_args()
    room = Room(args.folder / "room")
    cases = {case.name: case for case in room.cases() if case.name in args.commands.split(",")}
    record = args.folder / ("faults.jsonl" if args.faults else "kills.jsonl")
    done = [json.loads(line) for line in record.read_text().splitlines()] if record.exists() else []
    known = {(kill["seed"], kill["index"]) for kill in done}
    wholes = {name: reference(case, room, args.folder / "whole" / name) for name, case in cases.items()}
    lock = threading.Lock()

    def job(index: int) -> None:
        name = list(cases)[index % len(cases)]
        fault = FAULTS[index // len(cases) % len(FAULTS)] if args.faults else "SIGKILL"
        rng = random.Random(f"{args.seed} {index}")
        facts = one_kill(
            cases[name], room, wholes[name], args.folder / "kills" / f"{fault}-{index}", rng, fault
        )
        facts |= {"seed": args.seed, "index": index}
        with lock, record.open("a") as stream:
            stream.write(json.dumps(facts) + "\n")
            done.append(facts)
            if bad(facts):
                print(json.dumps(facts), file=sys.stderr, flush=True)

    with ThreadPoolExecutor(args.jobs) as pool:
        list(pool.map(job, [index for index in range(args.kills) if (args.seed, index) not in known]))
    lines = [summary(name, [kill for kill in done if kill["command"] == name]) for name in cases]
    for line in [*lines, summary("all", done)]:
        print(json.dumps(line))
    return int(any(map(bad, done)))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
