import asyncio
import sqlite3

import pytest

from drivers.errors import JournalUnusable
from monitor.sessions.entries import Entry, Kind
from monitor.storage.rows import entry_row
from monitor.storage.session_entries import SessionEntries
from tests.monitor.storage.helpers import (
    NEVER,
    START,
    ask,
    assert_whole,
    chain_of,
    change,
    commit,
    database,
    entry,
    spo2,
)


def put(folder, *entries):
    """Each in a commit of its own."""
    with database(folder) as writer:
        return [commit(writer, rows=[entry_row(one)]) for one in entries]


async def test_what_is_entered_is_read_back_the_same(tmp_path, opened):
    journal = opened(tmp_path, commit_every=0.01)
    entries = [
        entry(1, Kind.OPENED, reference="P-17", planned_minutes=40, profile="default"),
        entry(2, Kind.SCORE, scale="pain", title="Schmerz", version=2, value=3.5, text="\N{LUNGS} \0 \"'\\"),
        entry(3, Kind.STEP, step="start", confirmed=["consent", "spo2 88 < 92"], reason="verbal", none=None, nested={}),
        entry(4, at=-5, bed=""),
    ]
    on_disk = asyncio.Event()
    journal.record_entries(entries, on_disk.set)
    await on_disk.wait()
    read = SessionEntries(tmp_path)  # beside the writer
    assert read.of("s1") == entries
    assert all(type(one) is Entry and type(one.kind) is Kind and type(one.content) is dict for one in read.of("s1"))
    assert [read.with_request(f"s1-{number}") for number in (1, 4, 5)] == [entries[0], entries[3], None]
    assert read.of("s2") == []
    await journal.close()
    assert read.of("s1") == entries
    assert list(read.all()) == [entries]


async def test_on_commit_runs_only_once_the_entries_are_on_disk(tmp_path, opened):
    journal = opened(tmp_path, commit_every=0.01)
    loop = asyncio.get_running_loop()
    seen = loop.create_future()
    journal.record_entries([entry(1), entry(2)], lambda: seen.set_result(SessionEntries(tmp_path).of("s1")))
    assert await seen == [entry(1), entry(2)]


async def test_entries_are_not_dropped_nor_their_caller_forgotten_while_the_disk_refuses(tmp_path, opened, monkeypatch):
    journal = opened(tmp_path, commit_every=0.01, max_waiting=10)
    write = journal._database.write

    def fails(*_):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(journal._database, "write", fails)
    on_disk = asyncio.Event()
    journal.record_entries([entry(1), entry(2)], on_disk.set)
    for at in range(50):
        journal.record("a", "oximeter", spo2(at))
    assert journal.health.dropped_rows > 0
    assert not on_disk.is_set()
    monkeypatch.setattr(journal._database, "write", write)
    await asyncio.wait_for(on_disk.wait(), 60)
    assert SessionEntries(tmp_path).of("s1") == [entry(1), entry(2)]


async def test_the_same_request_twice_is_there_once(tmp_path, opened):
    journal = opened(tmp_path, commit_every=0.01)
    for again in (entry(1), entry(1), entry(2, request="s1-1"), entry(2)):
        on_disk = asyncio.Event()
        # Something else that is chained in between: a row that was not written must not bind that one again.
        journal.record_audit("kim", "looked", "at nothing")
        journal.record_entries([again], on_disk.set)
        await asyncio.wait_for(on_disk.wait(), 60)
    await journal.close()
    assert SessionEntries(tmp_path).of("s1") == [entry(1), entry(2)]
    # Four audit rows, two entries.
    assert journal.health[:3] == (6, 0, 0)
    assert [source for source, _ in chain_of(tmp_path)].count("session_entries") == 2
    assert_whole(tmp_path)


def test_another_entry_with_a_number_that_is_taken_is_refused_and_told(tmp_path, caplog):
    assert put(tmp_path, entry(1), entry(1, request="another", text="lost?")) == [(1, 0), (0, 1)]
    assert SessionEntries(tmp_path).of("s1") == [entry(1)]
    assert "lost?" in caplog.text
    assert_whole(tmp_path)


@pytest.mark.parametrize(
    "bad",
    [
        entry(2, text="half of a pair \ud83e"),
        entry(2, bed="\ud83e"),
        entry(2, value=float("nan")),
        entry(2, value={1, 2}),
        entry(2, at=2**62),
        entry(2)._replace(entered_at=-(2**63) - 1),
    ],
)
async def test_what_cannot_be_kept_is_told_at_once_and_nothing_of_it_is_kept(tmp_path, opened, bad):
    journal = opened(tmp_path)
    with pytest.raises((ValueError, TypeError)):
        journal.record_entries([entry(1), bad], pytest.fail)
    journal.record_entries([entry(1)])
    await journal.close()
    assert journal.health[:3] == (1, 0, 0)
    assert SessionEntries(tmp_path).of("s1") == [entry(1)]


@pytest.mark.parametrize("statement", ["UPDATE session_entries SET author = 'Sam'", "DELETE FROM session_entries"])
def test_entries_are_append_only(tmp_path, statement):
    put(tmp_path, entry(1))
    with pytest.raises(sqlite3.IntegrityError, match="session_entries is append-only"):
        change(tmp_path, statement)
    assert SessionEntries(tmp_path).of("s1") == [entry(1)]


async def test_entries_of_one_call_are_all_there_or_none(tmp_path, opened, monkeypatch):
    journal = opened(tmp_path, commit_every=NEVER)
    put_row = journal._database._put
    attempts = []

    def fails_at_the_second(row, commit_no):
        attempts.append(row)
        if len(attempts) == 2:
            raise sqlite3.OperationalError("database or disk is full")
        return put_row(row, commit_no)

    monkeypatch.setattr(journal._database, "_put", fails_at_the_second)
    journal.record_entries([entry(1), entry(2)], pytest.fail)
    await journal.close()
    assert len(attempts) == 2
    assert journal.health.dropped_rows == 2
    assert SessionEntries(tmp_path).of("s1") == []


async def test_entries_of_one_call_have_one_commit(tmp_path, opened):
    journal = opened(tmp_path, commit_every=0.01)
    for session in ("s1", "s2", "s3"):
        on_disk = asyncio.Event()
        journal.record_entries([entry(number, session=session) for number in (1, 2, 3)], on_disk.set)
        await on_disk.wait()
    commits = ask(tmp_path, "SELECT DISTINCT session, commit_no FROM session_entries ORDER BY commit_no")
    assert [session for session, _ in commits] == ["s1", "s2", "s3"]


def test_which_sessions_may_be_open(tmp_path):
    sessions = {
        "zulu": [Kind.OPENED, Kind.NOTE],
        "closed": [Kind.OPENED, Kind.CORRECTION, Kind.CLOSED],
        "late note": [Kind.OPENED, Kind.CLOSED, Kind.NOTE],
        "corrected": [Kind.OPENED, Kind.CLOSED, Kind.NOTE, Kind.CORRECTION],
        "closed again": [Kind.OPENED, Kind.CLOSED, Kind.CORRECTION, Kind.CLOSED],
        "corrected again": [Kind.OPENED, Kind.CLOSED, Kind.CORRECTION, Kind.CLOSED, Kind.CORRECTION],
        "alpha": [Kind.OPENED],
    }
    made = {
        session: [entry(number, kind, session=session) for number, kind in enumerate(kinds, start=1)]
        for session, kinds in sessions.items()
    }
    # The first entries in the order of the names above, all others mixed and out of order.
    rest = [one for entries in made.values() for one in entries[1:]]
    put(tmp_path, *(entries[0] for entries in made.values()), *reversed(rest))
    read = SessionEntries(tmp_path)
    expected = ["zulu", "corrected", "corrected again", "alpha"]
    assert read.maybe_open() == [made[session] for session in expected]
    assert list(read.all()) == list(made.values())


def test_sessions_with_an_entry_entered_since_come_whole(tmp_path):
    old, late, new = ([entry(number, session=session) for number in (1, 2)] for session in ("old", "late", "new"))
    late[1] = late[1]._replace(entered_at=START + 100, at=START - 100)
    new = [one._replace(entered_at=START + 99 + one.number) for one in new]
    put(tmp_path, *new, *old, *late)
    read = SessionEntries(tmp_path)
    assert list(read.all(START + 100)) == [new, late]
    assert list(read.all(START + 101)) == [new]
    assert list(read.all(START + 102)) == []
    assert list(read.all(0)) == list(read.all()) == [new, old, late]


def test_no_sessions(tmp_path):
    put(tmp_path)
    read = SessionEntries(tmp_path)
    assert (read.of("s1"), read.with_request("r"), read.maybe_open(), list(read.all())) == ([], None, [], [])


@pytest.mark.parametrize(
    "question",
    [
        lambda read: read.of("s1"),
        lambda read: read.with_request("s1-1"),
        lambda read: read.maybe_open(),
        lambda read: list(read.all()),
    ],
)
def test_journal_that_cannot_be_read_is_told(tmp_path, question):
    read = SessionEntries(tmp_path)
    with pytest.raises(JournalUnusable, match="there is no journal"):
        question(read)
    put(tmp_path, entry(1))
    assert question(read)
    change(tmp_path, "DROP TRIGGER session_entries_stand; UPDATE session_entries SET content = '{'")
    with pytest.raises(JournalUnusable, match="cannot be read"):
        question(read)
    (tmp_path / "journal.db").write_bytes(b"no database at all" * 300)
    with pytest.raises(JournalUnusable, match="cannot be read"):
        question(read)


def test_a_session_that_lost_its_beginning_is_left_out_and_told(tmp_path, caplog):
    put(tmp_path, entry(2), entry(3), entry(1, session="s2"))
    stored = SessionEntries(tmp_path)
    assert stored.of("s1") == []
    assert [entries[0].session for entries in stored.all()] == ["s2"]
    assert [entries[0].session for entries in stored.maybe_open()] == ["s2"]
    assert "session s1 has lost its beginning: its 2 entries are left out" in caplog.text
