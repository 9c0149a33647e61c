"""The forwarder's thread: it ends when it is told to, whatever it does then, and a failure is not its end."""

from __future__ import annotations

import asyncio
import threading

from monitor.sinks.forwarder import FORWARDING
from monitor.sinks.forwarder_thread import ForwarderThread
from monitor.storage.backlog import SinkRow
from tests.broker import PATIENCE, until


class Failing:
    """A forwarder that fails at once, the first two times."""

    def __init__(self) -> None:
        self.status = SinkRow("failing", 0, FORWARDING, "", 0, 0)
        self.runs = 0
        self.cancelled = threading.Event()

    async def run(self) -> None:
        self.runs += 1
        if self.runs < 3:
            raise ZeroDivisionError("oh")
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled.set()


async def test_a_forwarder_that_fails_is_started_again(caplog) -> None:
    forwarder = Failing()
    thread = ForwarderThread(forwarder, after_failure=0.01)
    thread.start()
    await until(lambda: forwarder.runs == 3)
    assert await asyncio.to_thread(thread.stop)
    assert await asyncio.to_thread(thread.stop)
    assert forwarder.cancelled.is_set()
    assert [record.message for record in caplog.records] == ["forward failing: unexpected error"] * 2


def test_a_thread_that_was_never_started_can_be_stopped() -> None:
    assert ForwarderThread(Failing()).stop()


def test_a_thread_stopped_at_once_ends() -> None:
    for _ in range(20):
        forwarder = Failing()
        forwarder.runs = 2
        thread = ForwarderThread(forwarder)
        thread.start()
        assert thread.stop(PATIENCE)


async def test_a_stop_between_the_start_of_the_thread_and_of_its_loop_is_heeded() -> None:
    forwarder = Failing()
    forwarder.runs = 2
    thread = ForwarderThread(forwarder)
    thread.stop()
    await asyncio.wait_for(thread._run(), PATIENCE)


def test_a_thread_that_hangs_is_left(caplog) -> None:
    let_go = threading.Event()

    hangs = threading.Event()

    class Hanging(Failing):
        async def run(self) -> None:
            hangs.set()
            let_go.wait()

    thread = ForwarderThread(Hanging())
    thread.start()
    assert hangs.wait(PATIENCE)
    assert not thread.stop(0.01)
    assert "does not end" in caplog.text
    let_go.set()
    assert thread.stop(PATIENCE)
