"""Which sessions were on a bed: for its charts."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from drivers.clock import NS
from drivers.errors import JournalUnusable
from monitor.sessions.session import Session
from monitor.storage.connection import JOURNAL_FILE, connect
from monitor.storage.session_entries import SessionEntries

LONGEST = 86_400 * NS
"""Nanoseconds within which a session has another entry, its opening and its closing among them."""
_FURTHEST = 2**62

# One range of the index of the entries by bed and time.
_ON_BED = "SELECT DISTINCT session FROM session_entries WHERE bed = ? AND at >= ? AND at < ?"


def on_bed(data_dir: Path, bed: str, since: int, until: int) -> list[Session]:
    """The sessions that may have been on the bed between these times (UTC nanoseconds): their stays tell.

    Raises JournalUnusable.
    """
    path = data_dir / JOURNAL_FILE
    span = max(since - LONGEST, -_FURTHEST), min(until + LONGEST, _FURTHEST)
    try:
        with contextlib.closing(connect(path)) as connection:
            names = [name for (name,) in connection.execute(_ON_BED, (bed, *span))]
    except (OSError, sqlite3.Error) as error:
        raise JournalUnusable(f"the journal {path} cannot be read: {error}") from error
    stored = SessionEntries(data_dir)
    return [Session(made) for name in names if (made := stored.of(name))]
