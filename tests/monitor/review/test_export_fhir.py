"""The FHIR bundle: judged by fhir.resources (R4B, which has the resources used here as R4 has them), and read back."""

from __future__ import annotations

import io
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle

from drivers.clock import NS
from drivers.vitals import VITALS
from monitor.review.chart import Chart
from monitor.review.exports.fhir import EXPORTER
from monitor.review.exports.registry import export_of
from tests.monitor.review.recorded_session import MARKUP, after, chart_of, readings_of

_VITAL_OF = {vital.mdc: key for key, vital in VITALS.items()}
_MDC = "urn:iso:std:iso:11073:10101"
_LOINC = "http://loinc.org"

Json = dict[str, Any]


def exported(chart: Chart) -> bytes:
    file = io.BytesIO()
    EXPORTER.write(export_of(chart, "clinic", None), file)
    return file.getvalue()


def entries_of(chart: Chart) -> list[Json]:
    entries: list[Json] = json.loads(exported(chart))["entry"]
    return entries


@pytest.fixture(scope="module")
def entries(visit: Chart) -> list[Json]:
    """Those of the bundle of `visit-1`."""
    return entries_of(visit)


def resources(entries: list[Json], kind: str) -> list[Json]:
    return [entry["resource"] for entry in entries if entry["resource"]["resourceType"] == kind]


def codes(concept: Json, system: str) -> list[str]:
    return [coding["code"] for coding in concept.get("coding", ()) if coding["system"] == system]


def nanoseconds(text: str) -> int:
    whole, fraction = text.removesuffix("Z").split(".")
    return int(datetime.fromisoformat(whole).replace(tzinfo=UTC).timestamp()) * NS + int(fraction.ljust(9, "0"))


def is_vital_sign(observation: Json) -> bool:
    return any("vital-signs" in coding["code"] for it in observation.get("category", ()) for coding in it["coding"])


def measured(part: Json) -> tuple[float | None, str, str] | None:
    """Value, validity, cause of an observation or component; None for a component that says that there is none."""
    if "valueQuantity" in part:
        word, _, cause = part.get("interpretation", [{"text": "valid"}])[0]["text"].partition(": ")
        return part["valueQuantity"]["value"], word, cause
    cause = part["dataAbsentReason"].get("text")
    return None if cause is None else (None, "invalid", cause)


def read_back(entries: list[Json]) -> dict[tuple[str, str, int], tuple[float | None, str, str]]:
    """Readings as `readings_of` has them."""
    device_of = {
        f"urn:uuid:{it['id']}": it["identifier"][0]["value"]
        for it in resources(entries, "Device")
        if "identifier" in it
    }
    device_of |= {
        f"urn:uuid:{it['id']}": device_of[it["source"]["reference"]] for it in resources(entries, "DeviceMetric")
    }
    found = {}
    for observation in filter(is_vital_sign, resources(entries, "Observation")):
        device = device_of[observation["device"]["reference"]]
        for part in observation.get("component", [observation]):
            [mdc] = codes(part["code"], _MDC)
            if (reading := measured(part)) is not None:
                found[_VITAL_OF[int(mdc)], device, nanoseconds(observation["effectiveDateTime"])] = reading
    return found


@pytest.mark.filterwarnings("ignore::DeprecationWarning:fhir")
@pytest.mark.parametrize("session", ["visit-1", "visit-2"])
def test_the_bundle_is_valid(session: str, made_up: Path) -> None:
    data = exported(chart_of(made_up, session))
    bundle = Bundle.model_validate_json(data)
    assert len(bundle.entry or ()) == len(json.loads(data)["entry"])


@pytest.mark.parametrize("name", ["visit", "real_visit"])
def test_every_reading_is_read_back_value_for_value_and_gap_for_gap(name: str, request: pytest.FixtureRequest) -> None:
    chart = request.getfixturevalue(name)
    assert read_back(entries_of(chart)) == readings_of(chart)


def test_every_reference_is_to_something_in_the_bundle_and_no_id_is_there_twice(entries: list[Json]) -> None:
    there = Counter(entry["fullUrl"] for entry in entries)
    assert set(there.values()) == {1}
    assert all(entry["fullUrl"] == f"urn:uuid:{entry['resource']['id']}" for entry in entries)
    asked = set[str]()

    def look(it: object) -> None:
        if isinstance(it, dict):
            asked.update([it["reference"]] if isinstance(it.get("reference"), str) else [])
            for value in it.values():
                look(value)
        elif isinstance(it, list):
            for value in it:
                look(value)

    look(entries)
    assert asked <= there.keys()


def test_the_same_chart_gives_the_same_bytes_and_one_patient_one_id(made_up: Path) -> None:
    data = exported(chart_of(made_up))
    assert data == exported(chart_of(made_up))
    bundle = json.loads(data)
    assert (bundle["identifier"], bundle["timestamp"]) == ({"value": "visit-1/24"}, "2026-11-25T09:24:00.000Z")
    [patient] = resources(bundle["entry"], "Patient")
    assert patient["identifier"] == [{"value": "P-017", "assigner": {"display": "clinic"}}]
    [other] = resources(entries_of(chart_of(made_up, "visit-2")), "Patient")
    assert other["id"] != patient["id"]


def test_vital_signs_have_the_codes_that_the_profiles_want(entries: list[Json]) -> None:
    seen: dict[str, set[str]] = {}
    for observation in filter(is_vital_sign, resources(entries, "Observation")):
        for part in (observation, *observation.get("component", ())):
            seen.setdefault(codes(part["code"], _MDC)[0], set()).update(codes(part["code"], _LOINC))
    assert seen["150456"] == {"2708-6", "59408-5"}
    assert "8867-4" in seen["147842"] & seen["149530"]
    assert seen["150020"] == {"85354-9"}
    for mdc, code in (("150021", "8480-6"), ("150022", "8462-4"), ("150023", "8478-0")):
        assert code in seen[mdc]


def test_a_cuff_determination_is_one_panel(entries: list[Json], visit: Chart) -> None:
    panels = {
        nanoseconds(it["effectiveDateTime"]): it
        for it in resources(entries, "Observation")
        if "85354-9" in codes(it["code"], _LOINC)
    }
    assert len(panels) == len(visit.cuff_readings)
    early, done, failed, halved = (panels[after(second)] for second in (288, 300, 600, 900))
    assert (early["status"], done["status"]) == ("preliminary", "final")
    # A systolic that came alone says that there is no diastolic: the profile wants both.
    assert [sorted(it) for it in early["component"]] == [
        ["code", "interpretation", "valueQuantity"],
        ["code", "dataAbsentReason"],
    ]
    assert [it["valueQuantity"]["value"] for it in done["component"]] == [125, 77, 93]
    assert {it["dataAbsentReason"]["coding"][0]["code"] for it in failed["component"]} == {"error"}
    assert halved["component"][1]["dataAbsentReason"]["text"] == "no_data"
    assert done["component"][0]["valueQuantity"]["code"] == "mm[Hg]"


def test_what_people_wrote_is_there_as_it_stands(entries: list[Json]) -> None:
    written = {
        it["valueString"]: it
        for it in resources(entries, "Observation")
        if not is_vital_sign(it) and "valueString" in it
    }
    assert written["feels floaty, anxious"]["status"] == "corrected"
    assert "feels floaty, calm\neyes closed" in written["feels floaty, anxious"]["note"][0]["text"]
    assert written["of another patient"]["status"] == "entered-in-error"
    late = written[MARKUP]
    assert nanoseconds(late["effectiveDateTime"]) == after(1200)
    assert nanoseconds(late["issued"]) == after(24 * 60 + 3600)
    [score] = [it for it in resources(entries, "Observation") if it["code"].get("text") == "Pain (NRS)"]
    assert (score["valueQuantity"], score["note"]) == ({"value": 6}, [{"text": "left leg"}])


def test_visit_alerts_and_signature(entries: list[Json]) -> None:
    [encounter] = resources(entries, "Encounter")
    assert (encounter["status"], nanoseconds(encounter["period"]["end"])) == ("finished", after(24 * 60))
    assert [it["location"]["display"] for it in encounter["location"]] == ["chair-1", "chair-2", "chair-9"]
    low, stale, high = resources(entries, "DetectedIssue")
    assert (low["code"]["text"], low["severity"], low["detail"]) == ("spo2_low", "high", "SpO₂ 87 < 90")
    assert nanoseconds(low["identifiedPeriod"]["end"]) == after(465)
    assert [(it["action"]["text"], it["author"]["display"]) for it in low["mitigation"]] == [
        ("acknowledged", "Kim Möller"),
        ("off", "Kim Möller"),
    ]
    assert (stale["evidence"][0]["code"][0]["text"], stale["status"]) == ("technical", "final")
    assert (high["severity"], high["status"], "end" in high["identifiedPeriod"]) == ("moderate", "preliminary", False)
    [signature] = resources(entries, "Provenance")
    assert signature["signature"][0]["who"] == {"display": "Dr. Lee"}
    assert signature["reason"] == [{"text": "chart signed, through entry 22; entries were added since"}]
