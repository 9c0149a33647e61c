from __future__ import annotations

import asyncio

from drivers.clock import NS, ManualClock, SystemClock, iso


async def test_sleepers_wake_in_order_at_their_own_times(clock: ManualClock) -> None:
    woken = []

    async def sleeper(seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((seconds, clock.monotonic()))

    tasks = [asyncio.create_task(sleeper(seconds)) for seconds in (3.0, 1.0, 2.0)]
    await clock.advance(2.5)
    assert woken == [(1.0, 1.0), (2.0, 2.0)]
    await clock.advance(10)
    assert woken[-1] == (3.0, 3.0)
    await asyncio.gather(*tasks)


async def test_a_loop_of_sleeps_takes_every_turn(clock: ManualClock) -> None:
    turns = []

    async def loop() -> None:
        while True:
            await clock.sleep(1)
            turns.append(clock.monotonic())

    task = asyncio.create_task(loop())
    await clock.advance(2400)
    task.cancel()
    assert turns == [float(second) for second in range(1, 2401)]


def test_a_jump_moves_the_wall_clock_only(clock: ManualClock) -> None:
    before = clock.now_ns()
    clock.jump(-3600)
    assert clock.now_ns() - before == -3600 * NS
    assert clock.monotonic() == 0.0


def test_times_are_written_with_microseconds() -> None:
    assert iso(1_764_034_516_123_456_789) == "2025-11-25T01:35:16.123456Z"
    assert iso(0) == "1970-01-01T00:00:00.000000Z"


async def test_the_system_clock_runs() -> None:
    clock = SystemClock()
    before, wall = clock.monotonic(), clock.now_ns()
    await clock.sleep(0.01)
    assert clock.monotonic() > before
    assert clock.now_ns() > wall
