"""The entries of sessions in the journal, for reading: beside a running station, and when it is down."""

from __future__ import annotations

import contextlib
import json
import logging
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from drivers.errors import JournalUnusable
from monitor.sessions.entries import Entry, Kind
from monitor.storage.connection import JOURNAL_FILE, connect

_ENTRIES = "SELECT session, number, kind, at, entered_at, author, bed, content, request FROM session_entries"
_OF = f"{_ENTRIES} WHERE session = ? ORDER BY number"
_WITH_REQUEST = f"{_ENTRIES} WHERE request = ?"
# A number is 1 or more: 0 stands for none.
_MAYBE_OPEN = """
    SELECT session FROM session_entries GROUP BY session
    HAVING max(CASE WHEN kind = 'closed' THEN number ELSE 0 END)
        <= max(CASE WHEN kind = 'correction' THEN number ELSE 0 END)
    ORDER BY min(id)"""
_SINCE = """
    SELECT session FROM session_entries GROUP BY session
    HAVING :since IS NULL OR max(entered_at) >= :since ORDER BY min(id)"""

_log = logging.getLogger(__name__)


def entry_of(row: Sequence[Any]) -> Entry:
    """The entry of a row of its nine columns. Raises ValueError where it is none."""
    session, number, kind, at, entered_at, author, bed, content, request = row
    return Entry(session, number, Kind(kind), at, entered_at, author, bed, json.loads(content), request)


class SessionEntries:
    """The sessions in the journal in `data_dir`; each question sees the state of one moment.

    Every question, and the reading of what it gives, raises JournalUnusable when there is no journal, when it is
    damaged or when it is of another version of the program. Only what was committed is there.
    """

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / JOURNAL_FILE

    def of(self, session: str) -> list[Entry]:
        """The entries of a session in the order of their numbers; none if there is no such session."""
        with self._opened() as connection:
            return _entries(connection, session)

    def with_request(self, request: str) -> Entry | None:
        """The entry that this request made, if it made one."""
        with self._opened() as connection:
            row = connection.execute(_WITH_REQUEST, (request,)).fetchone()
            return None if row is None else entry_of(row)

    def maybe_open(self) -> list[list[Entry]]:
        """Each session that was not closed, or had a correction after that, in the order of their first entries.

        Whether a correction reopened it is told by its entries.
        """
        with self._opened() as connection:
            found = (_entries(connection, session) for (session,) in connection.execute(_MAYBE_OPEN).fetchall())
            return [entries for entries in found if entries]

    def all(self, since: int | None = None) -> Iterator[list[Entry]]:
        """Every session, in the order of their first entries.

        With `since` (UTC nanoseconds) only those with an entry that was entered then or later, each as a whole. What is
        kept half-read holds up the station's write-ahead log: read it to its end or close it.
        """
        with self._opened() as connection:
            for (session,) in connection.execute(_SINCE, {"since": since}).fetchall():
                if entries := _entries(connection, session):
                    yield entries

    @contextlib.contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            with contextlib.closing(connect(self._path)) as connection:
                connection.execute("BEGIN")
                yield connection
        except (OSError, sqlite3.Error, ValueError) as error:
            raise JournalUnusable(f"the journal {self._path} cannot be read: {error}") from error


def _entries(connection: sqlite3.Connection, session: str) -> list[Entry]:
    entries = [entry_of(row) for row in connection.execute(_OF, (session,))]
    if entries and entries[0].number != 1:
        # So can a journal look that was recovered from a damaged one. Nothing can be made of the rest of a session.
        _log.error("session %s has lost its beginning: its %d entries are left out", session, len(entries))
        return []
    return entries
