"""What is removed for its age: readings and waveforms, whole seals at a time, oldest first. Nothing else ever is."""

from __future__ import annotations

import sqlite3

from monitor.storage import chain, sealing
from monitor.storage.blocks import BLOCK

_LAST_REMOVED = "SELECT coalesce(max(last_commit), 0) FROM removals"
_NEXT_SEALS = """
    SELECT last_commit, sealed_at, readings FROM seals
    WHERE last_commit > ? AND last_commit <= ? ORDER BY last_commit"""
_TOUCHED = """
    SELECT DISTINCT series, observed_at - (observed_at % :block + :block) % :block FROM readings
    WHERE commit_no <= :last"""
_INSERT_REMOVAL = "INSERT INTO removals (removed_at, last_commit, readings) VALUES (?, ?, ?)"


def last_removed(connection: sqlite3.Connection) -> int:
    """The last commit whose readings are removed; 0 where none are."""
    last: int = connection.execute(_LAST_REMOVED).fetchone()[0]
    return last


def remove(connection: sqlite3.Connection, before: int, sent: int, at: int) -> bool:
    """Remove what was sealed before `before` (UTC nanoseconds) and, by its commit up to `sent`, is with all sinks.

    Some 20,000 readings at most, in the caller's transaction; whether there was anything to remove. The removal is a
    row of the hash chain, so that `verify` can tell it from a loss.
    """
    last = readings = 0
    for last_commit, sealed_at, count in connection.execute(_NEXT_SEALS, (last_removed(connection), sent)):
        # What was sealed after something young is young, though a clock that went back may call it old.
        if sealed_at >= before or (last and readings + count > sealing.ROWS_A_SEAL):
            break
        last, readings = last_commit, readings + count
    if not last:
        return False
    touched = connection.execute(_TOUCHED, {"block": BLOCK, "last": last}).fetchall()
    connection.execute("DELETE FROM readings WHERE commit_no <= ?", (last,))
    connection.execute("DELETE FROM waveforms WHERE commit_no <= ?", (last,))
    for series, begins_at in touched:
        sealing.repack(connection, series, begins_at)
    removal = connection.execute(_INSERT_REMOVAL, (at, last, readings))
    assert removal.lastrowid is not None  # noqa: S101 - for the type checker: an INSERT has one
    chain.append(connection, "removals", removal.lastrowid)
    return True
