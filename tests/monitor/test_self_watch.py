"""What is wrong with the station itself: on the page as long as it stands, and in the record when it comes and goes."""

from __future__ import annotations

import json
from pathlib import Path

from monitor.alerts.conditions import AlertEvent, AlertState, Kind, Priority
from monitor.self_watch import SelfWatch
from monitor.sinks.forwarder import FORWARDING, STOPPED, WAITING, Status
from monitor.storage.journal import Health
from tests.monitor.program import Start, call, wait_for

WELL = Health(10, 0, 0, None)
ON, OFF = AlertState.ON, AlertState.OFF


def sink(state: str, detail: str = "") -> Status:
    return Status("influxdb", state, detail, 0, 0, 0, 0)


def told(changes: list[AlertEvent]) -> list[tuple[str, AlertState]]:
    assert all(change.bed == "" and change.kind is Kind.TECHNICAL for change in changes)
    return [(change.rule, change.state) for change in changes]


def test_nothing_is_said_while_all_is_well() -> None:
    # A sink that tries again by itself needs nobody.
    assert SelfWatch().look(WELL, (), [sink(FORWARDING), sink(WAITING, "no answer")], 1) == ("", [])


def test_an_alert_comes_once_and_goes_once_and_the_notice_stands_between() -> None:
    watch = SelfWatch()
    notice, changes = watch.look(Health(10, 5, 0, "disk full"), (), [], 1)
    assert notice == "NOT RECORDING: disk full; 5 rows wait in memory"
    assert told(changes) == [("journal_unwritable", ON)]
    assert (changes[0].priority, changes[0].at, changes[0].text) == (Priority.HIGH, 1, notice)
    # The number in the text is another one: the alert is the same.
    notice, changes = watch.look(Health(10, 9, 2, "disk full"), (), [], 2)
    assert (notice, changes) == ("NOT RECORDING: disk full; 9 rows wait in memory; 2 rows are lost", [])
    notice, changes = watch.look(Health(19, 0, 2, None), (), [], 3)
    assert notice == "2 rows are lost"
    assert told(changes) == [("journal_unwritable", OFF)]
    assert watch.look(Health(19, 0, 2, None), (), [], 4)[1] == []


def test_each_thing_has_an_alert_of_its_own() -> None:
    watch = SelfWatch()
    notice, changes = watch.look(WELL, ("journal-damaged-x.db",), [sink(STOPPED, "wrong token")], 1)
    assert told(changes) == [("journal_damaged", ON), ("sink_stopped_influxdb", ON)]
    assert [change.priority for change in changes] == [Priority.HIGH, Priority.LOW]
    assert "journal-damaged-x.db" in notice
    assert "influxdb takes nothing: wrong token" in notice
    assert told(watch.look(WELL, ("journal-damaged-x.db",), [sink(FORWARDING)], 2)[1]) == [
        ("sink_stopped_influxdb", OFF)
    ]


def test_a_damaged_journal_is_said_on_the_page_and_recorded_while_recording_goes_on(
    tmp_path: Path, start_station: Start
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "journal.db").write_bytes(b"no database at all" * 1000)
    station = start_station(data)
    wait_for(lambda: "DAMAGED JOURNAL" in json.loads(station.get("/api/snapshot"))["notice"])
    wait_for(lambda: "station  high    on   DAMAGED JOURNAL" in call("alerts", "--data-dir", data).stdout)
    wait_for(lambda: call("readings", "--data-dir", data).stdout)
    assert station.stop()[0] == 0
    [aside] = data.glob("journal-damaged-*.db")
    assert aside.read_bytes() == b"no database at all" * 1000
