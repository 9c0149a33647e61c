import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.clock import NS
from drivers.events import DeviceAlarm, LinkState, Waveform, measured
from monitor.alerts.conditions import AlertEvent, AlertState, Kind, Priority
from monitor.storage import sealing
from monitor.storage.backlog import SinkRow
from monitor.storage.blocks import BLOCK
from monitor.storage.journal import Journal
from monitor.storage.rows import alert_row, audit_row, sink_row
from tests.monitor.storage.helpers import (
    START,
    ask,
    assert_charts_hold_the_rows,
    assert_whole,
    chain_of,
    change,
    commit,
    database,
    inode,
    record,
    seal_all,
    times_in,
    until,
)

ALERT = AlertEvent("a", "spo2_low", Kind.PHYSIOLOGICAL, Priority.HIGH, AlertState.ON, 5, "SpO₂ 86 < 90", "spo2")
DAY = 86_400 * NS
KEPT_FOR_EVER = ("alerts", "device_events", "audit", "seals", "series", "dead_letters", "sinks")


def seconds(first, last):
    return [measured("spo2", 97.0, START + second * NS, START + second * NS) for second in range(first, last)]


def forwarded(name, through, file=None):
    return sink_row(SinkRow(name, through, "forwarding", "", START, 0), file)


def commits_in(folder):
    return [row[0] for row in ask(folder, "SELECT DISTINCT commit_no FROM readings ORDER BY 1")]


def remove_all(writer, before, sinks=(), at=START):
    steps = 0
    while writer.remove(before, sinks, at):
        steps += 1
    return steps


def ten_commits(writer):
    """Each with a minute of readings and a run of samples, sealed at its own number."""
    for number in range(1, 11):
        first = number * 60
        run = Waveform("pleth", (number,) * 75, 75.0, START + first * NS, START)
        commit(writer, seconds(first, first + 60), runs=[run])
        seal_all(writer, at=number)


def test_what_is_old_goes_and_nothing_young(tmp_path):
    with database(tmp_path) as writer:
        ten_commits(writer)
        commit(writer, seconds(0, 60))  # neither sealed
        assert remove_all(writer, before=1) == 0
        assert commits_in(tmp_path) == list(range(1, 12))
        assert remove_all(writer, before=7) == 1
        assert commits_in(tmp_path) == [7, 8, 9, 10, 11]
        assert [row[0] for row in ask(tmp_path, "SELECT commit_no FROM waveforms ORDER BY 1")] == [7, 8, 9, 10]
        assert ask(tmp_path, "SELECT last_commit, readings FROM removals") == [(6, 360)]
        assert remove_all(writer, before=7) == 0
        assert_charts_hold_the_rows(tmp_path, "a")
        assert_whole(tmp_path)
        assert remove_all(writer, before=2**63 - 1) == 1
        assert commits_in(tmp_path) == [11]
        assert ask(tmp_path, "SELECT begins_at FROM blocks") == []
        assert ask(tmp_path, "SELECT begins_at FROM summaries") == []
        assert_charts_hold_the_rows(tmp_path, "a")
        seal_all(writer)
        assert_whole(tmp_path)


def test_nothing_goes_that_a_sink_has_not_got(tmp_path):
    with database(tmp_path) as writer:
        ten_commits(writer)
        assert remove_all(writer, 2**62, ["first", "second"]) == 0
        commit(writer, rows=[forwarded("first", 8)])
        assert remove_all(writer, 2**62, ["first", "second"]) == 0
        commit(writer, rows=[forwarded("second", 3)])
        assert remove_all(writer, 2**62, ["first", "second"]) == 1
        assert commits_in(tmp_path) == list(range(4, 11))
        assert remove_all(writer, before=6, sinks=["first"]) == 1
        assert commits_in(tmp_path) == list(range(6, 11))
        assert remove_all(writer, before=2**62, sinks=["first"]) == 1
        assert commits_in(tmp_path) == [9, 10]
        assert_whole(tmp_path)


def test_word_about_another_journal_removes_nothing(tmp_path):
    with database(tmp_path) as writer:
        ten_commits(writer)
        commit(writer, rows=[forwarded("influxdb", 11, file=1)])
        assert remove_all(writer, 2**62, ["influxdb"]) == 0


def test_seal_of_which_a_sink_has_a_part_stays(tmp_path):
    with database(tmp_path) as writer:
        for number in range(4):
            commit(writer, seconds(number * 10, number * 10 + 10))
            if number % 2:
                seal_all(writer, at=1)
        commit(writer, rows=[forwarded("influxdb", 3)])
        assert remove_all(writer, 2**62, ["influxdb"]) == 1
        assert commits_in(tmp_path) == [3, 4]
        assert_whole(tmp_path)


@pytest.mark.parametrize(("sealed_at", "kept"), [([5, 1, 1, 1], [1, 2, 3, 4]), ([1, 5, 1, 1], [2, 3, 4])])
def test_clock_that_went_back_never_makes_young_what_is_old(tmp_path, sealed_at, kept):
    # What was sealed after something young is not old, whatever its clock said.
    with database(tmp_path) as writer:
        for number, at in enumerate(sealed_at):
            commit(writer, seconds(number * 10, number * 10 + 10))
            seal_all(writer, at=at)
        remove_all(writer, before=3)
        assert commits_in(tmp_path) == kept
        remove_all(writer, before=6)
        assert commits_in(tmp_path) == []
        assert sum(row[0] for row in ask(tmp_path, "SELECT readings FROM removals")) == 40
        assert_whole(tmp_path)


def test_all_else_is_kept_for_ever(tmp_path):
    with database(tmp_path) as writer:
        commit(
            writer,
            seconds(0, 100),
            rows=[alert_row(ALERT), audit_row(START, "station", "began", ""), forwarded("influxdb", 1)],
        )
        change(
            tmp_path,
            "INSERT INTO device_events (commit_no, bed, device, kind, code, state, text, at)"
            " VALUES (1, 'a', 'oximeter', 'alarm', 'E04', 'on', 'cuff leak', 5);"
            "INSERT INTO dead_letters (sink, at, line, reason) VALUES ('influxdb', 5, 'line', 'reason')",
        )
        seal_all(writer, at=1)
        before = {table: ask(tmp_path, f"SELECT * FROM {table}") for table in KEPT_FOR_EVER}
        chained = chain_of(tmp_path)
        assert remove_all(writer, 2**62, ["influxdb"]) == 1
        assert ask(tmp_path, "SELECT count(*) FROM readings") == [(0,)]
        assert {table: ask(tmp_path, f"SELECT * FROM {table}") for table in KEPT_FOR_EVER} == before
        assert all(before.values())
        assert chain_of(tmp_path) == [*chained, ("removals", 1)]
        assert_whole(tmp_path)


COMMITS = st.lists(
    st.tuples(st.lists(st.integers(0, 3 * BLOCK), max_size=12), st.booleans(), st.integers(0, 3)), max_size=12
)


@given(COMMITS, st.lists(st.tuples(st.integers(0, 40), st.integers(0, 12)), min_size=1, max_size=3))
@settings(max_examples=40)
def test_whatever_was_committed_and_sealed_the_oldest_whole_seals_go(commits, removals):
    with (
        pytest.MonkeyPatch.context() as patched,
        tempfile.TemporaryDirectory() as name,
        database(Path(name)) as writer,
    ):
        folder = Path(name)
        patched.setattr(sealing, "ROWS_A_SEAL", 15)
        clock = 0
        for offsets, due, passed in commits:
            commit(writer, [measured("spo2", 97.0, START + offset, START) for offset in offsets])
            clock += passed
            if due:
                seal_all(writer, at=clock)
        for before, through in removals:
            commit(writer, rows=[forwarded("influxdb", min(through, len(commits)))])
            rows = ask(folder, "SELECT commit_no, observed_at FROM readings ORDER BY 1, 2")
            seals = ask(
                folder, "SELECT last_commit FROM seals WHERE sealed_at < ? AND last_commit <= ?", before, through
            )
            last = max((row[0] for row in seals), default=0)
            remove_all(writer, before, ["influxdb"])
            left = ask(folder, "SELECT commit_no, observed_at FROM readings ORDER BY 1, 2")
            assert left == [row for row in rows if row[0] > last]
            assert_charts_hold_the_rows(folder, "a")
        assert_whole(folder)


def test_much_is_removed_in_steps(tmp_path):
    with database(tmp_path) as writer:
        for number in range(9):
            commit(writer, seconds(number * 9000, number * 9000 + 9000))
            seal_all(writer, at=1)
        assert writer.remove(2, [], START)
        assert ask(tmp_path, "SELECT last_commit, readings FROM removals") == [(2, 18_000)]
        assert remove_all(writer, 2) == 4
        assert_whole(tmp_path)


async def long_ago(folder, readings=20):
    """A journal whose only seal is older than any that a station would keep."""
    with database(folder) as writer:
        commit(writer, seconds(0, readings))
        seal_all(writer, at=START)


async def test_station_removes_what_is_older_than_it_keeps(tmp_path, opened):
    await long_ago(tmp_path)
    journal = opened(tmp_path, seal_every=0.01, keep_days=1)
    await until(lambda: not times_in(tmp_path))
    journal.record("a", "oximeter", seconds(100, 120))
    await until(lambda: len(ask(tmp_path, "SELECT 1 FROM seals")) == 2)
    await journal.close()
    assert len(times_in(tmp_path)) == 20
    assert len(ask(tmp_path, "SELECT 1 FROM removals")) == 1
    assert_whole(tmp_path)


@pytest.mark.parametrize("arguments", [{}, {"keep_days": 10_000}, {"keep_days": 1, "sinks": ["influxdb"]}])
async def test_station_removes_nothing_else(tmp_path, arguments, opened):
    await long_ago(tmp_path)
    journal = opened(tmp_path, commit_every=0.0, seal_every=0.01, **arguments)
    for second in range(100, 110):
        journal.record("a", "oximeter", seconds(second, second + 1))
        await until(lambda: journal.health.waiting_rows == 0)
    await until(lambda: len(ask(tmp_path, "SELECT 1 FROM seals")) >= 2)
    await journal.close()
    assert len(times_in(tmp_path)) == 30
    assert ask(tmp_path, "SELECT * FROM removals") == []


async def test_station_removes_once_all_sinks_have_it(tmp_path, monkeypatch, opened):
    monkeypatch.setattr("monitor.storage.journal._REMOVE_SECONDS", 0.01)
    await long_ago(tmp_path)
    journal = opened(tmp_path, commit_every=0.0, seal_every=0.01, keep_days=1, sinks=["first", "second"])
    journal.record_sink(SinkRow("first", 1, "forwarding", "", START, 0), inode(tmp_path))
    await until(lambda: ask(tmp_path, "SELECT * FROM sinks"))
    committed = asyncio.Event()
    journal.record("a", "oximeter", seconds(100, 101), committed.set)
    await committed.wait()
    assert len(times_in(tmp_path)) == 21
    journal.record_sink(SinkRow("second", 1, "forwarding", "", START, 0), inode(tmp_path))
    await until(lambda: len(times_in(tmp_path)) == 1)
    await journal.close()
    assert_whole(tmp_path)


async def test_removing_in_steps_holds_up_no_recording(tmp_path, monkeypatch):
    monkeypatch.setattr(sealing, "ROWS_A_SEAL", 200)
    with database(tmp_path) as writer:
        for number in range(50):
            commit(writer, seconds(number * 100, number * 100 + 100))
        seal_all(writer, at=START)
    journal = Journal(tmp_path, commit_every=0.0, seal_every=0.02, keep_days=1)
    journal.open()
    acknowledged = []
    for second in range(10_000, 10_500):
        journal.record("a", "oximeter", seconds(second, second + 1), lambda second=second: acknowledged.append(second))
        await asyncio.sleep(0)
    await until(lambda: len(acknowledged) == 500)
    await until(lambda: len(times_in(tmp_path)) == 500)
    assert acknowledged == list(range(10_000, 10_500))
    assert len(ask(tmp_path, "SELECT 1 FROM removals")) >= 25
    await journal.close()
    assert journal.health == (500, 0, 0, None)
    assert_charts_hold_the_rows(tmp_path, "a")
    assert_whole(tmp_path)


async def test_removal_that_fails_does_not_stop_recording(tmp_path, caplog, opened):
    await long_ago(tmp_path)
    change(tmp_path, "CREATE TRIGGER no_removals BEFORE INSERT ON removals BEGIN SELECT RAISE(ABORT, 'not today'); END")
    journal = opened(tmp_path, commit_every=0.0, seal_every=0.01, keep_days=1)
    await until(lambda: "not today" in caplog.text)
    acknowledged = asyncio.Event()
    journal.record("a", "oximeter", seconds(100, 101), acknowledged.set)
    await acknowledged.wait()
    assert len(times_in(tmp_path)) == 21
    change(tmp_path, "DROP TRIGGER no_removals")
    await until(lambda: len(times_in(tmp_path)) == 1)
    await journal.close()
    journal_of_another_day = Journal(tmp_path, keep_days=1)
    journal_of_another_day.open()
    journal_of_another_day.record_link("a", "oximeter", LinkState.LOST, "unplugged", 14)
    journal_of_another_day.record("a", "oximeter", [DeviceAlarm("E04", False, "cuff leak", 13)])
    await journal_of_another_day.close()
    assert_whole(tmp_path)
    await record(tmp_path)
