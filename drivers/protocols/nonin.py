"""Nonin OEM serial data formats 2, 7, 8 and 13: pulse oximeters that stream, 9600 8N1. Nothing is ever sent.

Confidence A, from the maker's OEM specification of the 9560 and sample frames of a real device, both kept by the
public project mattjlewis/NoninPulseOx. (The command that selects a format writes to the device's permanent memory,
so it is not for a recorder: the device keeps the format that its owner chose.)

    2    01 STATUS PLETH FLOAT CHK                75 a second, 25 make a packet
    7    STATUS PLETH-high PLETH-low FLOAT CHK    the same with a 16-bit wave
    8    FLAGS RATE SPO2 FLAGS2                   once a second, no checksum
    13   00 02 00 0D length time status rate spo2 CHK 03, one spot check

STATUS has bit 7 always set, bit 6 sensor disconnected (in the maker's modules; reserved and clear in the 9560), 5
artifact, 4 out of track, 3 sensor alarm, 2-1 perfusion (10 red, 01 green, 11 yellow), 0 the first frame of a packet.
FLOAT means another thing in each frame: 1 and 2 the pulse rate, 3 SpO2, 8 STAT2 (bit 0 battery low). The plain fields
are used, never the "-D" ones, which hold a value for 10 s after the finger has gone. No value: rate 511, SpO2 127.

Which format it is, is found in the stream, by the same rule at the start and after every gap: formats 2 and 7 must
show a frame with the sync bit and three frames without it, one after the other, all checksums right; format 8 must
show three frames without a reserved bit. In an unbroken stream these cannot be confused: two frames of five bytes put
a set bit 7 where three of four bytes may not have one and the other way round; format 2 read one byte late is format 7
only where status + pleth + float is a multiple of 128 in all four frames, hence where rate, SpO2 and revision suit the
wave by chance. Frames that prove the format give their readings, each with its own time. Once running, a frame of
format 8 is taken as it comes. After ten frames of one format no other is looked for until 400 bytes have brought none
of it: a device accepts a new format in the first 5 s of a connection only, and what noise makes of one format can look
like another.

Decided here, where the documents are silent:

- A packet stands for one third of a second: its flags are those of all its frames together. A sensor that is off in
  any of them takes both values away.
- Perfusion is told for 12 frames with each pulse only. The last pulse's colour holds until the next pulse, for at most
  3 s, so that slow pulses do not make a doubt flicker. Red is a doubt (low perfusion); yellow is not: the maker calls
  it marginal, and the value is meant to be read.
- A packet that is cut off gives what came whole from its sync frame on, and no wave. One that is short though no byte
  of it is damaged gives nothing: a frame is missing somewhere, so none of its numbers can be trusted.
- A spot check from the device's memory is not a current reading: a status tells of it. The device's clock is not used.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Literal

from pydantic import field_validator

from drivers.clock import NS
from drivers.codec import Codec, Driver, Example, NoOptions
from drivers.events import Cause, DeviceStatus, Event, Reading, Validity, Waveform, measured, missing
from drivers.framing import INCOMPLETE, NO_FRAME, Framer, sum8

_RATE = 75.0
"""Frames and pleth samples a second in formats 2 and 7."""
_FRAMES = 25
_PACKET = 5 * _FRAMES
_WAVE_SPAN = round((_FRAMES - 1) / _RATE * NS)
"""From the first to the last sample of a packet, nanoseconds."""
_PROOF = 4
"""Frames of formats 2 and 7 that prove a packet out of the blue; the first three carry the values."""
_PROOF_IN_RUN = 2
"""Those that do where the packet follows on the one before: the two halves of the pulse rate."""
_PROOF_8 = 3
_RESERVED_8 = 0x56
"""Bits of a format 8 frame's last byte that the maker reserves: without a checksum, the best sign of a torn frame."""
_SETTLED_AFTER = 10
"""Frames of one format, with or without damage between them, after which no other is looked for."""
_UNSETTLED_AFTER = 400
"""Bytes without a frame of that format after which the others are looked for again: another device on the same line."""
_PERFUSION_HOLDS = 9
"""Packets, so 3 s: longer than a beat at 20 a minute."""
_SPOT_HEAD = b"\x00\x02\x00\x0d\x00"
_SPOT_LENGTHS = range(14, 65)
"""Of the data section of format 13: 14 now, "may grow"; the upper end keeps a wrong length from blocking the stream."""
_SPOT_AROUND = 8
"""Bytes of a format 13 frame outside its data section."""
_NO_RATE = 511
_NO_SPO2 = 127


class NoninOptions(NoOptions):
    """Options of the driver."""

    format: Literal["auto", "2", "7", "8", "13"] = "auto"
    """The device's serial data format; auto finds it out."""

    @field_validator("format", mode="before")
    @classmethod
    def _number_as_text(cls, value: object) -> object:
        return str(value) if type(value) is int else value


def _packet(buffer: bytearray, start: int, proof: int) -> int:
    """Length of the packet of format 2 or 7 at `start`: 25 frames, or fewer (at least `proof`) before a bad one.

    The caller has seen that the first byte suits the format.
    """
    end = len(buffer)
    lead = buffer[start] == 0x01
    for number in range(_FRAMES):
        at = start + 5 * number
        if at + 5 > end:
            return INCOMPLETE
        first = buffer[at]
        status = buffer[at + 1] if lead else first
        good = (first + buffer[at + 1] + buffer[at + 2] + buffer[at + 3]) & 0xFF == buffer[at + 4]
        if not good or status < 0x80 or (lead and first != 0x01):
            return 5 * number if number >= proof else NO_FRAME
        if (status & 1) != (number == 0):
            return NO_FRAME
    return _PACKET


def _steady(buffer: bytearray, start: int, proof: int, reserved: int) -> int:
    """4 where `proof` frames of format 8 follow one another at `start`, no `reserved` bit set in their last bytes."""
    end = len(buffer)
    for at in range(start, start + 4 * proof):
        if at >= end:
            return INCOMPLETE
        byte = buffer[at]
        place = (at - start) & 3
        if (byte >= 0x80) != (place == 0) or (place == 2 and 100 < byte != _NO_SPO2):
            return NO_FRAME
        if place == 3 and byte & reserved:
            return NO_FRAME
    return 4


def _spot(buffer: bytearray, start: int) -> int:
    """Length of the frame of format 13 at `start`."""
    head = buffer[start : start + 5]
    if not _SPOT_HEAD.startswith(head):
        return NO_FRAME
    if len(buffer) < start + 6:
        return INCOMPLETE
    length = buffer[start + 5]
    if length not in _SPOT_LENGTHS:
        return NO_FRAME
    check = start + 6 + length
    if len(buffer) < check + 2:
        return INCOMPLETE
    if buffer[check + 1] != 0x03 or sum8(buffer[start + 6 : check]) != buffer[check]:
        return NO_FRAME
    return length + _SPOT_AROUND


class NoninCodec(Codec):
    """One oximeter. A frame, to the counters, is a packet of format 2 or 7 or a frame of format 8 or 13."""

    def __init__(self, options: NoninOptions) -> None:
        super().__init__()
        self._formats = ("2", "7", "8", "13") if options.format == "auto" else (options.format,)
        # Where the format is given, a model that uses a reserved bit is read all the same.
        self._reserved = _RESERVED_8 if options.format == "auto" else 0
        self._framer = Framer(self._frame_length, _PACKET, self.counters)
        self._decoders: dict[str, Callable[[bytes, int, list[Event]], None]] = {
            "2": self._packet_2,
            "7": self._packet_7,
            "8": self._format_8,
            "13": self._format_13,
        }
        # Positions count every byte since the codec was made, so that they do not depend on how the bytes were split.
        self._running = ""
        self._end = -1
        self._settled = ""
        self._streak = 0
        self._found: list[tuple[str, int]] = []
        # A frame may have to wait for those that prove its format: it still has the time at which it came.
        self._arrivals: deque[tuple[int, int]] = deque(maxlen=4 * _PROOF_8 + 4)
        self._red = False
        self._without_pulse = 0
        self._active: dict[str, bool] = {}

    def feed(self, data: bytes, received_at: int) -> list[Event]:
        """The events that `data` completes."""
        before = self.counters.bytes
        events: list[Event] = []
        frames = self._framer.feed(data)
        for (form, end), frame in zip(self._found, frames, strict=True):
            self._decoders[form](frame, received_at if end > before else self._arrived(end, received_at), events)
        self._found.clear()
        if data:
            self._arrivals.append((self.counters.bytes, received_at))
        return events

    def reset(self) -> None:
        """Forget half a frame and the format: another device may hang on the new link."""
        self._framer.reset()
        self._arrivals.clear()
        self._running = ""
        self._end = -1
        self._settled = ""
        self._streak = 0
        self._red = False

    def _arrived(self, end: int, latest: int) -> int:
        return next((at for total, at in self._arrivals if total >= end), latest)

    def _frame_length(self, buffer: bytearray, start: int) -> int:
        first = buffer[start]
        position = self.counters.bytes - len(buffer) + start
        running = self._running if position == self._end else ""
        if self._settled and position - self._end > _UNSETTLED_AFTER:
            self._settled = ""
        waiting = False
        forms: tuple[str, ...]
        if first == 0x01:
            forms = ("2",)
        elif first < 0x80:
            forms = ("13",)
        else:
            forms = ("8", "7") if running == "8" else ("7", "8")
        for form in forms:
            if form not in self._formats or self._settled not in {"", form}:
                continue
            if form == "13":
                length = _spot(buffer, start)
            elif form == "8":
                length = _steady(buffer, start, 1 if running == form else _PROOF_8, self._reserved)
            else:
                length = _packet(buffer, start, _PROOF_IN_RUN if running == form else _PROOF)
            if length > 0:
                self._settle(form)
                self._running = form
                self._end = position + length
                self._found.append((form, self._end))
                return length
            waiting = waiting or length == INCOMPLETE
        return INCOMPLETE if waiting else NO_FRAME

    def _settle(self, form: str) -> None:
        """Believe in one format after a while: what noise makes of it must not pass for another one."""
        self._streak = self._streak + 1 if form == self._running else 1
        if self._streak >= _SETTLED_AFTER:
            self._settled = form

    def _packet_2(self, frame: bytes, at: int, events: list[Event]) -> None:
        self._packet(frame[1::5], frame[3::5], frame[2::5], at, events)

    def _packet_7(self, frame: bytes, at: int, events: list[Event]) -> None:
        samples = [high << 8 | low for high, low in zip(frame[1::5], frame[2::5], strict=True)]
        self._packet(frame[0::5], frame[3::5], samples, at, events)

    def _packet(self, statuses: bytes, floats: bytes, samples: Sequence[int], at: int, events: list[Event]) -> None:
        flags = 0
        for status in set(statuses):
            flags |= status
        doubts = _doubts(flags & 0x10, flags & 0x20, self._low_perfusion(statuses))
        off = flags & 0x48
        events.append(_reading("pulse_rate", (floats[0] & 3) << 7 | floats[1] & 0x7F, _NO_RATE, off, doubts, at))
        if len(floats) >= 3:
            events.append(_reading("spo2", floats[2], _NO_SPO2, off, doubts, at))
        if len(samples) == _FRAMES:
            events.append(Waveform("pleth", tuple(samples), _RATE, at - _WAVE_SPAN, at))
        if len(floats) >= 8:
            self._status("low_battery", floats[7] & 0x01, "Battery low", at, events)

    def _format_8(self, frame: bytes, at: int, events: list[Event]) -> None:
        flags, low, spo2, flags2 = frame
        doubts = _doubts(flags & 0x20, flags & 0x04, flags & 0x10)
        off = flags & 0x40 | flags2 & 0x08
        events.append(_reading("pulse_rate", (flags & 3) << 7 | low, _NO_RATE, off, doubts, at))
        events.append(_reading("spo2", spo2, _NO_SPO2, off, doubts, at))
        self._status("low_battery", flags2 & 0x01, "Battery low", at, events)

    def _format_13(self, frame: bytes, at: int, events: list[Event]) -> None:
        high, low = frame[14], frame[15]
        from_memory = low & 0x10
        if high & 0x01:
            check = [missing(vital, at, at, Cause.MEASUREMENT_FAILED) for vital in ("pulse_rate", "spo2")]
        else:
            rate = (frame[16] & 1) << 8 | frame[17]
            check = [
                _reading("pulse_rate", rate, _NO_RATE, 0, (), at),
                _reading("spo2", frame[19], _NO_SPO2, 0, (), at),
            ]
        if not from_memory:
            # A spot check is made once and has an age, like a cuff pressure.
            events += [reading._replace(episodic=True) for reading in check]
        text = "The oximeter sends spot checks from its memory: they are not current and are not recorded as readings"
        self._status("from_memory", from_memory, text, at, events)
        self._status("low_battery", low & 0x01, "Battery low", at, events)

    def _low_perfusion(self, statuses: bytes) -> bool:
        """Whether a pulse in this packet, or the last one before it, was red."""
        colours = [status & 0x06 for status in statuses if status & 0x06]
        if not colours:
            self._without_pulse += 1
            self._red = self._red and self._without_pulse < _PERFUSION_HOLDS
            return self._red
        self._without_pulse = 0
        self._red = colours[-1] == 0x04
        return 0x04 in colours

    def _status(self, code: str, flag: int, text: str, at: int, events: list[Event]) -> None:
        active = bool(flag)
        if active != self._active.get(code, False):
            self._active[code] = active
            events.append(DeviceStatus(code, active, text, at))


def _doubts(out_of_track: int, artifact: int, low_perfusion: int) -> tuple[Cause, ...]:
    if not (out_of_track or artifact or low_perfusion):
        return ()
    flagged = ((out_of_track, Cause.SEARCHING), (artifact, Cause.ARTIFACT), (low_perfusion, Cause.LOW_PERFUSION))
    return tuple(cause for flag, cause in flagged if flag)


def _reading(vital: str, value: int, none: int, off: int, doubts: tuple[Cause, ...], at: int) -> Reading:
    if off:
        return missing(vital, at, at, Cause.SENSOR_OFF)
    if value == none:
        return missing(vital, at, at, *(cause for cause in doubts if cause is Cause.SEARCHING))
    return measured(vital, float(value), at, at, doubts)


_VALID = Validity.VALID

DRIVER = Driver(
    name="nonin",
    title="Nonin oximeter",
    devices=("Nonin 9560 (Onyx II)", "Nonin OEM modules that send formats 2, 7 or 8"),
    make_codec=NoninCodec,
    options=NoninOptions,
    vitals=("pulse_rate", "spo2"),
    waveforms=("pleth",),
    transports=("serial", "tcp", "file"),
    checksum="formats 2 and 7: low byte of the sum of the frame's first four bytes; 13: of its data section; 8: none",
    confidence="A",
    source="Nonin's OEM specification of the 9560, and sample frames of a device, in mattjlewis/NoninPulseOx",
    examples=(
        Example(
            data=bytes.fromhex(
                "01814300C5 0180434A0E 0180436024 0180439458 01804300C4 01804100C2 01803E17D6 01803C04C1 018039601A"
                "0180366017 0180356016 01803400B5 01803400B5 01803400B5 0180354A00 0180366017 0180376018 01803A00BB"
                "01804000C1 01804A00CB 0180574A22 01806900EA 01807C4A47 0180900011 0180A10022"
            ),
            gives=(("pulse_rate", 74.0, _VALID), ("spo2", 96.0, _VALID)),
            source="format 2, a device's whole packet among the sample frames of mattjlewis/NoninPulseOx",
        ),
        Example(
            data=bytes.fromhex(
                "81431000D4 8043104A1D 8043106033 8043109467 80431000D3 80411000D1 803E1017E5 803C1004D0 8039106029"
                "8036106026 8035106025 80341000C4 80341000C4 80341000C4 8035104A0F 8036106026 8037106027 803A1000CA"
                "80401000D0 804A1000DA 8057104A31 80691000F9 807C104A56 8090100020 80A1100031"
            ),
            gives=(("pulse_rate", 74.0, _VALID), ("spo2", 96.0, _VALID)),
            source="format 7, built by the rule from the packet of format 2",
        ),
        Example(
            data=bytes.fromhex("804A6020 81026120 80486020"),
            gives=(
                ("pulse_rate", 74.0, _VALID),
                ("spo2", 96.0, _VALID),
                ("pulse_rate", 130.0, _VALID),
                ("spo2", 97.0, _VALID),
                ("pulse_rate", 72.0, _VALID),
                ("spo2", 96.0, _VALID),
            ),
            source="format 8, three seconds built by the rule",
        ),
        Example(
            data=bytes.fromhex("0002000D000E 2025112509301500 0200 004A 00 60 75 03"),
            gives=(("pulse_rate", 74.0, _VALID), ("spo2", 96.0, _VALID)),
            source="format 13, built by the rule",
        ),
    ),
)
