"""The pool: jobs that crash, hang, eat memory or raise cost only themselves, and nobody outlives
the parent.
"""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from geco.errors import ConfigError, OutputError
from geco.processes import Bounds, Child, Workers
from tests.processes.build import work

ROOT = Path(__file__).parent.parent.parent
BOUNDS = Bounds(seconds=2.0, memory_gb=1.0)


class Doom:
    """Ends the process that unpickles it, as a broken installation would."""

    def __reduce__(self) -> tuple[object, tuple[int]]:
        return os._exit, (7,)


def test_every_kind_of_failure_costs_its_own_job_only(tmp_path: Path) -> None:
    bad = {
        "segfault:": ("crashed", "SIGSEGV"),
        "kill:": ("crashed", "SIGKILL (out of memory?)"),
        "exit:": ("crashed", "exit code 3"),
        "hang:": ("timeout", "not finished after 2 s"),
        "memory:": ("memory", "16"),
        "raise:wheel": ("error", "KeyError: 'wheel'"),
        "refuse:cup.glb": ("empty", "cup.glb: no triangles"),
    }
    arguments = [each for job in bad for each in (job, f"good:{job}")] + [f"once:{tmp_path / 'mark'}"]
    with Workers(work, 2, BOUNDS) as pool:
        outcomes = {
            outcome.key: outcome for outcome in pool.run((argument, argument) for argument in arguments)
        }
    assert set(outcomes) == set(arguments)
    for argument, (reason, message) in bad.items():
        assert outcomes[argument].reason == reason, outcomes[argument]
        assert message in outcomes[argument].message
    for argument in set(arguments) - set(bad):
        assert outcomes[argument].reason is None, outcomes[argument]
        assert outcomes[argument].value.startswith("1 "), "one thread a library"


def test_what_is_not_the_objects_fault_ends_the_run() -> None:
    with Workers(work, 2, BOUNDS) as pool, pytest.raises(OutputError, match=r"disk full\. Free some space"):
        list(pool.run([("a", "good:"), ("b", "full:"), ("c", "good:")]))


def test_workers_that_cannot_start_are_an_error_and_no_endless_loop() -> None:
    doomed = functools.partial(work, Doom())  # type: ignore[arg-type]
    with (
        Workers(doomed, 1, BOUNDS) as pool,
        pytest.raises(ConfigError, match="died with exit code 7 before its first job"),
    ):
        list(pool.run([("a", "good:")]))


@pytest.mark.parametrize("bounds", [(0, 1), (-1, 1), (float("nan"), 1), (1, -1)])
def test_bounds_are_checked(bounds: tuple[float, float]) -> None:
    with pytest.raises(ConfigError):
        Bounds(*bounds)


@pytest.mark.parametrize("with_signal", [signal.SIGKILL, signal.SIGTERM])
def test_no_worker_outlives_its_parent(tmp_path: Path, with_signal: signal.Signals) -> None:
    note = tmp_path / "pid"
    code = (
        "from geco.processes import Bounds, Workers\nfrom tests.processes.build import work\n"
        f"list(Workers(work, 1, Bounds(100)).run([('a', 'note:{note}')]))"
    )
    script = tmp_path / "parent.py"
    script.write_text(f"if __name__ == '__main__':\n    exec({code!r})")
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"}
    parent = subprocess.Popen([sys.executable, str(script)], env=environment)
    try:
        wait_until(lambda: note.exists() and note.read_text() != "", 30)
        worker = int(note.read_text())
        assert _alive(worker)
        parent.send_signal(with_signal)
        parent.wait(10)
        wait_until(lambda: not _alive(worker), 5)
    finally:
        parent.kill()
        parent.wait()


def wait_until(condition: object, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    # a zombie nobody waits for is dead
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


class Prepared:
    """Loads something before its first job; what it holds then does not count against the bound of memory."""

    def __init__(self, kind: str) -> None:
        self.kind, self.held = kind, np.empty(0)

    def prepare(self) -> str:
        if self.kind == "refuse":
            raise OutputError("no model", "Bring one.")
        if self.kind == "exit":
            os._exit(3)
        self.held = np.ones(1 << 28, np.uint8)
        return "ready"

    def __call__(self, argument: int) -> int:
        return int(np.ones(argument, np.uint8)[-1]) + len(self.held)


def test_a_child_prepares_itself_before_its_first_job_and_its_memory_is_counted_from_there() -> None:
    child = Child(Prepared("good"), Bounds(seconds=20, memory_gb=0.4))
    assert child.wait_ready() == child.prepared == "ready"
    assert child.call(1 << 28).value == 1 + (1 << 28)
    if sys.platform.startswith("linux"):
        assert child.call(1 << 29).reason == "memory"
    child.kill()


def test_a_child_that_cannot_prepare_itself_says_why() -> None:
    with pytest.raises(OutputError, match="no model"):
        Child(Prepared("refuse"), BOUNDS).wait_ready()
    with pytest.raises(ConfigError, match="exit code 3 before its first job"):
        Child(Prepared("exit"), BOUNDS).wait_ready()


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_ctrl_c_while_workers_start_is_the_parents_alone() -> None:
    """A terminal sends it to every process; a half-loaded one would answer with a traceback of its own."""
    code = (
        "import os, signal, time\nfrom geco.processes import Bounds, Workers\n"
        "if __name__ == '__main__':\n"
        "    pool = Workers(abs, 2, Bounds())\n"
        "    try:\n        print(sorted(o.value for o in pool.run((str(i), -i) for i in range(4))))\n      "
        "  time.sleep(30)\n"
        "    except KeyboardInterrupt:\n        pool.close()\n        print('interrupted')"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    for wait in (0.15, 0.3, 0.6):
        command = [sys.executable, "-u", "-c", code]
        run = subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        time.sleep(wait)
        while (
            not (workers := Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split())
            and run.poll() is None
        ):
            time.sleep(0.01)
        os.killpg(run.pid, signal.SIGINT)
        said, errors = run.communicate(timeout=60)
        assert said.endswith("interrupted\n") and errors == "", (wait, workers, said, errors)


class Slow:
    """Dies the first times that it is loaded, then works."""

    def __init__(self, folder: Path, deaths: int) -> None:
        self.folder, self.deaths = folder, deaths

    def prepare(self) -> str:
        died = len(list(self.folder.iterdir()))
        if died < self.deaths:
            (self.folder / str(died)).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return "loaded"

    def __call__(self, argument: str) -> str:
        return argument


def test_a_worker_that_is_killed_while_it_loads_is_started_again(tmp_path: Path) -> None:
    with Workers(Slow(tmp_path, 2), 1, BOUNDS) as pool:
        assert [outcome.value for outcome in pool.run([("a", "one"), ("b", "two")])] == ["one", "two"]


def test_workers_prepare_before_the_first_job_where_they_are_asked_to(tmp_path: Path) -> None:
    with Workers(Slow(tmp_path, 0), 2, BOUNDS) as pool:
        assert pool.prepare() == "loaded"
        assert next(pool.run([("a", "one")])).value == "one"
