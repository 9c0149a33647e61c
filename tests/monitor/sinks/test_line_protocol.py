"""The encoder: against an independent parser, beside the client's own, and read back from a real server."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from influxdb_client import Point
from line_protocol_parser import parse_line

from drivers.clock import NS
from drivers.events import Validity, Waveform
from monitor.alerts.conditions import AlertEvent, AlertState, Kind, Priority, Why
from monitor.sessions.entries import Entry
from monitor.sessions.entries import Kind as SessionKind
from monitor.sessions.text import text_of
from monitor.sinks.line_protocol import (
    alert_lines,
    device_lines,
    escaped,
    session_lines,
    vitals_lines,
    waveform_lines,
)
from monitor.storage.backlog import Place, RecordedWaveform
from monitor.storage.blocks import FURTHEST
from monitor.storage.device_events import DeviceEvent
from tests.influxd import Influxd
from tests.monitor.sinks.helpers import in_order

AT = 1_767_225_600_000_000_000
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
# The parser of the tests reads no NUL; the real server does, see below.
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\\"), max_size=12)
IDS = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,31}", fullmatch=True)
# Nor does it read subnormal numbers.
NUMBERS = st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False)
TIMES = st.integers(-(2**63) + 2, 2**63 - 2)

HARD = [
    "chair 1",
    "a,b=c",
    'say "ah"',
    "back\\slash",
    "SpO₂ 86 < 90 – Stuhl 3",
    "line\nbreak\r\n\tand tab",
    "ends in \\",
    "\\",
    '\\"',
    '"',
    "\\\\n",
    "before\\, comma",
    "#not a comment",
    "🫁 \x01 \x7f",
    "'",
]


def row(vital="spo2", value=97.0, validity=0, cause="", *, bed="chair1", device="oximeter", at=AT):
    return (bed, device, vital, value, validity, cause, at)


def alert(**changes) -> AlertEvent:
    event = AlertEvent(
        "chair1",
        "spo2_low",
        Kind.PHYSIOLOGICAL,
        Priority.HIGH,
        AlertState.ON,
        AT,
        "SpO₂ 86 < 90",
        "spo2",
        "oximeter",
        86.0,
        90.0,
    )
    return event._replace(**changes)


def lines_of(*alerts: AlertEvent) -> list[str]:
    return alert_lines("clinic", alerts, in_order(alerts))


def test_a_valid_reading_is_one_float() -> None:
    assert vitals_lines("clinic", [row()]).lines == [f"vitals,bed=chair1,device=oximeter,site=clinic spo2=97.0 {AT}"]


def test_readings_of_one_moment_share_a_line() -> None:
    rows = [row(), row("pulse_rate", 71.0), row(at=AT + 1), row("perfusion_index", 0.25)]
    assert vitals_lines("clinic", rows).lines == [
        f"vitals,bed=chair1,device=oximeter,site=clinic spo2=97.0,pulse_rate=71.0,perfusion_index=0.25 {AT}",
        f"vitals,bed=chair1,device=oximeter,site=clinic spo2=97.0 {AT + 1}",
    ]


def test_a_doubt_is_written_beside_the_value_and_stands_alone_where_there_is_none() -> None:
    rows = [
        row("spo2", 97.0, Validity.QUESTIONABLE, "artifact,low_perfusion"),
        row("pulse_rate", None, Validity.INVALID, "sensor_off"),
        row("temp", None, Validity.INVALID),
        row("heart_rate", 60.0, Validity.VALID, "age_unknown"),
    ]
    assert vitals_lines("clinic", rows).lines == [
        (
            "vitals,bed=chair1,device=oximeter,site=clinic "
            'spo2=97.0,spo2_validity=1i,spo2_cause="artifact,low_perfusion",'
            'pulse_rate_validity=2i,pulse_rate_cause="sensor_off",temp_validity=2i,'
            f'heart_rate=60.0,heart_rate_cause="age_unknown" {AT}'
        )
    ]


def test_a_reading_with_neither_value_nor_doubt_is_still_a_line() -> None:
    assert vitals_lines("clinic", [row(value=None)]).lines[0].endswith(f" spo2_validity=0i {AT}")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_refused_alone(value: float) -> None:
    rows = [row("pulse_rate", 71.0), row(value=value, validity=1, cause="implausible"), row("temp", 36.5)]
    encoded = vitals_lines("clinic", rows)
    assert encoded.lines == [f"vitals,bed=chair1,device=oximeter,site=clinic pulse_rate=71.0,temp=36.5 {AT}"]
    [(line, reason)] = encoded.refused
    assert line.endswith(f' spo2={value!r},spo2_validity=1i,spo2_cause="implausible" {AT}')
    assert repr(value) in reason


def test_a_moment_of_which_all_is_refused_has_no_line() -> None:
    rows = [row(value=math.nan), row(value=97.0, at=AT + 1), row("temp", math.inf)]
    encoded = vitals_lines("clinic", rows)
    assert encoded.lines == [f"vitals,bed=chair1,device=oximeter,site=clinic spo2=97.0 {AT + 1}"]
    assert len(encoded.refused) == 2


def test_readings_of_one_moment_find_each_other_again() -> None:
    rows = [row(), row(bed="chair2"), row("temp", 97.0), row("temp", 97.0, bed="chair2")]
    assert vitals_lines("clinic", rows).lines == [
        f"vitals,bed=chair1,device=oximeter,site=clinic spo2=97.0,temp=97.0 {AT}",
        f"vitals,bed=chair2,device=oximeter,site=clinic spo2=97.0,temp=97.0 {AT}",
    ]


def test_zero_keeps_its_sign() -> None:
    values = [0.0, -0.0, 0.0, -0.0]
    rows = [row("temp", value, at=AT + index) for index, value in enumerate(values)]
    told = [parse_line(line)["fields"]["temp"] for line in vitals_lines("clinic", rows).lines]
    assert [math.copysign(1, value) for value in told] == [1, -1, 1, -1]


def test_an_empty_tag_is_left_out() -> None:
    assert vitals_lines("", [row(device="")]).lines == [f"vitals,bed=chair1 spo2=97.0 {AT}"]


def test_an_alert() -> None:
    assert alert_lines("clinic", [alert()], [Place(7, 0)]) == [
        (
            "alerts,bed=chair1,kind=physiological,priority=high,rule=spo2_low,site=clinic "
            f'state="on",text="SpO₂ 86 < 90",value=86.0,limit=90.0,vital="spo2",device="oximeter",at={AT}i,row=7i {AT}'
        )
    ]
    by_a_person = alert(group="spo2", why=Why.OPERATOR, actor='Kim "KM" Möller', session="2026-11-25-a")
    assert lines_of(by_a_person)[0].endswith(
        rf'group="spo2",why="operator",actor="Kim \"KM\" Möller",session="2026-11-25-a",at={AT}i,row=1i {AT}'
    )
    bare = alert(vital="", device="", value=None, limit=None)
    assert lines_of(bare)[0].endswith(f' state="on",text="SpO₂ 86 < 90",at={AT}i,row=1i {AT}')


def test_an_alert_is_written_without_a_number_that_is_none() -> None:
    assert parse_line(lines_of(alert(value=math.inf, limit=math.nan))[0])["fields"].keys() == {
        "state", "text", "vital", "device", "at", "row"
    }  # fmt: skip


def test_what_became_of_a_condition_twice_at_one_moment_is_told_twice() -> None:
    states = [alert(), alert(state=AlertState.OFF), alert(priority=Priority.LOW)]
    places = [Place(4, 0), Place(5, 1), Place(6, 0)]
    points = [parse_line(line) for line in alert_lines("clinic", states, places)]
    assert [point["time"] - AT for point in points] == [0, 1, 0]
    assert [(point["fields"]["at"], point["fields"]["row"]) for point in points] == [(AT, 4), (AT, 5), (AT, 6)]
    with pytest.raises(ValueError, match="shorter"):
        alert_lines("clinic", states, places[1:])


def test_a_waveform_is_one_point_a_sample() -> None:
    run = Waveform("pleth", (10, -3, 7), 75.0, AT, AT)
    assert list(waveform_lines("clinic", [RecordedWaveform("chair1", "oximeter", run)])) == [
        f"waveforms,bed=chair1,device=oximeter,site=clinic pleth=10 {AT}",
        f"waveforms,bed=chair1,device=oximeter,site=clinic pleth=-3 {AT + 13_333_333}",
        f"waveforms,bed=chair1,device=oximeter,site=clinic pleth=7 {AT + 26_666_667}",
    ]


def test_waveforms_are_encoded_as_they_are_asked_for() -> None:
    run = Waveform("pleth", (1,) * 1000, 75.0, AT, AT)

    def runs():
        yield RecordedWaveform("chair1", "oximeter", run)
        raise AssertionError("the second run was taken before the first was used up")

    assert len(list(itertools.islice(waveform_lines("clinic", runs()), 1000))) == 1000


def place(reading):
    return (*reading[:3], reading[6])


READINGS = st.lists(
    st.tuples(
        IDS, IDS, st.sampled_from(["spo2", "pulse_rate", "temp"]), st.none() | NUMBERS, st.integers(0, 2), TEXT, TIMES
    ),
    max_size=8,
    unique_by=place,
)


@given(IDS, READINGS)
def test_a_parser_of_others_reads_the_same_vitals(site, readings) -> None:
    told = {}
    encoded = vitals_lines(site, readings)
    for line in encoded.lines:
        point = parse_line(line)
        assert point["measurement"] == "vitals"
        key = (point["tags"]["bed"], point["tags"]["device"], point["time"])
        assert key not in told, "one moment of a device has one line"
        assert point["tags"]["site"] == site
        told[key] = point["fields"]
    found = {
        (bed, device, vital, at): (
            fields.get(vital),
            fields.get(f"{vital}_validity", 0),
            fields.get(f"{vital}_cause", ""),
        )
        for (bed, device, at), fields in told.items()
        for vital in ("spo2", "pulse_rate", "temp")
        if vital in fields or f"{vital}_validity" in fields
    }
    assert found == {place(reading): reading[3:6] for reading in readings}
    assert not encoded.refused
    # Numbers stay floats and validities whole, or the server would refuse the field for ever.
    for fields in told.values():
        assert all(
            type(value) is (int if name.endswith("_validity") else str if name.endswith("_cause") else float)
            for name, value in fields.items()
        )


@given(TEXT, TEXT, st.none() | NUMBERS, TIMES)
@example('"', "\\", None, 0)
def test_a_parser_of_others_reads_the_same_alert(text, vital, value, at) -> None:
    point = parse_line(lines_of(alert(text=text, vital=vital, value=value, at=at))[0])
    expected = {"state": "on", "text": text, "vital": vital, "device": "oximeter", "value": value, "limit": 90.0}
    expected |= {"at": at, "row": 1}
    assert point["fields"] == {name: value for name, value in expected.items() if value not in ("", None)}
    assert point["time"] == at


def entered(kind=SessionKind.NOTE, *, number=7, at=AT, bed="chair1", author="Kim Möller", **content) -> Entry:
    return Entry("s1", number, kind, at, at + 90 * NS, author, bed, content or {"text": "cold"}, f"r{number}")


def test_an_entry_of_a_session_is_a_point_of_its_bed() -> None:
    opened = entered(SessionKind.OPENED, number=1, reference="P-17", planned_minutes=40, profile="default")
    started = entered(SessionKind.STEP, number=2, step="start", confirmed=["consent"], reason="verbal")
    named = entered(SessionKind.CORRECTION, number=3, corrects=1, reason="typing", reference="P-18")
    void = entered(SessionKind.CORRECTION, number=4, corrects=2, reason="twice", void=True)
    written = [opened, started, entered(number=5, bed=""), named, void]
    places = [Place(row, after) for row, after in enumerate([0, 1, 0, 2, 3], start=11)]
    points = [parse_line(line) for line in session_lines("clinic", written, places)]
    for point, entry, place in zip(points, written, places, strict=True):
        assert point["measurement"] == "sessions"
        assert point["tags"] == {"site": "clinic"} | ({"bed": "chair1"} if entry.bed else {})
        fields = point["fields"]
        assert fields["text"] == text_of(entry) != ""
        assert (fields["session"], fields["author"]) == ("s1", "Kim Möller")
        assert (fields["number"], fields["entered_at"]) == (entry.number, AT + 90 * NS)
        assert (fields["kind"], fields["request"]) == (entry.kind, entry.request)
        assert json.loads(fields["content"]) == entry.content
        assert (fields["at"], fields["row"], point["time"]) == (AT, place.row, AT + place.after)
        assert {type(fields[name]) for name in ("number", "entered_at", "at", "row")} == {int}
    assert [point["fields"]["event"] for point in points] == ["opened", "start", "note", "correction", "correction"]
    assert [point["fields"].get("reference") for point in points] == ["P-17", None, None, "P-18", None]


@given(TEXT.filter(bool), TEXT, st.integers(-FURTHEST, FURTHEST))
@example('"', "\\", 0)
def test_a_parser_of_others_reads_the_same_entry(text, author, at) -> None:
    [line] = session_lines("clinic", [entered(text=text, author=author, at=at)], [Place(1, 0)])
    point = parse_line(line)
    assert json.loads(point["fields"]["content"]) == {"text": text}
    assert (point["fields"]["text"], point["fields"].get("author", ""), point["time"]) == (text, author, at)


def test_a_device_event_is_a_point_of_its_device() -> None:
    lost = DeviceEvent("chair1", "oximeter", "link", "", "lost", 'the cable "A" is out', AT)
    status = DeviceEvent("chair1", "oximeter", "status", "low_battery", "on", "", AT)
    lines = device_lines("clinic", [lost, status], [Place(3, 0), Place(4, 1)])
    assert [parse_line(line) for line in lines] == [
        {
            "measurement": "devices",
            "tags": {"bed": "chair1", "device": "oximeter", "kind": event.kind, "site": "clinic"},
            "fields": {"state": event.state, **more, "at": AT, "row": row},
            "time": time,
        }
        for event, more, row, time in (
            (lost, {"text": lost.text}, 3, AT),
            (status, {"code": "low_battery"}, 4, AT + 1),
        )
    ]


@given(NAMES, NAMES, NAMES)
def test_a_parser_of_others_reads_the_same_tags(site, bed, device) -> None:
    point = parse_line(vitals_lines(site, [row(bed=bed, device=device)]).lines[0])
    expected = {"site": site, "bed": bed, "device": device}
    assert point["tags"] == {name: value for name, value in expected.items() if value}


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12))
def test_no_name_breaks_a_line(name) -> None:
    [line] = vitals_lines("clinic", [row(bed=name, device="d", vital="spo2")]).lines
    point = parse_line(line)
    assert point["tags"].keys() == {"bed", "device", "site"}
    assert point["fields"] == {"spo2": 97.0}
    assert len(point["tags"]["bed"]) == len(name)


@given(NAMES.filter(bool), NAMES.filter(bool), NAMES.filter(bool), NUMBERS, TEXT, TIMES)
def test_the_client_encodes_the_same_point(bed, device, site, value, text, at) -> None:
    point = Point("vitals").tag("bed", bed).tag("device", device).tag("site", site)
    point.field("spo2", value).field("spo2_validity", 1).field("spo2_cause", text).time(at)
    [ours] = vitals_lines(site, [row(value=value, validity=1, cause=text, bed=bed, device=device, at=at)]).lines
    theirs = parse_line(point.to_line_protocol())
    # It leaves out an empty text as we do not write one at all; and it has field names in order of the alphabet.
    assert parse_line(ours) | {"fields": {"spo2_cause": "", **parse_line(ours)["fields"]}} == theirs


def test_what_a_tag_cannot_hold_becomes_an_underscore() -> None:
    assert escaped("plain-name_1") == "plain-name_1"
    assert escaped("a b,c=d") == r"a\ b\,c\=d"
    assert escaped("in\\side") == "in\\side"
    assert escaped("\n\t\r\0end\\") == "____end_"
    assert escaped("a\\,b") == r"a_\,b"
    assert escaped("\\\\") == "\\_"


def test_a_real_server_reads_back_every_text(tmp_path: Path) -> None:
    """Texts of alerts and causes exactly; tags with what they cannot hold replaced."""
    with Influxd(tmp_path) as server:
        texts = [*HARD, "NUL \0 inside"]
        alerts = [alert(text=text, at=AT + index) for index, text in enumerate(texts)]
        readings = [
            row(value=None, validity=2, cause=text, bed=text, device=str(index), at=AT + index)
            for index, text in enumerate(texts)
        ]
        server.write("\n".join([*lines_of(*alerts), *vitals_lines("clinic", readings).lines]))

        def told(measurement: str, field: str) -> dict[int, dict]:
            # As JSON: the server's CSV changes the line breaks inside texts.
            found = server.query(
                f'import "json" from(bucket: "{server.bucket}") |> range(start: 0) '
                f'|> filter(fn: (r) => r._measurement == "{measurement}" and r._field == "{field}") '
                "|> map(fn: (r) => ({r with _value: string(v: json.encode(v: r._value))}))"
            )
            return {point["_time"] - AT: {**point, "_value": json.loads(point["_value"])} for point in found}

        of_alerts, of_readings = told("alerts", "text"), told("vitals", "spo2_cause")
        assert [of_alerts[index]["_value"] for index in range(len(texts))] == texts
        assert [of_readings[index]["_value"] for index in range(len(texts))] == texts
        beds = {text: of_readings[index]["bed"] for index, text in enumerate(texts)}
        changed = {
            "line\nbreak\r\n\tand tab": "line_break___and tab",
            "ends in \\": "ends in _",
            "\\": "_",
            "before\\, comma": "before_, comma",
            "🫁 \x01 \x7f": "🫁 _ _",
            "NUL \0 inside": "NUL _ inside",
        }
        assert beds == {text: changed.get(text, text) for text in texts}


def test_a_real_server_reads_back_every_number(tmp_path: Path) -> None:
    values = [97.0, 0.1 + 0.2, 5e-324, 1.7976931348623157e308, -273.15, 1e16, 123456789.123456789, -0.0, 1 / 3]
    with Influxd(tmp_path) as server:
        rows = [row(value=value, at=AT + index) for index, value in enumerate(values)]
        server.write("\n".join(vitals_lines("clinic", rows).lines))
        found = server.query(f'from(bucket: "{server.bucket}") |> range(start: 0) |> sort(columns: ["_time"])')
        assert [repr(point["_value"]) for point in found] == [repr(value) for value in values]
