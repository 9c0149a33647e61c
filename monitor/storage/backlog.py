"""What the journal holds for a sink: everything that was committed after the commit up to which it has all."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from drivers.errors import JournalUnusable
from drivers.events import Waveform
from monitor.alerts.conditions import AlertEvent
from monitor.sessions.entries import Entry
from monitor.storage import device_events
from monitor.storage.connection import ALERT_COLUMNS, JOURNAL_FILE, alert_of, connect
from monitor.storage.device_events import DeviceEvent
from monitor.storage.session_entries import entry_of
from monitor.storage.waveforms import unpack

ROWS = 5_000
"""Readings that a portion has as a rule, and as many alerts, entries and device events; more only where one commit
alone has more."""
RUNS = 500
"""Rows of waveforms likewise: a row that is sealed holds a minute of samples."""

_SINK = "SELECT name, through, state, detail, at, too_old FROM sinks WHERE name = ?"
# The cross join has the commits' index read once, in order.
_READINGS = """
    SELECT bed, device, vital, value, validity, cause, observed_at
    FROM readings CROSS JOIN series ON series.id = readings.series
    WHERE commit_no > ? AND commit_no <= ? ORDER BY commit_no"""
# A sink tells points of a series by their times, and much can be of one time: people enter several things for the same
# minute. How many were before is counted in the journal, so that a row has one place whatever portion it comes in.
_PLACED = """
    SELECT {columns}, id, (SELECT count(*) FROM {table} AS earlier {index} WHERE earlier.id < this.id AND {same})
    FROM {table} AS this WHERE commit_no > ? AND commit_no <= ? ORDER BY id"""
_ALERTS = _PLACED.format(
    columns=ALERT_COLUMNS,
    table="alerts",
    # By itself SQLite takes the index of the rules, and reads all that a rule ever did.
    index="INDEXED BY alerts_by_time",
    same=" AND ".join(f"earlier.{name} = this.{name}" for name in ("at", "bed", "rule", "kind", "priority")),
)
_ENTRIES = _PLACED.format(
    columns="session, number, kind, at, entered_at, author, bed, content, request",
    table="session_entries",
    index="INDEXED BY session_entries_by_time",
    same="earlier.bed = this.bed AND earlier.at = this.at",
)
_DEVICE_EVENTS = _PLACED.format(
    columns=device_events.COLUMNS,
    table="device_events",
    index="",
    same=" AND ".join(f"earlier.{name} = this.{name}" for name in ("at", "bed", "device", "kind")),
)
_WAVEFORMS = """
    SELECT id, bed, device, name, rate, packed FROM waveforms
    WHERE commit_no > ? AND commit_no <= ? ORDER BY commit_no, id"""
_DEAD_LETTERS = "SELECT id, at, line, reason FROM dead_letters WHERE sink = ? AND sent_at IS NULL ORDER BY id LIMIT ?"

_log = logging.getLogger(__name__)

_Made = TypeVar("_Made")

ReadingTuple = tuple[str, str, str, float | None, int, str, int]
"""bed, device, vital, value, validity (a number), cause, observed_at."""


class RecordedWaveform(NamedTuple):
    """A run of samples with where it came from."""

    bed: str
    device: str
    waveform: Waveform


class Place(NamedTuple):
    """Where a row of the journal is among others, for a sink that tells points of a series apart by their times."""

    row: int
    """Its id: it gives the order of what is of one time. A journal that took the place of a damaged one begins anew."""
    after: int
    """How many rows of the same series and time were written before it: so many nanoseconds later its point is."""


class Portion(NamedTuple):
    """Whole commits, in the order in which they were committed."""

    through: int
    """The last commit that is in here: once all of it is sent, the sink has everything up to this one."""
    newest: int
    """The last commit of the journal when this was read."""
    readings: list[ReadingTuple]
    alerts: list[AlertEvent]
    waveforms: list[RecordedWaveform]
    entries: list[Entry]
    """Of sessions."""
    device_events: Sequence[DeviceEvent] = ()
    alert_places: Sequence[Place] = ()
    """Of each of `alerts`; their series is bed, rule, kind and priority."""
    entry_places: Sequence[Place] = ()
    """Of each of `entries`; their series is the bed."""
    device_places: Sequence[Place] = ()
    """Of each of `device_events`; their series is bed, device and kind."""

    @property
    def empty(self) -> bool:
        """Whether there is nothing to send."""
        return not (self.readings or self.alerts or self.waveforms or self.entries or self.device_events)


class DeadLetter(NamedTuple):
    """A line that a sink refuses for what it is."""

    id: int
    at: int
    line: str
    reason: str


class SinkRow(NamedTuple):
    """How far a sink is, and how it is doing: a row of the table `sinks`."""

    name: str
    through: int
    state: str
    """`forwarding`, `waiting` (it tries again by itself) or `stopped` (a person is needed)."""
    detail: str
    """Why it waits or stopped, for people; never a secret."""
    at: int
    too_old: int


class Backlog:
    """One read-only connection to the journal in `data_dir`, kept open; every call may come from another thread.

    Raises JournalUnusable when the journal is not there, cannot be read, or was replaced since it was opened.
    """

    def __init__(self, data_dir: Path, *, waveforms: bool = False) -> None:
        self._path = data_dir / JOURNAL_FILE
        self._waveforms = waveforms
        with _converted(self._path):
            self.file = self._path.stat().st_ino
            """Its inode: what is recorded about this journal must not come to stand in the next one."""
            self._connection = connect(self._path, check_same_thread=False)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def sink(self, name: str) -> SinkRow:
        """How far that sink is; from the beginning (`through` 0) if it has never been heard of."""
        with self._same_file():
            row = self._connection.execute(_SINK, (name,)).fetchone()
        return SinkRow(*row) if row else SinkRow(name, 0, "forwarding", "", 0, 0)

    def next(self, through: int) -> Portion:
        """What comes after that commit; empty when there is nothing (its `through` is then the newest commit)."""
        with self._same_file():
            self._connection.execute("BEGIN")
            try:
                return self._next(through)
            finally:
                self._connection.execute("COMMIT")

    def _next(self, through: int) -> Portion:
        newest: int = self._connection.execute("SELECT commit_no FROM last_commit").fetchone()[0]
        last = newest
        bounds = {"readings": ROWS, "alerts": ROWS, "session_entries": ROWS, "device_events": ROWS}
        if self._waveforms:
            bounds["waveforms"] = RUNS
        for table, bound in bounds.items():
            # The commit with the row that would be one too many is left for the next portion, unless it is the first.
            beyond = self._connection.execute(
                f"SELECT commit_no FROM {table} WHERE commit_no > ? ORDER BY commit_no LIMIT 1 OFFSET ?",  # noqa: S608 - one of five words
                (through, bound),
            ).fetchone()
            if beyond is not None:
                first = self._connection.execute(
                    f"SELECT min(commit_no) FROM {table} WHERE commit_no > ?",  # noqa: S608 - the same
                    (through,),
                ).fetchone()
                last = min(last, max(first[0], beyond[0] - 1))
        span = (through, last)
        readings = self._connection.execute(_READINGS, span).fetchall()
        alerts, alert_places = self._placed(_ALERTS, span, alert_of)
        runs = self._runs(span) if self._waveforms else []
        entries, entry_places = self._placed(_ENTRIES, span, entry_of)
        devices, device_places = self._placed(_DEVICE_EVENTS, span, DeviceEvent._make)
        return Portion(
            last, newest, readings, alerts, runs, entries, devices, alert_places, entry_places, device_places
        )

    def _placed(
        self, question: str, span: tuple[int, int], made_of: Callable[[Sequence[Any]], _Made]
    ) -> tuple[list[_Made], list[Place]]:
        """What is made of the columns of each row, and its place."""
        rows = self._connection.execute(question, span).fetchall()
        return [made_of(row[:-2]) for row in rows], [Place(*row[-2:]) for row in rows]

    def _runs(self, span: tuple[int, int]) -> list[RecordedWaveform]:
        runs = []
        for row_id, bed, device, name, rate, packed in self._connection.execute(_WAVEFORMS, span):
            try:
                runs += [RecordedWaveform(bed, device, run) for run in unpack(packed, name, rate)]
            except ValueError as error:
                _log.error("waveforms row %d, %s of %s at %s: %s; no sink gets it", row_id, name, device, bed, error)
        return runs

    def dead_letters(self, sink: str, limit: int = 1_000) -> list[DeadLetter]:
        """Those that were never taken, oldest first."""
        with self._same_file():
            return [DeadLetter(*row) for row in self._connection.execute(_DEAD_LETTERS, (sink, limit))]

    @contextlib.contextmanager
    def _same_file(self) -> Iterator[None]:
        with _converted(self._path):
            if self._path.stat().st_ino != self.file:
                raise JournalUnusable(f"the journal {self._path} was replaced")
            yield


@contextlib.contextmanager
def _converted(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.Error, ValueError) as error:
        raise JournalUnusable(f"the journal {path} cannot be read: {error}") from error
