"""The journal's file: the one connection that writes it, one transaction at a time."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from drivers.errors import JournalUnusable
from drivers.events import Waveform
from monitor.storage import chain, retention, sealing
from monitor.storage.blocks import FURTHEST
from monitor.storage.check import damaged, is_damage
from monitor.storage.migration import prepare
from monitor.storage.rows import Batch, Row

_BUSY_SECONDS = 1.0
_SAME_TIME = 100
"""Different values that one series may have at one observed_at."""

_INSERT_READING = """
    INSERT INTO readings (series, observed_at, received_at, value, validity, cause, commit_no)
    VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (series, observed_at) DO NOTHING"""
_FIND_READING = "SELECT value, validity, cause FROM readings WHERE series = ? AND observed_at = ?"
_INSERT_SERIES = "INSERT INTO series (bed, device, vital) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
_FIND_SERIES = "SELECT id FROM series WHERE (bed, device, vital) = (?, ?, ?)"
_NEXT_COMMIT = "UPDATE last_commit SET commit_no = commit_no + 1 RETURNING commit_no"
_SENT = "SELECT through FROM sinks WHERE name = ?"

_UNSTORABLE = (
    sqlite3.DataError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    OverflowError,
    TypeError,
    ValueError,
    ZeroDivisionError,
)
"""The fault of a row, not of the disk: a time beyond 64 bits, half a surrogate pair in a device's text. One such row
must not keep all others waiting."""

_log = logging.getLogger(__name__)

_R = TypeVar("_R")
_ReadingRow = tuple[int, int, int, float | None, int, str, int]


class Written(NamedTuple):
    """What became of a transaction's rows; the rest were there already."""

    new: int
    refused: int
    """Rows that cannot be stored, each logged."""


class Database:
    """The one connection that writes.

    Opening makes the file with mode 0600 if need be and brings it to the present schema. Raises JournalDamaged where
    SQLite finds a fault in it, JournalUnusable when it cannot be opened or is of a newer program.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._file = path.stat().st_ino
            self._connection = sqlite3.connect(
                path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
        except (OSError, sqlite3.Error) as error:
            raise JournalUnusable(f"the journal {path} cannot be opened: {error}") from error
        self._series: dict[tuple[str, str, str], int] = {}
        try:
            self.prepared = prepare(self._connection, path)
        except sqlite3.Error as error:
            self.abandon()
            if is_damage(error):
                raise damaged(path, str(error)) from error
            raise JournalUnusable(f"the journal {path} cannot be opened: {error}") from error
        except BaseException:
            self.abandon()
            raise

    def close(self) -> None:
        """Checkpoint and close; what was not committed is rolled back."""
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()

    def abandon(self) -> None:
        """Close, and leave the file and its log as they are."""
        with contextlib.ExitStack() as stack:
            # Only the last connection to close writes the log into the file, and one that only reads cannot.
            with contextlib.suppress(sqlite3.Error):
                reader = sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True)
                stack.callback(reader.close)
                reader.execute("PRAGMA user_version").fetchone()
            self.close()

    def write(self, batches: Iterable[Batch], rows: Iterable[Row]) -> Written:
        """Write all of it in one transaction, or raise (sqlite3.Error as a rule) and write nothing."""
        # Ids given in this transaction are trusted only once it is committed.
        series = dict(self._series)
        with self._transaction() as connection:
            [(commit_no,)] = connection.execute(_NEXT_COMMIT).fetchall()
            readings: list[_ReadingRow] = []
            runs: list[tuple[str, str, Waveform]] = []
            for bed, device, batch, waveforms, _ in batches:
                for vital, value, validity, observed_at, received_at, cause, *_ in batch:
                    key = (bed, device, vital)
                    if key not in series:
                        is_new = connection.execute(_INSERT_SERIES, key).rowcount
                        series[key] = connection.execute(_FIND_SERIES, key).fetchone()[0]
                        if is_new:
                            chain.append(connection, "series", series[key])
                    readings.append((series[key], observed_at, received_at, value, int(validity), cause, commit_no))
                runs += [(bed, device, run) for run in waveforms]
            tally = _Tally(commit_no)
            self._insert_readings(readings, tally)
            for run in runs:
                tally.attempt(self._insert_waveform, run)
            for row in rows:
                tally.attempt(self._put, row)
        self._series = series
        return Written(tally.new, tally.refused)

    def seal(self, at: int) -> bool:
        """Seal what was committed since the last seal, or raise and change nothing; whether some is left."""
        with self._transaction() as connection:
            return sealing.seal(connection, at)

    def remove(self, before: int, sinks: Iterable[str], at: int) -> bool:
        """Remove some of what was sealed before `before` and is with all of these sinks; whether there was any."""
        with self._transaction() as connection:
            sent = [connection.execute(_SENT, (sink,)).fetchone() for sink in sinks]
            through = min((row[0] if row else 0 for row in sent), default=2**63 - 1)
            return retention.remove(connection, before, through, at)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        connection = self._connection
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            # At once, since the next transaction may be a minute away. Where the disk refuses even this: before that.
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise

    def _put(self, row: Row, commit_no: int) -> int:
        if row.file not in (None, self._file):
            return 0
        cursor = self._connection.execute(row.put, (*row.values, commit_no) if row.numbered else row.values)
        # What was there already leaves the `lastrowid` of another row.
        if row.chained and cursor.rowcount and cursor.lastrowid is not None:
            chain.append(self._connection, row.chained, cursor.lastrowid)
        return cursor.rowcount

    def _insert_waveform(self, run: tuple[str, str, Waveform], commit_no: int) -> int:
        bed, device, waveform = run
        values = sealing.waveform_values(bed, device, [waveform])
        return self._connection.execute(sealing.INSERT_WAVEFORM, (*values, commit_no)).rowcount

    def _insert_readings(self, readings: Sequence[_ReadingRow], tally: _Tally) -> None:
        before = self._connection.total_changes
        with contextlib.suppress(*_UNSTORABLE):
            near = all(-FURTHEST <= observed_at < FURTHEST for _, observed_at, *_ in readings)
            if near and self._connection.executemany(_INSERT_READING, readings).rowcount == len(readings):
                tally.new += len(readings)
                return
        # Some are there already or cannot be stored. Placing a reading twice is harmless: go through all, one by one.
        tally.new += self._connection.total_changes - before
        for reading in readings:
            tally.attempt(self._place, reading)

    def _place(self, reading: _ReadingRow, _: int) -> int:
        """Store a reading whose time may be taken; how many rows that makes.

        A redelivery finds itself and adds nothing. A different value at the same time (two frames in one read, a final
        pressure after its provisional one) is kept a nanosecond later: nothing that came is thrown away. Raises
        OverflowError when too many others have taken the time, as by a device whose clock stands still, or when it is
        `FURTHEST` away.
        """
        series, observed_at, received_at, *content, commit_no = reading
        if not -FURTHEST <= observed_at < FURTHEST:
            raise OverflowError("its time is too far away")
        for at in range(observed_at, observed_at + _SAME_TIME):
            there = self._connection.execute(_FIND_READING, (series, at)).fetchone()
            if there is None:
                self._connection.execute(_INSERT_READING, (series, at, received_at, *content, commit_no))
                return 1
            if there == tuple(content):
                return 0
        raise OverflowError(f"{_SAME_TIME} other values have the same time")


class _Tally:
    """Counts what becomes of the rows of one commit."""

    def __init__(self, commit_no: int) -> None:
        self._commit_no = commit_no
        self.new = self.refused = 0

    def attempt(self, put: Callable[[_R, int], int], row: _R) -> None:
        try:
            self.new += put(row, self._commit_no)
        except _UNSTORABLE as error:
            self.refused += 1
            _log.error("a row cannot be stored (%s): %r", error, row)
