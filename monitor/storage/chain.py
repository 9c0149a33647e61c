"""The hash chain: each row that matters to review is bound to all that were written before it.

    hash = SHA-256(the hash before, the row as canonical JSON), the first one after 32 zero bytes

A row that was changed, taken out or slipped in later breaks it. Who can write the file can also compute it anew: then
only a head that was noted elsewhere (`infusion-monitor verify` prints it) tells.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Sequence

CHAINED = ("series", "alerts", "audit", "seals", "removals", "session_entries")
"""The tables whose rows are chained; each has an `id`."""
BEGINNING = bytes(32)


def append(connection: sqlite3.Connection, source: str, row_id: int) -> None:
    """Bind the row just written; in the same transaction."""
    last = connection.execute("SELECT hash FROM chain ORDER BY id DESC LIMIT 1").fetchone()
    columns, row = row_of(connection, source, row_id)
    link = next_hash(last[0] if last else BEGINNING, source, columns, row)
    connection.execute("INSERT INTO chain (source, row_id, hash) VALUES (?, ?, ?)", (source, row_id, link))


def adopt(connection: sqlite3.Connection) -> None:
    """Bind the rows that a journal had before there was a chain; in the transaction of that migration."""
    for source in ("series", "alerts"):
        for (row_id,) in connection.execute(f"SELECT id FROM {source} ORDER BY id").fetchall():  # noqa: S608 - two words
            append(connection, source, row_id)


def row_of(connection: sqlite3.Connection, source: str, row_id: int) -> tuple[list[str], tuple[object, ...]]:
    """A row with the names of its columns. Raises LookupError where it is not there."""
    cursor = connection.execute(f"SELECT * FROM {source} WHERE id = ?", (row_id,))  # noqa: S608 - a name of CHAINED
    row = cursor.fetchone()
    if row is None:
        raise LookupError(f"{source} has no row {row_id}")
    return [column[0] for column in cursor.description], row


def next_hash(before: bytes, source: str, columns: Sequence[str], row: Sequence[object]) -> bytes:
    """The hash of a row that follows `before`.

    Columns without a value are left out, so that a column that a later schema adds does not change what is bound.
    """
    content = {
        column: value.hex() if isinstance(value, bytes) else value
        for column, value in zip(columns, row, strict=True)
        if value is not None
    }
    text = json.dumps([source, content], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(before + text.encode()).digest()
