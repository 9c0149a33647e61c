"""HL7 messages: any text survives them, and they say what was recorded, by other people's parsers."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime

import hl7
import pytest
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.core import Message
from hl7apy.exceptions import ValidationError
from hl7apy.parser import parse_message
from hypothesis import given
from hypothesis import strategies as st

from drivers.clock import NS
from drivers.vitals import VITALS
from monitor.alerts.conditions import ALARM, AUDIO, AlertEvent, AlertState, Kind, Priority
from monitor.hl7 import text
from monitor.hl7.alerts import alerted, is_told
from monitor.hl7.message import SENDER, Names, Visit, id_of
from monitor.hl7.observations import Observation, coded_as, observed
from tests.monitor.program import ROOT
from tests.monitor.sinks.hl7_reading import alert_told, readings_told

AT = 1_790_000_000 * NS + 123_456_789
NAMES = Names.of("north")
VISIT = Visit("chair-1", "P-017", "visit-1")
TEXTS = st.text(st.characters(exclude_categories=("Cs",)))
LOW = AlertEvent(
    "chair-1",
    "spo2_low",
    Kind.PHYSIOLOGICAL,
    Priority.HIGH,
    AlertState.ON,
    AT,
    "SpO₂ 86 < 90",
    vital="spo2",
    value=86.0,
    limit=90.0,
    session="visit-1",
)


def values(message: str) -> dict[str, tuple]:
    return {vital: tuple(rest) for _, _, vital, *rest in readings_told(message)}


@given(TEXTS, TEXTS)
def test_any_text_survives(reference: str, told: str) -> None:
    message = alerted(NAMES, Visit("b", reference, "s"), LOW._replace(text=told), LOW)
    # No text makes a segment more, or ends a frame.
    assert [line[:3] for line in message.rstrip("\r").split("\r")] == ["MSH", "PID", "PV1", "OBR", *["OBX"] * 7]
    assert not set(message) & {"\x0b", "\x1c", "\n"}
    parsed = hl7.parse(message)
    assert parsed.unescape(str(parsed.segments("OBX")[0][5])) == told
    if reference:
        assert parsed.unescape(str(parsed.segment("PID")[3][0][0])) == reference


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_number_is_told_exactly_and_without_an_exponent(value: float) -> None:
    said = text.number(value)
    assert re.fullmatch(r"-?\d+(\.\d+)?", said)
    assert float(said) == value


@pytest.mark.parametrize("vital", VITALS)
def test_each_vital_has_its_code_its_unit_and_its_own_place(vital: str) -> None:
    message = observed(NAMES, VISIT, "monitor", AT, [Observation(vital, 36.6, 0, "")])
    obx = hl7.parse(message).segments("OBX")
    about = VITALS[vital]
    assert str(obx[-1][3]) == f"{about.mdc}^{about.mdc_ref}^MDC"
    assert re.fullmatch(r"\d+\^MDC_DIM_[A-Z_]+\^MDC", str(obx[-1][6]))
    assert ("APERIODIC" in str(obx[-1][17])) == about.episodic
    # What it is in stands before it, and says nothing of its own.
    place = str(obx[-1][4]).split(".")
    assert [str(line[4]) for line in obx[:-1]] == [
        ".".join([*place[:depth], *["0"] * (4 - depth)]) for depth in (1, 2, 3) if depth == 1 or place[1] != "0"
    ]
    assert {(str(line[2]), str(line[5]), str(line[11])) for line in obx[:-1]} == {("", "", "X")}
    others = {coded_as(other).place for other in VITALS if other != vital}
    assert coded_as(vital).place not in others


def test_what_is_doubted_or_missing_is_told_as_that() -> None:
    message = observed(
        NAMES,
        VISIT,
        "monitor",
        AT,
        [
            Observation("spo2", None, 2, "sensor_off"),
            Observation("pulse_rate", None, 2, "no_data"),
            Observation("resp_rate", 12.0, 1, "artifact,low_perfusion"),
            Observation("nibp_sys", 131.0, 1, "provisional"),
            Observation("temp", math.inf, 0, ""),
            Observation("made_up", 3.5, 0, ""),
        ],
    )
    assert values(message) == {
        "spo2": (None, "INV", "X", "sensor_off"),
        "pulse_rate": (None, "NAV", "X", "no_data"),
        "resp_rate": (12.0, "QUES", "R", "artifact,low_perfusion"),
        "nibp_sys": (131.0, "QUES~EARLY", "R", "provisional"),
        "temp": (None, "INV", "X", ""),
        "made_up": (3.5, "", "R", ""),
    }


def test_the_header_says_from_whom_to_whom_and_of_whom() -> None:
    names = Names("north", "STATION^1.2.3^ISO", "CLINIC", "EMR", "HOSPITAL")
    parsed = hl7.parse(observed(names, VISIT, "monitor", AT, [Observation("spo2", 97.0, 0, "")]))
    msh = parsed.segment("MSH")
    assert [str(msh[place]) for place in range(3, 13)] == [
        "STATION^1.2.3^ISO",
        "CLINIC",
        "EMR",
        "HOSPITAL",
        "20260921141320.123+0000",
        "",
        "ORU^R01^ORU_R01",
        str(msh[10]),
        "P",
        "2.6",
    ]
    assert str(msh[18]) == "UNICODE UTF-8"
    assert str(msh[21]) == "IHE_PCD_001^IHE PCD^1.3.6.1.4.1.19376.1.6.1.1.1^ISO"
    assert str(parsed.segment("PID")[3]) == "P-017^^^north^PI"
    assert str(parsed.segment("PV1")[3]) == "north^^chair-1"
    assert str(parsed.segment("PV1")[19]) == "visit-1^^^north^VN"
    assert str(parsed.segment("OBR")[4]) == "182777000^monitoring of patient^SCT"
    assert str(parsed.segments("OBX")[-1][18]) == "chair-1.monitor^north"
    assert str(parsed.segments("OBX")[-1][14]) == "20260921141320.123+0000"


def test_without_a_session_nobody_is_named() -> None:
    parsed = hl7.parse(observed(NAMES, Visit("chair-1"), "monitor", AT, [Observation("spo2", 97.0, 0, "")]))
    assert str(parsed.segment("PID")) == "PID|||||^^^^^^U"
    assert str(parsed.segment("PV1")) == "PV1||O|north^^chair-1"


def test_the_same_has_the_same_id_and_another_another() -> None:
    def made(at: int = AT, value: float = 97.0, visit: Visit = VISIT) -> str:
        return observed(NAMES, visit, "monitor", at, [Observation("spo2", value, 0, "")])

    # A nanosecond makes two messages of one time, not one.
    others = [made(at=AT + 1), made(value=98.0), made(visit=Visit("chair-1")), alerted(NAMES, VISIT, LOW, LOW)]
    assert made() == made()
    assert len({id_of(message) for message in [made(), *others]}) == 5
    assert {len(id_of(message)) for message in others} == {20}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, ("start", "active", "enabled", "")),
        ({"state": AlertState.ACKNOWLEDGED, "actor": "Kim"}, ("continue", "active", "alert-acknowledged", "Kim")),
        ({"state": AlertState.LATCHED}, ("continue", "latched", "enabled", "")),
        ({"priority": Priority.MEDIUM, "why": "escalated"}, ("continue", "active", "enabled", "")),
        ({"state": AlertState.OFF, "value": 93.0}, ("end", "inactive", "enabled", "")),
    ],
)
def test_each_change_of_an_alert_says_where_it_stands(change: dict, told: tuple) -> None:
    event = LOW._replace(**change)
    if change:
        event = event._replace(at=AT + NS)
    alert = alert_told(alerted(NAMES, VISIT, event, LOW))
    assert (alert["phase"], alert["state"], alert["inactivation"], alert["actor"]) == told
    assert alert["order"] == f"chair-1.spo2_low.{AT}^north"
    assert alert["code"] == "196670^MDC_EVT_LO^MDC"
    assert (alert["vital"], alert["value"], alert["limits"]) == ("spo2", event.value, ">90")
    assert alert["flags"] == f"{alert['priority']}~SP~L"
    assert alert["priority"] == {Priority.HIGH: "PH", Priority.MEDIUM: "PM"}[event.priority]


def test_alerts_of_other_kinds() -> None:
    high = LOW._replace(rule="hr_high", vital="heart_rate", value=125.0, limit=120.0)
    alert = alert_told(alerted(NAMES, VISIT, high, high))
    assert (alert["code"], alert["limits"], alert["flags"]) == ("196648^MDC_EVT_HI^MDC", "<120", "PH~SP~H")
    lost = LOW._replace(kind=Kind.TECHNICAL, vital="", value=None, limit=None, device="oximeter", rule="device_lost")
    alert = alert_told(alerted(NAMES, VISIT, lost, lost))
    assert (alert["code"], alert["source"], alert["type"]) == ("196616^MDC_EVT_ALARM^MDC", "oximeter", "ST")
    of_station = lost._replace(bed="", device="", rule="disk", session="")
    alert = alert_told(alerted(NAMES, Visit(""), of_station, of_station))
    assert (alert["source"], alert["bed"], alert["order"]) == ("station", "north", f"station.disk.{AT}^north")


@pytest.mark.parametrize("signal", [AUDIO, ALARM])
def test_paused_signals_are_an_alert_of_their_own(signal: str) -> None:
    paused = LOW._replace(
        rule=signal, kind=Kind.OTHER, priority=Priority.NONE, state=AlertState.PAUSED, vital="", limit=None, value=120.0
    )
    assert is_told(paused)
    assert not is_told(LOW._replace(priority=Priority.NONE))
    alert = alert_told(alerted(NAMES, VISIT, paused, paused))
    assert (alert["phase"], alert["state"], alert["inactivation"]) == ("start", "active", f"{signal}-paused")
    off = paused._replace(state=AlertState.OFF)
    assert alert_told(alerted(NAMES, VISIT, off, paused))["inactivation"] == f"{signal}-off"
    over = alert_told(alerted(NAMES, VISIT, paused._replace(state=AlertState.ON), paused))
    assert (over["phase"], over["state"], over["inactivation"]) == ("end", "inactive", "enabled")


def checked(message: str) -> Message:
    """By the definitions of HL7 v2.6 in hl7apy, which has those of ORU_R01: ORU_R40 is built like it."""
    text = message.replace("ORU^R40^ORU_R40", "ORU^R01^ORU_R01")
    parsed = parse_message(text, validation_level=VALIDATION_LEVEL.STRICT)
    parsed.validate()
    return parsed


def test_structure_of_the_standard() -> None:
    doubted = [Observation(vital, 98.0, 1, "artifact") for vital in VITALS]
    nothing = [Observation(vital, None, 2, "no_data") for vital in VITALS]
    messages = [observed(NAMES, VISIT, "monitor", AT, some) for some in (doubted, nothing)]
    for message in (*messages, alerted(NAMES, VISIT, LOW, LOW)):
        [result] = checked(message).oru_r01_patient_result
        [order] = result.oru_r01_order_observation
        assert len(order.oru_r01_observation) == message.count("\rOBX|")
    for message in (
        observed(NAMES, Visit("chair-1"), "monitor", AT, nothing),
        alerted(NAMES, Visit(""), LOW._replace(bed=""), LOW),
    ):
        # The standard asks for a patient, and it is not known whose readings these are.
        with pytest.raises(ValidationError, match=r"^Missing required child PID\.PID_3$"):
            checked(message)


def test_the_messages_in_the_documents_are_real() -> None:
    shown = (ROOT / "docs" / "hl7.md").read_text(encoding="utf-8")
    names = Names("north", SENDER, "north", "EMR", "CLINIC")
    visit = Visit("chair-1", "P-017", "20261125-1")
    at = int(datetime(2026, 11, 25, 9, 12, tzinfo=UTC).timestamp()) * NS
    readings = [
        Observation("spo2", 86.0, 0, ""),
        Observation("pulse_rate", 71.0, 1, "low_perfusion"),
        Observation("resp_rate", None, 2, "sensor_off"),
        Observation("nibp_sys", 118.0, 0, ""),
    ]
    low = LOW._replace(at=at)
    seen = low._replace(state=AlertState.ACKNOWLEDGED, at=at + 14 * NS, actor="Anna")
    for message in (observed(names, visit, "monitor", at, readings), alerted(names, visit, seen, low)):
        assert "```hl7\n" + message.replace("\r", "\n") + "```" in shown
