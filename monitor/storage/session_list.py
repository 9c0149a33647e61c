"""The sessions in the journal as a list: the newest first, those that are looked for."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from drivers.errors import JournalUnusable
from monitor.sessions.session import Session
from monitor.storage.connection import JOURNAL_FILE, connect
from monitor.storage.session_entries import SessionEntries

# A reference can have been corrected: who has it now is told by the session itself.
_NEWEST_FIRST = """
    SELECT session FROM session_entries GROUP BY session
    HAVING instr(lower(session), :text)
        OR max(kind IN ('opened', 'correction') AND instr(lower(content), :text) > 0)
    ORDER BY max(CASE number WHEN 1 THEN at END) DESC, session DESC"""


def newest_first(data_dir: Path, text: str = "", before: str | None = None) -> Iterator[Session]:
    """Every session with `text`, in capitals or not, in its id or its reference; those after `before` in this list.

    Raises JournalUnusable, also while they are read.
    """
    path = data_dir / JOURNAL_FILE
    wanted = text.lower()
    try:
        with contextlib.closing(connect(path)) as connection:
            names = [name for (name,) in connection.execute(_NEWEST_FIRST, {"text": wanted})]
    except (OSError, sqlite3.Error) as error:
        raise JournalUnusable(f"the journal {path} cannot be read: {error}") from error
    if before in names:
        names = names[names.index(before) + 1 :]
    stored = SessionEntries(data_dir)
    for name in names:
        if entries := stored.of(name):
            session = Session(entries)
            if wanted in name.lower() or wanted in session.reference.lower():
                yield session
