"""One device's supervised life: open, deliver, notice silence, reopen.

Whatever a device does, it stays the device's own matter: no error leaves `Device.run` but a cancellation.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Collection
from typing import Protocol

from drivers.backoff import grown
from drivers.clock import NS, Clock
from drivers.clock_lag import ClockLag
from drivers.codec import Codec, Driver
from drivers.errors import PersonNeeded, TransientError
from drivers.events import DeviceStatus, Event, LinkState, Reading
from drivers.transports.base import Acknowledge, Transport

log = logging.getLogger(__name__)

FIRST_DELAY = 0.1
LONGEST_DELAY = 1.5
"""Seconds. Kept short so that a cable plugged in again is heard within two seconds; one attempt a second and a half
costs nothing on a serial port or a local network."""
REFUSED_DELAY = 30.0
"""Seconds between two attempts while a person is needed: nobody should have to restart a station after closing the
program that held the port, and a password is not tried often enough to lock an account."""
SILENT_AFTER = 5.0
"""Seconds without a byte, or without a frame, after which the device counts as silent or undecodable."""

LATE_AFTER = 900.0
"""Seconds after which a cuff pressure is history when it arrives: it clears from a display after 15 minutes (a common
factory setting of bedside monitors)."""

_TENDING = 0.25
"""Seconds between two looks at a polled device (is the next request due?)."""
_WATCHING = 1.0
"""Seconds between two looks at a streaming device."""
_SAME_MOMENT_NS = 1000


class DeviceListener(Protocol):
    """Takes what a device gives. Called on the event loop's thread; must not block."""

    def receive(self, device: str, events: list[Event], acknowledge: Acknowledge | None) -> None:
        """Events came, in order. `acknowledge`, where given, is owed once they are committed."""

    def link_changed(self, device: str, state: LinkState, detail: str, at: int) -> None:
        """The link's state changed at `at` (UTC nanoseconds)."""


class Device:
    """A codec on a transport, kept alive."""

    def __init__(
        self,
        name: str,
        driver: Driver,
        codec: Codec,
        transport: Transport,
        listener: DeviceListener,
        clock: Clock,
        *,
        vitals: Collection[str] | None = None,
        silent_after: float = SILENT_AFTER,
        label: str = "",
    ) -> None:
        """`vitals` limits the readings that are passed on to those named; all of the driver's where it is None.

        `name` is what the listener is told; `label` is what the logs call the device, its name where it is empty.
        """
        self.name = name
        self._label = label or name
        self.state = LinkState.CONNECTING
        self._codec = codec
        self._counters = codec.counters
        self._polled = driver.polled
        self._transport = transport
        self._listener = listener
        self._clock = clock
        self._ignored = frozenset(driver.vitals) - frozenset(vitals) if vitals is not None else frozenset()
        self._silent_after = silent_after
        self._open = False
        self._attempts = 0
        self._frames_seen = 0
        self._bytes_seen = 0
        self._last_byte = 0.0
        self._last_frame = 0.0
        self._stamps: dict[str, int] = {}
        self._lag = ClockLag()
        self._late = False
        self._broken = False
        self._muted = False

    async def run(self) -> None:
        """Serve the device until its source ends (a capture) or the task is cancelled."""
        tending = asyncio.create_task(self._tend(), name=f"tend {self._label}")
        try:
            while not await self._link():
                pass
        finally:
            tending.cancel()
            await asyncio.gather(tending, return_exceptions=True)

    def mute(self) -> None:
        """Take nothing more, and keep the link: what was taken can still be acknowledged before the end."""
        self._muted = True

    async def _link(self) -> bool:
        """Hold one link for as long as it lasts; True when the source has come to its end."""
        try:
            await self._transport.run(self)
        except TransientError as error:
            self._change(LinkState.LOST, str(error))
            longest = grown(FIRST_DELAY, LONGEST_DELAY, self._attempts)
            delay = random.uniform(FIRST_DELAY / 2, longest)  # noqa: S311 - it spreads attempts, it hides nothing
        except PersonNeeded as error:
            self._change(LinkState.REFUSED, str(error))
            delay = REFUSED_DELAY
        except Exception as error:
            # A fault of a transport or a library that nobody foresaw: this device tries on, the others go on.
            if not self._broken:
                log.exception("%s: unexpected error of the link", self._label)
            self._broken = True
            self._change(LinkState.LOST, f"unexpected error: {error!r}")
            delay = LONGEST_DELAY
        else:
            self._change(LinkState.ENDED, "the capture was read to its end")
            return True
        finally:
            self._open = False
        self._attempts += 1
        await self._clock.sleep(delay)
        return False

    def opened(self) -> None:
        """The transport's link stands."""
        self._codec.reset()
        self._open = True
        self._last_byte = self._last_frame = self._clock.monotonic()

    def received(self, data: bytes, acknowledge: Acknowledge | None) -> None:
        """Bytes from the transport: decode, stamp, pass on. The hot path."""
        if self._muted:
            return
        now = self._clock.now_ns()
        try:
            events = self._codec.feed(data, now)
        except Exception:
            # A codec never raises; where one does all the same, its bytes are lost but the device and the others live.
            if not self._broken:
                log.exception("%s: the codec failed", self._label)
            self._broken = True
            self._counters.rejected += 1
            self._codec.reset()
            events = []
        if self._counters.frames != self._frames_seen:
            self._frames_seen = self._counters.frames
            self._last_frame = self._clock.monotonic()
            self._attempts = 0
            if self.state is not LinkState.RECEIVING:
                self._change(LinkState.RECEIVING, "")
        if events and self._ignored:
            events = [event for event in events if type(event) is not Reading or event.vital not in self._ignored]
        if events:
            self._set_right(events, now)
            self._listener.receive(self.name, events, acknowledge)
        elif acknowledge:
            acknowledge()

    def _set_right(self, events: list[Event], now: int) -> None:
        """See to it that no two readings of a vital have one stamp, and that none looks old by a wrong clock.

        A reading is stored under its vital and time. A burst after a stall brings several of one vital at once; with
        one stamp for all, only the first would be kept: they are put a nanosecond apart.
        """
        stamps = self._stamps
        for index, event in enumerate(events):
            if type(event) is not Reading:
                continue
            if event.observed_at == now:
                last = stamps.get(event.vital, 0)
                stamp = last + 1 if now <= last < now + _SAME_MOMENT_NS else now
                stamps[event.vital] = stamp
                if stamp != now:
                    events[index] = event._replace(observed_at=stamp)
            else:
                self._believe(event, now, events)
                if self._lag.behind:
                    events[index] = event._replace(clock_behind=self._lag.behind)

    def _believe(self, reading: Reading, now: int, events: list[Event]) -> None:
        """Judge the device's clock by a reading that carries its time; a change is told as a device status."""
        if reading.episodic:
            self._tell_late(reading, now, events)
            return
        if self._lag.observe((now - reading.observed_at) / NS, self._clock.monotonic()):
            behind = self._lag.behind
            text = f"the device's clock is {behind:.0f} s behind" if behind else "clock is right"
            events.append(DeviceStatus("clock_behind", bool(behind), text, now))

    def _tell_late(self, reading: Reading, now: int, events: list[Event]) -> None:
        late = reading.age > LATE_AFTER
        if late != self._late:
            self._late = late
            text = "its pressures arrive long after their own time and are not shown: is its clock right?"
            events.append(DeviceStatus("late", late, text, now))

    async def _tend(self) -> None:
        """Send what is due and notice silence, as long as the device lives."""
        pause = _TENDING if self._polled else _WATCHING
        while True:
            await self._clock.sleep(pause)
            if not self._open:
                continue
            now = self._clock.monotonic()
            if self._polled:
                self._ask(now)
            if self._counters.bytes != self._bytes_seen:
                self._bytes_seen = self._counters.bytes
                self._last_byte = now
            if now - self._last_byte >= self._silent_after:
                self._change(LinkState.SILENT, f"nothing received for {self._silent_after:g} s")
            elif now - self._last_frame >= self._silent_after:
                self._change(LinkState.UNDECODABLE, "bytes come, but none can be decoded: driver, baud rate or format?")

    def _ask(self, now: float) -> None:
        try:
            request = self._codec.request(now)
            if request:
                self._transport.send(request)
        except Exception:
            # A driver that asks for what it has not listed, or a port that fails while being written: the first is
            # never sent, the second is noticed by the reading side.
            if not self._broken:
                log.exception("%s: a request could not be sent", self._label)
            self._broken = True

    def _change(self, state: LinkState, detail: str) -> None:
        if state is self.state:
            return
        self.state = state
        if state is LinkState.RECEIVING:
            self._broken = False
            log.info("%s: receiving", self._label)
        else:
            log.warning("%s: %s: %s", self._label, state.value, detail)
        self._listener.link_changed(self.name, state, detail, self._clock.now_ns())
