"""A Nonin oximeter's end of the wire: serial data formats 2, 7, 8 and 13, as `drivers/protocols/nonin.py` describes.

Its own choices: red perfusion below a perfusion index of 0.4 %, yellow below 1 %; firmware revision 48; a clock that
shows 1 January 2026 at the patient's start. The plain fields go missing as soon as the probe is off; the "-D" fields
hold for 10 s, as the real device's do.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Literal

from simulators.device_side import DeviceSide
from simulators.patient import Patient

_RATE = 75
_FRAMES = 25
_NO_RATE = 511
_NO_SPO2 = 127
_HOLD = 10.0
_PULSE_FRAMES = 12
"""Frames for which the perfusion bits show a pulse."""
_RED_BELOW = 0.4
_YELLOW_BELOW = 1.0
_STEPS = 128
"""Entries of the table of one pulse wave."""
_REVISION = 48
_SMART_POINT = 0x20
_CLOCK_START = datetime(2026, 1, 1)  # noqa: DTZ001 - a device's clock knows no zone


class NoninSide(DeviceSide):
    """One oximeter; its format may be given as in the driver's options, where "auto" leaves it at format 2.

    In formats 2 and 7 each tick is a frame, and the patient is asked once a packet.
    """

    def __init__(self, patient: Patient, format: Literal["auto", "2", "7", "8", "13"] | int = "2") -> None:  # noqa: A002 - the driver's option has this name
        super().__init__(patient)
        self._format = "2" if format == "auto" else str(format)
        self.period = 1 / _RATE if self._format in ("2", "7") else 1.0
        self._beat = 60 / patient.heart_rate(0)
        self._pleth = bytes(min(255, round(230 * patient.pleth(i / _STEPS * self._beat))) for i in range(_STEPS))
        self._packet: list[bytes] = []
        self._next = 0
        self._thirds = 0
        self._held = (_NO_RATE, _NO_SPO2)
        self._held_at = -math.inf

    def tick(self, now: float) -> bytes:
        """The frame of this tick."""
        if self._format == "8":
            return self._format_8(now)
        if self._format == "13":
            return self._format_13(now)
        if self._next == len(self._packet):
            self._packet = self._make_packet(now)
            self._next = 0
        frame = self._packet[self._next]
        self._next += 1
        return frame

    def _measure(self, now: float) -> tuple[int, int, bool]:
        """Pulse rate, SpO2, and whether the probe is off."""
        if self.patient.probe_off(now):
            return _NO_RATE, _NO_SPO2, True
        return round(self.patient.heart_rate(now)), round(self.patient.spo2(now)), False

    def _make_packet(self, now: float) -> list[bytes]:
        rate, spo2, off = self._measure(now)
        if not off:
            self._held, self._held_at = (rate, spo2), now
        held_rate, held_spo2 = self._held if now - self._held_at <= _HOLD else (_NO_RATE, _NO_SPO2)
        rate_high, rate_low = rate >> 7, rate & 0x7F
        held_high, held_low = held_rate >> 7, held_rate & 0x7F
        self._thirds = (self._thirds + 1) & 0x3FFF
        floats = (
            *(rate_high, rate_low, spo2, _REVISION, 0, self._thirds >> 7, self._thirds & 0x7F, _SMART_POINT),
            *(held_spo2, spo2, spo2, 0, 0, rate_high, rate_low, spo2, held_spo2, 0, 0),
            *(held_high, held_low, held_high, held_low, 0, 0),
        )
        status = 0x98 if off else 0x80
        step = _STEPS / _RATE / self._beat
        phase = now / self._beat * _STEPS
        colour = self._colour(now)
        shown = _PULSE_FRAMES * step
        table = self._pleth
        frames = []
        for number, value in enumerate(floats):
            place = int(phase + number * step) % _STEPS
            pleth, flags = (0, status) if off else (table[place], status | (colour if place < shown else 0))
            body = self._body(flags | (number == 0), pleth, value)
            frames.append(body + bytes((sum(body) & 0xFF,)))
        return frames

    def _body(self, status: int, pleth: int, value: int) -> bytes:
        if self._format == "2":
            return bytes((0x01, status, pleth, value))
        return bytes((status, pleth, 0, value))

    def _colour(self, now: float) -> int:
        perfusion = self.patient.perfusion_index(now)
        if perfusion < _RED_BELOW:
            return 0x04
        return 0x06 if perfusion < _YELLOW_BELOW else 0x02

    def _format_8(self, now: float) -> bytes:
        rate, spo2, off = self._measure(now)
        colour = 0 if off else {0x04: 0x10, 0x06: 0x08}.get(self._colour(now), 0)
        flags = 0x80 | (0x20 if off else 0) | colour | rate >> 7
        return bytes((flags, rate & 0x7F, spo2, _SMART_POINT | (0x08 if off else 0)))

    def _format_13(self, now: float) -> bytes:
        rate, spo2, off = self._measure(now)
        moment = _CLOCK_START + timedelta(seconds=now)
        clock = bytes.fromhex(f"{moment:%Y%m%d%H%M%S}{moment.microsecond // 10_000:02d}")
        data = clock + bytes((0x01 if off else 0x02, 0, rate >> 8, rate & 0xFF, 0, spo2))
        return b"\x00\x02\x00\x0d\x00" + bytes((len(data),)) + data + bytes((sum(data) & 0xFF, 0x03))


SIDE = NoninSide
