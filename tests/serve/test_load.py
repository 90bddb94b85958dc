"""The trial of benchmarks/serve_load.py, short: mixed clients, then SIGTERM in the middle."""

from __future__ import annotations

import sys

import pytest

pytest.importorskip("psutil")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_mixed_clients_get_no_wrong_answer_and_a_stop_answers_who_is_in() -> None:
    from benchmarks.serve_load import run

    found = run(clients=24, minutes=0.3, seed=1)
    assert found["faults"] == []
    assert found["requests"]["good 200"] >= 1 and found["stop"]["exit_code"] == 143
