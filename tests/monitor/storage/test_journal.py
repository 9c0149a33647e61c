import asyncio
import os
import sqlite3
import threading

import pytest

from drivers.errors import JournalUnusable, StationRunning
from drivers.events import (
    Cause,
    DeviceAlarm,
    DeviceStatus,
    LinkState,
    Reading,
    Validity,
    Waveform,
    measured,
    missing,
)
from monitor.alerts.conditions import AlertEvent, AlertState, Kind, Priority
from monitor.storage.history import History
from monitor.storage.journal import Journal
from tests.monitor.storage.helpers import NEVER, ask, spo2, times_in, until

ALERT = AlertEvent("a", "spo2_low", Kind.PHYSIOLOGICAL, Priority.HIGH, AlertState.ON, 5, "SpO₂ 86 < 90", "spo2")


async def test_everything_recorded_is_there_once(tmp_path, opened):
    journal = opened(tmp_path)
    events = [
        measured("spo2", 97.0, 10, 11),
        DeviceStatus("battery", True, "battery low", 12),
        missing("pulse_rate", 10, 11, Cause.SENSOR_OFF, Cause.ARTIFACT),
        Waveform("pleth", (1, 2, 3), 75.0, 10, 11),
        DeviceAlarm("E04", False, "cuff leak", 13),
    ]
    journal.record("a", "oximeter", events)
    journal.record("b", "oximeter", spo2(20))
    journal.record_link("a", "oximeter", LinkState.LOST, "unplugged", 14)
    journal.record_alerts([ALERT])
    assert journal.health == (0, 8, 0, None)
    await journal.close()

    assert [row[:3] + row[5:7] for row in History(tmp_path).readings()] == [
        ("a", "oximeter", "spo2", Validity.VALID, ""),
        ("a", "oximeter", "pulse_rate", Validity.INVALID, "sensor_off,artifact"),
        ("b", "oximeter", "spo2", Validity.VALID, ""),
    ]
    assert list(History(tmp_path).alerts()) == [ALERT]
    assert ask(tmp_path, "SELECT bed, device, kind, code, state, text, at FROM device_events ORDER BY at") == [
        ("a", "oximeter", "status", "battery", "on", "battery low", 12),
        ("a", "oximeter", "alarm", "E04", "off", "cuff leak", 13),
        ("a", "oximeter", "link", "", "lost", "unplugged", 14),
    ]
    assert [run.waveform for run in History(tmp_path).waveforms("a", "pleth", 0, 100)] == [events[3]]
    assert journal.health == (8, 0, 0, None)


async def test_only_the_owner_may_look(tmp_path, opened):
    folder = tmp_path / "data" / "station"
    opened(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.name: file.stat().st_mode & 0o777 for file in folder.iterdir()} == dict.fromkeys(
        ["journal.db", "journal.db-wal", "journal.db-shm", "station.lock"], 0o600
    )


async def test_redelivery_is_harmless(tmp_path, opened):
    journal = opened(tmp_path, commit_every=0.0)
    message = [*spo2(1, 2, 3), DeviceStatus("battery", True, "battery low", 3)]
    for _ in range(2):
        acknowledged = asyncio.Event()
        journal.record("a", "oximeter", message, acknowledged.set)
        await acknowledged.wait()
    journal.record("a", "oximeter", [*message, *spo2(4)], acknowledged.set)
    await journal.close()
    assert times_in(tmp_path) == [1, 2, 3, 4]
    assert ask(tmp_path, "SELECT count(*) FROM device_events") == [(1,)]
    assert journal.health.committed_rows == 5


async def test_different_values_at_one_time_are_all_kept_and_their_redelivery_is_harmless(tmp_path):
    provisional = Reading("nibp_sys", 120.0, Validity.QUESTIONABLE, 10, 11, Cause.PROVISIONAL.value)
    final = Reading("nibp_sys", 118.0, Validity.VALID, 10, 12)
    for _ in range(2):
        journal = Journal(tmp_path)
        journal.open()
        journal.record("a", "cuff", [provisional])
        journal.record("a", "cuff", [final])
        await journal.close()
    assert [(row.value, row.observed_at, row.received_at) for row in History(tmp_path).readings()] == [
        (120.0, 10, 11),
        (118.0, 11, 12),
    ]


async def test_on_commit_runs_on_the_loops_thread_in_order_after_the_commit(tmp_path, opened):
    journal = opened(tmp_path)
    seen = []

    def on_commit(number):
        rows = ask(tmp_path, "SELECT observed_at FROM readings ORDER BY observed_at")
        seen.append((number, threading.current_thread(), (number,) in rows))

    for number in range(8):
        journal.record("a", "oximeter", spo2(number), lambda number=number: on_commit(number))
    journal.record("a", "oximeter", [], lambda: seen.append("empty"))
    await until(lambda: len(seen) == 9)
    assert seen == [*((number, threading.main_thread(), True) for number in range(8)), "empty"]


async def test_error_in_one_on_commit_does_not_keep_the_next_from_running(tmp_path, opened):
    reported = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["exception"]))
    journal = opened(tmp_path)
    ran = asyncio.Event()
    journal.record("a", "oximeter", spo2(1), lambda: 1 / 0)
    journal.record("a", "oximeter", spo2(2), ran.set)
    await ran.wait()
    assert [type(error) for error in reported] == [ZeroDivisionError]


async def test_ten_waiting_acknowledgements_are_committed_at_once(tmp_path, opened):
    journal = opened(tmp_path, commit_every=NEVER)
    acknowledged = []
    for number in range(9):
        journal.record("a", "oximeter", spo2(number), lambda number=number: acknowledged.append(number))
    assert journal.health == (0, 9, 0, None)
    journal.record("a", "oximeter", spo2(9), lambda: acknowledged.append(9))
    await until(lambda: len(acknowledged) == 10)
    assert ask(tmp_path, "SELECT DISTINCT commit_no FROM readings") == [(1,)]


async def test_close_commits_acknowledges_and_can_be_repeated(tmp_path):
    journal = Journal(tmp_path, commit_every=NEVER)
    await journal.close()
    journal.open()
    acknowledged = []
    journal.record("a", "oximeter", spo2(1), lambda: acknowledged.append(1))
    await journal.close()
    assert acknowledged == [1]
    await journal.close()
    with pytest.raises(RuntimeError, match="not open"):
        journal.record("a", "oximeter", spo2(2))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["journal.db", "station.lock"]


async def test_commits_are_numbered_across_runs_and_find_late_rows(tmp_path):
    for times in ([100, 101], [50], [102]):
        journal = Journal(tmp_path)
        journal.open()
        journal.record("a", "oximeter", spo2(*times))
        await journal.close()
    assert ask(tmp_path, "SELECT observed_at, commit_no FROM readings WHERE commit_no > 1 ORDER BY commit_no") == [
        (50, 2),
        (102, 3),
    ]


async def test_second_station_is_refused_until_the_first_is_closed(tmp_path, opened):
    first = opened(tmp_path)
    with pytest.raises(StationRunning, match=f"process {os.getpid()}"):
        opened(tmp_path)
    await first.close()
    opened(tmp_path)


async def test_folder_that_cannot_be(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(JournalUnusable, match="data folder"):
        Journal(tmp_path / "file").open()


@pytest.mark.parametrize("table", ["alerts", "device_events"])
@pytest.mark.parametrize("change", ["DELETE FROM {}", "UPDATE {} SET text = 'nothing happened'"])
async def test_what_happened_cannot_be_changed(tmp_path, table, change):
    journal = Journal(tmp_path)
    journal.open()
    journal.record_alerts([ALERT])
    journal.record_link("a", "oximeter", LinkState.LOST, "unplugged", 14)
    await journal.close()
    connection = sqlite3.connect(tmp_path / "journal.db")
    with pytest.raises(sqlite3.IntegrityError, match=f"{table} is append-only"):
        connection.execute(change.format(table))
    connection.close()


async def test_rows_that_cannot_be_stored_do_not_hold_up_the_others(tmp_path, opened, caplog):
    journal = opened(tmp_path)
    acknowledged = asyncio.Event()
    events = [*spo2(1, 2**63), DeviceStatus("x", True, "\ud800", 3), *spo2(4), DeviceStatus("x", True, "good", 5)]
    journal.record("a", "oximeter", events, acknowledged.set)
    await acknowledged.wait()
    assert times_in(tmp_path) == [1, 4]
    assert ask(tmp_path, "SELECT at FROM device_events") == [(5,)]
    assert journal.health == (3, 0, 2, None)
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]


async def test_clock_that_stands_still_is_bounded(tmp_path):
    journal = Journal(tmp_path)
    journal.open()
    journal.record("a", "oximeter", [Reading("spo2", float(value), Validity.VALID, 10, 10) for value in range(150)])
    await journal.close()
    assert journal.health == (100, 0, 50, None)


async def test_locked_out_by_a_foreign_writer_and_back(tmp_path, opened, caplog):
    journal = opened(tmp_path, commit_every=0.0)
    foreign = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
    foreign.execute("BEGIN IMMEDIATE")
    journal.record("a", "oximeter", spo2(1))
    await until(lambda: journal.health.error)
    assert journal.health == (0, 1, 0, "database is locked")
    foreign.execute("ROLLBACK")
    foreign.close()
    await until(lambda: not journal.health.error)
    assert times_in(tmp_path) == [1]
    assert [record.message for record in caplog.records] == [
        "the journal cannot be written, rows wait in memory: database is locked",
        "the journal is written again",
    ]


async def test_beyond_the_bound_the_oldest_readings_go_and_alerts_never(tmp_path, opened):
    journal = opened(tmp_path, commit_every=0.0, max_waiting=5)
    foreign = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
    foreign.execute("BEGIN IMMEDIATE")
    journal.record_alerts([ALERT])
    journal.record_link("a", "oximeter", LinkState.LOST, "unplugged", 14)
    acknowledged = []
    for number in range(10):
        journal.record("a", "oximeter", spo2(number), lambda number=number: acknowledged.append(number))
    await until(lambda: journal.health.error)
    assert journal.health[:3] == (0, 5, 7)
    foreign.execute("ROLLBACK")
    foreign.close()
    await until(lambda: len(acknowledged) == 3)
    assert acknowledged == times_in(tmp_path) == [7, 8, 9]
    assert list(History(tmp_path).alerts()) == [ALERT]
    assert journal.health == (5, 0, 7, None)


async def test_closing_while_the_disk_refuses_ends_and_counts_the_loss(tmp_path, caplog):
    journal = Journal(tmp_path)
    journal.open()
    foreign = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
    foreign.execute("BEGIN IMMEDIATE")
    journal.record("a", "oximeter", spo2(1, 2, 3))
    await journal.close()
    foreign.close()
    assert journal.health == (0, 0, 3, "database is locked")
    assert "3 rows are lost" in caplog.messages[-1]
    assert times_in(tmp_path) == []


async def test_backlog_is_written_in_steps(tmp_path):
    journal = Journal(tmp_path, commit_every=NEVER)
    journal.open()
    for start in range(0, 25_000, 100):
        journal.record("a", "oximeter", spo2(*range(start, start + 100)))
    await journal.close()
    assert ask(tmp_path, "SELECT commit_no, count(*) FROM readings GROUP BY 1") == [(1, 10_000), (2, 10_000), (3, 5000)]
