"""JSON over MQTT: what is a value and what never is, whose time counts, and a cuff pressure given once."""

from __future__ import annotations

import json
import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from drivers.clock import NS, iso
from drivers.events import DeviceStatus, Event, Reading, Validity, Waveform
from drivers.protocols.mqtt_json import ALIASES, DRIVER, MqttJson, Options
from drivers.vitals import VITALS
from simulators.devices.mqtt_json import MqttJsonSide
from simulators.patient import Episode, Patient

T0 = 1_767_225_600 * NS
TIME = "2026-01-01T00:00:00Z"


def codec(**options) -> MqttJson:
    return MqttJson(Options(**options))


def message(**fields) -> bytes:
    return json.dumps({"time": TIME} | fields).encode()


def readings(events: list[Event]) -> list[tuple[str, float | None, Validity, str]]:
    return [(e.vital, e.value, e.validity, e.cause) for e in events if isinstance(e, Reading)]


def statuses(events: list[Event]) -> list[tuple[str, bool]]:
    return [(e.code, e.active) for e in events if isinstance(e, DeviceStatus)]


def the_reading(events: list[Event]) -> Reading:
    (found,) = (e for e in events if isinstance(e, Reading))
    return found


@pytest.mark.parametrize("example", DRIVER.examples, ids=["own names", "no values", "configured"])
def test_documented_messages_say_what_they_say(example):
    events = codec(**example.options).feed(example.data, T0)
    assert tuple((e.vital, e.value, e.validity) for e in events if isinstance(e, Reading)) == example.gives
    assert statuses(events) == []


@pytest.mark.parametrize(("vital", "path"), [(v, p) for v in VITALS for p in (v, *ALIASES[v])])
def test_a_vital_is_found_under_its_key_and_its_aliases(vital, path):
    payload: object = 40
    for name in reversed(path.split(".")):
        payload = {name: payload}
    reading = the_reading(codec().feed(message(**payload), T0))
    assert (reading.vital, reading.value) == (vital, 40)


def test_configured_fields_are_all_that_is_read():
    one = codec(fields={"spo2": "vitals.1.sat"})
    assert readings(one.feed(message(vitals=[{}, {"sat": 96}], hr=70), T0)) == [("spo2", 96, Validity.VALID, "")]


@pytest.mark.parametrize(
    ("vital", "how", "sent", "value"),
    [
        ("spo2", {"unit": "fraction"}, 0.97, 97.0),
        ("spo2", {"unit": "1"}, 0.97, 97.0),
        ("spo2", {"unit": "percent"}, 97, 97.0),
        ("abp_sys", {"unit": "kPa"}, 16, 120.00985),
        ("abp_sys", {"unit": "mmHg"}, 120, 120.0),
        ("temp", {"unit": "[degF]"}, 98.6, 37.0),
        ("temp", {"unit": "degC"}, 37.2, 37.2),
        ("heart_rate", {"unit": "1/min"}, 71, 71.0),
        ("temp", {"scale": 0.1, "offset": 30, "unit": "Cel"}, 72, 37.2),
    ],
)
def test_units_scale_and_offset_lead_to_the_vitals_own_unit(vital, how, sent, value):
    one = codec(fields={vital: {"path": "x"} | how})
    assert the_reading(one.feed(message(x=sent), T0)).value == pytest.approx(value, abs=1e-5)


def test_a_values_own_unit_counts_and_an_unknown_one_makes_it_no_value():
    one = codec()
    assert the_reading(one.feed(message(temp={"value": 98.6, "unit": "degF"}), T0)).value == pytest.approx(37.0)
    for unit in ("furlong", "kPa", 3, ["Cel"]):
        assert the_reading(one.feed(message(temp={"value": 98.6, "unit": unit}), T0)).value is None


@pytest.mark.parametrize(
    "options",
    [
        {"fields": {"pulse": "x"}},
        {"fields": {"spo2": "a..b"}},
        {"fields": {"spo2": ""}},
        {"fields": {"spo2": {"path": "x", "unit": "kPa"}}},
        {"fields": {"spo2": {"path": "x", "scale": math.nan}}},
        {"time": "."},
        {"speed": 1},
    ],
)
def test_a_wrong_configuration_is_refused(options):
    with pytest.raises(ValidationError):
        Options(**options)


NEVER = [
    "null", "true", "false", "-1", "-0.5", "NaN", "Infinity", "-Infinity", "1e999", '"--"', '"---"', '""', '"NaN"',
    '"1e2"', '"0x40"', '" 72"', '"72 bpm"', '"7,2"', '"\\u0667\\u0662"', "[]", "[72]", "{}", '{"value": null}',
    '{"value": {"value": 72}}', '{"value": 72, "validity": "invalid"}', '{"rate": 72}',
]  # fmt: skip


@pytest.mark.parametrize("text", NEVER)
@pytest.mark.parametrize("vital", ["heart_rate", "temp", "nibp_sys"])
def test_what_is_no_measured_number_is_an_invalid_reading(vital, text):
    events = codec().feed(f'{{"time": "{TIME}", "{vital}": {text}}}'.encode(), T0)
    assert readings(events) == [(vital, None, Validity.INVALID, "no_data")]


def test_plain_decimal_text_is_a_number_and_a_sentinel_is_none():
    one = codec(sentinels=[127, 511])
    assert readings(one.feed(message(hr="72", spo2=127, pulse="511", temp="36.6"), T0)) == [
        ("heart_rate", 72, Validity.VALID, ""),
        ("pulse_rate", None, Validity.INVALID, "no_data"),
        ("spo2", None, Validity.INVALID, "no_data"),
        ("temp", 36.6, Validity.VALID, ""),
    ]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({"value": 97, "validity": "questionable", "cause": "artifact"}, (97, Validity.QUESTIONABLE, "artifact")),
        ({"value": 97, "validity": "questionable"}, (97, Validity.QUESTIONABLE, "")),
        ({"value": 97, "validity": "questionable", "cause": "<b>"}, (97, Validity.QUESTIONABLE, "")),
        ({"value": 97, "validity": "splendid"}, (97, Validity.QUESTIONABLE, "")),
        ({"value": 97, "validity": 0}, (97, Validity.QUESTIONABLE, "")),
        ({"value": 97, "validity": ["valid"], "cause": {}}, (97, Validity.QUESTIONABLE, "")),
        ({"value": 97, "validity": "invalid", "cause": "sensor_off"}, (None, Validity.INVALID, "sensor_off")),
        ({"value": 97, "validity": "valid"}, (97, Validity.VALID, "")),
        ({"value": 3}, (3, Validity.QUESTIONABLE, "implausible")),
    ],
)
def test_a_value_may_bring_its_validity(sent, expected):
    assert readings(codec().feed(message(spo2=sent), T0)) == [("spo2", *expected)]


def test_no_reading_is_better_than_its_message():
    one = codec(validity="quality.state")
    bad = one.feed(message(hr=70, spo2={"value": 97, "validity": "valid"}, quality={"state": "invalid"}), T0)
    assert [value for _, value, *_ in readings(bad)] == [None, None]
    assert the_reading(one.feed(message(hr=70, quality={"state": "valid"}), T0)).validity == Validity.VALID
    assert the_reading(one.feed(message(hr=70), T0)).validity == Validity.VALID


@pytest.mark.parametrize(
    "sent",
    [TIME, "2026-01-01T01:00:00+01:00", "20260101T000000Z", T0 // NS, T0 // 10**6, T0 // 10**3, T0, T0 / NS, T0 / 1e6],
)
def test_a_time_in_any_of_its_forms(sent):
    events = codec().feed(message(hr=70, time=sent), T0 + 3 * NS)
    assert the_reading(events).observed_at == T0
    assert statuses(events) == []


@pytest.mark.parametrize(
    "sent",
    [None, "2026-01-01T00:00:00", "2026-01-01", "yesterday", "", True, 12345, 0, -1, 1e300, [], {}, "\ud800",
     "0001-01-01T00:00:00+23:59", "2000-01-01T00:00:00Z", iso(T0 + 66 * NS), math.nan, 10**19],
)  # fmt: skip
def test_without_a_usable_time_the_receipt_counts_and_it_is_said_once(sent):
    one, received = codec(), T0 + 60 * NS
    first = one.feed(message(hr=70, time=sent), received)
    assert the_reading(first).observed_at == received
    assert statuses(first) == [("clock", True)]
    assert statuses(one.feed(message(hr=70, time=sent), received)) == []
    assert statuses(one.feed(message(hr=70), received)) == [("clock", False)]


def test_a_message_delivered_after_days_keeps_its_time_and_does_not_look_like_now():
    received = T0 + 3 * 24 * 3600 * NS
    events = codec().feed(message(hr=70), received)
    assert the_reading(events).observed_at == T0
    assert statuses(events) == [("clock", True)]


def test_a_redelivered_message_gives_the_same_readings():
    one = codec()
    first = the_reading(one.feed(message(hr=70), T0))
    again = the_reading(one.feed(message(hr=70), T0 + 9 * NS))
    assert again == first._replace(received_at=T0 + 9 * NS)


def nibp(*numbers: int | None, time: str | None = None, at: str = TIME) -> bytes:
    cuff = dict(zip(("sys", "dia", "mean"), numbers, strict=True)) | ({"time": time} if time else {})
    return json.dumps({"time": at, "nibp": cuff}).encode()


def test_a_pressure_broadcast_again_is_given_once_with_its_own_time():
    one, later = codec(), iso(T0 + 600 * NS)
    first = one.feed(nibp(120, 80, 93, time=TIME, at=later), T0 + 600 * NS)
    assert {e.observed_at for e in first} == {T0}
    assert one.feed(nibp(120, 80, 93, time=TIME, at=iso(T0 + 601 * NS)), T0 + 601 * NS) == []
    one.reset()
    assert one.feed(nibp(120, 80, 93, time=TIME, at=iso(T0 + 602 * NS)), T0 + 602 * NS) == []
    assert one.counters.rejected == 0
    assert len(one.feed(nibp(120, 80, 93, time=later, at=later), T0 + 603 * NS)) == 3, "the same numbers, measured anew"


def test_a_pressure_without_its_own_time_is_new_when_a_number_changes():
    one = codec()
    assert len(one.feed(nibp(120, 80, 93), T0)) == 3
    later = iso(T0 + NS)
    assert one.feed(nibp(120, 80, 93, at=later), T0 + NS) == []
    assert {e.observed_at for e in one.feed(nibp(120, 80, 94, at=later), T0 + NS)} == {T0 + NS}


def test_a_systolic_without_its_diastolic_is_provisional_until_the_rest_comes():
    one = codec()
    assert readings(one.feed(nibp(87, None, None), T0))[0] == ("nibp_sys", 87, Validity.QUESTIONABLE, "provisional")
    assert one.feed(nibp(87, None, None), T0 + NS) == []
    final = readings(one.feed(nibp(94, 52, 64), T0 + 10 * NS))
    assert [(value, validity) for _, value, validity, _ in final] == [(94, 0), (52, 0), (64, 0)]


def test_a_pressures_time_may_be_configured_and_may_not_be_ahead():
    one = codec(fields={"nibp_sys": "p.s", "nibp_dia": "p.d"}, nibp_time="p.t")
    assert {e.observed_at for e in one.feed(message(p={"s": 120, "d": 80, "t": T0 - NS}), T0)} == {T0 - NS}
    assert {e.observed_at for e in one.feed(message(p={"s": 120, "d": 80, "t": T0 + 60 * NS}), T0)} == {T0}


def test_a_waveform_ends_at_the_messages_time():
    (wave,) = codec().feed(message(pleth={"rate": 50, "samples": [1, -2, 3]}), T0)
    assert wave == Waveform("pleth", (1, -2, 3), 50.0, T0 - 40_000_000, T0)


@pytest.mark.parametrize(
    "pleth",
    [{"samples": [1]}, {"rate": 0, "samples": [1]}, {"rate": True, "samples": [1]}, {"rate": 75, "samples": [1.5]},
     {"rate": 75, "samples": [True]}, {"rate": 75, "samples": "123"}, {"rate": 75, "samples": [2**31]},
     {"rate": "75", "samples": [1]}, {"rate": 1e-300, "samples": [1, 2]}],
)  # fmt: skip
def test_a_wrong_waveform_is_dropped_and_shown_while_the_readings_stand(pleth):
    one = codec()
    events = one.feed(message(hr=70, pleth=pleth), T0)
    assert [type(e) for e in events] == [DeviceStatus, Reading]
    assert statuses(events) == [("payload", True)]
    assert (one.counters.frames, one.counters.rejected) == (1, 1)


WRONG = {
    "not JSON": b'{"hr": 72',
    "text": b"hr=72",
    "not an object": b"[72]",
    "not UTF-8": b'{"hr": 72, "x": "\xff"}',
    "UTF-16": '{"hr": 72}'.encode("utf-16"),
    "a name twice": b'{"hr": 72, "hr": 73}',
    "nested": b'{"hr": 72, "x":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    "large": b'{"hr": 72, "x": "' + b"x" * 65_536 + b'"}',
    "large number": b'{"hr": ' + b"7" * 5000 + b"}",
    "nothing known": b'{"time": "2026-01-01T00:00:00Z", "humour": 3}',
}


@pytest.mark.parametrize("payload", WRONG.values(), ids=WRONG.keys())
def test_what_is_no_message_is_counted_and_shown_once_until_a_good_one_comes(payload):
    one = codec()
    first = one.feed(payload, T0)
    assert [(type(e), e.code, e.active) for e in first] == [(DeviceStatus, "payload", True)]
    assert len(first[0].text) < 60
    assert one.feed(payload, T0) == []
    assert (one.counters.frames, one.counters.rejected) == (0, 2)
    good = one.feed(message(hr=72), T0)
    assert statuses(good) == [("payload", False)]
    assert the_reading(good).value == 72
    assert one.counters.frames == 1


def test_an_empty_payload_only_clears_a_retained_message():
    one = codec()
    assert one.feed(b"", T0) == []
    assert one.counters.rejected == 0


@given(st.binary(max_size=400))
def test_arbitrary_bytes_never_raise_and_never_become_readings(data):
    assert [e for e in codec().feed(data, T0) if not isinstance(e, DeviceStatus)] == []


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(
    ["valid", "invalid", "97", "--", "kPa", "degF", TIME, "2026-01-01T00:00:00"]
)  # fmt: skip
NAMES = st.sampled_from(
    ["value", "validity", "cause", "unit", "time", "sys", "dia", "mean", "map", "rate", "samples", "nibp", "bp", "abp",
     "pleth", *VITALS, "hr", "SpO2"]
)  # fmt: skip
JSON = st.recursive(LEAVES, lambda c: st.lists(c, max_size=4) | st.dictionaries(NAMES, c, max_size=5), max_leaves=25)


def numbers_in(node: object) -> set[float]:
    if isinstance(node, dict):
        return set().union(*map(numbers_in, node.values()))
    if isinstance(node, list):
        return set().union(*map(numbers_in, node))
    if isinstance(node, bool):
        return set()
    if isinstance(node, str):
        return {97.0} if node == "97" else {float(node)} if node.isascii() and node.strip().isdigit() else set()
    return {float(node)} if isinstance(node, int | float) and abs(node) < 1e300 else set()


@given(st.dictionaries(NAMES, JSON, max_size=8), st.booleans())
def test_arbitrary_json_never_raises_and_never_invents_a_number(payload, configured):
    fields = {"spo2": "spo2.value", "nibp_sys": "nibp.0", "temp": "abp.sys.1"} if configured else {}
    one = codec(fields=fields, validity="validity")
    data = json.dumps(payload).encode()
    present = numbers_in(payload)
    converted = {round(n / 0.133322387415, 6) for n in present} | {round(n * 5 / 9 - 160 / 9, 6) for n in present}
    for event in one.feed(data, T0):
        if isinstance(event, Reading):
            assert (event.value is None) == (event.validity == Validity.INVALID)
            assert event.value is None or any(math.isclose(event.value, n, abs_tol=1e-5) for n in present | converted)
            assert event.value is None or event.value >= 0
            assert 10**18 <= event.observed_at <= T0 + 5 * NS
        if isinstance(event, Waveform):
            assert set(event.samples) <= present


def test_a_simulated_hour_agrees_with_the_patient_and_counts_each_determination_once():
    patient = Patient(seed=3, episodes=(Episode(first=900, duration=60, every=10_000, probe_off=True),))
    side, one = MqttJsonSide(patient, start_ns=T0, pleth=True), codec()
    events: list[Event] = []
    for second in range(3600):
        events += one.feed(side.tick(float(second)), T0 + second * NS + 20_000_000)
    assert statuses(events) == []
    assert (one.counters.frames, one.counters.rejected) == (3600, 0)
    pressures = [e for e in events if isinstance(e, Reading) and e.vital.startswith("nibp")]
    assert [(e.vital, e.value, e.observed_at) for e in pressures] == [
        (f"nibp_{part}", getattr(patient.pressure(ended), part), T0 + ended * NS)
        for ended in range(-10, 3600, 300)
        for part in ("sys", "dia", "mean")
    ]
    for event in events:
        if isinstance(event, Reading) and event.vital == "spo2":
            now = (event.observed_at - T0) / NS
            assert event.value == (None if patient.probe_off(now) else round(patient.spo2(now)))
            assert event.cause == ("sensor_off" if patient.probe_off(now) else "")
    waves = [e for e in events if isinstance(e, Waveform)]
    assert len(waves) == 3600 - 59
    assert waves[1].observed_at - waves[0].observed_at == NS


def test_the_device_side_starts_now_where_nothing_else_is_said():
    assert statuses(codec().feed(MqttJsonSide(Patient()).tick(0.0), time.time_ns())) == []
