"""Time, as an argument: everything that waits or stamps takes a `Clock`, so that a test can hold time in its hand.

Readings carry UTC nanoseconds (`now_ns`); durations come from the monotonic clock (`monotonic`), which no
correction of the wall clock moves.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from datetime import UTC, datetime
from typing import Protocol

NS = 1_000_000_000
"""Nanoseconds in a second."""


class Clock(Protocol):
    """Where time comes from."""

    def now_ns(self) -> int:
        """UTC, nanoseconds since 1970."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; never goes back."""

    def uptime(self) -> float:
        """Like `monotonic`, with the time that the machine slept, where it tells: an infusion goes on meanwhile."""

    async def sleep(self, seconds: float) -> None:
        """Wait that many seconds of `monotonic`."""


def _uptime() -> float:
    # Not every system has this clock.
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class SystemClock:
    """The machine's clocks."""

    now_ns = staticmethod(time.time_ns)
    monotonic = staticmethod(time.monotonic)
    uptime = staticmethod(_uptime)
    sleep = staticmethod(asyncio.sleep)


class ManualClock:
    """A clock that stands still until `advance` moves it: sleepers wake in order, at their own times."""

    def __init__(self, start_ns: int = 1_767_225_600 * NS) -> None:
        self._start_ns = start_ns
        self._elapsed = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def now_ns(self) -> int:
        """UTC nanoseconds: the start, the time advanced since and every `jump`."""
        return self._start_ns + round(self._elapsed * NS)

    def monotonic(self) -> float:
        """Seconds advanced since the start."""
        return self._elapsed

    def uptime(self) -> float:
        """The same: nothing sleeps here."""
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        """Wait until `advance` has passed the moment that many seconds ahead."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        wake = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed + seconds, next(self._order), wake))
        await wake

    def jump(self, seconds: float) -> None:
        """Set the wall clock forward or back; the monotonic clock does not notice."""
        self._start_ns += round(seconds * NS)

    async def advance(self, seconds: float) -> None:
        """Let that much time pass, giving every sleeper its turn when its moment comes."""
        until = self._elapsed + seconds
        await _settle()
        while self._sleepers and self._sleepers[0][0] <= until:
            moment, _, wake = heapq.heappop(self._sleepers)
            self._elapsed = max(self._elapsed, moment)
            if not wake.done():
                wake.set_result(None)
            await _settle()
        self._elapsed = until
        await _settle()


async def _settle() -> None:
    # A woken task may wake others in turn; a few rounds of the loop let such a chain run out.
    for _ in range(5):
        await asyncio.sleep(0)


def iso(at_ns: int) -> str:
    """UTC nanoseconds as RFC 3339 text with microseconds, `2026-11-25T01:25:41.123456Z`."""
    seconds, fraction = divmod(at_ns, NS)
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{fraction // 1000:06d}Z"
