"""A way between a page and its station that takes its time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress


class SlowWay:
    """A way to a station on which every byte of its answers takes `delay` seconds, and none is lost."""

    def __init__(self, port: int) -> None:
        """`port` is the station's."""
        self.delay = 0.0
        self._to = port
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        """Gives the address at its beginning."""
        server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_station, to_station = await asyncio.open_connection("127.0.0.1", self._to)
        for carrying in (_carry(reader, to_station, lambda: 0.0), _carry(from_station, writer, lambda: self.delay)):
            task = asyncio.create_task(carrying)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: Callable[[], float]) -> None:
    kept: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def take() -> None:
        while part := await reader.read(65536):
            kept.put_nowait((time.monotonic() + delay(), part))
        kept.put_nowait((time.monotonic() + delay(), b""))

    async def give() -> None:
        while True:
            due, part = await kept.get()
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if not part:
                return
            writer.write(part)
            await writer.drain()

    taking = asyncio.create_task(take())
    try:
        # The other end goes, as a page does that takes another connection.
        with suppress(OSError):
            await give()
    finally:
        taking.cancel()
        writer.close()
