"""The device side of the Dinamap host communication: answers NA, NF, OA, RA, RC and TC, and says nothing unasked.

Check characters follow the rule in `drivers.protocols.dinamap`; a request whose own disagree gets no answer. What the
fields hold while the cuff works is in no document: here the pressures are 000 until, for the last ten seconds, the
systolic stands alone, as other monitors are known to show it.
"""

from __future__ import annotations

from drivers.protocols.dinamap import check_characters
from simulators.device_side import DeviceSide
from simulators.patient import Patient

_LONGEST_REQUEST = 64
"""Bytes without a CR after which the oldest are dropped."""
_SYSTOLIC_ALONE = 10.0
"""Seconds before a determination's end from which its systolic is shown."""
_OLDEST = 5400
"""Seconds after which pressures are shown no longer."""


class DinamapSide(DeviceSide):
    """A monitor with a cuff, and with an oximeter where it was ordered with one; no thermometer."""

    def __init__(self, patient: Patient, *, oximeter: bool = False) -> None:
        super().__init__(patient)
        self.started_by_host = 0
        """How often a host told it to start or to cancel a cuff. A recorder never does."""
        self._oximeter = oximeter
        self._pending = b""

    def tick(self, now: float) -> bytes:  # noqa: ARG002 - a polled device says nothing by itself
        """Nothing: it speaks only when asked."""
        return b""

    def answer(self, data: bytes, now: float) -> bytes:
        """The replies to the requests that `data` completes."""
        *requests, pending = (self._pending + data).split(b"\r")
        self._pending = pending[-_LONGEST_REQUEST:]
        return b"".join(self._reply(request.lstrip(b"\n"), now) for request in requests)

    def _reply(self, request: bytes, now: float) -> bytes:
        command, check = request[:-2], request[-2:]
        if not request.startswith(b" ") or check_characters(command) != check:
            return b""
        letters = command[1:]
        if letters in (b"NC0", b"ND"):
            self.started_by_host += 1
        fields = self._fields(letters, now)
        if not fields:
            return b""
        message = b" " + letters + fields.encode()
        return message + check_characters(message) + b"\r"

    def _fields(self, letters: bytes, now: float) -> str:
        if letters in (b"NA", b"NF"):
            return self._cuff(now)
        if letters == b"OA":
            return f"1{round(self.patient.spo2(now)):03d}708" if self._on_finger(now) else "6000008"
        if letters in (b"RA", b"RC"):
            return self._rate(now)
        return "40 9999900000" if letters == b"TC" else ""

    def _cuff(self, now: float) -> str:
        patient = self.patient
        ended = patient.last_cuff_at(now)
        age = min(int(now - ended), _OLDEST + 1)
        if patient.cuff_busy(now):
            left = ended + patient.cuff_every - now
            sys = patient.pressure(ended + patient.cuff_every).sys if left <= _SYSTOLIC_ALONE else 0
            return f"010{age if age <= _OLDEST else 9999:04d}{sys:03d}000000"
        if age > _OLDEST:
            return "1109999000000000"
        found = patient.pressure(ended)
        return f"110{age:04d}{found.sys:03d}{found.dia:03d}{found.mean:03d}"

    def _rate(self, now: float) -> str:
        if self._on_finger(now):
            return f"2{round(self.patient.heart_rate(now)):03d}"
        return f"3{round(self.patient.heart_rate(self.patient.last_cuff_at(now))):03d}"

    def _on_finger(self, now: float) -> bool:
        return self._oximeter and not self.patient.probe_off(now)


SIDE = DinamapSide
