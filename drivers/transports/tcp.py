"""A monitor, or a serial-to-network converter in raw mode, behind a TCP port."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Collection

from drivers.errors import LinkLost
from drivers.transports.base import Receiver, Transport
from drivers.transports.stream import StreamLink

CONNECT_TIMEOUT = 5.0
"""Seconds; a converter on the same network answers in milliseconds."""

_KEEPALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
"""A peer that vanished without a word (power cut) is noticed after 10 + 3 x 5 seconds."""


class TcpTransport(Transport):
    """Client of `host:port`."""

    def __init__(self, host: str, port: int, requests: Collection[bytes]) -> None:
        super().__init__(f"tcp://{host}:{port}", requests)
        self._host = host
        self._port = port
        self._link: asyncio.WriteTransport | None = None

    async def run(self, receiver: Receiver) -> None:
        """Connect and deliver; see `Transport.run`."""
        link = StreamLink(receiver)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                self._link, _ = await asyncio.get_running_loop().create_connection(lambda: link, self._host, self._port)
        except TimeoutError:
            raise LinkLost(f"{self.address}: no answer within {CONNECT_TIMEOUT:g} s") from None
        except OSError as error:
            raise LinkLost(f"{self.address}: {error}") from error
        _keep_alive(self._link.get_extra_info("socket"))
        try:
            await link.until_lost(self._link, self.address)
        finally:
            self._link = None

    def _write(self, data: bytes) -> None:
        if self._link is not None:
            self._link.write(data)


def _keep_alive(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _KEEPALIVE.items():
        if hasattr(socket, option):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
