"""`docs/influxdb.md` is true: its table has every tag and field that is written, and no other."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

from line_protocol_parser import parse_line

from drivers.events import Validity, Waveform
from monitor.alerts.conditions import AlertEvent, AlertState, Kind, Priority, Why
from monitor.sessions.entries import Entry
from monitor.sessions.entries import Kind as Entered
from monitor.sinks.line_protocol import alert_lines, device_lines, session_lines, vitals_lines, waveform_lines
from monitor.storage.backlog import Place, RecordedWaveform
from monitor.storage.device_events import DeviceEvent

PAGE = (Path(__file__).parents[1] / "docs" / "influxdb.md").read_text(encoding="utf-8")
PLACES = [Place(1, 0)]


def test_the_table_has_every_tag_and_field() -> None:
    told = {}
    for row in re.findall(r"^\| (`.*) \|$", PAGE, re.MULTILINE):
        measurement, tags, fields, _ = (re.findall(r"`(\w+)`", cell) for cell in row.split(" | "))
        told[measurement[0]] = (set(tags), set(fields))
    # Their fields have the names of what was measured.
    told["vitals"] = (told["vitals"][0], {name.replace("VITAL", "spo2") for name in told["vitals"][1]} | {"spo2"})
    told["waveforms"] = (told["waveforms"][0], {"pleth"})

    alert = AlertEvent(
        *("b", "spo2_low", Kind.PHYSIOLOGICAL, Priority.HIGH, AlertState.ON, 1, "t", "spo2", "ox", 86.0, 90.0),
        *("spo2", Why.READING, "Kim", "s"),
    )
    opened = {"reference": "P-17", "planned_minutes": 40, "profile": "default"}
    lines = [
        *vitals_lines("s", [("b", "ox", "spo2", 97.0, Validity.QUESTIONABLE, "artifact", 1)]).lines,
        *alert_lines("s", [alert], PLACES),
        *session_lines("s", [Entry("s", 1, Entered.OPENED, 1, 1, "Kim", "b", opened, "r")], PLACES),
        *device_lines("s", [DeviceEvent("b", "ox", "status", "7", "on", "t", 1)], PLACES),
        *waveform_lines("s", [RecordedWaveform("b", "ox", Waveform("pleth", (1,), 75.0, 1, 1))]),
    ]
    written = defaultdict(lambda: (set(), set()))
    for point in map(parse_line, lines):
        written[point["measurement"]][0].update(point["tags"])
        written[point["measurement"]][1].update(point["fields"])
    assert told == written
