"""One device's supervised life, on a transport that the test holds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from drivers.clock import NS, ManualClock
from drivers.device import LONGEST_DELAY, REFUSED_DELAY, Device
from drivers.errors import LinkLost, LinkRefused
from drivers.events import LinkState, Reading
from tests.drivers.fakes import Collector, FakeTransport, LineCodec, line_driver

Start = Callable[..., Device]


@pytest.fixture
async def start(clock: ManualClock) -> AsyncIterator[tuple[Start, Collector]]:
    tasks: list[asyncio.Task[None]] = []
    collector = Collector()

    def _start(transport: FakeTransport, **more: object) -> Device:
        driver = line_driver(polled=bool(more.pop("polled", False)))
        device = Device("dev", driver, LineCodec(), transport, collector, clock, **more)  # type: ignore[arg-type]
        tasks.append(asyncio.create_task(device.run()))
        return device

    yield _start, collector
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_broken_link_is_an_event_and_is_opened_again_within_two_seconds(
    clock: ManualClock, start: tuple[Start, Collector]
) -> None:
    _start, collector = start
    transport = FakeTransport()
    _start(transport)
    await clock.advance(0)
    transport.give(b"70\n")
    transport.end(LinkLost("unplugged"))
    await clock.advance(0)
    assert collector.links == [LinkState.RECEIVING, LinkState.LOST]
    await clock.advance(2)
    transport.give(b"71\n")
    assert collector.links[-1] is LinkState.RECEIVING
    assert [event.value for event in collector.events if isinstance(event, Reading)] == [70, 71]


async def test_attempts_are_never_more_than_the_longest_delay_apart_however_long_it_takes(
    clock: ManualClock, start: tuple[Start, Collector]
) -> None:
    _start, collector = start
    # Two hours: after some 1,030 attempts their number was once too large for the delay's formula, and all stopped.
    transport = FakeTransport([LinkLost("no such port")] * 12_000)
    _start(transport)
    await clock.advance(7200)
    assert transport.attempts >= 7200 / LONGEST_DELAY
    assert transport.attempts < 12_000
    assert collector.links == [LinkState.LOST]


async def test_a_link_that_opens_and_breaks_at_once_is_not_tried_without_end(
    clock: ManualClock, start: tuple[Start, Collector]
) -> None:
    _start, _ = start
    transport = FakeTransport()
    _start(transport)
    await clock.advance(0)
    for _ in range(600):
        if transport._end is not None and not transport._end.done():
            transport.end(LinkLost("closed by the other side"))
        await clock.advance(0.1)
    # Once the delays have grown, about one attempt in three quarters of a second; without back-off it would be 600.
    assert transport.attempts < 200


async def test_a_refused_link_is_shown_and_tried_seldom(clock: ManualClock, start: tuple[Start, Collector]) -> None:
    _start, collector = start
    transport = FakeTransport([LinkRefused("no permission")])
    _start(transport)
    await clock.advance(REFUSED_DELAY - 1)
    assert (collector.links, collector.details) == ([LinkState.REFUSED], ["no permission"])
    assert transport.attempts == 1
    await clock.advance(2)
    transport.give(b"70")
    assert collector.links[-1] is LinkState.RECEIVING


async def test_silence_and_rubbish_are_told_apart(clock: ManualClock, start: tuple[Start, Collector]) -> None:
    _start, collector = start
    transport = FakeTransport()
    _start(transport)
    await clock.advance(6)
    assert collector.links == [LinkState.SILENT]
    for _ in range(7):
        transport.give(b"\xff\xfe")
        await clock.advance(1)
    assert collector.links == [LinkState.SILENT, LinkState.UNDECODABLE]
    transport.give(b"70")
    assert collector.links[-1] is LinkState.RECEIVING
    await clock.advance(6)
    assert collector.links[-1] is LinkState.SILENT


async def test_a_codec_with_a_fault_costs_its_bytes_and_nothing_else(
    clock: ManualClock, start: tuple[Start, Collector]
) -> None:
    _start, collector = start
    transport = FakeTransport()
    _start(transport)
    await clock.advance(0)
    transport.give(b"!")
    transport.give(b"70")
    assert [event.value for event in collector.events if isinstance(event, Reading)] == [70]


async def test_an_unforeseen_error_of_a_transport_is_survived(
    clock: ManualClock, start: tuple[Start, Collector]
) -> None:
    _start, collector = start
    transport = FakeTransport([ZeroDivisionError("a library's fault")])
    _start(transport)
    await clock.advance(3)
    transport.give(b"70")
    assert collector.links == [LinkState.LOST, LinkState.RECEIVING]


async def test_readings_that_came_in_one_piece_have_stamps_of_their_own(
    clock: ManualClock, start: tuple[Start, Collector]
) -> None:
    _start, collector = start
    transport = FakeTransport()
    _start(transport)
    await clock.advance(0)
    transport.give(b"70 71 72")
    transport.give(b"73")
    stamps = [event.observed_at for event in collector.events if isinstance(event, Reading)]
    assert stamps == [clock.now_ns() + index for index in range(4)]


async def test_a_clock_set_back_does_not_pin_the_stamps(clock: ManualClock, start: tuple[Start, Collector]) -> None:
    _start, collector = start
    transport = FakeTransport()
    _start(transport)
    await clock.advance(0)
    transport.give(b"70")
    clock.jump(-3600)
    transport.give(b"71")
    stamps = [event.observed_at for event in collector.events if isinstance(event, Reading)]
    assert stamps[1] - stamps[0] == -3600 * NS


async def test_vitals_that_are_not_wanted_are_left_out_and_acknowledged(
    clock: ManualClock, start: tuple[Start, Collector]
) -> None:
    _start, collector = start
    transport = FakeTransport()
    _start(transport, vitals=())
    await clock.advance(0)
    acknowledged = []
    transport.give(b"70", lambda: acknowledged.append(1))
    assert collector.events == []
    assert acknowledged == [1]


async def test_what_holds_readings_is_acknowledged_by_who_takes_them(
    clock: ManualClock, start: tuple[Start, Collector]
) -> None:
    _start, collector = start
    transport = FakeTransport()
    _start(transport)
    await clock.advance(0)
    acknowledged = []
    transport.give(b"70", lambda: acknowledged.append(1))
    assert acknowledged == []
    collector.owed[0]()
    assert acknowledged == [1]


async def test_a_request_that_is_not_listed_is_never_sent(clock: ManualClock, start: tuple[Start, Collector]) -> None:
    _start, _ = start
    transport = FakeTransport(requests=[b"only this"])
    _start(transport, polled=True)
    await clock.advance(5)
    assert transport.sent == []
    transport.give(b"70")


async def test_the_end_of_a_capture_is_no_fault(clock: ManualClock, start: tuple[Start, Collector]) -> None:
    _start, collector = start
    transport = FakeTransport()
    _start(transport)
    await clock.advance(0)
    transport.give(b"70")
    transport.end()
    await clock.advance(100)
    assert collector.links == [LinkState.RECEIVING, LinkState.ENDED]
    assert transport.attempts == 1
