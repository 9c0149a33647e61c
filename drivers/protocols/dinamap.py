"""GE Dinamap host communication: the cuff, oximeter and thermometer monitors that speak only when asked.

A message, either way: a space (the unit's id), two letters, data, two check characters, CR. A reply may have a CR in
front. 9600 8N1, no flow control.

Confidence B: three independent drivers agree on the fields, one of them quoting the maker's manual (2010566) line by
line. The check characters are confidence C: with S the sum over all characters before them of (code - 31), they are
0x20 + (S >> 6) and 0x20 + (S & 63). That rule fits all published requests, but only one of three published replies.
So it cannot be the judge: a reply whose check characters disagree is decoded, its readings are questionable with the
cause `checksum`, and it counts both in `counters.frames` and in `counters.rejected`. `DRIVER.checksum` stays empty
because no frame is refused for it; what is a frame is decided by its letters, its exact length and its digits.

What is asked, each in turn, a round in two seconds: NA (cuff), OA (oximeter), RA (pulse rate), TC (temperature). The
option `cuff: NF` asks NF in NA's place: same fields, and of the two the one whose replies are published. RC, the rate
on the panel, is never asked: it has RA's fields and adds nothing. The two commands that exist to start and to cancel
a cuff are in no list of this module.

A pulse rate whose source is the cuff (RA source 3) is not given: it is as old as the last determination, RA does not
say how old, and it would look like a running pulse.

While the cuff measures the status `cuff_busy` stands: an oximeter's sensor on the same arm has no blood to look at
meanwhile. A lost link does not end it; the first reply after that tells.
"""

from __future__ import annotations

import re
from typing import Final, Literal

from drivers.clock import NS
from drivers.codec import Codec, Driver, Example, NoOptions, SerialLine
from drivers.events import Cause, DeviceStatus, Event, Validity, measured, missing
from drivers.framing import INCOMPLETE, NO_FRAME, Framer

REQUESTS: Final[dict[bytes, str]] = {
    b" NA!2\r": "state of the cuff, last pressures and their age",
    b" NF!7\r": "state of the cuff, last pressures and their age, where NA is not answered",
    b" OA!3\r": "oxygen saturation and state of the sensor",
    b" RA!6\r": "pulse rate and its source",
    b" TC!:\r": "last temperature and its age",
}

_SLOT = 0.5
"""Seconds from one request to the next: four requests make a round of two seconds."""
_REPLY_TIMEOUT = 1.0
"""Seconds after which a reply is not waited for any longer; the longest takes 25 ms on the wire."""
_JITTER = 2
"""Seconds by which an age may differ from what is expected: whole seconds at one end, a poll's delay at the other."""
_OLDEST_CUFF = 5400
"""Seconds: the greatest age that the manual gives for pressures; 9999 means none."""
_OLDEST_TEMP = 99990

_Gives = tuple[tuple[str, float | None, Validity], ...]

_CR, _SPACE = 0x0D, 0x20
_VALUE = rb"(?:\d{3}|-99)"
_SHAPES: Final = {
    letters: (length, re.compile(rb" %b%b[ -~]{2}\r" % (letters, fields)))
    for letters, length, fields in (
        (b"NA", 22, rb"\d{7}" + _VALUE * 3),
        (b"NF", 22, rb"\d{7}" + _VALUE * 3),
        (b"OA", 13, rb"\d" + _VALUE + rb"\d{3}"),
        (b"RA", 10, rb"\d" + _VALUE),
        (b"TC", 19, rb"\d\d[ -~]\d{10}"),
    )
}
_LONGEST = 1 + max(length for length, _ in _SHAPES.values())

_PRESSURES = ("nibp_sys", "nibp_dia", "nibp_mean")
_BUSY, _DONE = b"0", b"1"
_CUFF_FAULTS: Final = {
    b"3": "cuff: determination failed",
    b"4": "cuff: pump-up took too long",
    b"6": "cuff: determination took too long",
    b"7": "cuff: one pressure was held too long",
    b"8": "cuff: overpressure, or air left in the cuff",
    b"9": "cuff: state unknown to the monitor",
}
_SATURATION_LOST: Final = {b"6": Cause.SENSOR_OFF}
"""Standby (0) and "no data" (3) are no reason; 6 is an unplugged sensor, on some models also one off the finger."""
_TEMP_FAULTS: Final = {b"2": Cause.MEASUREMENT_FAILED, b"3": Cause.SENSOR_OFF, b"4": Cause.SENSOR_OFF}
"""Took too long; no contact with the tissue; aborted or the probe unplugged."""


def check_characters(message: bytes) -> bytes:
    """The two characters that follow `message`, which begins with its unit id."""
    total = sum(message) - 31 * len(message)
    return bytes((0x20 + (total >> 6), 0x20 + (total & 63)))


def _frame_length(buffer: bytearray, start: int) -> int:
    lead = 1 if buffer[start] == _CR else 0
    begin = start + lead
    available = len(buffer) - begin
    if available and buffer[begin] != _SPACE:
        return NO_FRAME
    if available < 3:
        return INCOMPLETE
    shape = _SHAPES.get(bytes(buffer[begin + 1 : begin + 3]))
    if shape is None:
        return NO_FRAME
    length, pattern = shape
    # A CR too early ends it at once, so that a good reply behind a torn one need not wait for the next.
    if available < length and buffer.find(_CR, begin) < 0:
        return INCOMPLETE
    return lead + length if pattern.match(buffer, begin) else NO_FRAME


class Options(NoOptions):
    """What a configuration may say of a Dinamap."""

    cuff: Literal["NA", "NF"] = "NA"
    """Which request reads the cuff."""


class _Determinations:
    """Tells a new determination from the last one seen again. Ages are whole seconds and count up."""

    def __init__(self, oldest: int) -> None:
        self._oldest = oldest
        self._numbers: tuple[int, ...] = ()
        self._age = 0
        self._seen_at = 0.0

    def is_new(self, numbers: tuple[int, ...], age: int, looked_at: float, *, sure: bool, busy: bool = False) -> bool:
        """Whether this is another determination than the one last accepted; `looked_at` is in seconds.

        It is when its age has fallen, or when it ended after the last look at it: both hold whatever the two clocks'
        drift, and neither can come from a poll that was late. Other numbers under an age that runs on count too,
        unless they may be line noise (not `sure`). While the cuff is `busy` old numbers may stand beside a counter
        that was set back, so both must have changed.
        """
        since = looked_at - self._seen_at
        # A counter that stands at its end no longer tells how old the determination is.
        younger = age < self._oldest and (age + _JITTER < self._age or age + _JITTER < since)
        changed = numbers != self._numbers
        first = not self._numbers
        new = (younger and changed and not first) if busy else (first or younger or (changed and sure))
        if new or not (busy or changed):
            self._numbers, self._age, self._seen_at = numbers, age, looked_at
        return new


class Dinamap(Codec):
    """One monitor. After `reset` it still knows which determinations it has given."""

    def __init__(self, options: Options) -> None:
        super().__init__()
        letters = (options.cuff.encode(), b"OA", b"RA", b"TC")
        self._round = tuple(request for name in letters for request in REQUESTS if request[1:3] == name)
        self._framer = Framer(_frame_length, _LONGEST, self.counters)
        self._turn = 0
        self._next_at = float("-inf")
        self._asked_at = 0.0
        self._outstanding = b""
        self._cuffs = _Determinations(_OLDEST_CUFF)
        self._cuff_state = b""
        self._cuff_fault = ""
        self._provisional = 0
        self._temps = _Determinations(_OLDEST_TEMP)
        self._temp_state = b""
        self._had: set[str] = set()
        self._read = {
            b"NA": self._cuff,
            b"NF": self._cuff,
            b"OA": self._saturation,
            b"RA": self._pulse,
            b"TC": self._temperature,
        }

    def request(self, now: float) -> bytes | None:
        """The next request of the round: one at a time, a new one when the last was answered or waited for in vain."""
        if now < self._next_at or (self._outstanding and now - self._asked_at < _REPLY_TIMEOUT):
            return None
        request = self._round[self._turn]
        self._turn = (self._turn + 1) % len(self._round)
        self._next_at = (self._next_at if now - self._next_at < _SLOT else now) + _SLOT
        self._asked_at = now
        self._outstanding = request[1:3]
        return request

    def reset(self) -> None:
        """Forget half a frame and the request that was waiting for its reply."""
        self._framer.reset()
        self._outstanding = b""
        self._turn = 0
        self._next_at = float("-inf")

    def feed(self, data: bytes, received_at: int) -> list[Event]:
        """The events of the replies that `data` completes."""
        events: list[Event] = []
        for frame in self._framer.feed(data):
            message = frame[1:] if frame[0] == _CR else frame
            letters = message[1:3]
            if letters == self._outstanding:
                self._outstanding = b""
            doubts: tuple[Cause, ...] = ()
            if check_characters(message[:-3]) != message[-3:-1]:
                self.counters.rejected += 1
                doubts = (Cause.CHECKSUM,)
            events += self._read[letters](message, received_at, doubts)
        return events

    def _looked_at(self, received_at: int) -> float:
        """When the reply was asked for, on the clock that nobody sets; in a capture nobody asks, so when it came."""
        return self._asked_at or received_at / NS

    def _cuff(self, message: bytes, received_at: int, doubts: tuple[Cause, ...]) -> list[Event]:
        state, before = message[3:4], self._cuff_state
        self._cuff_state = state
        events: list[Event] = []
        if (state == _BUSY) != (before == _BUSY):
            events.append(DeviceStatus("cuff_busy", state == _BUSY, "cuff: measuring", received_at))
        return events + self._determination(message, state, before, received_at, doubts)

    def _determination(
        self, message: bytes, state: bytes, before: bytes, received_at: int, doubts: tuple[Cause, ...]
    ) -> list[Event]:
        fault = _CUFF_FAULTS.get(state)
        if fault:
            return self._cuff_failed(fault, received_at, doubts) if state != before else []
        age = int(message[6:10])
        sys, dia = _value(message, 10), _value(message, 13)
        numbers = (sys, dia, _value(message, 16))
        if state == _BUSY:
            if (
                age <= _OLDEST_CUFF
                and all(numbers)
                and self._cuffs.is_new(numbers, age, self._looked_at(received_at), sure=not doubts, busy=True)
            ):
                return self._pressures(numbers, received_at - age * NS, received_at, doubts)
            if sys and not dia and sys != self._provisional:
                self._provisional = sys
                return [measured("nibp_sys", sys, received_at, received_at, (Cause.PROVISIONAL, *doubts))]
            return []
        self._provisional = 0
        if state != _DONE:
            return []
        events: list[Event] = []
        if self._cuff_fault:
            events.append(DeviceStatus("nibp", False, self._cuff_fault, received_at))
            self._cuff_fault = ""
        if (
            age <= _OLDEST_CUFF
            and any(numbers)
            and self._cuffs.is_new(numbers, age, self._looked_at(received_at), sure=not doubts)
        ):
            events += self._pressures(numbers, received_at - age * NS, received_at, doubts)
        return events

    def _cuff_failed(self, fault: str, received_at: int, doubts: tuple[Cause, ...]) -> list[Event]:
        self._provisional = 0
        causes = (Cause.MEASUREMENT_FAILED, *doubts)
        events: list[Event] = [missing(vital, received_at, received_at, *causes) for vital in _PRESSURES]
        if fault != self._cuff_fault:
            self._cuff_fault = fault
            events.append(DeviceStatus("nibp", True, fault, received_at))
        return events

    def _pressures(
        self, numbers: tuple[int, ...], observed_at: int, received_at: int, doubts: tuple[Cause, ...]
    ) -> list[Event]:
        sys_doubts = doubts if numbers[1] else (Cause.PROVISIONAL, *doubts)
        return [
            measured(vital, number, observed_at, received_at, sys_doubts if vital == "nibp_sys" else doubts)
            if number
            else missing(vital, observed_at, received_at, Cause.NO_DATA, *doubts)
            for vital, number in zip(_PRESSURES, numbers, strict=True)
        ]

    def _saturation(self, message: bytes, received_at: int, doubts: tuple[Cause, ...]) -> list[Event]:
        state = message[3:4]
        value = _value(message, 4) if state == b"1" else 0
        return self._running("spo2", value, received_at, _SATURATION_LOST.get(state, Cause.NO_DATA), doubts)

    def _pulse(self, message: bytes, received_at: int, doubts: tuple[Cause, ...]) -> list[Event]:
        value = _value(message, 4) if message[3:4] == b"2" else 0
        return self._running("pulse_rate", value, received_at, Cause.NO_DATA, doubts)

    def _running(self, vital: str, value: int, received_at: int, lost: Cause, doubts: tuple[Cause, ...]) -> list[Event]:
        """A value that is measured all the time; a monitor without its sensor is not one that lost it."""
        if value:
            self._had.add(vital)
            return [measured(vital, value, received_at, received_at, doubts)]
        if vital in self._had:
            return [missing(vital, received_at, received_at, lost, *doubts)]
        return []

    def _temperature(self, message: bytes, received_at: int, doubts: tuple[Cause, ...]) -> list[Event]:
        state, before = message[3:4], self._temp_state
        self._temp_state = state
        cause = _TEMP_FAULTS.get(state)
        if cause and state != before and "temp" in self._had:
            return [missing("temp", received_at, received_at, cause, *doubts)._replace(episodic=True)]
        age, tenths = int(message[6:11]), int(message[11:15])
        if state != b"0" or age > _OLDEST_TEMP or not tenths:
            return []
        if not self._temps.is_new((tenths,), age, self._looked_at(received_at), sure=not doubts):
            return []
        self._had.add("temp")
        # Always tenths of a degree Fahrenheit, whatever the monitor's own display shows.
        celsius = round((tenths / 10 - 32) * 5 / 9, 2)
        return [measured("temp", celsius, received_at - age * NS, received_at, doubts)._replace(episodic=True)]


def _value(message: bytes, at: int) -> int:
    """The three characters there; 0 where they are one of the signs for no value, 0 and -99."""
    return max(0, int(message[at : at + 3]))


def _three(sys: float | None, dia: float | None, mean: float | None, validity: Validity) -> _Gives:
    return tuple((vital, value, validity) for vital, value in zip(_PRESSURES, (sys, dia, mean), strict=True))


_MANUAL = "GE manual 2010566, field by field as quoted in a published driver; check characters built by the rule"

DRIVER = Driver(
    name="dinamap",
    title="GE Dinamap",
    devices=("GE Dinamap Pro", "GE Dinamap ProCare", "GE CARESCAPE V100", "GE Dash 2500"),
    make_codec=Dinamap,
    options=Options,
    vitals=("nibp_sys", "nibp_dia", "nibp_mean", "spo2", "pulse_rate", "temp"),
    transports=("serial", "tcp", "file"),
    line=SerialLine(baudrate=9600),
    requests=REQUESTS,
    polled=True,
    checksum="",
    confidence="B",
    source="three independent published drivers, one quoting GE manual 2010566; check characters (C) derived from "
    "eight published requests",
    examples=(
        Example(
            b" NF1101762127073078&<\r",
            _three(127, 73, 78, Validity.VALID),
            "a real monitor's reply, published in a driver for the V100; its check characters fit the rule",
        ),
        Example(
            b" NF1102207118080091&+\r",
            _three(118, 80, 91, Validity.QUESTIONABLE),
            "a reply published beside the first; its check characters do not fit the rule",
        ),
        Example(b" NA3109999000000000&*\r", _three(None, None, None, Validity.INVALID), _MANUAL),
        Example(b" OA1098708#K\r", (("spo2", 98, Validity.VALID),), _MANUAL),
        Example(b' RA2072"E\r', (("pulse_rate", 72, Validity.VALID),), _MANUAL),
        Example(b" TC00A0001209860%B\r", (("temp", 37.0, Validity.VALID),), _MANUAL),
    ),
)
