"""A clock in a test's hand."""

from __future__ import annotations

from drivers.clock import NS


class Hand:
    """Its time is `t`, monotonic and of the wall: a test sets it. Nothing sleeps by it."""

    def __init__(self, t: float) -> None:
        self.t = t

    def monotonic(self) -> float:
        return self.t

    def uptime(self) -> float:
        return self.t

    def now_ns(self) -> int:
        return int(self.t * NS)

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing should sleep")
