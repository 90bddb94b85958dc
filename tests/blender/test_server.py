"""Objects made by a real `geco serve`: its jobs, asked over the network as Blender asks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from blender.extension import local, server
from blender.extension.work import Failure, Job, Maker, Work

from tests.pictures import ball_picture
from tests.serve.live import Live

CHOICES = {"resolution": 24, "texture_size": 64}
BALL = Job("ball", np.asarray(ball_picture(64)), (3, 4))


@pytest.fixture(scope="module")
def live() -> Iterator[Live]:
    pytest.importorskip("fastapi")
    served = Live("--token", "secret")
    yield served
    served.kill()


def address(live: Live) -> str:
    return f"http://127.0.0.1:{live.port}"


def done(maker: Maker, *jobs: Job) -> Work:
    work = Work(maker, jobs)
    work.start()
    end = time.monotonic() + 60
    while work.running and time.monotonic() < end:
        time.sleep(0.01)
    assert not work.running
    return work


def test_a_server_makes_what_is_made_here(live: Live) -> None:
    theirs = done(server.maker(server.Server(address(live), "secret"), CHOICES, online=False), BALL)
    ours = done(local.maker(CHOICES, None), BALL)
    assert not theirs.failures and [made.seed for made in theirs.made] == [3, 4]
    for one, other in zip(theirs.made, ours.made):
        np.testing.assert_allclose(one.vertices, other.vertices, atol=5e-6)  # of other numbers of threads
        np.testing.assert_array_equal(one.corners, other.corners)
        assert one.facts == other.facts and one.images["color"].shape == (64, 64, 3)


def test_what_the_server_refuses_is_said_in_its_own_words(live: Live, tmp_path: Path) -> None:
    letter = tmp_path / "letter.png"
    letter.write_text("dear sir")
    known = server.Server(address(live), "secret")
    assert "text" in done(server.maker(known, CHOICES, False), Job("letter", letter, (0,))).failures[0]
    (line,) = done(server.maker(known, {"faces": 50}, False), BALL).failures
    assert "faces" in line and "100" in line
    (line,) = done(server.maker(server.Server(address(live)), CHOICES, False), BALL).failures
    assert "token" in line.lower() and "\n" not in line
    (line,) = done(server.maker(server.Server("http://127.0.0.1:9"), CHOICES, False), BALL).failures
    assert "no answer from http://127.0.0.1:9" in line


@pytest.mark.parametrize("wrong", ["", "127.0.0.1:8000", "ftp://here", "http://"])
def test_an_address_that_is_none_is_refused_at_once(wrong: str) -> None:
    with pytest.raises(Failure, match="no address"):
        server.maker(server.Server(wrong), {}, online=True)


def test_other_machines_are_asked_only_where_blender_is_online() -> None:
    other = server.Server("http://model.example:8000")
    server.maker(other, {}, online=True)
    with pytest.raises(Failure, match="Online Access"):
        server.maker(other, {}, online=False)
    assert server.is_here("::1") and server.is_here("localhost") and not server.is_here("192.168.1.7")


def test_a_files_name_cannot_break_the_form() -> None:
    body, kind = server.form({"seed": 1, "watertight": True}, b"PNG", 'a"\r\nX: y.png')
    assert b'filename="a\'  X: y.png"' in body and b"\r\n\r\ntrue\r\n" in body
    assert kind.startswith("multipart/form-data; boundary=")
