"""From whatever file is there to the present schema, checked first."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from drivers.errors import JournalUnusable
from monitor.storage import chain, check

SCHEMAS: dict[int, str] = {
    int(file.name.removesuffix(".sql")): file.read_text(encoding="utf-8")
    for file in (files("monitor.storage") / "schema").iterdir()
    if file.name.endswith(".sql")
}
"""Each schema's number and the statements that lead to it from the one before."""
SCHEMA_VERSION = max(SCHEMAS)

_AFTER: dict[int, Callable[[sqlite3.Connection], None]] = {2: chain.adopt}
"""What SQL alone cannot do, in the transaction of that schema."""


class Prepared(NamedTuple):
    """What became of a file."""

    migrated_from: int
    """The schema that it had; 0 for a new one, the present one where nothing was to be done."""
    checked: bool
    """Whether it is known to be whole: a large one is used at once, and has to be checked meanwhile."""


def prepare(connection: sqlite3.Connection, path: Path) -> Prepared:
    """Check the file, unless it is large, and bring it to the present schema.

    Raises JournalDamaged where SQLite finds a fault in it, JournalUnusable where it is of a newer program or has no
    write-ahead log, sqlite3.Error for the rest.
    """
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        raise JournalUnusable(
            f"the journal {path} is of a newer program (schema {version}, this one knows {SCHEMA_VERSION}): "
            "start that program, or choose another data folder"
        )
    # What is migrated is read and written as a whole anyhow, and must not carry damage on.
    at_once = version != SCHEMA_VERSION or path.stat().st_size <= check.AT_ONCE
    if at_once:
        check.check(connection, path)
    [(mode,)] = connection.execute("PRAGMA journal_mode = WAL").fetchall()
    if mode != "wal":
        raise JournalUnusable(f"the journal {path} cannot have a write-ahead log here: use a folder on a local disk")
    connection.execute("PRAGMA synchronous = FULL")
    for number in range(version + 1, SCHEMA_VERSION + 1):
        connection.executescript(f"BEGIN IMMEDIATE; {SCHEMAS[number]}")
        if number in _AFTER:
            _AFTER[number](connection)
        # Not as a script: that would commit what is open before it begins.
        connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")
    return Prepared(version, at_once)
