"""An Ivy 450C's end of the wire: one Ansar-B frame a second, as `drivers/protocols/ivy450c.py` describes.

Its own choices: no CO2, no temperature, and an arterial line on P1 only where asked for, as the patient of an infusion
clinic has none of them; the waves' sizes; how a missing probe is worded.
"""

from __future__ import annotations

import math

from simulators.device_side import DeviceSide
from simulators.patient import Patient

_NO_TRANSDUCER = 0xFB
"""What the capture has in P2, where nothing is connected."""
_ECG_ZERO = 100
_PLETH_ZERO = 86
_PRESSURE_ZERO = 80
_FIRST_CUFF = 2.0
"""Seconds after it was switched on at which the monitor shows its first cuff pressure."""
_STEPS = 200
"""Entries of the table of one beat's ECG."""


def _ecg(phase: float) -> float:
    """One beat, -1 to 1: P, QRS and T as bumps at their usual places; `phase` 0 to 1."""
    bumps = ((0.15, 0.1, 0.025), (0.28, -0.15, 0.008), (0.3, 1.0, 0.01), (0.32, -0.25, 0.01), (0.55, 0.25, 0.05))
    return sum(size * math.exp(-(((phase - at) / width) ** 2)) for at, size, width in bumps)


_ECG = bytes(round(_ECG_ZERO + 140 * _ecg(step / _STEPS)) for step in range(_STEPS))


class Ivy450cSide(DeviceSide):
    """One monitor with ECG, respiration, an oximeter and a cuff."""

    period = 1.0

    def __init__(self, patient: Patient, *, arterial_line: bool = False) -> None:
        super().__init__(patient)
        self._arterial_line = arterial_line
        self._beat = 60 / patient.heart_rate(0)
        self._pulse = [patient.pleth(step / _STEPS * self._beat) for step in range(_STEPS)]

    def tick(self, now: float) -> bytes:
        """The frame of the second that ends at `now`."""
        return b"\xffANSAR-B " + self._waves(now) + self._text(now) + b"\xfe"

    def _waves(self, now: float) -> bytes:
        patient = self.patient
        begin = now - 1
        ecg = bytes(_ECG[self._step(begin + i / 200)] for i in range(200))
        breath = 2 * math.pi * patient.resp_rate(0) / 60
        resp = bytes(round(80 + 40 * math.sin(breath * (begin + i / 50))) for i in range(50))
        pulse = [self._pulse[self._step(begin + i / 50)] for i in range(50)]
        off = patient.probe_off(now)
        pleth = bytes(_PLETH_ZERO if off else round(_PLETH_ZERO + 120 * value) for value in pulse)
        if self._arterial_line:
            cuff = patient.pressure(patient.last_cuff_at(now))
            height = cuff.sys - cuff.dia
            p1 = bytes(min(255, round(_PRESSURE_ZERO + (cuff.dia + height * value) / 2)) for value in pulse)
        else:
            p1 = bytes((_NO_TRANSDUCER,)) * 50
        return ecg + resp + pleth + p1 + bytes((_NO_TRANSDUCER,)) * 50

    def _step(self, t: float) -> int:
        return int(t / self._beat * _STEPS) % _STEPS

    def _text(self, now: float) -> bytes:
        patient = self.patient
        rate = round(patient.heart_rate(now))
        oximeter = ";SENSOR OFF;" if patient.probe_off(now) else f"{round(patient.spo2(now))};PR={rate:<3d};"
        cuff_at = patient.last_cuff_at(now)
        cuff = patient.pressure(cuff_at)
        pressures = f"{cuff.sys};{cuff.dia};{cuff.mean}"
        line = f"{pressures};;" if self._arterial_line else ";;;NO TRANSDUCER;"
        rows = (
            f"HR=1;{rate};ECG-II-DIAG;",
            f"RR=1;{round(patient.resp_rate(now))};APNEA: 20 SEC;",
            "ETCO2=1;;;",
            f"SPO2=1;{oximeter}",
            f"NIBP=4;{pressures};{round(patient.heart_rate(cuff_at))};;" if now >= _FIRST_CUFF else "NIBP=4;;;;;;",
            f"P1=3;{line}",
            "P2=3;;;;NO TRANSDUCER;",
            "T1=1;;;",
            "T2=1;;;",
        )
        return "".join(f"{row}\r" for row in rows).encode("ascii")


SIDE = Ivy450cSide
