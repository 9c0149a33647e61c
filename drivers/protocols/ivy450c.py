"""Ivy Biomedical 450C bedside monitor, protocol "Ansar-B": once a second everything that is on its screen.

Confidence B: the layout of a public open-source reader (AnsarB of mdpnp/mdpnp, BSD-2-Clause) and a capture from the
serial port of a real 450C in the same project agree byte for byte. That reader opens the port at 9600 baud, which
carries the 562 bytes a second. Where that decodes nothing, set `line`.

    FF, "ANSAR-B "
    400 bytes of waves: ECG 200 (zero at 100), respiration 50, pleth 50 (zero at 86), P1 50 (zero at 80), P2 50
    text lines, each ended by CR, then FE

    HR=1;80;ECG-II-DIAG;        RR=1;35;APNEA: 20 SEC;        ETCO2=1;;;         SPO2=1;100;PR=80 ;
    NIBP=4;121;75;92;80;;       P1=3;111;73;88;;              P2=3;;;;NO TRANSDUCER;    T1=1;;;    T2=1;;;

The waves are one second, so ECG has 200 samples a second and the others 50; their bytes may have any value, FF and FE
too. The number after "=" has been taken for a status; throughout the capture it is the count of the value fields,
which a label field and an alarm field follow (NIBP: systolic, diastolic, mean, pulse), and is checked as such. No
checksum exists, so all of a text must be as above, its lines in this order (lines may be absent), or none of it is
used. Units are not transmitted: mmHg and degrees Celsius are assumed, and a value that does not suit them is doubted
by its plausible range.

Decided here, where the sources are silent:

- A text whose header was lost (the capture begins with one) still gives its readings, but no waves.
- An empty field, or one of dashes, is no value. A parameter that has never had one is not connected and gives nothing;
  one that lost its value gives an invalid reading a second, with the cause where the words tell it.
- The cuff's numbers have no time and are repeated for ever: they count as a determination when any of them (the pulse
  too) changes, or comes back after a blank; its time is that of receipt. So two equal determinations in a row are one.
  What stands there when the recorder first looks, or looks again, may be old: it has the cause `age_unknown`. Blank
  numbers give nothing: the determination before keeps its own age.
- Words in an alarm field are the device's own alarm; what a label says is not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Literal, NamedTuple

from drivers.clock import NS
from drivers.codec import Codec, Driver, Example, NoOptions, SerialLine
from drivers.events import Cause, DeviceAlarm, Event, Validity, Waveform, measured, missing
from drivers.framing import INCOMPLETE, NO_FRAME, Framer

_HEADER = b"\xffANSAR-B "
_END = 0xFE
_OPENING = b"HR="
_TEXT_AT = len(_HEADER) + 400
_LONGEST_TEXT = 512
"""Bytes; 152 in the capture, and labels and alarms may be longer."""
_TEXT_BYTES = bytes((*range(0x20, 0x7F), 0x0D))
_WAVES = {"ecg": (9, 200), "resp": (209, 50), "pleth": (259, 50), "P1": (309, 50), "P2": (359, 50)}
"""Where each wave begins in the frame, and its samples a second."""

_WHOLE = re.compile(r" *(\d{1,3}|-{1,3})? *")
_SIGNED = re.compile(r" *(-?\d{1,3}|-{1,3})? *")
_DECIMAL = re.compile(r" *(\d{1,3}(?:\.\d{1,2})?|-{1,3})? *")
_PULSE = re.compile(r"PR=(?: *(\d{1,3}|-{1,3}))?(?: +[A-Z].*)?")
_FIELDS = {
    "HR": (1, _WHOLE),
    "RR": (1, _WHOLE),
    "ETCO2": (1, _WHOLE),
    "SPO2": (1, _WHOLE),
    "NIBP": (4, _WHOLE),
    "P1": (3, _SIGNED),
    "P2": (3, _SIGNED),
    "T1": (1, _DECIMAL),
    "T2": (1, _DECIMAL),
}
"""Every line in its order: how many values, and how they are written."""
_WORDS = (
    ("SENSOR OFF", Cause.SENSOR_OFF),
    ("PROBE OFF", Cause.SENSOR_OFF),
    ("LEAD OFF", Cause.SENSOR_OFF),
    ("LEADS OFF", Cause.SENSOR_OFF),
    ("NO SENSOR", Cause.SENSOR_OFF),
    ("NO TRANSDUCER", Cause.SENSOR_OFF),
    ("SEARCH", Cause.SEARCHING),
)
"""What is read out of labels and alarms. Only "NO TRANSDUCER" is in the capture; the others are usual on monitors."""


class Ivy450cOptions(NoOptions):
    """Options of the driver."""

    abp_channel: Literal["P1", "P2", "none"] = "P1"
    """The pressure channel that is an arterial line: the device does not say what a transducer is connected to."""


class _Line(NamedTuple):
    values: tuple[float | None, ...]
    alarm: str
    causes: tuple[Cause, ...]


def _number(text: str | None) -> float | None:
    return float(text) if text and text.strip("-") else None


# The text seldom changes from one second to the next, and is needed twice: to check the frame and to read it.
@lru_cache(maxsize=64)
def _lines(text: bytes) -> Mapping[str, _Line] | None:
    """What the text says, or None where it is not as documented."""
    if not text.endswith(b"\r") or text.translate(None, _TEXT_BYTES):
        return None
    order = iter(_FIELDS)
    found: dict[str, _Line] = {}
    for row in text[:-1].decode("ascii").split("\r"):
        key, _, rest = row.partition("=")
        # Searching the iterator uses it up to the key: a line out of order, unknown or repeated is not found.
        if key not in order:
            return None
        count, form = _FIELDS[key]
        told, *fields = rest.split(";")
        if told != str(count) or len(fields) != count + 2:
            return None
        matches = [form.fullmatch(field) for field in fields[:count]]
        label, alarm = fields[count].strip(), fields[count + 1].strip()
        if key == "SPO2":
            matches.append(_PULSE.fullmatch(label if label.startswith("PR=") else "PR="))
        values = tuple(_number(match[1]) for match in matches if match)
        if len(values) < len(matches):
            return None
        words = f"{label} {alarm}".upper()
        cause = next((cause for word, cause in _WORDS if word in words), None)
        found[key] = _Line(values, alarm, (cause,) if cause else ())
    return found


def _frame_length(buffer: bytearray, start: int) -> int:
    """Length of the whole frame at `start`, or of the text of one whose header was lost."""
    first = buffer[start]
    if first == _HEADER[0]:
        if not _HEADER.startswith(buffer[start : start + len(_HEADER)]):
            return NO_FRAME
        text_at = start + _TEXT_AT
    elif first == _OPENING[0]:
        text_at = start
    else:
        return NO_FRAME
    if not _OPENING.startswith(buffer[text_at : text_at + len(_OPENING)]):
        return NO_FRAME
    close = buffer.find(_END, text_at, text_at + _LONGEST_TEXT)
    if close < 0:
        text = buffer[text_at : text_at + _LONGEST_TEXT]
        hopeless = len(text) == _LONGEST_TEXT or text.translate(None, _TEXT_BYTES)
        return NO_FRAME if hopeless else INCOMPLETE
    return NO_FRAME if _lines(bytes(buffer[text_at:close])) is None else close + 1 - start


class Ivy450cCodec(Codec):
    """One monitor."""

    def __init__(self, options: Ivy450cOptions) -> None:
        super().__init__()
        self._framer = Framer(_frame_length, _TEXT_AT + _LONGEST_TEXT, self.counters)
        self._vitals: dict[str, tuple[str, ...]] = {
            "HR": ("heart_rate",),
            "RR": ("resp_rate",),
            "ETCO2": ("etco2",),
            "SPO2": ("spo2", "pulse_rate"),
            options.abp_channel: ("abp_sys", "abp_dia", "abp_mean"),
            "T1": ("temp",),
        }
        self._abp_channel = options.abp_channel
        self._seen: set[str] = set()
        self._cuff_numbers: tuple[float | None, ...] = ()
        self._looked = False
        self._alarms: dict[str, str] = {}

    def feed(self, data: bytes, received_at: int) -> list[Event]:
        """The events that `data` completes."""
        events: list[Event] = []
        for frame in self._framer.feed(data):
            whole = frame[0] == _HEADER[0]
            lines = _lines(frame[_TEXT_AT:-1] if whole else frame[:-1]) or {}
            for key, line in lines.items():
                if key == "NIBP":
                    self._cuff(line, received_at, events)
                else:
                    self._steady(key, line, received_at, events)
            for key, line in lines.items():
                self._alarm(key, line.alarm, received_at, events)
            if whole:
                self._waves(frame, lines, received_at, events)
        return events

    def reset(self) -> None:
        """Forget half a frame. The cuff's numbers are kept: after a new link the same ones are no new determination."""
        self._framer.reset()
        self._looked = False

    def _steady(self, key: str, line: _Line, at: int, events: list[Event]) -> None:
        for vital, value in zip(self._vitals.get(key, ()), line.values, strict=False):
            if value is not None:
                self._seen.add(vital)
                events.append(measured(vital, value, at, at, line.causes))
            elif vital in self._seen:
                events.append(missing(vital, at, at, *line.causes))

    def _cuff(self, line: _Line, at: int, events: list[Event]) -> None:
        first, self._looked = not self._looked, True
        if line.values == self._cuff_numbers:
            return
        self._cuff_numbers = line.values
        doubts = (Cause.PROVISIONAL,) if None in line.values[:3] else ()
        for vital, value in zip(("nibp_sys", "nibp_dia", "nibp_mean"), line.values, strict=False):
            if value is not None:
                reading = measured(vital, value, at, at, doubts)
                events.append(reading._replace(cause=Cause.AGE_UNKNOWN) if first and not reading.cause else reading)

    def _alarm(self, key: str, text: str, at: int, events: list[Event]) -> None:
        before = self._alarms.get(key, "")
        if text == before:
            return
        self._alarms[key] = text
        if before:
            events.append(DeviceAlarm(key.lower(), False, before, at))
        if text:
            events.append(DeviceAlarm(key.lower(), True, text, at))

    def _waves(self, frame: bytes, lines: Mapping[str, _Line], at: int, events: list[Event]) -> None:
        names = [("ecg", "ecg"), ("resp", "resp"), ("pleth", "pleth")]
        arterial = lines.get(self._abp_channel)
        if arterial and any(value is not None for value in arterial.values):
            names.append(("abp", self._abp_channel))
        for name, part in names:
            begin, rate = _WAVES[part]
            first_at = at - (rate - 1) * NS // rate
            events.append(Waveform(name, tuple(frame[begin : begin + rate]), float(rate), first_at, at))


_VALID = Validity.VALID
_BUILT_WAVES = b"\x64" * 200 + b"\x49" * 50 + b"\xfe\xff" * 25 + b"\x50" * 50 + b"\xfb" * 50
_TEXT = (
    b"HR=1;80;ECG-II-DIAG;\rRR=1;35;APNEA: 20 SEC;\rETCO2=1;;;\rSPO2=1;100;PR=80 ;\rNIBP=4;121;75;92;80;;\r"
    b"P1=3;111;73;88;;\rP2=3;;;;NO TRANSDUCER;\rT1=1;;;\rT2=1;;;\r"
)
_GIVES = (
    ("heart_rate", 80.0, _VALID),
    ("resp_rate", 35.0, _VALID),
    ("spo2", 100.0, _VALID),
    ("pulse_rate", 80.0, _VALID),
    ("nibp_sys", 121.0, _VALID),
    ("nibp_dia", 75.0, _VALID),
    ("nibp_mean", 92.0, _VALID),
    ("abp_sys", 111.0, _VALID),
    ("abp_dia", 73.0, _VALID),
    ("abp_mean", 88.0, _VALID),
)

DRIVER = Driver(
    name="ivy450c",
    title="Ivy 450C",
    devices=("Ivy Biomedical 450C",),
    make_codec=Ivy450cCodec,
    options=Ivy450cOptions,
    vitals=(*(vital for vital, _, _ in _GIVES[:2]), "etco2", *(vital for vital, _, _ in _GIVES[2:]), "temp"),
    waveforms=("ecg", "resp", "pleth", "abp"),
    transports=("serial", "tcp", "file"),
    line=SerialLine(baudrate=9600),
    confidence="B",
    source="the AnsarB reader and the Ivy 450C capture of mdpnp/mdpnp, interop-lab/demo-devices (BSD-2-Clause)",
    examples=(
        Example(
            data=_TEXT + b"\xfe",
            gives=_GIVES,
            source="the text that opens the capture Ivy450C.1.data of mdpnp/mdpnp (BSD-2-Clause); its header was lost",
        ),
        Example(
            data=_HEADER
            + b"\x64" * 200
            + b"\x49" * 50
            + b"\xfe\xff" * 25
            + b"\x50" * 50
            + b"\xfb" * 50
            + _TEXT
            + b"\xfe",
            gives=_GIVES,
            source="a whole frame built by the rule around that text, with FE and FF in a wave",
        ),
    ),
)
