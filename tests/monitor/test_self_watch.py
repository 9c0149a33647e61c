"""What is wrong with the station itself: on the page as long as it stands, and in the record when it comes and goes."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from drivers.clock import NS, ManualClock
from monitor.alerts.conditions import AlertEvent, AlertState, Kind, Priority, Why
from monitor.self_watch import DiskWatch, SelfWatch, Space
from monitor.sinks.forwarder import FORWARDING, STOPPED, WAITING, Status
from monitor.storage.commit_queue import Health
from tests.monitor.program import Start, call, wait_for

WELL = Health(10, 0, 0, None)
FULL_DISK = Health(10, 5, 0, "disk full")
ON, OFF = AlertState.ON, AlertState.OFF
GB, MB = 10**9, 10**6
ROOMY = Space(100 * GB, 200 * GB)


class Watched:
    """A watch whose clock goes on a second with each look, and to which all is well but for what is said."""

    def __init__(self, standing: Sequence[AlertEvent] = ()) -> None:
        self.watch = SelfWatch()
        self.watch.restore(standing)
        self.now = 100.0
        self.wall = 1_767_225_600 * NS
        self.notice = ""

    def look(self, **seen: Any) -> list[AlertEvent]:
        self.now += 1
        self.wall += NS
        well = {"journal": WELL, "damaged": (), "sinks": (), "space": ROOMY, "notifiers": {}, "unseen_for": 0.0}
        self.notice, changes = self.watch.look(**{**well, **seen}, now=self.now, at=self.wall)
        for change in changes:
            assert (change.bed, change.kind, change.at) == ("", Kind.TECHNICAL, self.wall)
        return changes

    def over(self, seconds: int, **seen: Any) -> list[AlertEvent]:
        return [change for _ in range(seconds) for change in self.look(**seen)]


def sink(state: str = FORWARDING, detail: str = "", through: int = 9, newest: int = 9) -> Status:
    return Status("influxdb", state, detail, through, newest, 0, 0)


def told(changes: list[AlertEvent]) -> list[tuple[str, AlertState]]:
    return [(change.rule, change.state) for change in changes]


def test_nothing_is_said_while_all_is_well() -> None:
    # A sink that tries again by itself needs nobody.
    station = Watched()
    assert station.over(700, sinks=[sink()], notifiers={"pager": ""}, unseen_for=9.9) == []
    assert station.look(sinks=[sink(WAITING, "no answer")]) == []
    assert station.notice == ""


def test_an_alert_comes_once_and_goes_once_and_the_notice_stands_between() -> None:
    station = Watched()
    changes = station.look(journal=FULL_DISK)
    assert station.notice == "NOT RECORDING: disk full; 5 rows wait in memory"
    assert told(changes) == [("journal_unwritable", ON)]
    assert (changes[0].priority, changes[0].text, changes[0].why) == (Priority.HIGH, station.notice, Why.STATION)
    # The number in the text is another one: the alert is the same.
    assert station.look(journal=Health(10, 9, 2, "disk full")) == []
    assert station.notice == "NOT RECORDING: disk full; 9 rows wait in memory; 2 rows are lost"
    well = Health(19, 0, 2, None)
    assert told(station.over(20, journal=well)) == [("journal_unwritable", OFF)]
    assert station.notice == "2 rows are lost"


@pytest.mark.parametrize(
    ("seen", "rule", "priority", "notice"),
    [
        (
            {"journal": FULL_DISK},
            "journal_unwritable",
            Priority.HIGH,
            "NOT RECORDING: disk full; 5 rows wait in memory",
        ),
        ({"damaged": ("journal-damaged-x.db",)}, "journal_damaged", Priority.HIGH, "DAMAGED JOURNAL set aside as jour"),
        (
            {"sinks": [sink(STOPPED, "wrong token")]},
            "sink_stopped_influxdb",
            Priority.LOW,
            "influxdb takes nothing: wr",
        ),
        ({"space": Space(430 * MB, 9 * GB)}, "disk_nearly_full", Priority.MEDIUM, "DISK NEARLY FULL: 430 MB are left"),
        ({"notifiers": {"pager": "refused"}}, "notifier_failed_pager", Priority.MEDIUM, "pager tells nobody: refused"),
        ({"unseen_for": 10.0}, "unseen_alert", Priority.MEDIUM, ""),
    ],
    ids=lambda it: it if isinstance(it, str) else "",
)
def test_each_condition_is_told_when_it_begins_and_when_it_is_over(
    seen: dict[str, Any], rule: str, priority: Priority, notice: str
) -> None:
    station = Watched()
    station.look()
    [began] = station.over(30, **seen)
    assert (began.rule, began.state, began.priority) == (rule, ON, priority)
    assert station.notice.startswith(notice)
    assert bool(station.notice) is bool(notice)
    [ended] = station.over(30)
    assert (ended.rule, ended.state, ended.text, ended.why) == (rule, OFF, began.text, Why.STATION)
    assert station.notice == ""


def test_what_comes_and_goes_is_one_alert_until_it_was_over_for_a_while() -> None:
    station = Watched()
    flapping = [
        change
        for _ in range(50)
        for seen in ({"journal": FULL_DISK}, {"journal": WELL}, {"journal": WELL}, {"journal": WELL})
        for change in station.look(**seen)
    ]
    assert told(flapping) == [("journal_unwritable", ON)]
    assert station.over(2) == []
    assert station.notice.startswith("NOT RECORDING")
    assert told(station.look()) == [("journal_unwritable", OFF)]


def test_each_thing_has_an_alert_of_its_own() -> None:
    station = Watched()
    changes = station.look(damaged=("journal-damaged-x.db",), sinks=[sink(STOPPED, "wrong token")])
    assert told(changes) == [("journal_damaged", ON), ("sink_stopped_influxdb", ON)]
    assert "journal-damaged-x.db" in station.notice
    assert "influxdb takes nothing: wrong token" in station.notice
    assert told(station.over(10, damaged=("journal-damaged-x.db",), sinks=[sink()])) == [("sink_stopped_influxdb", OFF)]


def test_a_sink_is_behind_when_it_has_not_had_all_for_ten_minutes_and_until_it_has() -> None:
    station = Watched()
    station.look(sinks=[sink()])
    away = [sink(WAITING, "no answer", 9, 10 + it) for it in range(602)]
    assert [change for it in away[:600] for change in station.look(sinks=[it])] == []
    [began] = station.over(2, sinks=[away[-1]])
    assert (began.rule, began.priority) == ("sink_behind_influxdb", Priority.LOW)
    assert began.text == "influxdb has not all of the journal: no answer"
    assert station.over(60, sinks=[sink(through=500, newest=611)]) == []
    assert station.notice == "influxdb has not all of the journal: it is catching up"
    on_its_way = [sink(through=611, newest=611), *[sink(through=611, newest=612)] * 9]
    ended = [change for it in on_its_way for change in station.look(sinks=[it])]
    assert told(ended) == [("sink_behind_influxdb", OFF)]


def test_a_sink_that_stopped_and_is_behind_is_one_line_for_people() -> None:
    station = Watched()
    changes = station.over(700, sinks=[sink(STOPPED, "wrong token", 3)])
    assert told(changes) == [("sink_stopped_influxdb", ON), ("sink_behind_influxdb", ON)]
    assert len({change.group for change in changes}) == 1


@pytest.mark.parametrize(
    ("free", "total", "full"),
    [
        (499 * MB, 1 * GB, True),  # of a small disk too
        (501 * MB, 1 * GB, False),
        (1_900 * MB, 100 * GB, True),  # less than 2 %
        (2_100 * MB, 100 * GB, False),
        (4_900 * MB, 4_000 * GB, True),  # but 5 GB is enough
        (5_100 * MB, 4_000 * GB, False),
    ],
)
def test_a_disk_is_nearly_full_by_what_a_day_needs_and_by_its_size(free: int, total: int, full: bool) -> None:  # noqa: FBT001 - a case's answer
    assert told(Watched().look(space=Space(free, total))) == ([("disk_nearly_full", ON)] if full else [])


def test_a_disk_must_have_clearly_more_room_again_and_one_that_does_not_answer_changes_nothing() -> None:
    station = Watched()
    assert station.over(10, space=None) == []
    station.look(space=Space(499 * MB, 9 * GB))
    assert station.over(10, space=Space(599 * MB, 9 * GB)) == []
    assert station.over(10, space=None) == []
    assert told(station.over(10, space=Space(601 * MB, 9 * GB))) == [("disk_nearly_full", OFF)]


@pytest.mark.parametrize(("seconds", "text"), [(3600, "+3,600.0 s"), (-2, "-2.0 s")])
def test_a_clock_that_was_set_is_told_for_ten_minutes(seconds: int, text: str) -> None:
    station = Watched()
    station.look()
    station.wall += seconds * NS
    [began] = station.over(600)
    assert (began.rule, began.state, began.priority) == ("clock_jumped", ON, Priority.LOW)
    assert began.text == f"the station's clock was set by {text}"
    assert station.notice == ""
    assert told(station.over(10)) == [("clock_jumped", OFF)]


def test_a_clock_that_is_slowed_or_was_away_with_its_machine_was_not_set() -> None:
    station = Watched()
    for _ in range(100):
        station.wall += NS // 10
        assert station.look() == []
    station.now, station.wall = station.now + 8000, station.wall + 8000 * NS
    assert station.look() == []


def test_a_second_setting_of_the_clock_is_no_second_alert_but_begins_the_time_anew() -> None:
    station = Watched()
    station.look()
    station.wall += 10 * NS
    assert len(station.over(500)) == 1
    station.wall -= 10 * NS
    assert station.over(600) == []
    assert told(station.over(10)) == [("clock_jumped", OFF)]


def test_a_restart_tells_nothing_twice_and_what_is_over_meanwhile() -> None:
    before = Watched()
    seen = {"damaged": ("journal-damaged-x.db",), "sinks": [sink(STOPPED, "wrong token")], "journal": FULL_DISK}
    standing = before.look(**seen)
    acknowledged = standing[1]._replace(state=AlertState.ACKNOWLEDGED, actor="anna", why=Why.OPERATOR)
    others = [
        AlertEvent("chair-1", "spo2_low", Kind.PHYSIOLOGICAL, Priority.HIGH, ON, 1, "SpO₂ 86 < 90"),
        AlertEvent("", "audio", Kind.OTHER, Priority.NONE, OFF, 1, "Audio is off"),
    ]
    after = Watched([standing[0], acknowledged, standing[2], *others])
    # Before its first look at the journal a sink knows nothing of itself.
    unknown = [sink(through=0, newest=0)]
    changes = after.over(20, damaged=("journal-damaged-x.db",), sinks=unknown)
    assert [(it.rule, it.state, it.why) for it in changes] == [("journal_unwritable", OFF, Why.RESTART)]
    assert "influxdb takes nothing" in after.notice
    assert after.over(20, damaged=("journal-damaged-x.db",), sinks=[sink(STOPPED, "wrong token")]) == []
    changes = after.over(20, sinks=[sink()])
    assert [(it.rule, it.state, it.why, it.actor) for it in changes] == [
        ("journal_damaged", OFF, Why.STATION, ""),
        ("sink_stopped_influxdb", OFF, Why.STATION, ""),
    ]


def test_a_sink_that_was_behind_before_a_restart_is_until_it_has_all() -> None:
    before = Watched()
    standing = before.over(700, sinks=[sink(through=3)])
    assert told(standing) == [("sink_behind_influxdb", ON)]
    after = Watched(standing)
    assert after.over(20, sinks=[sink(through=4)]) == []
    assert told(after.over(20, sinks=[sink()])) == [("sink_behind_influxdb", OFF)]


async def test_the_disk_is_asked_in_a_thread_and_one_that_cannot_be_asked_is_not_known(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    asked: asyncio.Queue[str] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    ask = shutil.disk_usage

    def usage(path: Path) -> object:
        loop.call_soon_threadsafe(asked.put_nowait, threading.current_thread().name)
        return ask(path)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    disk = DiskWatch(folder, clock)
    assert disk.space is None
    task = asyncio.create_task(disk.run())
    try:
        assert await asyncio.wait_for(asked.get(), 10) != threading.main_thread().name
        await until(lambda: disk.space is not None)
        assert disk.space is not None
        assert 0 < disk.space.free < disk.space.total == ask(folder).total
        folder.rmdir()
        await asking(clock, asked)
        await until(lambda: disk.space is None)
        folder.mkdir()
        await asking(clock, asked)
        await until(lambda: disk.space is not None)
    finally:
        task.cancel()


async def asking(clock: ManualClock, asked: asyncio.Queue[str]) -> None:
    """Let half a minute pass, and wait until the disk is asked."""
    while asked.empty():
        await clock.advance(30)
        await asyncio.sleep(0.01)
    asked.get_nowait()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


def test_a_damaged_journal_is_said_on_the_page_and_recorded_while_recording_goes_on(
    tmp_path: Path, start_station: Start
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "journal.db").write_bytes(b"no database at all" * 1000)
    station = start_station(data)
    wait_for(lambda: "DAMAGED JOURNAL" in json.loads(station.get("/api/snapshot"))["notice"])
    wait_for(lambda: re.search(r"station +high +on +DAMAGED JOURNAL", call("alerts", "--data-dir", data).stdout))
    wait_for(lambda: call("readings", "--data-dir", data).stdout)
    assert station.stop()[0] == 0
    [aside] = data.glob("journal-damaged-*.db")
    assert aside.read_bytes() == b"no database at all" * 1000
