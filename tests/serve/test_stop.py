"""SIGTERM and SIGINT: who is admitted is answered, a slow upload does not hold the server,
nothing is left behind.
"""

from __future__ import annotations

import signal
import sys
import threading
import time

import pytest

from tests.serve.live import Live, answer, form

psutil = pytest.importorskip("psutil")

SMALL = {"texture_size": 64, "resolution": 24}
GRACE = 20.0


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize(
    "number, code", [(signal.SIGTERM, 143), pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow)]
)
def test_a_stop_answers_who_is_admitted_and_ends_in_time(picture: bytes, number: int, code: int) -> None:
    live = Live("--grace", str(GRACE), "--upload-time", "60", "--max-waiting", "15")
    try:
        children = psutil.Process(live.process.pid).children(recursive=True)
        idle = live.connect()
        slow = live.connect(form(picture)[:-10])
        unread = live.connect(form(picture, seed=99, **SMALL))
        answers: dict[int, int] = {}
        threads = [
            threading.Thread(
                target=lambda n=n: answers.update({n: live.ask(form(picture, seed=n, **SMALL))[0]})
            )
            for n in range(3)
        ]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 20
        while '"pending":5' not in live.get("/healthz"):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        exit_code, seconds = live.stop(number)
        for thread in threads:
            thread.join()
        assert answers == {0: 200, 1: 200, 2: 200}
        assert answer(unread)[0] == 200
        assert answer(slow)[0] == 408
        assert exit_code == code and seconds < GRACE
        assert live.lines[-1] == "geco: stopped\n" and not any("Traceback" in line for line in live.lines)
        idle.close()
        _, alive = psutil.wait_procs(children, timeout=5)
        assert not alive
    finally:
        live.kill()


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_killed_server_takes_its_worker_along_and_starts_again(picture: bytes) -> None:
    live = Live()
    children = psutil.Process(live.process.pid).children(recursive=True)
    assert children
    made = live.connect(form(picture))
    time.sleep(0.3)
    live.kill()
    assert answer(made)[0] == 0
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive
    again = Live("--port", str(live.port))
    assert again.ask(form(picture, **SMALL))[0] == 200
    again.kill()
