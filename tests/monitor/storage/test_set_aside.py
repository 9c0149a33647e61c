import asyncio
import contextlib
import logging
import signal
import sqlite3
import subprocess
import sys
import threading
from datetime import UTC, datetime

import pytest

from drivers.errors import JournalDamaged, JournalUnusable
from drivers.events import measured
from monitor.alerts.conditions import AlertEvent, AlertState, Kind, Priority
from monitor.storage import check, commit_queue
from monitor.storage import journal as journal_module
from monitor.storage.database import Database
from monitor.storage.history import History
from monitor.storage.journal import Journal
from monitor.storage.set_aside import damaged_files, set_aside
from tests.monitor.storage.helpers import (
    NEVER,
    PROJECT,
    START,
    ask,
    assert_whole,
    commit,
    database,
    record,
    spo2,
    times_in,
    until,
)

ALERT = AlertEvent("a", "spo2_low", Kind.PHYSIOLOGICAL, Priority.HIGH, AlertState.ON, 5, "SpO₂ 86 < 90", "spo2")
PAGE = 4096
WRITE_AND_DIE = """
import asyncio, os, pathlib, sys
from drivers.events import measured
from monitor.storage.journal import Journal

async def main():
    journal = Journal(pathlib.Path(sys.argv[1]), commit_every=0.0)
    journal.open()
    for first in (0, 5000):
        committed = asyncio.Event()
        readings = [measured("spo2", 97.0, at, at) for at in range(first, first + 5000)]
        journal.record("a", "oximeter", readings, committed.set)
        await committed.wait()
    os.kill(os.getpid(), 9)

asyncio.run(main())
"""


@pytest.fixture(autouse=True)
def _soon_again(monkeypatch):
    monkeypatch.setattr(commit_queue, "_RETRY_SECONDS", 0.05)


def contents(folder, name):
    """What lies under that name, with its log; an empty one says as much as none."""
    return {
        ending: file.read_bytes()
        for ending in ("", "-wal")
        if (file := folder / f"{name}{ending}").exists() and file.stat().st_size
    }


def leave_a_log(folder):
    """What a crash leaves: a file, and a log whose newest part is not in it."""
    run = subprocess.run([sys.executable, "-c", WRITE_AND_DIE, folder], cwd=PROJECT, check=False)
    assert run.returncode == -signal.SIGKILL
    with contextlib.closing(sqlite3.connect(folder / "journal.db", isolation_level=None)) as foreign:
        foreign.execute("PRAGMA wal_checkpoint(PASSIVE)")
        foreign.execute("CREATE TABLE in_the_log (x)")
        log = (folder / "journal.db-wal").read_bytes()
    (folder / "journal.db-wal").write_bytes(log)


def overwrite(folder, first, last=None):
    """Put nonsense in the place of pages, counted from 1."""
    with (folder / "journal.db").open("r+b") as file:
        file.seek(0, 2)
        end = file.tell() if last is None else last * PAGE
        file.seek((first - 1) * PAGE)
        file.write(b"\xa5" * (end - file.tell()))


def criticals(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno == logging.CRITICAL]


def audited(folder):
    return ask(folder, "SELECT actor, action, detail FROM audit")


@pytest.mark.parametrize("damage", ["no database at all", "a page overwritten", "cut off"])
@pytest.mark.parametrize("with_log", [True, False])
async def test_damaged_file_is_kept_unchanged_and_recording_goes_on(tmp_path, opened, caplog, damage, with_log):
    if with_log:
        leave_a_log(tmp_path)
    else:
        await record(tmp_path, *spo2(*range(5000)))
    file = tmp_path / "journal.db"
    content = file.read_bytes()
    file.write_bytes(
        {
            "no database at all": b"x" * len(content),
            "a page overwritten": content[:40960] + b"\xff" * 4096 + content[45056:],
            "cut off": content[: len(content) // 2 // PAGE * PAGE],
        }[damage]
    )
    damaged = contents(tmp_path, "journal.db")
    assert ("-wal" in damaged) == with_log

    journal = opened(tmp_path)
    acknowledged = asyncio.Event()
    journal.record("a", "oximeter", spo2(1, 2, 3), acknowledged.set)
    await acknowledged.wait()
    await journal.close()

    [aside] = damaged_files(tmp_path)
    assert contents(tmp_path, aside) == damaged
    assert times_in(tmp_path) == [1, 2, 3]
    [(actor, action, detail)] = audited(tmp_path)
    assert (actor, action) == ("station", "damaged journal set aside")
    assert detail.startswith(f"{aside}: the journal {file} is damaged (")
    [message] = criticals(caplog)
    assert aside in message
    assert "is damaged (" in message
    assert journal.health == (4, 0, 0, None)
    assert_whole(tmp_path)


async def test_journal_that_is_whole_is_never_set_aside(tmp_path, caplog):
    for _ in range(3):
        await record(tmp_path, *spo2(1, 2, 3))
    assert damaged_files(tmp_path) == ()
    assert audited(tmp_path) == []
    assert criticals(caplog) == []


async def big_journal(folder):
    """More than SQLite keeps in memory, all of it in the file and none in the log."""
    await record(folder, *[measured("spo2", 97.0, START + at * 1000, START) for at in range(90_000)])
    assert (folder / "journal.db").stat().st_size > 4_000_000


async def test_damage_that_is_found_while_writing(tmp_path, opened, caplog):
    await big_journal(tmp_path)
    journal = opened(tmp_path, commit_every=0.0)
    overwrite(tmp_path, 2)
    damaged = (tmp_path / "journal.db").read_bytes()

    acknowledged = []
    times = [START + at * 1000 + 1 for at in range(0, 90_000, 9_000)]
    for at in times:
        journal.record("a", "oximeter", spo2(at), lambda at=at: acknowledged.append(at))
    journal.record_alerts([ALERT])
    await until(lambda: len(acknowledged) == len(times))
    journal.record("b", "oximeter", spo2(1), lambda: acknowledged.append(1))
    await until(lambda: acknowledged[-1] == 1)
    assert journal.health.error is None
    await journal.close()

    assert acknowledged == [*times, 1]
    assert sorted(times_in(tmp_path)) == [1, *times]
    assert list(History(tmp_path).alerts()) == [ALERT]
    [aside] = damaged_files(tmp_path)
    assert (tmp_path / aside).read_bytes() == damaged
    assert (tmp_path / f"{aside}-wal").exists()
    [(_, action, detail)] = audited(tmp_path)
    assert action == "damaged journal set aside"
    assert detail.startswith(f"{aside}: ")
    [message] = criticals(caplog)
    assert aside in message
    assert "the journal is written again" in caplog.messages
    assert journal.health == (len(times) + 3, 0, 0, None)
    assert_whole(tmp_path)


async def test_damage_that_is_found_while_closing_costs_nothing(tmp_path, opened):
    await big_journal(tmp_path)
    journal = opened(tmp_path, commit_every=NEVER)
    overwrite(tmp_path, 2)
    acknowledged = []
    journal.record("a", "oximeter", spo2(START + 45_000_001), lambda: acknowledged.append(1))
    await journal.close()
    assert acknowledged == [1]
    assert journal.health == (2, 0, 0, None)
    assert times_in(tmp_path) == [START + 45_000_001]
    assert len(damaged_files(tmp_path)) == 1


async def test_damage_that_is_found_while_sealing(tmp_path, opened, caplog):
    with database(tmp_path) as written:
        commit(written, [measured("spo2", 97.0, START + at * 1000, START) for at in range(90_000)])
    journal = opened(tmp_path, seal_every=0.2)
    assert ask(tmp_path, "SELECT count(*) FROM seals") == [(0,)]
    overwrite(tmp_path, 2)
    damaged = (tmp_path / "journal.db").read_bytes()
    await until(lambda: damaged_files(tmp_path))
    acknowledged = asyncio.Event()
    journal.record("b", "oximeter", spo2(50), acknowledged.set)
    await acknowledged.wait()
    await journal.close()
    assert len(criticals(caplog)) == 1
    [aside] = damaged_files(tmp_path)
    assert (tmp_path / aside).read_bytes() == damaged
    assert times_in(tmp_path) == [50]
    assert_whole(tmp_path)


async def test_damage_in_a_file_that_is_too_large_to_be_checked_first(tmp_path, opened, caplog, monkeypatch):
    await big_journal(tmp_path)
    monkeypatch.setattr(check, "AT_ONCE", 4_000_000)
    # Where nobody writes, and where a start does not look.
    overwrite(tmp_path, 500, 510)
    journal = opened(tmp_path, commit_every=0.0)
    await until(lambda: damaged_files(tmp_path))
    acknowledged = asyncio.Event()
    journal.record("b", "oximeter", spo2(50), acknowledged.set)
    await acknowledged.wait()
    await journal.close()
    assert times_in(tmp_path) == [50]
    [aside] = damaged_files(tmp_path)
    [message] = criticals(caplog)
    assert aside in message
    assert "is damaged (" in message
    assert [action for _, action, _ in audited(tmp_path)] == ["damaged journal set aside"]
    assert_whole(tmp_path)


async def test_large_file_that_is_whole_is_recorded_into_at_once(tmp_path, opened, caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    await big_journal(tmp_path)
    monkeypatch.setattr(check, "AT_ONCE", 4_000_000)
    journal = opened(tmp_path, commit_every=0.0)
    await until(lambda: any("the journal is whole" in message for message in caplog.messages))
    journal.record("a", "oximeter", spo2(1))
    await journal.close()
    assert damaged_files(tmp_path) == ()
    assert len(times_in(tmp_path)) == 90_001


async def test_closing_does_not_wait_for_the_check(tmp_path, opened, monkeypatch):
    begun = threading.Event()

    def endless(connection, _):
        begun.set()
        connection.execute("WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n) SELECT max(n) FROM n")

    await record(tmp_path, *spo2(1))
    monkeypatch.setattr(check, "AT_ONCE", 0)
    monkeypatch.setattr(check, "check", endless)
    journal = opened(tmp_path, commit_every=0.0)
    await until(begun.is_set)
    acknowledged = asyncio.Event()
    journal.record("a", "oximeter", spo2(2), acknowledged.set)
    await acknowledged.wait()
    await journal.close()
    assert times_in(tmp_path) == [1, 2]
    assert damaged_files(tmp_path) == ()


async def test_what_cannot_be_set_aside_is_said_and_tried_again(tmp_path, opened, caplog, monkeypatch):
    await big_journal(tmp_path)
    journal = opened(tmp_path, commit_every=0.0)
    tries = []

    def refused(path, at):
        tries.append(at)
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(journal_module, "set_aside", refused)
    overwrite(tmp_path, 2)
    acknowledged = []
    journal.record("a", "oximeter", spo2(START + 45_000_001), lambda: acknowledged.append(1))
    await until(lambda: len(tries) > 1)
    journal.record("a", "oximeter", spo2(1, 2), lambda: acknowledged.append(2))
    health = journal.health
    assert health.waiting_rows == 3
    assert "and it cannot be set aside: [Errno 13] Permission denied" in health.error
    assert acknowledged == []
    assert damaged_files(tmp_path) == ()
    assert (tmp_path / "journal.db").exists()
    assert criticals(caplog) == []

    monkeypatch.setattr(journal_module, "set_aside", set_aside)
    await until(lambda: len(acknowledged) == 2)
    assert times_in(tmp_path) == [1, 2, START + 45_000_001]
    assert journal.health.error is None
    assert len(damaged_files(tmp_path)) == 1
    assert len(criticals(caplog)) == 1


async def test_closing_while_it_cannot_be_set_aside_counts_the_loss(tmp_path, monkeypatch, opened):
    await big_journal(tmp_path)
    journal = opened(tmp_path, commit_every=0.0)

    def refused(path, _):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(journal_module, "set_aside", refused)
    overwrite(tmp_path, 2)
    journal.record("a", "oximeter", spo2(START + 45_000_001))
    await until(lambda: journal.health.error)
    await journal.close()
    assert journal.health[:3] == (0, 0, 1)


async def test_new_journal_that_cannot_be_begun_is_tried_again_without_setting_anything_else_aside(
    tmp_path, opened, monkeypatch
):
    await big_journal(tmp_path)
    journal = opened(tmp_path, commit_every=0.0)
    moved = []

    def something_gets_in_the_way(path, at):
        moved.append(set_aside(path, at))
        path.mkdir()
        return moved[-1]

    monkeypatch.setattr(journal_module, "set_aside", something_gets_in_the_way)
    overwrite(tmp_path, 2)
    acknowledged = []
    journal.record("a", "oximeter", spo2(START + 45_000_001), lambda: acknowledged.append(1))
    await until(lambda: "cannot be opened" in (journal.health.error or ""))
    error = journal.health.error
    assert "journal.db" in error
    (tmp_path / "journal.db").rmdir()
    await until(lambda: acknowledged)
    await journal.close()
    assert [file.name for file in moved] == list(damaged_files(tmp_path))
    assert len(moved) == 1
    assert times_in(tmp_path) == [START + 45_000_001]
    [(_, action, detail)] = audited(tmp_path)
    assert action == "damaged journal set aside"
    assert detail.startswith(f"{moved[0].name}: ")


async def test_start_on_a_damaged_file_that_cannot_be_set_aside_is_refused(tmp_path, monkeypatch):
    await record(tmp_path, *spo2(1, 2, 3))
    overwrite(tmp_path, 1)
    damaged = contents(tmp_path, "journal.db")

    def refused(path, _):
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patched:
        patched.setattr(journal_module, "set_aside", refused)
        journal = Journal(tmp_path)
        for _ in range(2):  # the lock was given back
            with pytest.raises(JournalUnusable, match=r"is damaged \(.*\), and it cannot be set aside"):
                journal.open()
    assert contents(tmp_path, "journal.db") == damaged
    await record(tmp_path, *spo2(4))
    assert times_in(tmp_path) == [4]


def test_names(tmp_path):
    at = round(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp()) * 10**9 + 999_999_999
    names = []
    for _ in range(3):
        for ending in ("", "-wal", "-shm"):
            (tmp_path / f"journal.db{ending}").write_text(ending)
        names.append(set_aside(tmp_path / "journal.db", at).name)
    assert names == [f"journal-damaged-20260102T030405Z{number}.db" for number in ("", "-2", "-3")]
    assert sorted(damaged_files(tmp_path)) == sorted(names)
    for name in names:
        assert [(tmp_path / f"{name}{ending}").read_text() for ending in ("", "-wal", "-shm")] == ["", "-wal", "-shm"]
    assert len(list(tmp_path.iterdir())) == 9


def test_folder_that_is_not_there_has_no_damaged_files(tmp_path):
    assert damaged_files(tmp_path / "nowhere") == ()
    assert damaged_files(tmp_path) == ()


def test_writing_connection_says_what_is_damage(tmp_path):
    (tmp_path / "journal.db").write_bytes(b"no database" * 1000)
    with pytest.raises(JournalDamaged, match=r"is damaged \(file is not a database\)"):
        Database(tmp_path / "journal.db")
