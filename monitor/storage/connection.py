"""How everyone but the writer opens the journal: read-only, so that nothing that is read can be changed."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from drivers.errors import JournalUnusable
from monitor.alerts.conditions import AlertEvent, AlertState, Kind, Priority
from monitor.storage.migration import SCHEMA_VERSION

JOURNAL_FILE = "journal.db"
NEWEST_RECEIVED = "SELECT max(received_at) FROM readings WHERE commit_no = (SELECT max(commit_no) FROM readings)"
"""When the newest reading came: of the last commit that has any, since a clock may have gone back."""
ALERT_COLUMNS = (
    "bed, rule, kind, priority, state, at, text, vital, device, value, threshold, alert_group, why, actor, session"
)
"""What of `alerts` makes an alert, in the order of `alert_of`."""


def connect(path: Path, *, check_same_thread: bool = True) -> sqlite3.Connection:
    """A read-only connection to that journal.

    Raises JournalUnusable where it is not there or of another version of the program, sqlite3.Error for the rest.
    """
    if not path.is_file():
        raise JournalUnusable(f"there is no journal {path}: has a station ever run there?")
    try:
        return _connect_as(path, "mode=ro", check_same_thread)
    except sqlite3.OperationalError:
        # SQLite wants to make its index of the log, which it cannot do on a disk that is read-only (a backup, say).
        # Without a log the file is all there is, and nobody can be writing it. With a log, "immutable" would hide rows.
        if Path(f"{path}-wal").exists() or os.access(path.parent, os.W_OK):
            raise
    return _connect_as(path, "immutable=1", check_same_thread)


def alert_of(row: Sequence[Any]) -> AlertEvent:
    """The alert of a row of its `ALERT_COLUMNS`. Raises ValueError for a word that this program does not know."""
    bed, rule, kind, priority, state, at, text, vital, device, value, limit, *others = row
    group, why, actor, session = (other or "" for other in others)
    return AlertEvent(
        bed,
        rule,
        Kind(kind),
        Priority(priority),
        AlertState(state),
        at,
        text,
        vital,
        device,
        value,
        limit,
        group,
        why,
        actor,
        session,
    )


def _connect_as(path: Path, mode: str, check_same_thread: bool) -> sqlite3.Connection:  # noqa: FBT001 - as sqlite3 names it
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?{mode}", uri=True, isolation_level=None, check_same_thread=check_same_thread
    )
    try:
        _check_version(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _check_version(connection: sqlite3.Connection, path: Path) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        raise JournalUnusable(f"the journal {path} is of a newer program (schema {version}): read it with that one")
    if version < SCHEMA_VERSION:
        raise JournalUnusable(f"the journal {path} is of an older form (schema {version}): start the station once")
