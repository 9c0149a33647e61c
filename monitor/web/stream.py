"""The live stream: one message for all beds, as server-sent events.

A message is a whole snapshot, so there is nothing to catch up on: a page that was away, or reads slowly, is given the
present and no past. Backpressure holds the generator, not a queue.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from monitor.live import LiveHub

PING = 15
"""Seconds between comments for what stands between; the page itself goes by the snapshots, one a second."""
SEND_TIMEOUT = 5.0
"""Seconds after which a page that does not read is let go."""
RETRY_MS = 1000
"""How soon a page's browser tries again by itself."""

_log = logging.getLogger(__name__)


class LiveStream:
    """Gives each page its stream; pages that are due at the same beat share the text."""

    def __init__(self, hub: LiveHub) -> None:
        self._hub = hub
        self._number = 0
        self._message = b""

    async def __call__(self, _request: Request) -> EventSourceResponse:
        """The endpoint."""
        return _Stream(self._messages())

    async def _messages(self) -> AsyncGenerator[bytes, None]:
        # The hub counts who looks: a page that goes must be counted out at once, not when the loop gets round to it.
        async with aclosing(self._hub.changes()) as changes:
            async for number in changes:
                if number != self._number:
                    text = json.dumps(self._hub.snapshot(), ensure_ascii=False, separators=(",", ":"))
                    self._message = ServerSentEvent(text, retry=RETRY_MS).encode()
                    self._number = number
                yield self._message


class _Stream(EventSourceResponse):
    def __init__(self, messages: AsyncGenerator[bytes, None]) -> None:
        super().__init__(messages, ping=PING, send_timeout=SEND_TIMEOUT)
        self._messages = messages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(self._messages):
            try:
                await super().__call__(scope, receive, send)
            except SendTimeoutError:
                _log.warning("a page has not read for %g s; its stream was ended", SEND_TIMEOUT)
