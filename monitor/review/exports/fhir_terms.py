"""What all resources of a FHIR bundle are made of: codes, references, times; as plain dictionaries of JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from drivers.clock import NS
from drivers.events import Cause, Validity
from drivers.vitals import VITALS
from monitor.review.chart import Chart
from monitor.review.exports.registry import Export

Resource = dict[str, Any]

LOINC = "http://loinc.org"
MDC = "urn:iso:std:iso:11073:10101"
UCUM = "http://unitsofmeasure.org"
_ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"

_NAMESPACE = UUID("5f0c9a52-8d0e-4d53-9c3a-6a1f6b1d2f70")
_PROFILED = {
    "pulse_rate": "8867-4",
    "spo2": "2708-6",
    "nibp_sys": "8480-6",
    "nibp_dia": "8462-4",
    "nibp_mean": "8478-0",
}
"""LOINC codes that the vital-signs profiles of FHIR want, before the table's own."""
_REASONS = {
    Cause.SENSOR_OFF: "not-performed",
    Cause.MEASUREMENT_FAILED: "error",
    Cause.ARTIFACT: "error",
    Cause.CHECKSUM: "error",
}


class Ids:
    """The ids of a session's resources: the same for the same record, whoever exports it and when."""

    def __init__(self, export: Export) -> None:
        site, session = export.site, export.chart.session
        self._of_session = uuid5(_NAMESPACE, f"{site}/session/{session.id}")
        self.patient = str(uuid5(_NAMESPACE, f"{site}/reference/{session.reference}"))
        """The same in all sessions of a patient, as far as the reference is."""
        self.encounter = self.of("encounter")
        self.software = self.of("software")

    def of(self, name: str) -> str:
        """That of the part of the session with that name."""
        return str(uuid5(self._of_session, name))

    def device(self, device: str) -> str:
        """That of a device."""
        return self.of(f"device/{device}")

    def metric(self, device: str, vital: str) -> str:
        """That of what a device measures."""
        return self.of(f"metric/{device}/{vital}")


def reference(id_: str) -> Resource:
    """A reference to another resource of the bundle."""
    return {"reference": f"urn:uuid:{id_}"}


def person(name: str) -> Resource:
    """A reference to somebody of whom only a name is known."""
    return {"display": name}


def instant(at: int) -> str:
    """UTC nanoseconds as text, exactly: with three digits of the second, six or nine."""
    seconds, fraction = divmod(at, NS)
    digits = f"{fraction:09d}"
    while len(digits) > len("000") and digits.endswith("000"):
        digits = digits[:-3]
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{digits}Z"


def period(since: int, until: int | None) -> Resource:
    """A period; one that lasts has no end."""
    return {"start": instant(since)} | ({} if until is None else {"end": instant(until)})


def concept(vital: str) -> Resource:
    """What a vital is: LOINC and MDC; the bare name where the table does not know it."""
    if vital not in VITALS:
        return {"text": vital}
    known = VITALS[vital]
    codes = [code for code in (_PROFILED.get(vital), known.loinc) if code]
    codings: list[Resource] = [{"system": LOINC, "code": code} for code in codes]
    codings.append({"system": MDC, "code": str(known.mdc), "display": known.mdc_ref})
    return {"coding": codings, "text": known.label}


def metric_type(vital: str) -> Resource:
    """What a vital is to the device that measures it: MDC first, which is that resource's own system."""
    of_vital = concept(vital)
    return of_vital | ({"coding": of_vital["coding"][::-1]} if "coding" in of_vital else {})


def category(code: str) -> list[Resource]:
    """Of an observation."""
    system = "http://terminology.hl7.org/CodeSystem/observation-category"
    return [{"coding": [{"system": system, "code": code}]}]


def unit(vital: str) -> Resource:
    """A vital's unit, as a coding."""
    known = VITALS[vital]
    return {"system": UCUM, "code": known.unit, "display": known.unit_label}


def measured(vital: str, value: float | None, validity: int, cause: str) -> Resource:
    """What an observation, or a component of one, says of a reading: its value and doubts, or why there is none."""
    if value is None:
        codes = [_REASONS[word] for word in map(_word, cause.split(",")) if word in _REASONS]
        return {"dataAbsentReason": absent(codes[0] if codes else "unknown", cause)}
    quantity: Resource = {"value": int(value) if value.is_integer() else value}
    if vital in VITALS:
        known = VITALS[vital]
        quantity |= {"unit": known.unit_label, "system": UCUM, "code": known.unit}
    if validity == Validity.VALID:
        return {"valueQuantity": quantity}
    word = Validity(validity).name.lower()
    return {"valueQuantity": quantity, "interpretation": [{"text": f"{word}: {cause}" if cause else word}]}


def absent(code: str, text: str = "") -> Resource:
    """Why there is no value."""
    return {"coding": [{"system": _ABSENT, "code": code}]} | ({"text": text} if text else {})


def as_of(chart: Chart) -> int:
    """The moment of which the bundle tells: the end of the session or the last entry, UTC nanoseconds."""
    return max(chart.span.until, *(entry.entered_at for entry in chart.session.entries))


def _word(cause: str) -> Cause | None:
    return Cause(cause) if cause in set(Cause) else None
