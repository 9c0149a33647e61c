"""The row of the hash chain that binds all of a session: noted on its report, it can be given to `verify --head`."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from drivers.errors import JournalUnusable
from monitor.sessions.session import Session
from monitor.storage.connection import JOURNAL_FILE, connect
from monitor.storage.history import LATEST
from monitor.storage.verify import Head

_OF_ENTRY = """
    SELECT chain.id FROM session_entries JOIN chain ON source = 'session_entries' AND row_id = session_entries.id
    WHERE session = ? AND number = ?"""
_OF_ALERTS = """
    SELECT max(chain.id) FROM alerts JOIN chain ON source = 'alerts' AND row_id = alerts.id
    WHERE bed = ? AND at >= ? AND at <= ?"""
_LAST_COMMIT = """
    SELECT max(commit_no) FROM series CROSS JOIN readings ON readings.series = series.id
    WHERE bed = ? AND observed_at >= ? AND observed_at <= ?"""
_OF_SEAL = """
    SELECT chain.id FROM seals JOIN chain ON source = 'seals' AND row_id = seals.id
    WHERE last_commit >= ? ORDER BY last_commit LIMIT 1"""


def mark_of(data_dir: Path, session: Session) -> Head | None:
    """The first row of the chain that comes after everything of the session, as it is stored now.

    None where there is none yet: it is open, or its newest readings are not sealed. Raises JournalUnusable.
    """
    path = data_dir / JOURNAL_FILE
    try:
        with contextlib.closing(connect(path)) as connection:
            connection.execute("BEGIN")
            return None if session.closed_at is None else _mark(connection, session)
    except (OSError, sqlite3.Error) as error:
        raise JournalUnusable(f"the journal {path} cannot be read: {error}") from error


def _mark(connection: sqlite3.Connection, session: Session) -> Head | None:
    bound = [_one(connection, _OF_ENTRY, session.id, session.entries[-1].number)]
    for stretch in session.stretches(LATEST):
        if row := _one(connection, _OF_ALERTS, *stretch):
            bound.append(row)
        if commit := _one(connection, _LAST_COMMIT, *stretch):
            bound.append(_one(connection, _OF_SEAL, commit))
    known = [row for row in bound if row is not None]
    if len(known) < len(bound):
        return None
    return Head(*connection.execute("SELECT id, hash FROM chain WHERE id = ?", (max(known),)).fetchone())


def _one(connection: sqlite3.Connection, question: str, *values: object) -> int | None:
    row = connection.execute(question, values).fetchone()
    return None if row is None else row[0]
