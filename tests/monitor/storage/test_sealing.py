import asyncio
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.clock import NS
from drivers.events import Waveform, measured
from monitor.alerts.conditions import AlertEvent, AlertState, Kind, Priority
from monitor.storage import blocks, sealing
from monitor.storage.blocks import BLOCK
from monitor.storage.history import History
from monitor.storage.rows import alert_row
from monitor.storage.sealing import digest
from tests.monitor.storage.helpers import (
    NEVER,
    PROJECT,
    START,
    ask,
    assert_charts_hold_the_rows,
    assert_whole,
    chain_of,
    change,
    commit,
    database,
    record,
    seal_all,
    spo2,
    until,
)

ALERT = AlertEvent("a", "spo2_low", Kind.PHYSIOLOGICAL, Priority.HIGH, AlertState.ON, 5, "SpO₂ 86 < 90", "spo2")
SEALS = "SELECT first_commit, last_commit, readings FROM seals ORDER BY id"


def seconds(first, last):
    """A reading a second."""
    return [measured("spo2", 97.0, START + second * NS, START + second * NS) for second in range(first, last)]


def assert_contiguous(folder):
    """That seals follow each other from the first commit on and count what is there."""
    end = 0
    for first, last, readings in ask(folder, SEALS):
        assert first == end + 1
        assert last >= first
        there = ask(folder, "SELECT count(*) FROM readings WHERE commit_no BETWEEN ? AND ?", first, last)
        assert there == [(readings,)]
        end = last
    return end


# How many readings a commit brings, late ones among them, whether an alert and a run of samples come with it, and
# whether it is followed by the moment at which seals are due.
COMMITS = st.lists(st.tuples(st.integers(0, 25), st.booleans(), st.booleans(), st.booleans()), max_size=12)


@given(COMMITS, st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_seals_follow_each_other_and_cover_everything_once(commits, chance):
    with (
        pytest.MonkeyPatch.context() as patched,
        tempfile.TemporaryDirectory() as name,
        database(Path(name)) as writer,
    ):
        folder = Path(name)
        patched.setattr(sealing, "ROWS_A_SEAL", 20)
        for count, alert, run, due in commits:
            moments = [START + chance.randrange(3 * BLOCK) for _ in range(count)]
            runs = [Waveform("pleth", (1, 2, 3), 75.0, START + chance.randrange(3 * BLOCK), START)] if run else []
            rows = [alert_row(ALERT)] if alert else []
            commit(writer, [measured("spo2", 97.0, at, at) for at in moments], runs=runs, rows=rows)
            if due:
                seal_all(writer)
        seal_all(writer)
        end = assert_contiguous(folder)
        assert ask(folder, "SELECT count(*) FROM readings WHERE commit_no > ?", end) == [(0,)]
        assert ask(folder, "SELECT count(*) FROM waveforms WHERE commit_no > ?", end) == [(0,)]
        for first, last, readings in ask(folder, SEALS):
            # More than the bound only where a single commit has more.
            assert readings <= 20 or ask(
                folder, "SELECT count(DISTINCT commit_no) FROM readings WHERE commit_no BETWEEN ? AND ?", first, last
            ) == [(1,)]
        assert_charts_hold_the_rows(folder, "a")
        assert_whole(folder)


def test_great_backlog_is_sealed_in_steps(tmp_path):
    with database(tmp_path) as writer:
        for first in range(0, 45_000, 9_000):
            commit(writer, spo2(*range(first, first + 9_000)))
        steps = 1
        while writer.seal(START):
            steps += 1
    assert steps == 3
    assert ask(tmp_path, SEALS) == [(1, 2, 18_000), (3, 4, 18_000), (5, 5, 9_000)]


def test_commit_that_is_greater_than_a_step_is_sealed_as_one(tmp_path):
    with database(tmp_path) as writer:
        commit(writer, rows=[alert_row(ALERT)])
        commit(writer, spo2(*range(25_000)))
        commit(writer, spo2(*range(30_000, 30_010)))
        for _ in range(3):
            writer.seal(START)
    assert ask(tmp_path, SEALS) == [(1, 2, 25_000), (3, 3, 10)]
    assert_whole(tmp_path)


def test_nothing_to_seal_makes_no_seal(tmp_path):
    with database(tmp_path) as writer:
        assert not writer.seal(START)
        commit(writer, rows=[alert_row(ALERT)])
        assert not writer.seal(START)
        commit(writer, spo2(1))
        assert not writer.seal(START)
        assert not writer.seal(START)
    assert ask(tmp_path, SEALS) == [(1, 2, 1)]


ROW = (7, 1, START, START + 5, 97.0, 0, "")


@pytest.mark.parametrize(
    ("place", "other"), [(0, 8), (1, 2), (2, START + 1), (3, START + 6), (4, 97.5), (4, None), (5, 1), (6, "artifact")]
)
@pytest.mark.parametrize("which", [0, 1, 2])
def test_digest_changes_with_anything_of_any_reading(place, other, which):
    rows = [ROW, (7, 2, START, START, None, 2, "sensor_off"), (8, 1, START, START, 96.0, 1, "artifact,low_perfusion")]
    rows[which] = ROW if which != 1 else (7, 2, *ROW[2:])
    before = digest(rows)
    changed = list(rows[which])
    changed[place] = other if changed[place] != other else 3
    rows[which] = tuple(changed)
    assert digest(rows) != before
    assert digest(rows[:which] + rows[which + 1 :]) != before


def test_digest_is_what_its_text_says():
    # Written down once: who checks an old journal with a new program must get the same.
    rows = [(1, 1, START, START + 1, 97.5, 0, ""), (1, 2, START, START + 1, None, 2, "sensor_off,artifact")]
    assert digest(rows).hex() == "7ea4babe6f8b1db41628fec55215ea9f621fb9971eb5f4144a9d5e2ba2ca6b55"
    assert digest([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE readings SET value = 91 WHERE observed_at = {at}",
        "UPDATE readings SET validity = 1 WHERE observed_at = {at}",
        "UPDATE readings SET received_at = received_at + 1 WHERE observed_at = {at}",
        "UPDATE readings SET observed_at = observed_at + 1 WHERE observed_at = {at}",
        "UPDATE readings SET commit_no = 2 WHERE observed_at = {at}",
        "DELETE FROM readings WHERE observed_at = {at}",
        "INSERT INTO readings VALUES (1, {at} + 1, {at}, 97, 0, '', 1)",
    ],
)
def test_seal_tells_of_any_change(tmp_path, tampering):
    with database(tmp_path) as writer:
        commit(writer, seconds(0, 50))
        commit(writer, seconds(50, 100))
        seal_all(writer)
    [(first, last, before)] = ask(tmp_path, "SELECT first_commit, last_commit, digest FROM seals")
    question = (
        "SELECT commit_no, series, observed_at, received_at, value, validity, cause FROM readings"
        " WHERE commit_no BETWEEN ? AND ? ORDER BY commit_no, series, observed_at"
    )
    assert digest(ask(tmp_path, question, first, last)) == before
    change(tmp_path, tampering.format(at=START + 30 * NS))
    assert digest(ask(tmp_path, question, first, last)) != before


def test_late_readings_join_the_block_that_is_there(tmp_path):
    with database(tmp_path) as writer:
        commit(writer, seconds(0, 1000)[::2])
        seal_all(writer)
        commit(writer, seconds(0, 1000)[1::2])
        commit(writer, spo2(START - NS))
        seal_all(writer)
    assert [begins_at for (begins_at,) in ask(tmp_path, "SELECT begins_at FROM blocks ORDER BY 1")] == [
        START - BLOCK,
        START,
        START + BLOCK,
    ]
    assert_charts_hold_the_rows(tmp_path, "a")


def test_block_that_rotted_is_made_anew_from_the_rows(tmp_path):
    with database(tmp_path) as writer:
        commit(writer, seconds(0, 10))
        seal_all(writer)
        change(tmp_path, "UPDATE blocks SET packed = x'00'")
        commit(writer, seconds(10, 20))
        seal_all(writer)
        commit(writer, seconds(20, 30))
    assert_charts_hold_the_rows(tmp_path, "a")
    assert_whole(tmp_path)


def test_run_of_samples_that_rotted_keeps_nothing_from_being_sealed(tmp_path):
    run = Waveform("pleth", (1, 2, 3), 75.0, START, START)
    later = run._replace(observed_at=START + NS)
    with database(tmp_path) as writer:
        commit(writer, seconds(0, 10), runs=[run, later])
        change(tmp_path, "UPDATE waveforms SET packed = x'00' WHERE id = 1")
        seal_all(writer)
        # What is left of it is kept as it is: a person may still make something of it.
        assert ask(tmp_path, "SELECT commit_no, begins_at FROM waveforms ORDER BY begins_at") == [
            (1, START),
            (1, START + NS),
        ]
        assert ask(tmp_path, "SELECT hex(packed) FROM waveforms WHERE begins_at = ?", START) == [("00",)]
        [found] = History(tmp_path).waveforms("a", "pleth", START + NS, START + 2 * NS)
        assert found.waveform == later
    assert_whole(tmp_path)


async def test_close_seals(tmp_path):
    await record(tmp_path, *seconds(0, 5), seal_every=NEVER)
    await record(tmp_path, *seconds(5, 9), seal_every=NEVER)
    await record(tmp_path, seal_every=NEVER)
    assert [row[1:] for row in ask(tmp_path, SEALS)] == [(1, 5), (2, 4)]
    assert [source for source, _ in chain_of(tmp_path)] == ["series", "seals", "seals"]
    assert_whole(tmp_path)


async def test_sealed_while_recording_and_while_nothing_comes(tmp_path, opened):
    journal = opened(tmp_path, commit_every=0.0, seal_every=0.01)
    journal.record("a", "oximeter", seconds(0, 5))
    await until(lambda: ask(tmp_path, SEALS))  # nothing else comes
    for second in range(5, 60):
        journal.record("a", "oximeter", seconds(second, second + 1))
        await asyncio.sleep(0)
    await until(lambda: sum(row[2] for row in ask(tmp_path, SEALS)) == 60)
    assert_charts_hold_the_rows(tmp_path, "a")
    await journal.close()
    assert_contiguous(tmp_path)
    assert_whole(tmp_path)


WRITE_SEAL_AND_DIE = """
import asyncio, os, pathlib, sys
from drivers.events import measured
from monitor.storage import sealing
from monitor.storage.journal import Journal

where = sys.argv[2]

async def main():
    journal = Journal(pathlib.Path(sys.argv[1]), commit_every=0.0, seal_every=1e6 if where == "before" else 0.0)
    if where == "within":
        # Blocks are written, the seal is not.
        sealing.digest = lambda rows: os.kill(os.getpid(), 9)
    journal.open()
    for first in (0, 1000):
        committed = asyncio.Event()
        readings = [measured("spo2", 97.0, at, at) for at in range(first, first + 1000)]
        journal.record("a", "oximeter", readings, committed.set)
        await committed.wait()
    os.kill(os.getpid(), 9)

asyncio.run(main())
"""


@pytest.mark.parametrize("where", ["before", "within"])
async def test_what_a_crash_left_without_a_seal_is_sealed_by_the_next_run(tmp_path, where, opened):
    run = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", WRITE_SEAL_AND_DIE, tmp_path, where], cwd=PROJECT, check=False
    )
    assert run.returncode == -signal.SIGKILL
    assert ask(tmp_path, SEALS) == []
    assert ask(tmp_path, "SELECT count(*) FROM blocks") == [(0,)]
    [(readings,)] = ask(tmp_path, "SELECT count(*) FROM readings")
    assert readings >= 1000
    assert_charts_hold_the_rows(tmp_path, "a")

    journal = opened(tmp_path, seal_every=0.0)
    await until(lambda: ask(tmp_path, SEALS))
    assert sum(row[2] for row in ask(tmp_path, SEALS)) == readings
    await journal.close()
    assert_charts_hold_the_rows(tmp_path, "a")
    assert_whole(tmp_path)


async def test_seal_that_fails_does_not_stop_recording_and_is_made_up_for(tmp_path, caplog, opened):
    await record(tmp_path, *seconds(0, 1))
    change(tmp_path, "CREATE TRIGGER no_seals BEFORE INSERT ON seals BEGIN SELECT RAISE(ABORT, 'not today'); END")
    journal = opened(tmp_path, commit_every=0.0, seal_every=0.01)
    acknowledged = []
    for second in range(1, 20):
        journal.record("a", "oximeter", seconds(second, second + 1), lambda second=second: acknowledged.append(second))
        if second == 10:
            await until(lambda: "not today" in caplog.text)
    await until(lambda: len(acknowledged) == 19)
    assert journal.health == (19, 0, 0, None)
    # Said once, though it was tried again and again.
    assert caplog.messages == ["the journal cannot be sealed, tried again later: not today"]
    assert len(ask(tmp_path, SEALS)) == 1
    assert_charts_hold_the_rows(tmp_path, "a")

    change(tmp_path, "DROP TRIGGER no_seals")
    await until(lambda: sum(row[2] for row in ask(tmp_path, SEALS)) == 20)
    await journal.close()
    assert_contiguous(tmp_path)
    assert_whole(tmp_path)


def test_seal_that_fails_locks_nobody_out(tmp_path):
    with database(tmp_path) as writer:
        commit(writer, seconds(0, 10))
        change(tmp_path, "CREATE TRIGGER no_seals BEFORE INSERT ON seals BEGIN SELECT RAISE(ABORT, 'not today'); END")
        with pytest.raises(sqlite3.IntegrityError, match="not today"):
            writer.seal(START)
        change(tmp_path, "DROP TRIGGER no_seals")
        assert ask(tmp_path, "SELECT count(*) FROM blocks") == [(0,)]
        seal_all(writer)
    assert_whole(tmp_path)


async def test_seal_that_fails_while_closing_loses_nothing(tmp_path):
    await record(tmp_path, *seconds(0, 1))
    change(tmp_path, "CREATE TRIGGER no_seals BEFORE INSERT ON seals BEGIN SELECT RAISE(ABORT, 'not today'); END")
    await record(tmp_path, *seconds(1, 9))
    assert len(ask(tmp_path, SEALS)) == 1
    change(tmp_path, "DROP TRIGGER no_seals")
    await record(tmp_path)
    assert [row[2] for row in ask(tmp_path, SEALS)] == [1, 8]
    assert_whole(tmp_path)


def test_repack_makes_a_block_of_what_is_there(tmp_path):
    chance = random.Random(3)
    with database(tmp_path) as writer:
        commit(writer, seconds(0, 1200))
        seal_all(writer)
        gone = [START + second * NS for second in chance.sample(range(600), 100)]
        change(tmp_path, "".join(f"DELETE FROM readings WHERE observed_at = {at};" for at in gone))
        sealing.repack(writer._connection, 1, START)
        assert_charts_hold_the_rows(tmp_path, "a")
        change(tmp_path, f"DELETE FROM readings WHERE observed_at < {START + BLOCK}")
        sealing.repack(writer._connection, 1, START)
        assert_charts_hold_the_rows(tmp_path, "a")
        for table in ("blocks", "summaries"):
            assert ask(tmp_path, f"SELECT begins_at FROM {table}") == [(START + BLOCK,)]
    assert blocks.NONE.causes == ("",)
