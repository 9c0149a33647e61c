"""The device side of JSON over MQTT: one message a second, in the names that `drivers.protocols.mqtt_json` knows."""

from __future__ import annotations

import json
import time
from typing import Any

from drivers.clock import NS, iso
from simulators.device_side import DeviceSide
from simulators.patient import Patient

_PLETH_RATE = 75
"""Samples per second."""


class MqttJsonSide(DeviceSide):
    """A gateway in front of a monitor with ECG, oximeter and cuff."""

    def __init__(self, patient: Patient, *, start_ns: int | None = None, pleth: bool = False) -> None:
        """`start_ns` is the UTC time, in nanoseconds, at which the patient's time is 0; now, where it is not given."""
        super().__init__(patient)
        self._start_ns = time.time_ns() if start_ns is None else start_ns
        self._pleth = pleth

    def tick(self, now: float) -> bytes:
        """The message of this second: current values, and the last cuff determination again."""
        patient = self.patient
        payload: dict[str, Any] = {
            "time": self._iso(now),
            "heart_rate": round(patient.heart_rate(now)),
            "resp_rate": round(patient.resp_rate(now)),
        }
        if patient.probe_off(now):
            off = {"value": None, "validity": "invalid", "cause": "sensor_off"}
            payload |= {"pulse_rate": off, "spo2": off, "perfusion_index": off}
        else:
            payload |= {
                "pulse_rate": round(patient.heart_rate(now)),
                "spo2": round(patient.spo2(now)),
                "perfusion_index": round(patient.perfusion_index(now), 1),
            }
            if self._pleth:
                payload["pleth"] = {"rate": _PLETH_RATE, "samples": self._samples(now)}
        ended = patient.last_cuff_at(now)
        found = patient.pressure(ended)
        payload["nibp"] = {"time": self._iso(ended), "sys": found.sys, "dia": found.dia, "mean": found.mean}
        return json.dumps(payload, separators=(",", ":")).encode()

    def _samples(self, now: float) -> list[int]:
        first = now - (_PLETH_RATE - 1) / _PLETH_RATE
        return [round(1000 * self.patient.pleth(first + n / _PLETH_RATE)) for n in range(_PLETH_RATE)]

    def _iso(self, t: float) -> str:
        return iso(self._start_ns + round(t * NS))


SIDE = MqttJsonSide
