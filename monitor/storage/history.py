"""What the journal holds, for reading: beside a running station, and when it is down.

Every question opens its own read-only connection, sees the state of one moment and cannot change anything.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from drivers.errors import JournalUnusable
from drivers.events import Validity
from drivers.vitals import VITALS
from monitor.alerts.conditions import AlertEvent, AlertState, Kind, Priority
from monitor.storage.database import JOURNAL_FILE, SCHEMA_VERSION

EARLIEST, LATEST = -(2**63), 2**63 - 1
"""What a time of the journal can be, UTC nanoseconds."""

# The cross join fixes the order of work: a few series first, then one range of the primary key in each.
_READINGS = """
    SELECT bed, device, vital, value, validity, cause, observed_at, received_at
    FROM series CROSS JOIN readings ON readings.series = series.id
    WHERE (:bed IS NULL OR bed = :bed) AND (:vital IS NULL OR vital = :vital)
      AND observed_at >= :since AND observed_at < :until
    ORDER BY observed_at, series.id"""
_ALERTS = """
    SELECT bed, rule, kind, priority, state, at, text, vital, device, value, threshold
    FROM alerts
    WHERE (:bed IS NULL OR bed = :bed) AND at >= :since AND at < :until
    ORDER BY at, id"""


class ReadingRow(NamedTuple):
    """One reading with where it came from."""

    bed: str
    device: str
    vital: str
    value: float | None
    unit: str
    """UCUM; empty for a vital that this program does not know."""
    validity: Validity
    cause: str
    observed_at: int
    received_at: int


class History:
    """The reading side of the journal in `data_dir`.

    Raises JournalUnusable, here or while rows are read, when there is no journal, when it is damaged or when it is of
    another version of the program. An iterator holds the moment at which it began: while one is kept half-read, the
    station's write-ahead log cannot shrink, so read it to its end or close it.
    """

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / JOURNAL_FILE
        with self._opened():
            pass

    def readings(
        self, bed: str | None = None, vital: str | None = None, since: int | None = None, until: int | None = None
    ) -> Iterator[ReadingRow]:
        """Readings with `since` <= observed_at < `until` (UTC nanoseconds), in order of time over all series."""
        units = {key: vital.unit for key, vital in VITALS.items()}
        validities = tuple(Validity)
        question = {"bed": bed, "vital": vital, **_between(since, until)}
        with self._opened() as connection:
            for bed_, device, vital_, value, validity, cause, observed_at, received_at in connection.execute(
                _READINGS, question
            ):
                yield ReadingRow(
                    bed_,
                    device,
                    vital_,
                    value,
                    units.get(vital_, ""),
                    validities[validity],
                    cause,
                    observed_at,
                    received_at,
                )

    def alerts(
        self, bed: str | None = None, since: int | None = None, until: int | None = None
    ) -> Iterator[AlertEvent]:
        """Changes of alert conditions with `since` <= at < `until` (UTC nanoseconds), in order of time."""
        with self._opened() as connection:
            for row in connection.execute(_ALERTS, {"bed": bed, **_between(since, until)}):
                bed_, rule, kind, priority, state, *rest = row
                yield AlertEvent(bed_, rule, Kind(kind), Priority(priority), AlertState(state), *rest)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        connection: sqlite3.Connection | None = None
        try:
            if not self._path.is_file():
                raise JournalUnusable(f"there is no journal in {self._path.parent}: has a station ever run there?")
            connection = _connect(self._path)
            yield connection
        except (OSError, sqlite3.Error) as error:
            raise JournalUnusable(f"the journal {self._path} cannot be read: {error}") from error
        finally:
            if connection is not None:
                connection.close()


def _connect(path: Path) -> sqlite3.Connection:
    try:
        return _connect_as(path, "mode=ro")
    except sqlite3.OperationalError:
        # SQLite wants to make its index of the log, which it cannot do on a disk that is read-only (a backup, say).
        # Without a log the file is all there is, and nobody can be writing it. With a log, "immutable" would hide rows.
        if Path(f"{path}-wal").exists() or os.access(path.parent, os.W_OK):
            raise
    return _connect_as(path, "immutable=1")


def _connect_as(path: Path, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True, isolation_level=None)
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


def _between(since: int | None, until: int | None) -> dict[str, int]:
    return {
        "since": EARLIEST if since is None else since,
        "until": LATEST if until is None else until,
    }
