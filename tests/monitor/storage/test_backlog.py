import asyncio
import contextlib
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.clock import NS
from drivers.errors import JournalUnusable
from drivers.events import Cause, DeviceAlarm, DeviceStatus, LinkState, Waveform, measured, missing
from monitor.alerts.conditions import AlertEvent, AlertState, Kind, Priority
from monitor.storage import backlog as backlog_module
from monitor.storage.backlog import Backlog, DeadLetter, Place, RecordedWaveform, SinkRow
from monitor.storage.device_events import DeviceEvent
from monitor.storage.journal import Journal
from monitor.storage.rows import (
    alert_row,
    dead_letter_rows,
    device_rows,
    entry_row,
    link_row,
    resent_rows,
    sink_row,
)
from tests.monitor.storage.helpers import (
    START,
    ask,
    change,
    commit,
    database,
    entry,
    inode,
    record,
    seal_all,
    spo2,
    until,
)


def alert(at, **others):
    values = {"bed": "a", "rule": "spo2_low", "kind": Kind.PHYSIOLOGICAL, "priority": Priority.HIGH}
    return AlertEvent(**{**values, "state": AlertState.ON, "at": at, "text": "SpO₂ 86 < 90", "vital": "spo2", **others})


def run(second, samples=75, name="pleth"):
    return Waveform(name, (second,) * samples, 75.0, START + second * NS, START + second * NS + 5)


@contextlib.contextmanager
def backlog(folder, **arguments):
    with contextlib.closing(Backlog(folder, **arguments)) as writer:
        yield writer


def portions(writer, through):
    """All that a sink gets that has everything up to `through`."""
    got = []
    while True:
        portion = writer.next(through)
        assert through <= portion.through <= portion.newest
        if portion.empty:
            assert portion.through == portion.newest
            return got
        assert portion.through > through
        got.append((through, portion))
        through = portion.through


# Of each commit: how many readings, alerts, runs and entries of sessions, and whether seals are due after it.
COMMITS = st.lists(
    st.tuples(st.integers(0, 14), st.integers(0, 3), st.integers(0, 3), st.integers(0, 12), st.booleans()),
    min_size=1,
    max_size=15,
)


@given(COMMITS, st.integers(0, 15), st.booleans())
@settings(max_examples=60)
def test_portions_are_whole_commits_and_together_everything_once(commits, cursor, waveforms):
    with (
        pytest.MonkeyPatch.context() as patched,
        tempfile.TemporaryDirectory() as name,
        database(Path(name)) as writer,
    ):
        patched.setattr(backlog_module, "ROWS", 10)
        patched.setattr(backlog_module, "RUNS", 4)
        expected = {}
        second = 0
        for number, (*counts, due) in enumerate(commits, start=1):
            made = ([], [], [], [])
            for kind, count in enumerate(counts):
                for _ in range(count):
                    second += 1
                    some = measured("spo2", 97.0, second, second), alert(second), run(second), entry(second, at=second)
                    made[kind].append(some[kind])
            rows = [*(alert_row(event) for event in made[1]), *(entry_row(it) for it in made[3])]
            commit(writer, made[0], runs=made[2], rows=rows)
            expected[number] = made
            if due and not waveforms:
                seal_all(writer)
        cursor = min(cursor, len(commits))
        with backlog(Path(name), waveforms=waveforms) as sink:
            for before, portion in portions(sink, cursor):
                within = [expected[number] for number in range(before + 1, portion.through + 1)]
                assert [row[-1] for row in portion.readings] == [it.observed_at for made in within for it in made[0]]
                assert portion.alerts == [event for made in within for event in made[1]]
                assert [it.waveform for it in portion.waveforms] == (
                    [it for made in within for it in made[2]] if waveforms else []
                )
                assert portion.entries == [it for made in within for it in made[3]]
                assert portion.newest == len(commits)
                for kind, (rows, bound) in enumerate(zip(portion[2:6], (10, 10, 4, 10), strict=True)):
                    assert len(rows) <= bound or [bool(made[kind]) for made in within].count(True) == 1
                cursor = portion.through
            left = [expected[number] for number in range(cursor + 1, len(commits) + 1)]
            assert not any(made[0] or made[1] or (made[2] and waveforms) or made[3] for made in left)


def test_what_is_in_a_portion(tmp_path):
    event = alert(7, value=86.0, limit=90.0, group="spo2", why="operator", actor="Kim Möller", session="s1")
    technical = alert(8, kind=Kind.TECHNICAL, priority=Priority.LOW, state=AlertState.OFF, vital="", device="oximeter")
    with database(tmp_path) as writer:
        commit(writer, [measured("spo2", 97.0, 10, 11), missing("pulse_rate", 12, 13, Cause.SENSOR_OFF)], bed="b 2")
        commit(writer, [measured("spo2", 5.0, 3, 14)], rows=[alert_row(event), alert_row(technical)], runs=[run(0)])
        with backlog(tmp_path) as sink:
            portion = sink.next(0)
        assert (portion.through, portion.newest) == (2, 2)
        assert portion.readings == [
            ("b 2", "oximeter", "spo2", 97.0, 0, "", 10),
            ("b 2", "oximeter", "pulse_rate", None, 2, "sensor_off", 12),
            ("a", "oximeter", "spo2", 5.0, 1, "implausible", 3),
        ]
        assert portion.alerts == [event, technical]
        assert isinstance(portion.alerts[0].priority, Priority)
        assert portion.waveforms == []
        with backlog(tmp_path, waveforms=True) as sink:
            assert sink.next(0).waveforms == [RecordedWaveform("a", "oximeter", run(0))]
            assert sink.next(1).waveforms == [RecordedWaveform("a", "oximeter", run(0))]
            assert sink.next(2).empty
            assert sink.next(2) == (2, 2, *[[]] * 8)


def test_entries_of_one_bed_and_time_have_the_same_places_in_every_portion(tmp_path):
    made = [
        *(entry(number, at=START) for number in (1, 2)),
        entry(3, at=START, bed="b"),
        entry(4, at=START + NS),
        entry(1, at=START, session="s2"),
    ]
    with database(tmp_path) as writer:
        for it in made:
            commit(writer, rows=[entry_row(it)])
        expected = [Place(1, 0), Place(2, 1), Place(3, 0), Place(4, 0), Place(5, 2)]
        with backlog(tmp_path) as sink:
            for cursor in range(len(made)):
                portion = sink.next(cursor)
                assert portion.entries == made[cursor:]
                assert portion.entry_places == expected[cursor:]


def test_changes_of_an_alert_at_one_moment_have_the_same_places_in_every_portion(tmp_path):
    made = [
        alert(5),
        alert(5, state=AlertState.OFF),
        alert(5, rule="hr_high"),
        alert(5, priority=Priority.LOW),
        alert(5, bed="b"),
        alert(5, kind=Kind.TECHNICAL),
        alert(6),
        alert(5, why="restart"),
    ]
    with database(tmp_path) as writer:
        for it in made:
            commit(writer, rows=[alert_row(it)])
        expected = [Place(row, after) for row, after in enumerate([0, 1, 0, 0, 0, 0, 0, 2], start=1)]
        with backlog(tmp_path) as sink:
            for cursor in range(len(made)):
                portion = sink.next(cursor)
                assert portion.alerts == made[cursor:]
                assert portion.alert_places == expected[cursor:]


def test_device_events_come_with_their_commits_and_the_same_places(tmp_path, monkeypatch):
    made = [
        DeviceEvent("a", "oximeter", "status", "low_battery", "on", "battery", 5),
        DeviceEvent("a", "oximeter", "status", "clock_behind", "on", "83 s", 5),
        DeviceEvent("a", "oximeter", "alarm", "7", "on", "", 5),
        DeviceEvent("a", "oximeter", "link", "", "lost", "unplugged", 5),
        DeviceEvent("b", "oximeter", "link", "", "lost", "unplugged", 5),
        DeviceEvent("a", "oximeter", "status", "low_battery", "off", "", 6),
        DeviceEvent("a", "oximeter", "status", "low_battery", "off", "", 5),
    ]
    with database(tmp_path) as writer:
        for it in made:
            if it.kind == "link":
                commit(writer, rows=[link_row(it.bed, it.device, LinkState(it.state), it.text, it.at)])
            else:
                told = {"status": DeviceStatus, "alarm": DeviceAlarm}[it.kind](
                    it.code, it.state == "on", it.text, it.at
                )
                commit(writer, rows=device_rows(it.bed, it.device, [told]))
        expected = [Place(row, after) for row, after in enumerate([0, 1, 0, 0, 0, 0, 2], start=1)]
        with backlog(tmp_path) as sink:
            for cursor in range(len(made)):
                portion = sink.next(cursor)
                assert not portion.empty
                assert portion.device_events == made[cursor:]
                assert portion.device_places == expected[cursor:]
            monkeypatch.setattr(backlog_module, "ROWS", 3)
            assert [len(portion.device_events) for _, portion in portions(sink, 0)] == [3, 3, 1]


def test_nothing_was_ever_committed(tmp_path):
    with database(tmp_path), backlog(tmp_path) as sink:
        assert sink.next(0) == (0, 0, *[[]] * 8)
        assert sink.next(0).empty
        assert sink.sink("influxdb") == SinkRow("influxdb", 0, "forwarding", "", 0, 0)
        assert sink.dead_letters("influxdb") == []


def test_five_thousand_rows_a_portion(tmp_path):
    with database(tmp_path) as writer:
        for first in range(0, 12_000, 1000):
            commit(writer, spo2(*range(first, first + 1000)))
        commit(writer, spo2(*range(20_000, 27_000)))
        with backlog(tmp_path) as sink:
            assert [len(portion.readings) for _, portion in portions(sink, 0)] == [5000, 5000, 2000, 7000]


@pytest.mark.parametrize("cursor", range(7))
def test_sink_that_is_behind_gets_runs_that_are_packed_by_now(tmp_path, cursor):
    with database(tmp_path) as writer:
        for number in range(1, 7):
            commit(writer, runs=[run(number), run(number, name="resp")])
            if number == 4:
                seal_all(writer)
        with backlog(tmp_path, waveforms=True) as sink:
            got = [it for _, portion in portions(sink, cursor) for it in portion.waveforms]
    missing_ones = {
        RecordedWaveform("a", "oximeter", run(number, name=name))
        for number in range(cursor + 1, 7)
        for name in ("pleth", "resp")
    }
    assert set(got) >= missing_ones
    assert len(got) == len(set(got))
    if cursor == 0:
        assert set(got) == missing_ones


def test_hours_of_packed_runs_come_in_portions_that_fit_into_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(backlog_module, "RUNS", 50)
    with database(tmp_path) as writer:
        for minute in range(150):
            commit(writer, runs=[run(minute * 60)])
            seal_all(writer)
        with backlog(tmp_path, waveforms=True) as sink:
            got = portions(sink, 0)
    assert [len(portion.waveforms) for _, portion in got] == [50, 50, 50]


def test_run_that_rotted_keeps_a_sink_from_nothing_else(tmp_path, caplog):
    with database(tmp_path) as writer:
        commit(writer, spo2(1, 2), runs=[run(1), run(2), run(3)])
        change(tmp_path, "UPDATE waveforms SET packed = x'00' WHERE id = 2")
        with backlog(tmp_path, waveforms=True) as sink:
            portion = sink.next(0)
    assert len(portion.readings) == 2
    assert [it.waveform for it in portion.waveforms] == [run(1), run(3)]
    assert "a damaged waveform" in caplog.text


def test_late_reading_comes_with_its_commit(tmp_path):
    with database(tmp_path) as writer:
        commit(writer, spo2(100))
        commit(writer, spo2(50))
        with backlog(tmp_path) as sink:
            assert [row[-1] for row in sink.next(1).readings] == [50]


@pytest.mark.parametrize("replaced_by", ["another journal", "nothing", "no database"])
def test_journal_that_was_replaced_is_told(tmp_path, replaced_by):
    with database(tmp_path) as writer:
        commit(writer, spo2(1), rows=[sink_row(SinkRow("influxdb", 1, "forwarding", "", 5, 0))])
    with backlog(tmp_path) as sink:
        assert len(sink.next(0).readings) == 1
        (tmp_path / "journal.db").rename(tmp_path / "journal-damaged-1.db")
        for ending in ("-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                (tmp_path / f"journal.db{ending}").rename(tmp_path / f"journal-damaged-1.db{ending}")
        if replaced_by == "another journal":
            with database(tmp_path) as writer:
                commit(writer, spo2(2))
        elif replaced_by == "no database":
            (tmp_path / "journal.db").write_bytes(b"x" * 8192)
        for question in (lambda: sink.next(0), lambda: sink.sink("influxdb"), lambda: sink.dead_letters("influxdb")):
            with pytest.raises(JournalUnusable, match=r"was replaced|cannot be read"):
                question()
    if replaced_by == "another journal":
        with backlog(tmp_path) as sink:
            assert [row[-1] for row in sink.next(sink.sink("influxdb").through).readings] == [2]
    else:
        with pytest.raises(JournalUnusable):
            Backlog(tmp_path)


def test_word_about_a_journal_that_was_replaced_is_not_believed(tmp_path):
    # How far a sink was in the damaged journal can still wait to be written when the new one is there.
    letters = dead_letter_rows("influxdb", [("vitals x=1 5", "why"), ("vitals x=1 6", "why")], START)
    of_the_old = [sink_row(SinkRow("influxdb", 2, "waiting", "why", 5, 3), 1), *resent_rows([1], START, 1)]
    with database(tmp_path) as writer:
        commit(writer, spo2(1, 2, 3))
        commit(writer, spo2(4), rows=[*letters, *of_the_old])
        commit(writer, spo2(5))
        with backlog(tmp_path) as sink:
            assert sink.file == inode(tmp_path) != 1
            assert sink.sink("influxdb").through == 0
            assert [row[-1] for row in sink.next(0).readings] == [1, 2, 3, 4, 5]
            assert [it.id for it in sink.dead_letters("influxdb")] == [1, 2]
            commit(writer, rows=[sink_row(SinkRow("influxdb", 2, "waiting", "why", 5, 3), sink.file)])
            commit(writer, rows=resent_rows([1], START, sink.file))
            assert sink.sink("influxdb").through == 2
            assert [it.id for it in sink.dead_letters("influxdb")] == [2]


def test_no_journal(tmp_path):
    with pytest.raises(JournalUnusable, match=r"there is no journal|cannot be read"):
        Backlog(tmp_path)
    assert not list(tmp_path.iterdir())


def test_damaged_journal(tmp_path):
    with database(tmp_path) as writer:
        commit(writer, spo2(*range(20_000)))
    whole = (tmp_path / "journal.db").read_bytes()
    (tmp_path / "journal.db").write_bytes(whole[:8192].ljust(len(whole), b"\xff"))
    with backlog(tmp_path) as sink, pytest.raises(JournalUnusable, match="cannot be read"):
        sink.next(0)


async def test_from_any_thread_beside_a_running_station(tmp_path, opened):
    journal = opened(tmp_path, commit_every=0.0)
    got = []
    done = threading.Event()
    with backlog(tmp_path) as sink:

        def forward():
            through = 0
            while not (portion := sink.next(through)).empty or not done.is_set():
                got.extend(row[-1] for row in portion.readings)
                through = portion.through
                if through:
                    journal.record_sink(SinkRow("influxdb", through, "forwarding", "", START, 0), sink.file)

        forwarder = asyncio.create_task(asyncio.to_thread(forward))
        for at in range(300):
            journal.record("a", "oximeter", spo2(at))
            await asyncio.sleep(0)
        await until(lambda: len(got) == 300)
        done.set()
        await forwarder
        assert got == list(range(300))
        await journal.close()
        [(through,)] = ask(tmp_path, "SELECT through FROM sinks")
        assert len(ask(tmp_path, "SELECT 1 FROM readings WHERE commit_no <= ?", through)) == 300


async def test_sinks_and_dead_letters_come_back_as_they_went_in(tmp_path):
    with database(tmp_path) as writer:
        for at in range(20):
            commit(writer, spo2(at))
    journal = Journal(tmp_path)
    journal.open()
    first = SinkRow("influxdb", 17, "waiting", "the server münster does not answer", START, 3)
    second = SinkRow("other", 4, "stopped", "", START + 1, 0)
    journal.record_sink(first._replace(through=2, state="forwarding"), inode(tmp_path))
    journal.record_sink(second, inode(tmp_path))
    journal.record_sink(first, inode(tmp_path))
    journal.record_dead_letters("influxdb", [("vitals x=1 5", "field type conflict"), ("vitals y=ä 6", "no")], START)
    journal.record_dead_letters("other", [("vitals z=1 7", "why")], START + 1)
    journal.record_dead_letters("other", [], START + 2)
    await journal.close()
    assert journal.health == (6, 0, 0, None)
    with backlog(tmp_path) as sink:
        assert sink.sink("influxdb") == first
        assert sink.sink("other") == second
        letters = sink.dead_letters("influxdb")
        assert letters == [
            DeadLetter(1, START, "vitals x=1 5", "field type conflict"),
            DeadLetter(2, START, "vitals y=ä 6", "no"),
        ]
        assert sink.dead_letters("influxdb", limit=1) == letters[:1]
        assert [it.id for it in sink.dead_letters("other")] == [3]
        assert sink.dead_letters("third") == []

        journal = Journal(tmp_path)
        journal.open()
        journal.record_resent([1, 3], START + 9, sink.file)
        journal.record_resent([], START + 9, sink.file)
        await journal.close()
        assert sink.dead_letters("influxdb") == letters[1:]
        assert sink.dead_letters("other") == []
    assert ask(tmp_path, "SELECT id, sent_at FROM dead_letters") == [(1, START + 9), (2, None), (3, START + 9)]


async def test_what_sinks_say_is_no_reading_of_a_later_portion(tmp_path, opened):
    await record(tmp_path, *spo2(1, 2))
    journal = opened(tmp_path)
    journal.record_sink(SinkRow("influxdb", 1, "forwarding", "", START, 0), inode(tmp_path))
    await journal.close()
    with backlog(tmp_path) as sink:
        portion = sink.next(sink.sink("influxdb").through)
        assert portion.empty
        assert (portion.through, portion.newest) == (2, 2)
