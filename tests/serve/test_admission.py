"""The line: places, order, who is dropped, and a Retry-After that is true."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from typing import Any

import pytest

from geco.serve import Traffic
from geco.serve.admission import Line, Ticket
from geco.serve.errors import Gone, Refusal
from geco.serve.metrics import Metrics


def line_of(**traffic: Any) -> Line:
    return Line(Traffic(**traffic), Metrics())


def refusal(line: Line, address: str = "a", size: int = 0) -> Refusal:
    with pytest.raises(Refusal) as caught:
        line.admit(address, size)
    assert caught.value.status_code == 503
    return caught.value


def test_more_than_may_wait_are_told_when_to_come_back() -> None:
    line = line_of(waiting=3, grace=1000)
    tickets = [line.admit(f"address {n}", 10) for n in range(4)]
    line.pace.mean = 7.2
    error = refusal(line, "another")
    assert error.kind == "Busy" and error.headers is not None
    assert error.headers["Retry-After"] == "29", "four requests of 7.2 s"
    line.release(tickets[0])
    line.admit("another", 10)


def test_one_address_gets_half_of_the_places() -> None:
    line = line_of(waiting=7, grace=1000)
    for _ in range(4):
        line.admit("greedy", 10)
    assert "this address" in refusal(line, "greedy").problem
    line.admit("modest", 10)
    assert line_of(waiting=0).admit("alone", 1)


def test_bytes_in_memory_are_bounded_and_one_request_always_fits() -> None:
    line = line_of(held=100_000, grace=1000)
    first = line.admit("a", 2_000_000)
    assert "bytes" in refusal(line, "b", 1).problem
    first.size = 50_000  # it has arrived and was smaller
    line.admit("b", 50_000)
    assert "bytes" in refusal(line, "c", 1).problem


def test_no_more_work_is_admitted_than_a_stop_leaves_time_for() -> None:
    line = line_of(waiting=100, grace=30)
    line.pace.mean = 5.0
    assert [line.admit(str(n), 1) for n in range(4)]
    refusal(line, "x")
    slow = line_of(grace=30)
    slow.pace.mean = 500.0
    assert slow.admit("a", 1), "one is always admitted"


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 20))


def test_turns_are_in_order_one_at_a_time_and_who_has_left_has_none() -> None:
    """Forty random lines: clients leave at random moments; the others are served in the order in
    which they came.
    """

    async def one(seed: int) -> None:
        rng = random.Random(seed)
        line = line_of(waiting=100, grace=10_000)
        served: list[int] = []
        busy = 0

        async def request(number: int, ticket: Ticket) -> None:
            nonlocal busy
            try:
                async with line.turn(ticket):
                    busy += 1
                    assert busy == 1
                    await asyncio.sleep(rng.choice((0, 0.001)))
                    busy -= 1
                    served.append(number)
                    if rng.random() < 0.1:
                        raise ValueError
            except (Gone, ValueError):
                pass
            finally:
                line.release(ticket)

        tickets = [line.admit(str(n), 1) for n in range(12)]
        tasks = [asyncio.ensure_future(request(n, ticket)) for n, ticket in enumerate(tickets)]
        gone = rng.sample(range(12), 4)
        for number in gone:
            await asyncio.sleep(rng.choice((0, 0.001)))
            tickets[number].left.set()
        await asyncio.gather(*tasks)
        assert served == sorted(served) and line.pending == 0
        assert not line.busy

    for seed in range(40):
        run(one(seed))


def test_all_that_left_before_their_turn_cost_nothing() -> None:
    async def many() -> None:
        line = line_of(waiting=50, grace=10_000)
        worked = 0

        async def request(ticket: Ticket) -> None:
            nonlocal worked
            async with line.turn(ticket):
                worked += 1
                await asyncio.sleep(0.05)

        tickets = [line.admit(str(n), 1) for n in range(17)]
        tasks = [asyncio.ensure_future(request(ticket)) for ticket in tickets]
        await asyncio.sleep(0.01)
        for ticket in tickets:
            ticket.left.set()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert worked == 1 and sum(isinstance(outcome, Gone) for outcome in outcomes) == 16
        assert line.metrics.dropped == 16

    run(many())


def test_a_stop_lets_what_fits_be_done_and_tells_the_others() -> None:
    async def stop() -> None:
        line = line_of(waiting=50, grace=1.0)
        line.pace.mean = 0.001

        async def request(ticket: Ticket) -> str:
            try:
                async with line.turn(ticket):
                    await asyncio.sleep(0.3)
                    return "done"
            except Refusal as error:
                return error.kind

        tasks = [asyncio.ensure_future(request(line.admit(str(n), 1))) for n in range(6)]
        await asyncio.sleep(0.01)
        line.close()
        assert refusal(line, "late").kind == "Stopping"
        outcomes = await asyncio.gather(*tasks)
        assert outcomes[:2] == ["done", "done"] and outcomes[-1] == "Stopping"
        assert set(outcomes) == {"done", "Stopping"}

    run(stop())


def test_the_mean_is_measured() -> None:
    async def work() -> None:
        line = line_of()
        before = line.pace.mean
        for _ in range(20):
            ticket = line.admit("a", 1)
            async with line.turn(ticket):
                await asyncio.sleep(0.001)
            line.release(ticket)
        assert line.pace.mean < before
        line.pace.mean = 0.001
        async with line.turn(line.admit("a", 1)):
            await asyncio.sleep(0.1)
        assert line.pace.mean > 0.04, "it rises fast"

    run(work())


def test_as_many_have_a_turn_as_there_are_workers_each_another_one_and_in_order() -> None:
    async def many() -> None:
        line = Line(Traffic(waiting=50, grace=10_000), Metrics(), turns=3)
        busy: set[int] = set()
        order: list[int] = []

        async def request(number: int, ticket: Ticket) -> None:
            async with line.turn(ticket) as worker:
                assert worker not in busy and len(busy) < 3
                busy.add(worker)
                order.append(number)
                await asyncio.sleep(0.002)
                busy.remove(worker)

        tickets = [line.admit(str(n), 1) for n in range(20)]
        tasks = [asyncio.ensure_future(request(n, ticket)) for n, ticket in enumerate(tickets)]
        await asyncio.sleep(0)
        assert [line.position(ticket) for ticket in tickets[:6]] == [None, None, None, 1, 2, 3]
        tickets[4].left.set()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(outcomes[4], Gone) and order == [n for n in range(20) if n != 4]
        assert not line.busy and busy == set()

    run(many())


def test_the_worker_that_suits_best_is_taken() -> None:
    async def pick() -> None:
        line = Line(Traffic(), Metrics(), turns=3)
        line.cost = lambda worker, ticket: abs(worker - int(ticket.model))
        taken = []
        for model in ("2", "0", "1"):
            ticket = line.admit(model, 1)
            ticket.model = model
            async with line.turn(ticket) as worker:
                taken.append(worker)
        assert taken == [2, 0, 1]

    run(pick())


def test_work_that_stays_counts_its_meshes_by_the_pace_of_its_model() -> None:
    line = line_of(waiting=50, grace=100)
    line.pace.mean = 1.0
    line.pace.means["slow"] = 10.0
    assert line.retry_after() == 1
    job = line.stay(line.admit("a", 5), 6, "slow")
    assert line.retry_after() == 60 and line.pending == 1
    asking = line.admit("b", 5)
    error = None
    with pytest.raises(Refusal) as caught:
        line.stay(asking, 12)
    error = caught.value
    assert error.status_code == 503 and error.headers == {"Retry-After": "60"}
    assert line.pending == 2, "the request that asked has its place still"
    job.weight = 1  # five are done
    assert line.stay(asking, 12).weight == 12 and line.retry_after() == 22
    line.release(asking)
    assert line.pending == 2, "the request's end does not take the job's place"
    halves = Line(Traffic(waiting=50, grace=100), Metrics(), turns=2)
    halves.pace.mean = 4.0
    halves.stay(halves.admit("a", 5), 6)
    assert halves.retry_after() == 12, "two work on it"


def test_a_model_s_pace_is_its_own_and_one_that_was_not_measured_has_that_of_all() -> None:
    line = line_of()
    for _ in range(50):
        line.pace.learn("quick", 0.1)
    line.pace.learn("slow", 100.0)
    assert line.pace.of("quick") < 0.2 and line.pace.of("slow") > 40
    assert line.pace.of("new") == line.pace.mean == line.pace.of("")
