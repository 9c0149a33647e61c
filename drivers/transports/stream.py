"""What serial ports and TCP connections share: bytes pushed by the event loop, straight to the receiver."""

from __future__ import annotations

import asyncio

from drivers.errors import LinkLost
from drivers.transports.base import Receiver


class StreamLink(asyncio.Protocol):
    """The event loop's callbacks of one open link; `lost` is done when it has ended."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self.lost: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:  # noqa: ARG002 - asyncio's signature
        """The link stands."""
        self._receiver.opened()

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        self._receiver.received(data, None)

    def connection_lost(self, exc: Exception | None) -> None:
        """The link ended, with or without an error."""
        if not self.lost.done():
            self.lost.set_result(exc)

    async def until_lost(self, transport: asyncio.WriteTransport, address: str) -> None:
        """Wait for the end of the link, and close it on the way out. Raises `LinkLost`."""
        try:
            error = await self.lost
        except asyncio.CancelledError:
            transport.abort()
            raise
        raise LinkLost(f"{address}: {error or 'the other side closed the link'}") from error
