"""A codec, a transport and a listener that a test holds in its hand."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from drivers.codec import Codec, Driver
from drivers.events import Event, LinkState, measured
from drivers.transports.base import Acknowledge, Receiver, Transport


class LineCodec(Codec):
    """Lines of one number are heart rates; `!` makes it fail as no codec should."""

    def feed(self, data: bytes, received_at: int) -> list[Event]:
        self.counters.bytes += len(data)
        if b"!" in data:
            raise RuntimeError("a codec with a fault")
        events: list[Event] = []
        for line in data.split():
            if line.isdigit():
                self.counters.frames += 1
                events.append(measured("heart_rate", float(line), received_at, received_at))
            else:
                self.counters.rejected += 1
        return events

    def request(self, now: float) -> bytes | None:
        return b"?"

    def reset(self) -> None:
        """Lines come whole here."""


def line_driver(*, polled: bool = False, requests: Collection[bytes] = ()) -> Driver:
    return Driver(
        name="lines",
        title="Lines",
        devices=("none",),
        make_codec=lambda options: LineCodec(),
        vitals=("heart_rate",),
        transports=("serial",),
        polled=polled,
        requests=dict.fromkeys(requests, "reads"),
        confidence="C",
        source="test",
        examples=(),
    )


class FakeTransport(Transport):
    """`opens` are what each attempt meets: None for success, or the error to raise."""

    def __init__(self, opens: Collection[Exception | None] = (), requests: Collection[bytes] = ()) -> None:
        super().__init__("fake", requests)
        self.opens = list(opens)
        self.attempts = 0
        self.sent: list[bytes] = []
        self._end: asyncio.Future[None] | None = None
        self.receiver: Receiver | None = None

    async def run(self, receiver: Receiver) -> None:
        self.attempts += 1
        outcome = self.opens.pop(0) if self.opens else None
        if outcome is not None:
            raise outcome
        self.receiver = receiver
        receiver.opened()
        self._end = asyncio.get_running_loop().create_future()
        await self._end

    def give(self, data: bytes, acknowledge: Acknowledge | None = None) -> None:
        assert self.receiver is not None
        self.receiver.received(data, acknowledge)

    def end(self, error: Exception | None = None) -> None:
        assert self._end is not None
        if error:
            self._end.set_exception(error)
        else:
            self._end.set_result(None)

    def _write(self, data: bytes) -> None:
        self.sent.append(data)


class Collector:
    """Keeps what a device gives."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.links: list[LinkState] = []
        self.details: list[str] = []
        self.owed: list[Acknowledge] = []

    def receive(self, device: str, events: list[Event], acknowledge: Acknowledge | None) -> None:
        self.events += events
        if acknowledge:
            self.owed.append(acknowledge)

    def link_changed(self, device: str, state: LinkState, detail: str, at: int) -> None:
        self.links.append(state)
        self.details.append(detail)
