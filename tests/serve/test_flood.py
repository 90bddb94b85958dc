"""One unfriendly client against a real server: who hangs up, who uploads too much, who says
nothing, and an endless picture.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.serve.live import ROOT, Live, answer, form

psutil = pytest.importorskip("psutil")

SMALL = {"texture_size": 64, "resolution": 24}
ENDLESS = ROOT / "tests" / "cases" / "hostile" / "picture-endless.eps"


@pytest.fixture(scope="module")
def live() -> Iterator[Live]:
    options = (
        "--head-time 2 --upload-time 4 --max-upload 8 --max-waiting 7 --per-address 40 "
        "--max-connections 60 --time-limit 20"
    )
    server = Live(*options.split())
    yield server
    server.kill()


def honest(live: Live, picture: bytes) -> float:
    """Seconds until an honest request has its mesh."""
    began = time.monotonic()
    while (status := live.ask(form(picture, **SMALL))[0]) == 503:
        time.sleep(0.1)
    assert status == 200
    return time.monotonic() - began


def memory(live: Live) -> float:
    """MiB of the server's own process."""
    return float(psutil.Process(live.process.pid).memory_info().rss) / 2**20


def test_work_for_clients_that_have_left_is_dropped(live: Live, picture: bytes) -> None:
    """Three expensive ones take about 2 s each on two cores; at most the one that is worked on is
    finished.
    """
    usual = honest(live, picture)
    began = time.monotonic()
    for seed in range(4):
        live.connect(form(picture, texture_size=1024, seed=seed)).close()
    one = time.monotonic()
    honest(live, picture)
    heavy = live.ask(form(picture, texture_size=1024))
    assert heavy[0] == 200
    dropped = next(
        line for line in live.get("/metrics").splitlines() if line.startswith("geco_dropped_total ")
    )
    assert int(dropped.split()[1]) >= 2, (dropped, usual, one - began)


def test_uploads_are_admitted_before_they_are_read(live: Live, picture: bytes) -> None:
    before = memory(live)
    data = form(picture + bytes(7 << 20), **SMALL)
    links = [live.connect(data[:-10]) for _ in range(16)]
    early = [answer(made) for made in links[8:]]
    assert {status for status, _ in early} == {503}
    assert all(b"retry-after: " in whole.lower() for _, whole in early)
    assert memory(live) - before < 4 * 8 * 1.5 + 40, "four bodies of 8 MiB, not sixteen"
    for made in links[:4]:
        made.sendall(data[-10:])
    assert sum(answer(made)[0] in (200, 422) for made in links[:4]) >= 2
    for made in links:
        made.close()
    assert honest(live, picture) < 30


def test_a_body_that_does_not_arrive_in_time_frees_its_place(live: Live, picture: bytes) -> None:
    began = time.monotonic()
    with live.connect(form(picture)[:-10]) as slow:
        assert answer(slow)[0] == 408
    assert 3 < time.monotonic() - began < 8
    chunked = b"POST /api/v1/mesh HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    with live.connect(chunked) as slow:
        assert answer(slow)[0] == 408


def test_connections_that_say_nothing_are_closed_and_bounded(live: Live, picture: bytes) -> None:
    starts = (
        b"",
        b"POST /api/v1/mesh HTTP/1.1\r\nHost: localhost\r\nX-A: ",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    )
    links = [live.connect(starts[number % 3]) for number in range(60)]
    time.sleep(0.5)
    refused = [made for made in links if ended(made)]
    assert len(refused) >= 20, "no more than 40 connections of one address"
    time.sleep(6)
    assert all(ended(made) for made in links)
    assert honest(live, picture) < 30


def ended(made: object) -> bool:
    """Whether the other side has closed the connection."""
    import socket

    assert isinstance(made, socket.socket)
    made.setblocking(False)
    try:
        while made.recv(1 << 16):
            pass
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def test_a_picture_that_runs_as_a_program_harms_nobody_else(live: Live, picture: bytes) -> None:
    with live.connect(form(ENDLESS.read_bytes())) as evil:
        assert honest(live, picture) < 30
        assert answer(evil)[0] in (422, 504)


def test_after_all_that_the_worker_is_the_first_one(live: Live, picture: bytes) -> None:
    assert live.ask(form(picture, **SMALL))[0] == 200
    restarts = [
        line for line in live.get("/metrics").splitlines() if line.startswith("geco_worker_restarts_total{")
    ]
    assert not restarts
