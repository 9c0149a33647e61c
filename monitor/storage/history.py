"""What the journal holds, for reading: beside a running station, and when it is down.

Every question opens its own read-only connection, sees the state of one moment and cannot change anything.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from drivers.errors import JournalUnusable
from drivers.events import Validity
from drivers.vitals import VITALS
from monitor.alerts.conditions import AlertEvent
from monitor.storage import charts, waveforms
from monitor.storage.backlog import RecordedWaveform
from monitor.storage.blocks import FURTHEST
from monitor.storage.charts import Band, Trace
from monitor.storage.connection import ALERT_COLUMNS, JOURNAL_FILE, alert_of, connect

EARLIEST, LATEST = -(2**63), 2**63 - 1
"""What a time of the journal can be, UTC nanoseconds."""

# The cross join fixes the order of work: a few series first, then one range of the primary key in each.
_READINGS = """
    SELECT bed, device, vital, value, validity, cause, observed_at, received_at
    FROM series CROSS JOIN readings ON readings.series = series.id
    WHERE (:bed IS NULL OR bed = :bed) AND (:vital IS NULL OR vital = :vital)
      AND observed_at >= :since AND observed_at < :until
    ORDER BY observed_at, series.id"""
# Of the last commit that has any, since a clock may have gone back.
_NEWEST_RECEIVED = """
    SELECT received_at FROM readings INDEXED BY readings_by_commit
    WHERE series IN ({}) ORDER BY commit_no DESC, received_at DESC LIMIT 1"""
_ALERTS = f"""
    SELECT {ALERT_COLUMNS} FROM alerts
    WHERE (:bed IS NULL OR bed = :bed) AND at >= :since AND at < :until
    ORDER BY at, id"""  # noqa: S608 - names of columns
_AUDIT = """
    SELECT at, actor, action, detail, ifnull(origin, ''), ifnull(old, ''), ifnull(new, '') FROM audit
    WHERE (:actor IS NULL OR actor = :actor) AND at >= :since AND at < :until
    ORDER BY id"""

_WAVEFORMS = """
    SELECT device, rate, packed FROM waveforms WHERE bed = ? AND name = ? AND ends_at > ? AND begins_at < ?"""


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
    received_at: int | None
    """None where it was read from a sink, which does not have it."""


class AuditRow(NamedTuple):
    """Who did what, when and from where; what was in force before it, and is since. Empty where that says nothing."""

    at: int
    actor: str
    """`station`, a person's login or a token's name; where nobody logs in, the name that was said."""
    action: str
    detail: str
    origin: str
    old: str
    new: str


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

    def newest_received(self, devices: Collection[tuple[str, str]]) -> int | None:
        """When the newest reading of these devices (bed and device) came, UTC nanoseconds; None where there is none."""
        with self._opened() as connection:
            series = connection.execute("SELECT id, bed, device FROM series").fetchall()
            of_devices = [number for number, bed, device in series if (bed, device) in devices]
            places = ", ".join("?" * len(of_devices))
            row = connection.execute(_NEWEST_RECEIVED.format(places), of_devices).fetchone()
            return None if row is None else row[0]

    def alerts(
        self, bed: str | None = None, since: int | None = None, until: int | None = None
    ) -> Iterator[AlertEvent]:
        """Changes of alerts with `since` <= at < `until` (UTC nanoseconds), in order of time."""
        with self._opened() as connection:
            for row in connection.execute(_ALERTS, {"bed": bed, **_between(since, until)}):
                yield alert_of(row)

    def audit(self, actor: str | None = None, since: int | None = None, until: int | None = None) -> Iterator[AuditRow]:
        """What was done with `since` <= at < `until` (UTC nanoseconds), in the order of writing."""
        with self._opened() as connection:
            for row in connection.execute(_AUDIT, {"actor": actor, **_between(since, until)}):
                yield AuditRow(*row)

    def chart(self, bed: str, since: int, until: int) -> list[Trace]:
        """Every reading of a bed with `since` <= observed_at < `until` (UTC nanoseconds), as columns, a series each."""
        with self._opened() as connection:
            return charts.traces(connection, bed, max(since, -FURTHEST), min(until, FURTHEST))

    def overview(self, since: int, until: int, width: int, bed: str | None = None) -> list[Band]:
        """The same span in `width` (two or more) steps at most, a series each: the lowest and the highest of each step.

        A step is half a minute or a multiple, so that the first may begin before `since`.
        """
        with self._opened() as connection:
            return charts.bands(connection, bed, max(since, -FURTHEST), min(until, FURTHEST), width)

    def waveforms(self, bed: str, name: str, since: int, until: int) -> list[RecordedWaveform]:
        """Runs of samples that lie, with at least a part, between these times (UTC nanoseconds), in order of time.

        A run that was delivered twice is here once.
        """
        runs = {}
        with self._opened() as connection:
            for device, rate, packed in connection.execute(_WAVEFORMS, (bed, name, since, until)):
                for run in waveforms.unpack(packed, name, rate):
                    if run.observed_at < until and waveforms.ends_at(run) > since:
                        runs[device, run.observed_at, run.samples] = RecordedWaveform(bed, device, run)
        return sorted(runs.values(), key=lambda it: it.waveform.observed_at)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        connection: sqlite3.Connection | None = None
        try:
            connection = connect(self._path)
            yield connection
        except (OSError, sqlite3.Error, ValueError) as error:
            raise JournalUnusable(f"the journal {self._path} cannot be read: {error}") from error
        finally:
            if connection is not None:
                connection.close()


def _between(since: int | None, until: int | None) -> dict[str, int]:
    return {
        "since": EARLIEST if since is None else since,
        "until": LATEST if until is None else until,
    }
