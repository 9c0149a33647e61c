"""The journal's file: its schema, its checks, and one transaction at a time. All writing SQL of the project is here."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from drivers.errors import JournalUnusable
from drivers.events import DeviceAlarm, DeviceStatus, Event, LinkState, Reading
from monitor.alerts.conditions import AlertEvent

JOURNAL_FILE = "journal.db"
SCHEMAS: dict[int, str] = {
    int(file.name.removesuffix(".sql")): file.read_text(encoding="utf-8")
    for file in (files("monitor.storage") / "schema").iterdir()
    if file.name.endswith(".sql")
}
"""Each schema's number and the statements that lead to it from the one before."""
SCHEMA_VERSION = max(SCHEMAS)

_BUSY_SECONDS = 1.0
_SAME_TIME = 100
"""Different values that one series may have at one observed_at."""

_INSERT_READING = """
    INSERT INTO readings (series, observed_at, received_at, value, validity, cause, commit_no)
    VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (series, observed_at) DO NOTHING"""
_FIND_READING = "SELECT value, validity, cause FROM readings WHERE series = ? AND observed_at = ?"
_INSERT_SERIES = "INSERT INTO series (bed, device, vital) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
_FIND_SERIES = "SELECT id FROM series WHERE (bed, device, vital) = (?, ?, ?)"
_INSERT_DEVICE_EVENT = """
    INSERT INTO device_events (bed, device, kind, code, state, text, at, commit_no)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (at, bed, device, kind, code, state, text) DO NOTHING"""
_INSERT_ALERT = """
    INSERT INTO alerts (bed, rule, kind, priority, state, at, text, vital, device, value, threshold, commit_no)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_NEXT_COMMIT = "UPDATE last_commit SET commit_no = commit_no + 1 RETURNING commit_no"

_UNSTORABLE = (
    sqlite3.DataError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    OverflowError,
    TypeError,
    UnicodeEncodeError,
)
"""The fault of a row, not of the disk: a time beyond 64 bits, half a surrogate pair in a device's text. One such row
must not keep all others waiting."""

_log = logging.getLogger(__name__)

_ReadingRow = tuple[int, int, int, float | None, int, str, int]


class Batch(NamedTuple):
    """The readings of one `Journal.record`, and whom to tell."""

    bed: str
    device: str
    readings: list[Reading]
    on_commit: Callable[[], None] | None


class Row(NamedTuple):
    """A row of another table."""

    insert: str
    values: tuple[str | int | float | None, ...]
    """Without the commit's number, which is the last parameter."""


class Written(NamedTuple):
    """What became of a transaction's rows; the rest were there already."""

    new: int
    refused: int
    """Rows that cannot be stored, each logged."""


class Database:
    """The one connection that writes.

    Opening makes the file with mode 0600 if need be and brings it to the present schema. Raises JournalUnusable when
    it cannot be opened, is damaged, or is of a newer program.
    """

    def __init__(self, path: Path) -> None:
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._connection = sqlite3.connect(
                path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
        except (OSError, sqlite3.Error) as error:
            raise JournalUnusable(f"the journal {path} cannot be opened: {error}") from error
        try:
            _prepare(self._connection, path)
        except sqlite3.OperationalError as error:
            self.close()
            raise JournalUnusable(f"the journal {path} cannot be opened: {error}") from error
        except sqlite3.DatabaseError as error:
            self.close()
            raise JournalUnusable(_damaged(path, str(error))) from error
        except JournalUnusable:
            self.close()
            raise
        self._series: dict[tuple[str, str, str], int] = {}

    def close(self) -> None:
        """Checkpoint and close; what was not committed is rolled back."""
        self._connection.close()

    def write(self, batches: Iterable[Batch], rows: Iterable[Row]) -> Written:
        """Write all of it in one transaction, or raise (sqlite3.Error as a rule) and write nothing."""
        connection = self._connection
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        connection.execute("BEGIN IMMEDIATE")
        [(commit_no,)] = connection.execute(_NEXT_COMMIT).fetchall()
        # Ids given in this transaction are trusted only once it is committed.
        series = dict(self._series)
        readings: list[_ReadingRow] = []
        for bed, device, batch, _ in batches:
            for vital, value, validity, observed_at, received_at, cause, *_ in batch:
                key = (bed, device, vital)
                if key not in series:
                    connection.execute(_INSERT_SERIES, key)
                    series[key] = connection.execute(_FIND_SERIES, key).fetchone()[0]
                readings.append((series[key], observed_at, received_at, value, int(validity), cause, commit_no))
        before = connection.total_changes
        refused = self._insert_readings(readings)
        for row in rows:
            try:
                connection.execute(row.insert, (*row.values, commit_no))
            except _UNSTORABLE as error:
                refused += 1
                _log.error("a row cannot be stored (%s): %r", error, row.values)
        written = Written(connection.total_changes - before, refused)
        connection.execute("COMMIT")
        self._series = series
        return written

    def _insert_readings(self, readings: Sequence[_ReadingRow]) -> int:
        with contextlib.suppress(*_UNSTORABLE):
            if self._connection.executemany(_INSERT_READING, readings).rowcount == len(readings):
                return 0
        # Some are there already or cannot be stored. Placing a reading twice is harmless: go through all, one by one.
        refused = 0
        for reading in readings:
            try:
                self._place(reading)
            except _UNSTORABLE as error:
                refused += 1
                _log.error("a reading cannot be stored (%s): %r", error, reading)
        return refused

    def _place(self, reading: _ReadingRow) -> None:
        """Store a reading whose time may be taken.

        A redelivery finds itself and adds nothing. A different value at the same time (two frames in one read, a final
        pressure after its provisional one) is kept a nanosecond later: nothing that came is thrown away. Raises
        OverflowError when too many others have taken the time, as by a device whose clock stands still.
        """
        series, observed_at, received_at, *content, commit_no = reading
        for at in range(observed_at, observed_at + _SAME_TIME):
            there = self._connection.execute(_FIND_READING, (series, at)).fetchone()
            if there is None:
                self._connection.execute(_INSERT_READING, (series, at, received_at, *content, commit_no))
                return
            if there == tuple(content):
                return
        raise OverflowError(f"{_SAME_TIME} other values have the same time")


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        raise JournalUnusable(
            f"the journal {path} is of a newer program (schema {version}, this one knows {SCHEMA_VERSION}): "
            "start that program, or choose another data folder"
        )
    [(verdict,)] = connection.execute("PRAGMA quick_check(1)").fetchall()
    if verdict != "ok":
        raise JournalUnusable(_damaged(path, verdict.splitlines()[-1]))
    [(mode,)] = connection.execute("PRAGMA journal_mode = WAL").fetchall()
    if mode != "wal":
        raise JournalUnusable(f"the journal {path} cannot have a write-ahead log here: use a folder on a local disk")
    connection.execute("PRAGMA synchronous = FULL")
    for number in range(version + 1, SCHEMA_VERSION + 1):
        connection.executescript(f"BEGIN IMMEDIATE; {SCHEMAS[number]} PRAGMA user_version = {number}; COMMIT;")


def _damaged(path: Path, what: str) -> str:
    return f"the journal {path} is damaged ({what}): move it aside, keep it for repair, and start again"


def device_rows(bed: str, device: str, events: Iterable[Event]) -> list[Row]:
    """Rows for the device statuses and alarms among `events`."""
    rows = []
    for event in events:
        if isinstance(event, DeviceStatus | DeviceAlarm):
            kind = "alarm" if isinstance(event, DeviceAlarm) else "status"
            state = "on" if event.active else "off"
            values = (bed, device, kind, event.code, state, event.text, event.received_at)
            rows.append(Row(_INSERT_DEVICE_EVENT, values))
    return rows


def link_row(bed: str, device: str, state: LinkState, detail: str, at: int) -> Row:
    """The row for a change of a device's link."""
    return Row(_INSERT_DEVICE_EVENT, (bed, device, "link", "", state.value, detail, at))


def alert_row(event: AlertEvent) -> Row:
    """The row for what became of an alert condition."""
    words = (event.kind.value, event.priority.value, event.state.value)
    return Row(_INSERT_ALERT, (event.bed, event.rule, *words, *event[5:]))
