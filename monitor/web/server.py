"""The web server inside the station's event loop.

The socket is bound and listening before anything else of the station runs, so that a taken port is said at the start.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from drivers.errors import ConfigError, PortInUse
from monitor.web.certificate import context
from monitor.web.settings import TlsConfig

GRACE = 0.6
"""Seconds that open answers are given to end by themselves."""
MOST = 500
"""Connections at a time: what reaches for more must not take the files that the station records with."""
LOOK_EVERY = 5.0
"""Seconds; who has not said at two of these looks what they want is cut off."""


class PageServer:
    """Serves `app` on one address of this machine: `bind`, then `serve` until `stop`."""

    def __init__(
        self,
        app: ASGIApp,
        host: str = "127.0.0.1",
        port: int = 8080,
        *,
        tls: TlsConfig | None = None,
        name: str | None = None,
    ) -> None:
        """Port 0 takes any free one; `name` is how browsers call it, where that is not `host`."""
        self._app = app
        self._host = host
        self._port = port
        self._tls = tls
        self._name = name or host
        self._context: ssl.SSLContext | None = None
        self._socket: socket.socket | None = None
        self._server: _Uvicorn | None = None
        self._ended = asyncio.Event()
        self._stopping = False

    @property
    def address(self) -> str:
        """Where a browser finds the page, `http://127.0.0.1:8080`; with the port in use once it is bound."""
        scheme = "http" if self._tls is None else "https"
        return (
            f"{scheme}://[{self._name}]:{self._port}" if ":" in self._name else f"{scheme}://{self._name}:{self._port}"
        )

    def bind(self) -> None:
        """Take the address and let browsers queue. Raises `PortInUse`, or `ConfigError` where it cannot be had.

        It asks the disk for a certificate, and may ask the network for the host's name.
        """
        if self._socket is not None:
            return
        if self._tls is not None:
            self._context = context(self._tls)
        try:
            family, where = self._where()
            # Named, for asyncio sends small answers at once only on sockets that say that they are TCP.
            listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        except OSError as error:
            raise self._not_to_be_had(error) from None
        try:
            # So that a station can be started again at once; it does not let two of them share the port.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family is socket.AF_INET6:
                # `::` is every address of this machine, also the older ones, whatever the machine's own default.
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            listener.bind(where)
            listener.listen()
        except OSError as error:
            listener.close()
            if error.errno == errno.EADDRINUSE:
                raise PortInUse(
                    f"the page's address {self.address} is already taken: another station, or another program, serves "
                    "there; end that one, or give the page another port (0 takes any free one)"
                ) from None
            raise self._not_to_be_had(error) from None
        listener.setblocking(False)
        self._port = listener.getsockname()[1]
        self._socket = listener

    def close(self) -> None:
        """Give the address back; for a server that does not serve."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    async def serve(self) -> None:
        """Serve until `stop`. Where it fails or is cancelled everything is cut, and it may be called again."""
        if self._socket is None and not self._stopping:
            await asyncio.to_thread(self.bind)
        if self._stopping:
            self.close()
            return
        assert self._socket is not None  # noqa: S101 - `bind` has seen to it
        tls = self._context
        self._server = _Uvicorn(
            uvicorn.Config(
                self._app,
                access_log=False,
                http=_Protocol,
                lifespan="off",
                log_config=None,
                log_level="warning",
                # `guards` reads them: what a proxy says counts for one app and not for another at the same port.
                proxy_headers=False,
                server_header=False,
                ssl_context_factory=None if tls is None else lambda _config, _default: tls,
                timeout_graceful_shutdown=1,
                ws="none",
            )
        )
        self._ended.clear()
        try:
            await self._server.serve(sockets=[self._socket])
        finally:
            self._server.abort()
            self._server = None
            self.close()
            self._ended.set()

    async def stop(self) -> None:
        """End within a second; close the hub first, so that the streams end by themselves."""
        self._stopping = True
        if self._server is None:
            self.close()
            return
        self._server.should_exit = True
        try:
            async with asyncio.timeout(GRACE):
                await self._ended.wait()
        except TimeoutError:
            if self._server is not None:
                self._server.abort()
            await self._ended.wait()

    def _where(self) -> tuple[socket.AddressFamily, Any]:
        """The family, and what `bind` takes there."""
        # `localhost` may also be ::1, of which nobody would know.
        host = "127.0.0.1" if self._host.lower() == "localhost" else self._host
        found = socket.getaddrinfo(host, self._port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        return found[0][0], found[0][4]

    def _not_to_be_had(self, error: OSError) -> ConfigError:
        return ConfigError([f"the page cannot be served at {self.address}: {error.strerror}"])


class _Protocol(H11Protocol):
    """One connection of so many, which says within reason what it wants: uvicorn itself would wait for ever."""

    _look_again: asyncio.TimerHandle | None = None
    _waited = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's own
        super().connection_made(transport)
        if len(self.connections) > MOST:
            transport.abort()
        else:
            self._look_again = self.loop.call_later(LOOK_EVERY, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._look_again is not None:
            self._look_again.cancel()

    def _look(self) -> None:
        # Between two requests uvicorn waits for a time of its own.
        waits = self.conn.their_state in {h11.IDLE, h11.SEND_BODY} and self.timeout_keep_alive_task is None
        if waits and self._waited:
            self.transport.abort()
            return
        self._waited = waits
        self._look_again = self.loop.call_later(LOOK_EVERY, self._look)


class _Uvicorn(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # Signals are the station's: it ends its devices, its journal and this server in order.
        yield

    def abort(self) -> None:
        """Cut what is open: a page that does not read its last bytes must not hold the station."""
        for server in getattr(self, "servers", ()):
            server.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
