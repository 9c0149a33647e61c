"""The live stream: one message for all beds, as server-sent events.

A message is a whole snapshot of the present, so of that there is nothing to catch up on; of the trends it has the steps
that changed since the message before. A page that was away says which message it had last, and is given what it missed.
Backpressure holds the generator, not a queue.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.types import Receive, Scope, Send

from monitor.live import LiveHub

PING = 15
"""Seconds between comments for what stands between; the page itself goes by the snapshots, one a second."""
EACH, ALL = 250, 400
"""Streams of one person or machine, and of all of them: others, and what people do, must still get a connection."""
SEND_TIMEOUT = 5.0
"""Seconds after which a page that does not read is let go."""
RETRY_MS = 1000
"""How soon a page's browser tries again by itself."""

_log = logging.getLogger(__name__)


class LiveStream:
    """Gives each page its stream; pages that are due at the same beat and had the same before share the text."""

    def __init__(self, hub: LiveHub) -> None:
        self._hub = hub
        self._beat = 0
        self._number = 0
        """How far the trends are at this beat."""
        self._messages: dict[int | None, bytes] = {}
        """Of this beat, by how far the trends of a page are."""
        self._open: Counter[str] = Counter()
        """Streams by whose they are."""

    def has_room(self, whose: str) -> bool:
        """Whether that person or machine may have one more."""
        return self._open[whose] < EACH and self._open.total() < ALL

    def response(self, last: str | None, may_look: Callable[[], bool], whose: str = "") -> EventSourceResponse:
        """A stream after the message `last`, where the page had one of this start of the station.

        It ends when `may_look` says no.
        """
        return _Stream(self._stream(self._place(last), may_look), self._open, whose)

    async def _stream(self, place: int | None, may_look: Callable[[], bool]) -> AsyncGenerator[bytes, None]:
        # The hub counts who looks: a page that goes must be counted out at once, not when the loop gets round to it.
        async with aclosing(self._hub.changes()) as changes:
            async for beat in changes:
                if not may_look():
                    return
                if beat != self._beat:
                    self._beat, self._number = beat, self._hub.trends.number
                    self._messages.clear()
                message = self._messages.get(place)
                if message is None:
                    message = self._messages[place] = self._message(place)
                place = self._number
                yield message

    def _message(self, place: int | None) -> bytes:
        content = {
            **self._hub.snapshot(),
            "trends": self._hub.trends.since(place or 0),
            "trends_from": "start" if place is None else "id",
        }
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        return ServerSentEvent(text, id=f"{self._hub.boot}.{self._number}", retry=RETRY_MS).encode()

    def _place(self, last: str | None) -> int | None:
        """How far the trends of a page are that had that message; None where it has to begin anew."""
        boot, _, number = (last or "").partition(".")
        if boot != self._hub.boot or not (number.isascii() and number.isdigit()) or len(number) > 18:
            return None
        place = int(number)
        return place if place <= self._hub.trends.number else None


class _Stream(EventSourceResponse):
    def __init__(self, messages: AsyncGenerator[bytes, None], counted: Counter[str], whose: str) -> None:
        super().__init__(messages, ping=PING, send_timeout=SEND_TIMEOUT)
        self._messages = messages
        self._counted = counted
        self._whose = whose

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._counted[self._whose] += 1
        try:
            async with aclosing(self._messages):
                await super().__call__(scope, receive, send)
        except SendTimeoutError:
            _log.warning("a page has not read for %g s; its stream was ended", SEND_TIMEOUT)
        finally:
            self._counted[self._whose] -= 1
