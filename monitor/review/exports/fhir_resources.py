"""What a FHIR bundle has beside the readings: patient, visit, devices, alerts, what people wrote, and signatures."""

from __future__ import annotations

from collections.abc import Iterator

import monitor
from drivers.vitals import VITALS
from monitor.alerts.conditions import Priority
from monitor.review.alert_lives import AlertLife
from monitor.review.chart import Chart
from monitor.review.exports import fhir_terms as terms
from monitor.review.exports.fhir_terms import Ids, Resource
from monitor.review.exports.registry import Export
from monitor.sessions.entries import Kind
from monitor.sessions.session import Shown
from monitor.sessions.text import text_of

_SEVERITY = {Priority.HIGH: "high", Priority.MEDIUM: "moderate", Priority.LOW: "low"}
_VERIFIED = {
    "system": "urn:iso-astm:E1762-95:2013",
    "code": "1.2.840.10065.1.12.1.5",
    "display": "Verification Signature",
}


def resources(export: Export, ids: Ids) -> Iterator[Resource]:
    """All of them, those first that others refer to."""
    chart = export.chart
    yield _patient(export, ids)
    yield _encounter(chart, ids)
    yield _software(ids)
    yield from _devices(chart, ids)
    yield from (_entry(shown, ids) for shown in chart.session.shown if shown.entry.kind is not Kind.SIGNED)
    yield from (_alert(life, ids) for life in chart.alerts)
    yield from (_signature(chart, shown, ids) for shown in chart.session.signatures)


def _patient(export: Export, ids: Ids) -> Resource:
    """The pseudonym, and who gave it; nothing else is known."""
    identifier = {"value": export.chart.session.reference, "assigner": {"display": export.site}}
    return {"resourceType": "Patient", "id": ids.patient, "identifier": [identifier]}


def _encounter(chart: Chart, ids: Ids) -> Resource:
    session = chart.session
    return {
        "resourceType": "Encounter",
        "id": ids.encounter,
        "identifier": [{"value": session.id}],
        "status": "in-progress" if session.closed_at is None else "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "subject": terms.reference(ids.patient),
        "period": terms.period(session.opened_at, session.closed_at),
        **({"location": locations} if (locations := list(_locations(chart))) else {}),
    }


def _locations(chart: Chart) -> Iterator[Resource]:
    for bed, since, until in chart.session.stays:
        yield {"location": {"display": bed}, "period": terms.period(since, until)}


def _software(ids: Ids) -> Resource:
    """The recorder, by which alerts were told."""
    return {
        "resourceType": "Device",
        "id": ids.software,
        "deviceName": [{"name": "infusion-monitor", "type": "other"}],
        "version": [{"value": monitor.__version__}],
    }


def _devices(chart: Chart, ids: Ids) -> Iterator[Resource]:
    """Each device with what became of it, and what it measures."""
    used = {use.device: use.vitals for use in chart.equipment}
    named = {change.device for life in chart.alerts for change in life.changes if change.device}
    for device in sorted(used.keys() | named):
        notes = [
            {"time": terms.instant(it.at), "text": ": ".join(filter(None, (it.kind, it.code, it.state, it.text)))}
            for it in chart.device_events
            if it.device == device
        ]
        yield {
            "resourceType": "Device",
            "id": ids.device(device),
            "identifier": [{"value": device}],
            "deviceName": [{"name": device, "type": "user-friendly-name"}],
            **({"note": notes} if notes else {}),
        }
        for vital in used.get(device, ()):
            yield {
                "resourceType": "DeviceMetric",
                "id": ids.metric(device, vital),
                "type": terms.metric_type(vital),
                **({"unit": {"coding": [terms.unit(vital)]}} if vital in VITALS else {}),
                "source": terms.reference(ids.device(device)),
                "category": "measurement",
            }


def _entry(shown: Shown, ids: Ids) -> Resource:
    """What somebody wrote, as it stands now; `issued` is when it was entered."""
    entry, content = shown.entry, shown.content
    made: Resource = {
        "resourceType": "Observation",
        "id": ids.of(f"entry/{entry.number}"),
        "status": "entered-in-error" if shown.void else "corrected" if shown.corrected_by else "final",
        "code": {"text": content["title"] if entry.kind is Kind.SCORE else entry.kind.value},
        "subject": terms.reference(ids.patient),
        "encounter": terms.reference(ids.encounter),
        "effectiveDateTime": terms.instant(shown.at),
        "issued": terms.instant(entry.entered_at),
        "performer": [terms.person(entry.author)],
    }
    notes = [] if not shown.corrected_by else [f"it was {terms.instant(entry.at)}: {text_of(entry)}"]
    if entry.kind is Kind.SCORE:
        made["category"] = terms.category("survey")
        made["valueQuantity"] = {"value": content["value"]}
        notes += [content["text"]] if content["text"] else []
    else:
        made["valueString"] = text_of(entry._replace(content=content))
    return made | ({"note": [{"text": text} for text in notes]} if notes else {})


def _alert(life: AlertLife, ids: Ids) -> Resource:
    """An alert; what people did about it is its mitigation."""
    first = life.changes[0]
    about = [terms.reference(ids.device(first.device))] if first.device else []
    done = [
        {
            "action": {"text": change.state.value},
            "date": terms.instant(change.at),
            "author": terms.person(change.actor),
        }
        for change in life.changes
        if change.actor
    ]
    return {
        "resourceType": "DetectedIssue",
        "id": ids.of(f"alert/{life.bed}/{life.rule}/{life.began}"),
        "status": "preliminary" if life.ended is None else "final",
        "code": {"text": life.rule},
        "severity": _SEVERITY[life.priority],
        "patient": terms.reference(ids.patient),
        "identifiedPeriod": terms.period(life.began, life.present_until),
        "author": terms.reference(ids.software),
        **({"implicated": about} if about else {}),
        "evidence": [{"code": [{"text": life.kind.value}]}],
        "detail": life.text,
        **({"mitigation": done} if done else {}),
    }


def _signature(chart: Chart, shown: Shown, ids: Ids) -> Resource:
    stands = chart.session.signed and shown is chart.session.signatures[-1]
    at, who = terms.instant(shown.at), terms.person(shown.entry.author)
    return {
        "resourceType": "Provenance",
        "id": ids.of(f"signature/{shown.entry.number}"),
        "target": [terms.reference(ids.encounter)],
        "recorded": terms.instant(shown.entry.entered_at),
        "reason": [{"text": f"{text_of(shown.entry)}{'' if stands else '; entries were added since'}"}],
        "agent": [{"who": who}],
        "signature": [{"type": [_VERIFIED], "when": at, "who": who}],
    }
