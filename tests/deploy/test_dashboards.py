"""The dashboards' queries on a real InfluxDB that has what a station writes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from ruamel.yaml import YAML

from deploy.grafana import make
from drivers.clock import NS, iso
from drivers.events import Validity
from drivers.vitals import VITALS
from monitor.alerts.conditions import ALARM, AUDIO, AlertEvent, AlertState, Kind, Priority, Why
from monitor.sinks.line_protocol import alert_lines, vitals_lines
from monitor.storage.backlog import ReadingTuple
from tests.deploy.as_grafana import DASHBOARDS, FOLDER, Frame, Range, dashboard, frames, interpolated
from tests.influxd import Influxd
from tests.monitor.sinks.helpers import in_order

END = 1_795_564_800 * NS
"""2026-11-25T00:00:00Z: where the dashboards' time ends, and what the server takes for now."""
LENGTH = 1200
"""Seconds that were recorded until then."""
LAST_HOUR = Range(iso(END - 3600 * NS), iso(END), now=iso(END))
WEEK = Range(iso(END - 7 * 86400 * NS), iso(END), step="10m0s", now=iso(END))
SITE, BED, CALM, WATCHED = "north", "chair-1", "chair-2", "chair-3"
VARIABLES = {"site": SITE, "bed": BED, "offset": "0h"}

DIP, GAP, OFF, MOTION = 300, range(400, 460), range(600, 630), range(700, 710)
"""Seconds: one low value among good ones, nothing received, no value, a value in doubt."""


def at(second: float) -> int:
    """The time of a second of the recording."""
    return END - int((LENGTH - second) * NS)


def spo2() -> Iterator[ReadingTuple]:
    for second in range(LENGTH):
        if second in GAP:
            continue
        if second in OFF:
            yield BED, "oximeter", "spo2", None, Validity.INVALID, "sensor_off", at(second)
        elif second in MOTION:
            yield BED, "oximeter", "spo2", 88.0, Validity.QUESTIONABLE, "artifact", at(second)
        else:
            yield BED, "oximeter", "spo2", 71.0 if second == DIP else 97.0, Validity.VALID, "", at(second)


def steady(vital: str, value: float) -> Iterator[ReadingTuple]:
    for second in range(LENGTH - 20):
        yield BED, "monitor", vital, value, Validity.VALID, "", at(second)


def cuff(second: float, sys: float, dia: float, mean: float | None, cause: str = "") -> Iterator[ReadingTuple]:
    sys_validity = Validity.QUESTIONABLE if cause == "provisional" else Validity.VALID
    yield BED, "cuff", "nibp_sys", sys, sys_validity, cause if sys_validity else "", at(second)
    yield BED, "cuff", "nibp_dia", dia, Validity.VALID, "", at(second)
    mean_validity = Validity.VALID if mean is not None else Validity.INVALID
    yield BED, "cuff", "nibp_mean", mean, mean_validity, cause if mean is None else "", at(second)


def recorded() -> list[ReadingTuple]:
    others = {"pulse_rate": 70.0, "heart_rate": 72.0, "resp_rate": 14.0, "etco2": 36.0, "temp": 36.64}
    others |= {"perfusion_index": 4.2, "abp_sys": 121.0, "abp_dia": 79.0, "abp_mean": 93.0}
    return [
        *spo2(),
        *(reading for vital, value in others.items() for reading in steady(vital, value)),
        *((BED, "monitor", "etco2", 36.0, Validity.VALID, "", at(s)) for s in range(LENGTH - 20, LENGTH)),
        (BED, "oximeter", "pulse_rate", None, Validity.INVALID, "sensor_off", at(LENGTH - 1)),
        (BED, "monitor", "heart_rate", 101.0, Validity.QUESTIONABLE, "artifact,low_perfusion", at(LENGTH - 1)),
        *cuff(500, 150.0, 90.0, 110.0, "provisional"),
        *cuff(LENGTH - 250, 124.0, 81.0, None, "measurement_failed"),
        *((CALM, "oximeter", "spo2", 99.0, Validity.VALID, "", at(second)) for second in range(LENGTH)),
        # Three days before, around midnight in a zone five hours behind.
        *(
            (CALM, "oximeter", "spo2", 98.0, Validity.VALID, "", END - 3 * 86400 * NS + s * NS)
            for s in range(4 * 3600 + 3300, 5 * 3600 + 600)
        ),
    ]


def alert(at_: int, state: AlertState, *, bed: str = BED, rule: str = "spo2_low") -> AlertEvent:
    if rule == "spo2_low":
        value = 71.0 if state is AlertState.ON else 97.0
        text = "SpO₂ 71 < 90" if state is AlertState.ON else "SpO₂ 97: back inside 90"
        return AlertEvent(
            bed, rule, Kind.PHYSIOLOGICAL, Priority.HIGH, state, at_, text, "spo2", "oximeter", value, 90.0
        )
    return AlertEvent(bed, rule, Kind.TECHNICAL, Priority.MEDIUM, state, at_, "cuff: sends nothing", device="cuff")


def told(at_: float, state: AlertState, why: Why, **others: Any) -> AlertEvent:
    return alert(at(at_), state)._replace(bed=WATCHED, why=why, **others)


HIGH_PULSE = {"rule": "pulse_rate_high", "text": "PR 141 > 130"}
AUDIO_OFF = {"rule": AUDIO, "kind": Kind.OTHER, "priority": Priority.NONE, "text": "Audio off"}
ALARM_ON = {"rule": ALARM, "kind": Kind.OTHER, "priority": Priority.NONE, "text": "Alarm signals are given"}
TREATED = [
    # Escalated: the same alert goes on in another series, and has to end in the first one too.
    told(200, AlertState.ON, Why.READING, priority=Priority.MEDIUM),
    told(320, AlertState.ON, Why.ESCALATED),
    told(330, AlertState.ACKNOWLEDGED, Why.OPERATOR, actor="Kim"),
    told(340, AlertState.OFF, Why.READING),
    # Seen, not over.
    told(500, AlertState.ON, Why.READING, priority=Priority.MEDIUM, **HIGH_PULSE),
    told(620, AlertState.ON, Why.ESCALATED, **HIGH_PULSE),
    told(630, AlertState.ACKNOWLEDGED, Why.OPERATOR, **HIGH_PULSE),
    told(810, AlertState.ACKNOWLEDGED, Why.REMINDER, **HIGH_PULSE),
    told(990, AlertState.ON, Why.REMINDER, **HIGH_PULSE),
    told(991, AlertState.ACKNOWLEDGED, Why.OPERATOR, **HIGH_PULSE),
    told(400, AlertState.ON, Why.READING, rule="nibp_high", text="SBP 190 > 180"),
    told(410, AlertState.LATCHED, Why.READING, rule="nibp_high", text="SBP 150"),
    told(450, AlertState.ON, Why.READING, rule="part", priority=Priority.NONE, text="a part of a combination"),
    told(460, AlertState.PAUSED, Why.OPERATOR, **AUDIO_OFF),
    told(470, AlertState.OFF, Why.OPERATOR, **AUDIO_OFF),
    told(460, AlertState.PAUSED, Why.OPERATOR, **ALARM_ON),
    told(480, AlertState.ON, Why.TIME, **ALARM_ON),
    AlertEvent("", "sink_behind", Kind.TECHNICAL, Priority.LOW, AlertState.ON, at(700), "behind", why=Why.STATION),
]
ALERTS = [
    alert(END - 2 * 86400 * NS, AlertState.ON, rule="device_lost_cuff"),
    alert(at(300), AlertState.ON),
    alert(at(310), AlertState.OFF),
    alert(at(1000), AlertState.ON),
    alert(at(1100), AlertState.ON, bed=CALM, rule="device_lost_cuff"),
    *TREATED,
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influxd]:
    with Influxd(tmp_path_factory.mktemp("influxd")) as started:
        started.write("\n".join(vitals_lines(SITE, recorded()).lines))
        started.write("\n".join(alert_lines(SITE, ALERTS, in_order(ALERTS))))
        elsewhere = [(BED, "oximeter", "spo2", 55.0, 0, "", at(second)) for second in range(LENGTH)]
        started.write("\n".join(vitals_lines("south", elsewhere).lines))
        yield started


def ask(server: Influxd, query: str, over: Range = LAST_HOUR, **variables: str) -> list[Frame]:
    return frames(server, interpolated(query, VARIABLES | variables, over, server.bucket))


def panels(name: str) -> dict[str, dict[str, Any]]:
    return {panel["title"]: panel for panel in dashboard(name)["panels"]}


def queries(name: str, title: str) -> dict[str, str]:
    return {target["refId"]: target["query"] for target in panels(name)[title]["targets"]}


def single(server: Influxd, name: str, title: str, over: Range = LAST_HOUR, **variables: str) -> Frame:
    """The one frame of a panel of one query."""
    [query] = queries(name, title).values()
    [frame] = ask(server, query, over, **variables)
    return frame


EVERY_PANEL = [(name, title) for name in DASHBOARDS for title in panels(name)]
EVERY_QUERY_VARIABLE = [
    (name, variable["name"])
    for name in DASHBOARDS
    for variable in dashboard(name)["templating"]["list"]
    if variable["type"] == "query"
]


def variable_query(name: str, variable: str) -> str:
    [found] = [one for one in dashboard(name)["templating"]["list"] if one["name"] == variable]
    query: str = found["query"]["query"]
    return query


def test_the_files_are_what_the_program_makes() -> None:
    assert {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()} == make.dashboards()


def test_all_ask_the_provisioned_source() -> None:
    folder = FOLDER.parent / "provisioning"
    [source] = YAML(typ="safe").load(folder / "datasources" / "influxdb.yaml")["datasources"]
    assert (source["type"], source["jsonData"]["version"]) == ("influxdb", "Flux")
    uids = {
        asked["datasource"]["uid"]
        for name in DASHBOARDS
        for panel in dashboard(name)["panels"]
        for asked in (panel, *panel["targets"])
    }
    variables = [one for name in DASHBOARDS for one in dashboard(name)["templating"]["list"] if one["type"] == "query"]
    assert uids | {one["datasource"]["uid"] for one in variables} == {source["uid"]}


def test_no_graph_smooths_or_connects_across_a_gap() -> None:
    graphs = [
        panel
        for name in DASHBOARDS
        for panel in panels(name).values()
        if panel["type"] in {"timeseries", "state-timeline"}
    ]
    assert graphs
    for panel in graphs:
        text = repr(panel)
        assert "'spanNulls': True" not in text
        assert panel["fieldConfig"]["defaults"]["custom"]["spanNulls"] is False
        assert panel["fieldConfig"]["defaults"]["custom"].get("lineInterpolation", "linear") == "linear"
        functions = set(re.findall(r"fn: (\w+)[,)]", text))
        assert functions <= {"min", "max", "count"}, "nothing but extremes may stand for what was measured"
        if panel["type"] == "timeseries":
            highest = [target["query"] for target in panel["targets"] if "fn: max" in target["query"]]
            lowest = [target["query"] for target in panel["targets"] if "fn: min" in target["query"]]
            assert [query.replace("fn: max", "fn: min") for query in highest] == lowest


@pytest.mark.parametrize(("name", "title"), EVERY_PANEL)
def test_every_panel_gets_what_it_shows(server: Influxd, name: str, title: str) -> None:
    panel = panels(name)[title]
    for ref, query in queries(name, title).items():
        answer = ask(server, query)
        if ref.endswith(("2", "3")) and not answer:
            assert title != "Oxygen saturation", "here are values in doubt"
            continue
        assert answer
        for frame in answer:
            assert all(len(values) == len(frame.fields[next(iter(frame.fields))]) for values in frame.fields.values())
            match panel["type"]:
                case "timeseries":
                    assert next(iter(frame.types.values())).startswith("dateTime")
                    assert set(frame.labels) <= {"device"}
                    numbers = [kind for kind in frame.types.values() if kind == "double"]
                    assert len(numbers) == len(frame.types) - 1 == (2 if "highest" in frame.fields else 1)
                case "state-timeline":
                    assert list(frame.types.values()) == ["dateTime:RFC3339", "long"]
                case "stat":
                    assert set(frame.types.values()) == {"double"}
                    assert all(len(values) == 1 for values in frame.fields.values())
                case "table":
                    [organised] = panel["transformations"]
                    assert set(organised["options"]["indexByName"]) == set(frame.fields)
                    named = {one["matcher"]["options"] for one in panel["fieldConfig"]["overrides"]}
                    assert named <= set(frame.fields)
                    assert not frame.labels
                case kind:
                    pytest.fail(f"what does a {kind} need?")


@pytest.mark.parametrize(("name", "title"), EVERY_PANEL)
@pytest.mark.parametrize("nowhere", [{"bed": CALM}, {"site": "west"}], ids=["a calm bed", "an unknown site"])
def test_no_query_fails_where_there_is_nothing(server: Influxd, name: str, title: str, nowhere: dict[str, str]) -> None:
    for query in queries(name, title).values():
        answer = ask(server, query, **nowhere)
        assert "site" not in nowhere or not answer


@pytest.mark.parametrize(("name", "variable"), EVERY_QUERY_VARIABLE)
def test_every_variable_gets_its_values(server: Influxd, name: str, variable: str) -> None:
    [frame] = ask(server, variable_query(name, variable))
    expected = {"site": ["north", "south"], "bed": [BED, CALM]}[variable]
    assert frame.fields == {"_value": expected}


def test_offsets_are_durations(server: Influxd) -> None:
    [offset] = [one for one in dashboard("sessions")["templating"]["list"] if one["type"] == "custom"]
    options = offset["query"].split(",")
    assert offset["current"]["value"] in options
    for option, title in product(options, ("Recorded", "Alerts a day")):
        assert single(server, "sessions", title, WEEK, offset=option).fields


def test_one_low_value_among_good_ones_is_in_the_graph(server: Influxd) -> None:
    asked = queries("bed", "Oxygen saturation")
    [highest], [lowest] = ask(server, asked["A1"], WEEK), ask(server, asked["A2"], WEEK)
    assert min(value for value in lowest.fields["Value"] if value is not None) == 71.0
    assert max(value for value in highest.fields["Value"] if value is not None) == 97.0


def test_a_gap_stays_one(server: Influxd) -> None:
    [frame] = ask(server, queries("bed", "Oxygen saturation")["A1"])
    empty = [moment for moment, value in frame.rows("Time", "Value") if value is None and moment > at(0)]
    # The time of a step is its end.
    without = {at(second) for seconds in (GAP, OFF) for second in seconds if second % 10 == 0}
    assert empty == sorted(moment + 10 * NS for moment in without)


def test_doubtful_values_are_marked_once_more(server: Influxd) -> None:
    [frame] = ask(server, queries("bed", "Oxygen saturation")["A3"])
    assert frame.rows("_time", "lowest", "highest") == [(at(710), 88.0, 88.0)]


def test_each_cuff_pressure_is_a_point_and_doubtful_ones_once_more(server: Influxd) -> None:
    asked = queries("bed", "Cuff pressure")
    [systolic] = ask(server, asked["A1"])
    assert systolic.rows("Time", "Value") == [(at(500), 150.0), (at(LENGTH - 250), 124.0)]
    [doubtful] = ask(server, asked["A2"])
    assert doubtful.rows("Time", "Value") == [(at(500), 150.0)]
    [mean] = ask(server, asked["C1"])
    assert mean.rows("Time", "Value") == [(at(500), 110.0)]


def test_bands_show_every_reading_for_what_it_is(server: Influxd) -> None:
    [query] = queries("bed", "Validity").values()
    bands = {next(name for name in frame.fields if name != "Time"): frame for frame in ask(server, query)}
    assert set(bands) == {vital.label for vital in VITALS.values()}
    steps = dict(bands["SpO₂"].rows("Time", "SpO₂"))
    for second in range(0, LENGTH, 10):
        expected = None if second in GAP else 2 if second in OFF else 1 if second in MOTION else 0
        assert steps[at(second + 10)] == expected, second


def test_many_good_readings_do_not_cover_the_bad_ones(server: Influxd) -> None:
    [query] = queries("bed", "Validity").values()
    [coarse] = [frame for frame in ask(server, query, WEEK) if "SpO₂" in frame.fields]
    steps = {moment: value for moment, value in coarse.rows("Time", "SpO₂") if value is not None}
    assert steps == {at(600): 0, at(1200): 2}


def test_causes_are_counted(server: Influxd) -> None:
    frame = single(server, "bed", "Why readings were not valid")
    found = dict(
        zip(zip(frame.fields["vital"], frame.fields["cause"], strict=True), frame.fields["readings"], strict=True)
    )
    assert found == {
        ("SpO₂", "sensor off"): 30,
        ("SpO₂", "artifact"): 10,
        ("PR", "sensor off"): 1,
        ("HR", "artifact,low perfusion"): 1,
        ("NIBP sys", "provisional"): 1,
        ("NIBP mean", "measurement failed"): 1,
    }
    [first] = [row for row in frame.rows("cause", "from", "to", "readings") if row[3] == 30]
    assert first[1:3] == (at(600), at(629))


def test_the_wall_shows_only_what_is_valid_and_new_under_a_vitals_plain_name(server: Influxd) -> None:
    frame = single(server, "wall", "$bed")
    now = {name: values[0] for name, values in frame.fields.items()}
    old = {
        f"{VITALS[key].label} (21 s old)": None
        for key in ("abp_sys", "abp_dia", "abp_mean", "resp_rate", "temp", "perfusion_index")
    }
    assert now == {
        "HR (artifact,low perfusion)": 101.0,
        "PR (sensor off)": None,
        "SpO₂": 97.0,
        "NIBP sys, 4 min": 124.0,
        "NIBP dia, 4 min": 81.0,
        "NIBP mean (measurement failed)": None,
        "EtCO₂": 36.0,
        **old,
    }
    order = [vital.label for vital in VITALS.values()]
    assert [next(label for label in order if re.match(rf"{label}( |,|$)", name)) for name in frame.fields] == order


def test_only_plain_names_have_a_vitals_colour(server: Influxd) -> None:
    frame = single(server, "wall", "$bed")
    overrides = panels("wall")["$bed"]["fieldConfig"]["overrides"]
    coloured, united = {}, {}
    for override in overrides:
        assert override["matcher"]["id"] == "byRegexp"
        pattern = re.compile(override["matcher"]["options"].strip("/"))
        properties = {one["id"]: one["value"] for one in override["properties"]}
        for name in filter(pattern.search, frame.fields):
            coloured |= {name: properties["color"]["fixedColor"]} if "color" in properties else {}
            united |= {name: properties["unit"]} if "unit" in properties else {}
    assert coloured == {
        "SpO₂": VITALS["spo2"].colour,
        "EtCO₂": VITALS["etco2"].colour,
        "NIBP sys, 4 min": VITALS["nibp_sys"].colour,
        "NIBP dia, 4 min": VITALS["nibp_dia"].colour,
    }
    assert set(united) == set(frame.fields)
    assert united["NIBP mean (measurement failed)"] == "mmHg"


def test_the_wall_lists_the_latest_of_every_bed_with_its_age(server: Influxd) -> None:
    frame = single(server, "wall", "The latest reading of every vital")
    columns = ("bed", "vital", "device", "value", "state", "cause", "age")
    rows = {row[:3]: row[3:] for row in frame.rows(*columns)}
    # The pulse rate of one bed has come from two devices.
    assert len(rows) == len(frame.fields["bed"]) == len(VITALS) + 2
    assert rows[BED, "SpO₂", "oximeter"] == ("97 %", "valid", None, 1)
    assert rows[BED, "HR", "monitor"] == ("101 /min", "questionable", "artifact,low perfusion", 1)
    assert rows[BED, "PR", "oximeter"] == ("--", "no value", "sensor off", 1)
    assert rows[BED, "PR", "monitor"] == ("--", "old", None, 21)
    assert rows[BED, "Temp", "monitor"] == ("--", "old", None, 21)
    assert rows[BED, "NIBP sys", "cuff"] == ("124 mmHg", "valid", None, 250)
    assert rows[BED, "NIBP mean", "cuff"] == ("--", "no value", "measurement failed", 250)
    assert rows[CALM, "SpO₂", "oximeter"] == ("99 %", "valid", None, 1)


def test_decimals_are_a_vitals_own(server: Influxd) -> None:
    earlier = Range(LAST_HOUR.start, iso(at(LENGTH - 30)), now=iso(at(LENGTH - 30)))
    frame = single(server, "wall", "The latest reading of every vital", earlier)
    shown = dict(frame.rows("vital", "value"))
    assert (shown["Temp"], shown["PI"], shown["RR"]) == ("36.6 °C", "4.2 %", "14 /min")


def test_only_alerts_that_stand_are_on_the_wall(server: Influxd) -> None:
    frame = single(server, "wall", "Alerts that stand")
    assert frame.rows("since", "bed", "priority", "kind", "alert", "state") == [
        (at(400), WATCHED, "high", "physiological", "SBP 150", "latched"),
        (at(500), WATCHED, "high", "physiological", "PR 141 > 130", "acknowledged"),
        (at(1000), BED, "high", "physiological", "SpO₂ 71 < 90", "on"),
        (at(1100), CALM, "medium", "technical", "cuff: sends nothing", "on"),
        (at(700), None, "low", "technical", "behind", "on"),
        (at(460), WATCHED, "none", "other", "Audio off", "off"),
    ]


def test_a_beds_alerts_come_with_what_caused_them(server: Influxd) -> None:
    frame = single(server, "bed", "Alerts")
    assert frame.rows("_time", "state", "text", "value", "limit") == [
        (at(1000), "on", "SpO₂ 71 < 90", 71.0, 90.0),
        (at(310), "off", "SpO₂ 97: back inside 90", 97.0, 90.0),
        (at(300), "on", "SpO₂ 71 < 90", 71.0, 90.0),
    ]


@pytest.mark.parametrize(
    ("offset", "expected"),
    [
        ("0h", [("2026-11-24", BED, 1200), ("2026-11-24", CALM, 1200), ("2026-11-22", CALM, 900)]),
        (
            "-5h",
            [
                *[("2026-11-24", BED, 1200), ("2026-11-24", CALM, 1200)],
                *[("2026-11-22", CALM, 600), ("2026-11-21", CALM, 300)],
            ],
        ),
    ],
)
def test_minutes_recorded_belong_to_the_clinics_days(
    server: Influxd, offset: str, expected: list[tuple[str, str, int]]
) -> None:
    frame = single(server, "sessions", "Recorded", WEEK, offset=offset)
    assert sorted(frame.rows("day", "bed", "recorded")) == sorted(expected)


def test_alerts_are_counted_by_day(server: Influxd) -> None:
    frame = single(server, "sessions", "Alerts a day", WEEK, offset="-5h")
    assert set(frame.rows("day", "bed", "priority", "kind", "alerts")) == {
        ("2026-11-22", BED, "medium", "technical", 1),
        ("2026-11-24", BED, "high", "physiological", 2),
        ("2026-11-24", CALM, "medium", "technical", 1),
        ("2026-11-24", WATCHED, "high", "physiological", 1),
        ("2026-11-24", WATCHED, "medium", "physiological", 2),
        ("2026-11-24", None, "low", "technical", 1),
    }
    assert len(single(server, "sessions", "Alerts", WEEK).fields["_time"]) == len(ALERTS)
