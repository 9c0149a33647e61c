"""Serial ports: anything that pyserial opens, `/dev/ttyUSB0` as well as `rfc2217://host:port`.

Ports that have a file descriptor are read by the event loop itself (pyserial-asyncio-fast). The others (RFC 2217 and
`loop://` have none) are read by a thread of their own.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import io
import os
import termios
import threading
from collections.abc import Callable, Collection
from dataclasses import asdict
from typing import TypeVar

import serial
import serial_asyncio_fast

from drivers.codec import SerialLine
from drivers.errors import LinkLost, LinkRefused
from drivers.transports.base import Receiver, Transport
from drivers.transports.stream import StreamLink

_REFUSALS = {
    errno.EACCES: "no permission; on Linux add the user to the group that owns the port (dialout), then log in again",
    errno.EPERM: "no permission",
    errno.EAGAIN: "another program holds the port",
    errno.EBUSY: "another program holds the port",
}

_WRONG_LINE = "the port does not take these line parameters"

_T = TypeVar("_T")


class SerialTransport(Transport):
    """One serial port."""

    def __init__(self, url: str, line: SerialLine, requests: Collection[bytes]) -> None:
        super().__init__(url, requests)
        self._line = line
        self._port: serial.Serial | None = None
        self._link: serial_asyncio_fast.SerialTransport | None = None

    async def run(self, receiver: Receiver) -> None:
        """Open the port and deliver; see `Transport.run`."""
        port = await _in_thread(self._open)
        local = _has_descriptor(port)
        try:
            if local:
                await self._run_on_loop(port, receiver)
            else:
                await self._run_in_thread(port, receiver)
        finally:
            self._link = None
            self._port = None
            if local:
                port.close()
            else:
                _detached(port.close)

    def _open(self) -> serial.Serial:
        try:
            # exclusive: two readers of one port would each get half of the bytes.
            port = serial.serial_for_url(self.address, do_not_open=True, **asdict(self._line))
            if isinstance(port, serial.Serial):
                port.exclusive = True
            port.open()
        except serial.SerialException as error:
            reason = _REFUSALS.get(error.errno or 0)
            if reason:
                raise LinkRefused(f"{self.address}: {reason}") from error
            raise LinkLost(f"{self.address}: {os.strerror(error.errno) if error.errno else error}") from error
        except (ValueError, termios.error) as error:
            raise LinkRefused(f"{self.address}: {_WRONG_LINE}: {error}") from error
        except OSError as error:
            raise LinkLost(f"{self.address}: {error}") from error
        return port

    async def _run_on_loop(self, port: serial.Serial, receiver: Receiver) -> None:
        link = StreamLink(receiver)
        try:
            self._link = serial_asyncio_fast.SerialTransport(asyncio.get_running_loop(), link, port)
        except termios.error as error:
            raise LinkRefused(f"{self.address}: {_WRONG_LINE}: {error}") from error
        await link.until_lost(self._link, self.address)

    async def _run_in_thread(self, port: serial.Serial, receiver: Receiver) -> None:
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[Exception] = loop.create_future()
        stop = threading.Event()
        port.timeout = 0.1
        self._port = port
        receiver.opened()
        reader = threading.Thread(
            target=_read_until,
            args=(stop, port, loop, receiver, ended),
            name=f"serial {self.address}",
            daemon=True,
        )
        reader.start()
        try:
            error = await ended
        finally:
            stop.set()
        raise LinkLost(f"{self.address}: {error}") from error

    def _write(self, data: bytes) -> None:
        if self._link is not None:
            self._link.write(data)
        elif self._port is not None:
            _detached(self._port.write, data)


def _has_descriptor(port: serial.Serial) -> bool:
    try:
        port.fileno()
    except (io.UnsupportedOperation, AttributeError):
        return False
    return True


def _read_until(
    stop: threading.Event,
    port: serial.Serial,
    loop: asyncio.AbstractEventLoop,
    receiver: Receiver,
    ended: asyncio.Future[Exception],
) -> None:
    def end(error: Exception) -> None:
        if not ended.done():
            ended.set_result(error)

    try:
        while not stop.is_set():
            data = port.read(port.in_waiting or 1)
            if data:
                loop.call_soon_threadsafe(receiver.received, bytes(data), None)
    except (OSError, TypeError, AttributeError) as error:
        # pyserial's network ports fail with the latter two when they are closed while being read.
        if not stop.is_set():
            loop.call_soon_threadsafe(end, error)


def _detached(call: Callable[..., object], *args: object) -> None:
    """Have a network port written or closed without waiting: pyserial may take seconds for either."""

    def work() -> None:
        # A port that fails while being written or closed is noticed by its reader, or is gone already.
        with contextlib.suppress(OSError, TypeError, AttributeError):
            call(*args)

    threading.Thread(target=work, name="serial port", daemon=True).start()


async def _in_thread(call: Callable[[], _T]) -> _T:
    """Run a call that may block for seconds in a daemon thread, which the program's end does not wait for."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_T] = loop.create_future()

    def settle(result: _T | None, error: Exception | None) -> None:
        if done.cancelled():
            if isinstance(result, serial.SerialBase):
                result.close()
        elif error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]  # a result of None is a _T here

    def work() -> None:
        result, error = None, None
        try:
            result = call()
        except Exception as failure:  # noqa: BLE001 - carried over to the waiting task, whatever it is
            error = failure
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=work, name="open serial port", daemon=True).start()
    return await done
