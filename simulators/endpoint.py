"""Where a simulated monitor is to be found: a pseudo-terminal, a TCP port or an MQTT topic."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import tty
from abc import ABC, abstractmethod
from pathlib import Path
from urllib.parse import unquote, urlsplit

import aiomqtt

from drivers.clock import Clock
from simulators.device_side import DeviceSide

log = logging.getLogger(__name__)


class Endpoint(ABC):
    """A device side on a transport."""

    def __init__(self, side: DeviceSide, clock: Clock) -> None:
        self._side = side
        self._clock = clock
        self._started = clock.monotonic()

    @property
    @abstractmethod
    def address(self) -> str:
        """What a configuration's `url:` would say."""

    @abstractmethod
    async def serve(self) -> None:
        """Be the device until cancelled."""

    def _now(self) -> float:
        return self._clock.monotonic() - self._started

    async def _tick(self) -> None:
        """Send what the device sends by itself, each at its moment; moments missed by a busy machine are left out."""
        period = self._side.period
        due = self._now()
        while True:
            data = self._side.tick(self._now())
            if data:
                await self._send(data)
            due += period
            late = self._now() - due
            if late > 1.0:
                due += late - late % period
            await self._clock.sleep(max(0.0, due - self._now()))

    @abstractmethod
    async def _send(self, data: bytes) -> None: ...


class PtyEndpoint(Endpoint):
    """A pseudo-terminal: for the reader, a serial port like any other."""

    def __init__(self, side: DeviceSide, clock: Clock, link: Path | None = None) -> None:
        """`link` is a symbolic link to keep on the port, whose own name changes with every `plug`.

        Raises `OSError` where it cannot be made, or something else is in its place.
        """
        super().__init__(side, clock)
        self._link = link
        self._master = self._slave = -1
        self._port = ""
        self.plug()

    @property
    def address(self) -> str:
        """The path of the port, or of the link to it."""
        return str(self._link or self._port)

    def plug(self) -> None:
        """Put the cable in: a new port appears. Raises `OSError` as the constructor does."""
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        asyncio.get_running_loop().add_reader(self._master, self._heard)
        self._port = os.ttyname(self._slave)
        if self._link:
            try:
                _point(self._link, self._port)
            except OSError:
                self.unplug()
                raise

    def unplug(self) -> None:
        """Pull the cable: the port is gone, and whoever reads it gets an error."""
        if self._master < 0:
            return
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)
        os.close(self._slave)
        self._master = self._slave = -1
        # Another program may have put something else there since.
        if self._link and self._link.is_symlink() and str(self._link.readlink()) == self._port:
            self._link.unlink()

    async def serve(self) -> None:
        """Be the device until cancelled."""
        try:
            await self._tick()
        finally:
            self.unplug()

    def _heard(self) -> None:
        try:
            data = os.read(self._master, 4096)
        except OSError:
            return
        if reply := self._side.answer(data, self._now()):
            self._write(reply)

    async def _send(self, data: bytes) -> None:
        self._write(data)

    def _write(self, data: bytes) -> None:
        if self._master >= 0:
            try:
                os.write(self._master, data)
            except BlockingIOError:
                # Nobody reads: on a wire the bytes would be gone just the same.
                return


def _point(link: Path, port: str) -> None:
    """Make the symbolic link, or turn an old one; nothing else is ever replaced."""
    fresh = link.with_name(link.name + ".new") if link.name else link
    for path in (link, fresh):
        if path.exists() and not path.is_symlink():
            raise FileExistsError(errno.EEXIST, f"{path} exists and is no symbolic link")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(port)
    fresh.replace(link)


class TcpEndpoint(Endpoint):
    """A TCP port, as a serial-to-network converter offers it."""

    def __init__(self, side: DeviceSide, clock: Clock, host: str, port: int) -> None:
        super().__init__(side, clock)
        self._host = host
        self._port = port
        self._readers: set[asyncio.StreamWriter] = set()

    @property
    def address(self) -> str:
        """`tcp://host:port`."""
        return f"tcp://{self._host}:{self._port}"

    async def start(self) -> None:
        """Open the port; with port 0 a free one is chosen, and `address` tells it. Raises `OSError`."""
        self._server = await asyncio.start_server(self._serve_one, self._host, self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def serve(self) -> None:
        """Be the device until cancelled; `start` comes first."""
        try:
            await self._tick()
        finally:
            self._server.close()
            for writer in self._readers:
                writer.transport.abort()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._readers.add(writer)
        try:
            while data := await reader.read(4096):
                if reply := self._side.answer(data, self._now()):
                    writer.write(reply)
        except ConnectionError:
            pass
        finally:
            self._readers.discard(writer)
            writer.close()

    async def _send(self, data: bytes) -> None:
        for writer in self._readers:
            writer.write(data)


class MqttEndpoint(Endpoint):
    """A topic of a broker; each tick is one message."""

    def __init__(self, side: DeviceSide, clock: Clock, url: str) -> None:
        """Raises `ValueError` for a URL that is not `mqtt://HOST[:PORT]/TOPIC`, with a topic that can be published."""
        super().__init__(side, clock)
        parts = urlsplit(url)
        self._url = url
        self._host = parts.hostname or ""
        self._port = parts.port or 1883
        # As a station takes it from the same URL.
        self._topic = unquote(parts.path[1:])
        if parts.scheme != "mqtt" or not self._host or not self._topic:
            raise ValueError("expected mqtt://HOST[:PORT]/TOPIC")
        if set("+#\0") & set(self._topic) or "#" in url:
            raise ValueError("a topic to publish has no wildcard")
        self._client: aiomqtt.Client | None = None

    @property
    def address(self) -> str:
        """`mqtt://host:port/topic`."""
        return self._url

    async def serve(self) -> None:
        """Publish until cancelled; a broker that goes away is waited for."""
        while True:
            try:
                async with aiomqtt.Client(self._host, self._port) as self._client:
                    await self._tick()
            except aiomqtt.MqttError as error:
                log.warning("%s: %s", self._url, error)
                await self._clock.sleep(1.0)

    async def _send(self, data: bytes) -> None:
        if self._client is not None:
            await self._client.publish(self._topic, data, qos=1)
