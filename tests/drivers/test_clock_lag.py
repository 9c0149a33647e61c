"""A wrong clock is corrected; a backlog keeps its times."""

from __future__ import annotations

import asyncio

import pytest

from drivers.clock import NS, ManualClock
from drivers.clock_lag import PROOF, ClockLag
from drivers.device import Device
from drivers.events import DeviceStatus, Event, Reading, measured
from tests.drivers.fakes import Collector, FakeTransport, LineCodec, line_driver


class StampedCodec(LineCodec):
    """Lines are how many seconds ago, by the device's clock, the reading was taken; the value is always 70."""

    def feed(self, data: bytes, received_at: int) -> list[Event]:
        self.counters.frames += 1
        return [measured("heart_rate", 70, received_at - int(float(data) * NS), received_at)]


async def told(clock: ManualClock, lags: list[float], pause: float) -> Collector:
    """What a device passes on of readings with these lags, `pause` seconds apart."""
    collector, transport = Collector(), FakeTransport()
    device = Device("dev", line_driver(), StampedCodec(), transport, collector, clock)
    running = asyncio.create_task(device.run())
    await clock.advance(0)
    for lag in lags:
        transport.give(str(lag).encode())
        await clock.advance(pause)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return collector


def ages(collector: Collector) -> list[float]:
    return [event.age for event in collector.events if isinstance(event, Reading)]


def stored_ages(collector: Collector) -> list[float]:
    return [(event.received_at - event.observed_at) / NS for event in collector.events if isinstance(event, Reading)]


async def test_a_clock_that_is_steadily_behind_is_corrected_and_told(clock: ManualClock) -> None:
    collector = await told(clock, [40 + 0.5 * (n % 3) for n in range(30)], 1.0)
    assert ages(collector)[:10] == pytest.approx([40 + 0.5 * (n % 3) for n in range(10)])
    assert all(0 <= age <= 1 for age in ages(collector)[11:])
    assert stored_ages(collector) == pytest.approx([40 + 0.5 * (n % 3) for n in range(30)])
    (status,) = [event for event in collector.events if isinstance(event, DeviceStatus)]
    assert (status.code, status.active, status.text) == (
        "clock_behind",
        True,
        "the device's clock is 40 s behind",
    )


async def test_a_backlog_keeps_its_times(clock: ManualClock) -> None:
    lags = [float(lag) for lag in range(600, 0, -1)]
    collector = await told(clock, lags, 0.05)
    assert ages(collector) == lags
    assert not [event for event in collector.events if isinstance(event, DeviceStatus)]


async def test_a_clock_set_right_is_believed_again(clock: ManualClock) -> None:
    collector = await told(clock, [40.0] * 20 + [0.5] * 5, 1.0)
    assert ages(collector)[-1] == 0.5
    assert [event.active for event in collector.events if isinstance(event, DeviceStatus)] == [True, False]


async def test_pressures_that_arrive_long_after_their_own_time_are_told(clock: ManualClock) -> None:
    class CuffCodec(StampedCodec):
        def feed(self, data: bytes, received_at: int) -> list[Event]:
            return [event._replace(episodic=True) for event in super().feed(data, received_at)]  # type: ignore[union-attr]  # readings only

    collector, transport = Collector(), FakeTransport()
    running = asyncio.create_task(Device("dev", line_driver(), CuffCodec(), transport, collector, clock).run())
    await clock.advance(0)
    for age in (100, 1200, 1300, 60):
        transport.give(str(age).encode())
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    told = [(event.code, event.active) for event in collector.events if isinstance(event, DeviceStatus)]
    assert told == [("late", True), ("late", False)]


def test_a_network_may_take_its_time() -> None:
    lag = ClockLag()
    assert not any(lag.observe(2.9, float(second)) for second in range(100))
    assert lag.behind == 0


def test_the_proof_takes_ten_seconds_of_one_lag() -> None:
    lag = ClockLag()
    assert not lag.observe(100, 0)
    assert not lag.observe(100, PROOF - 0.1)
    assert lag.observe(100, PROOF)
    assert lag.observe(300, PROOF + 1)
    assert lag.behind == 0
