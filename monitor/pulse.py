"""When the pages are told: one beat for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

FASTEST, SLOWEST = 0.25, 1.0
"""Seconds between two messages to a page: at least, when much changes; at most, when nothing does."""


class Pulse:
    """One beat for all streams: soon after a change, never faster than FASTEST, never slower than SLOWEST."""

    def __init__(self) -> None:
        self.closed = False
        self.streams = 0
        """How many are given the beats now."""
        self._number = 0
        self._last = 0.0
        self._next: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._soon = False

    def changed(self) -> None:
        """Something is worth telling; almost free when that is known already, or when nobody looks."""
        if self.streams and not self._soon:
            self._soon = True
            self._schedule(self._last + FASTEST)

    def close(self) -> None:
        """End every stream at once."""
        self.closed = True
        self._stop()
        if self._next is not None and not self._next.done():
            self._next.set_result(None)

    async def beats(self) -> AsyncGenerator[int, None]:
        """The number of each beat, the first at once; ends when closed."""
        if self.closed:
            return
        self._number += 1
        self.streams += 1
        if self._timer is None:
            self._last = asyncio.get_running_loop().time()
            self._schedule(self._last + SLOWEST)
        try:
            yield self._number
            while not self.closed:
                if self._next is None or self._next.done():
                    self._next = asyncio.get_running_loop().create_future()
                await asyncio.wait((self._next,))
                if not self.closed:
                    yield self._number
        finally:
            self.streams -= 1
            if not self.streams:
                self._stop()

    def _beat(self) -> None:
        self._number += 1
        self._soon = False
        self._last = asyncio.get_running_loop().time()
        self._schedule(self._last + SLOWEST)
        if self._next is not None and not self._next.done():
            self._next.set_result(None)

    def _schedule(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(when, self._beat)

    def _stop(self) -> None:
        self._soon = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
