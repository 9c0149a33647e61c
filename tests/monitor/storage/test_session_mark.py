"""The row of the chain that a report carries: it binds all of a session, and `verify` knows it again."""

from __future__ import annotations

import pytest

from drivers.clock import NS
from drivers.events import measured
from monitor.alerts.conditions import AlertEvent, AlertState, Kind, Priority
from monitor.sessions.entries import Kind as EntryKind
from monitor.storage.connection import JOURNAL_FILE
from monitor.storage.rows import alert_row, entry_row
from monitor.storage.session_mark import mark_of
from monitor.storage.verify import Head, verify
from tests.monitor.sessions.helpers import START, chart, minute
from tests.monitor.storage.helpers import commit, database, seal_all

VISIT = (("baseline", 1), ("start", 2), ("stop", 3), ("recovery", 4), ("close", 5))


@pytest.fixture
def made():
    return chart(*VISIT)


def record(writer, made):
    """A session with readings and an alert; nothing of it is sealed."""
    readings = [measured("spo2", 97, START + at * NS, START + at * NS) for at in range(300)]
    commit(writer, readings, bed="chair-1")
    state, session = AlertState.ON, made.session.id
    alert = AlertEvent("chair-1", "x", Kind.TECHNICAL, Priority.LOW, state, minute(4), "x", session=session)
    commit(writer, rows=[alert_row(alert), *map(entry_row, made.entries)])


def test_verify_knows_it_and_no_other(made, tmp_path):
    with database(tmp_path) as writer:
        record(writer, made)
        seal_all(writer)
        mark = mark_of(tmp_path, made.session)
        bound = writer._connection.execute("SELECT DISTINCT source FROM chain WHERE id <= ?", (mark.id,)).fetchall()
    assert {("alerts",), ("session_entries",), ("seals",)} <= set(bound)
    assert verify(tmp_path / JOURNAL_FILE, mark).holds
    assert not verify(tmp_path / JOURNAL_FILE, Head(mark.id, bytes(32))).holds


def test_what_others_record_later_does_not_change_it_and_a_late_note_does(made, tmp_path):
    with database(tmp_path) as writer:
        record(writer, made)
        seal_all(writer)
        mark = mark_of(tmp_path, made.session)
        commit(writer, [measured("spo2", 97, START, START)], bed="chair-2")
        seal_all(writer)
        assert mark_of(tmp_path, made.session) == mark
        made.add(EntryKind.NOTE, 9, text="late")
        commit(writer, rows=list(map(entry_row, made.entries[-1:])))
        assert mark_of(tmp_path, made.session).id > mark.id


def test_an_open_session_has_none_nor_one_whose_readings_are_not_sealed(made, tmp_path):
    with database(tmp_path) as writer:
        record(writer, made)
        assert mark_of(tmp_path, made.session) is None
        seal_all(writer)
        assert mark_of(tmp_path, chart(*VISIT[:2]).session) is None


def test_a_session_without_a_reading_has_one(made, tmp_path):
    with database(tmp_path) as writer:
        commit(writer, rows=list(map(entry_row, made.entries)))
        assert mark_of(tmp_path, made.session) is not None
