"""Readings as FHIR observations: one each, at its own time; the pressures of one cuff determination are a panel."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import count
from typing import NamedTuple

from drivers.events import is_provisional
from monitor.review.exports import fhir_terms as terms
from monitor.review.exports.fhir_terms import LOINC, MDC, Ids, Resource
from monitor.review.tracks import Track

_CUFF = ("nibp_sys", "nibp_dia", "nibp_mean")
_VITAL_SIGNS = terms.category("vital-signs")
_PANEL = {
    "coding": [
        {"system": LOINC, "code": "85354-9"},
        {"system": MDC, "code": "150020", "display": "MDC_PRESS_BLD_NONINV"},
    ],
    "text": "NIBP",
}


class _Row(NamedTuple):
    at: int
    """UTC nanoseconds."""
    device: str
    order: int
    """0, or how many came before it from this device at this very moment."""
    value: float | None
    validity: int
    cause: str


def observations(vitals: Mapping[str, Track], ids: Ids) -> Iterator[Resource]:
    """All readings: vital by vital in order of time, the cuff's in the place of its systolic pressure."""
    panels = False
    for vital, track in vitals.items():
        if vital not in _CUFF:
            code = terms.concept(vital)
            yield from (_observation(vital, code, row, ids) for row in _rows(track))
        elif not panels:
            panels = True
            yield from _panels(vitals, ids)


def _rows(track: Track) -> Iterator[_Row]:
    seen: defaultdict[tuple[int, int], Iterator[int]] = defaultdict(count)
    columns = (track.at, track.device, track.known, track.value, track.validity, track.cause)
    for at, device, known, value, validity, cause in zip(*(one.tolist() for one in columns), strict=True):
        order = next(seen[at, device])
        yield _Row(at, track.devices[device], order, value if known else None, validity, track.causes[cause])


def _observation(vital: str, code: Resource, row: _Row, ids: Ids) -> Resource:
    head = _head(f"{vital}/{row.device}/{row.at}/{row.order}", code, row.at, ids, provisional=is_provisional(row.cause))
    measured = terms.measured(vital, row.value, row.validity, row.cause)
    return {**head, "device": terms.reference(ids.metric(row.device, vital)), **measured}


def _panels(vitals: Mapping[str, Track], ids: Ids) -> Iterator[Resource]:
    found: defaultdict[tuple[int, str, int], dict[str, _Row]] = defaultdict(dict)
    for vital in _CUFF:
        for row in _rows(vitals[vital]) if vital in vitals else ():
            found[row.at, row.device, row.order][vital] = row
    for (at, device, order), rows in sorted(found.items(), key=lambda it: it[0]):
        provisional = any(is_provisional(row.cause) for row in rows.values())
        yield {
            **_head(f"nibp/{device}/{at}/{order}", _PANEL, at, ids, provisional=provisional),
            "device": terms.reference(ids.device(device)),
            "component": [
                _component(vital, rows.get(vital)) for vital in _CUFF if vital in rows or vital != "nibp_mean"
            ],
        }


def _component(vital: str, row: _Row | None) -> Resource:
    """One pressure; the profile wants a systolic and a diastolic one, and where there is none, that it says so."""
    code = {"code": terms.concept(vital)}
    if row is None:
        return code | {"dataAbsentReason": terms.absent("unknown")}
    return code | terms.measured(vital, row.value, row.validity, row.cause)


def _head(name: str, code: Resource, at: int, ids: Ids, *, provisional: bool) -> Resource:
    return {
        "resourceType": "Observation",
        "id": ids.of(name),
        "status": "preliminary" if provisional else "final",
        "category": _VITAL_SIGNS,
        "code": code,
        "subject": terms.reference(ids.patient),
        "encounter": terms.reference(ids.encounter),
        "effectiveDateTime": terms.instant(at),
    }
