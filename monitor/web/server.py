"""The web server inside the station's event loop.

The socket is bound and listening before anything else of the station runs, so that a taken port is said at the start.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from drivers.errors import ConfigError, PortInUse

LOOPBACK = {"127.0.0.1": socket.AF_INET, "localhost": socket.AF_INET, "::1": socket.AF_INET6}
"""Hosts that may be served: without accounts, nobody but this machine."""
GRACE = 0.6
"""Seconds that open answers are given to end by themselves."""


class PageServer:
    """Serves `app` on one address of this machine: `bind`, then `serve` until `stop`."""

    def __init__(self, app: ASGIApp, host: str = "127.0.0.1", port: int = 8080) -> None:
        """Port 0 takes any free one. Raises `ConfigError` for a host that is not this machine's own."""
        if host not in LOOPBACK:
            raise ConfigError(
                [f"the page is served to this machine only, on one of {', '.join(LOOPBACK)}; {host!r} is none of them"]
            )
        self._app = app
        self._host = host
        self._port = port
        self._socket: socket.socket | None = None
        self._server: _Uvicorn | None = None
        self._ended = asyncio.Event()
        self._stopping = False

    @property
    def address(self) -> str:
        """Where a browser finds the page, `http://127.0.0.1:8080`; with the port in use once it is bound."""
        return f"http://[{self._host}]:{self._port}" if ":" in self._host else f"http://{self._host}:{self._port}"

    def bind(self) -> None:
        """Take the address and let browsers queue. Raises `PortInUse`, or `ConfigError` where it cannot be had."""
        if self._socket is not None:
            return
        family = LOOPBACK[self._host]
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            # So that a station can be started again at once; it does not let two of them share the port.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("::1" if family is socket.AF_INET6 else "127.0.0.1", self._port))
            listener.listen()
        except OSError as error:
            listener.close()
            if error.errno == errno.EADDRINUSE:
                raise PortInUse(
                    f"the page's address {self.address} is already taken: another station, or another program, serves "
                    "there; end that one, or give the page another port (0 takes any free one)"
                ) from None
            raise ConfigError([f"the page cannot be served at {self.address}: {error.strerror}"]) from None
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
        if self._stopping:
            return
        self.bind()
        assert self._socket is not None  # noqa: S101 - `bind` has just seen to it
        self._server = _Uvicorn(
            uvicorn.Config(
                self._app,
                access_log=False,
                http="h11",
                lifespan="off",
                log_config=None,
                log_level="warning",
                proxy_headers=False,
                server_header=False,
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
