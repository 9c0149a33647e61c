"""A capture: bytes that a device once sent, read from a file instead of a wire."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from pathlib import Path

from drivers.clock import Clock
from drivers.errors import BadCapture
from drivers.transports.base import Receiver, Transport

_STEP = 0.02
"""Seconds between two deliveries of a paced capture: short enough that values move smoothly on the page."""
_CHUNK = 4096


class FileTransport(Transport):
    """Delivers a capture once, at `bytes_per_second`, or as fast as it is taken where that is None."""

    def __init__(self, path: Path, bytes_per_second: float | None, requests: Collection[bytes], clock: Clock) -> None:
        super().__init__(f"file:{path}", requests)
        self._path = path
        self._rate = bytes_per_second
        self._clock = clock

    async def run(self, receiver: Receiver) -> None:
        """Deliver the whole capture, then return. Raises `BadCapture` where it cannot be read."""
        try:
            capture = self._path.open("rb")
        except OSError as error:
            raise BadCapture(f"{self.address}: {error.strerror}") from error
        with capture:
            receiver.opened()
            started = self._clock.monotonic()
            delivered = 0
            while True:
                if self._rate is None:
                    await asyncio.sleep(0)
                    size = _CHUNK
                else:
                    await self._clock.sleep(_STEP)
                    size = int((self._clock.monotonic() - started) * self._rate) - delivered
                    if size < 1:
                        continue
                data = capture.read(size)
                if not data:
                    return
                delivered += len(data)
                receiver.received(data, None)

    def _write(self, data: bytes) -> None:
        """A capture listens to nothing."""
