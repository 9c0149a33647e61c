"""What a transport is: one link to one device, that delivers what comes and sends only what was listed.

Delivery is a plain call from the event loop's own read callback: no task, queue or copy stands between the wire and
the codec.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from typing import Protocol

from drivers.errors import RequestRefused

Acknowledge = Callable[[], None]
"""Called when what was received has been committed, so that the sender may forget it."""


class Receiver(Protocol):
    """Takes what a link brings. Called on the event loop's thread; must not block."""

    def opened(self) -> None:
        """The link stands."""

    def received(self, data: bytes, acknowledge: Acknowledge | None) -> None:
        """Bytes came; for MQTT one whole message, with the call that acknowledges it."""


class Transport(ABC):
    """One link. It can be run again after it broke."""

    def __init__(self, address: str, requests: Collection[bytes]) -> None:
        self.address = address
        self._requests = frozenset(requests)

    @abstractmethod
    async def run(self, receiver: Receiver) -> None:
        """Open the link and deliver until it breaks, ends or is cancelled.

        Returns when the source has come to its end (a file). Raises `LinkLost` when the link broke or is not there
        yet, `LinkRefused` when a person is needed.
        """

    def send(self, data: bytes) -> None:
        """Send one listed request; does nothing where the link is down.

        Raises `RequestRefused` for any byte string that the driver has not listed: this is where record-only is
        enforced.
        """
        if data not in self._requests:
            raise RequestRefused(f"{self.address}: refused to send {data!r}: not among the driver's listed requests")
        self._write(data)

    @abstractmethod
    def _write(self, data: bytes) -> None:
        """Put `data` on the wire, or drop it where the link is down."""
