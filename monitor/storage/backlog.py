"""What the journal holds for a sink: everything that was committed after the commit up to which it has all."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from drivers.errors import JournalUnusable
from drivers.events import Waveform
from monitor.alerts.conditions import AlertEvent
from monitor.sessions.entries import Entry
from monitor.storage.connection import ALERT_COLUMNS, JOURNAL_FILE, alert_of, connect
from monitor.storage.session_entries import entry_of
from monitor.storage.waveforms import unpack

ROWS = 5_000
"""Readings that a portion has as a rule, and alerts, and session entries; more only where one commit alone has more."""
RUNS = 500
"""Rows of waveforms likewise: a row that is sealed holds a minute of samples."""

_SINK = "SELECT name, through, state, detail, at, too_old FROM sinks WHERE name = ?"
# The cross join has the commits' index read once, in order.
_READINGS = """
    SELECT bed, device, vital, value, validity, cause, observed_at
    FROM readings CROSS JOIN series ON series.id = readings.series
    WHERE commit_no > ? AND commit_no <= ? ORDER BY commit_no"""
_ALERTS = f"SELECT {ALERT_COLUMNS} FROM alerts WHERE commit_no > ? AND commit_no <= ? ORDER BY id"  # noqa: S608 - names of columns
# People enter several things for the same minute, and a sink tells points of a bed by their times: each is a nanosecond
# after the one before, whatever portion it comes in.
_ENTRIES = """
    SELECT session, number, kind, at + (
        SELECT count(*) FROM session_entries AS earlier
        WHERE earlier.bed = entry.bed AND earlier.at = entry.at AND earlier.id < entry.id
    ), entered_at, author, bed, content, request
    FROM session_entries AS entry WHERE commit_no > ? AND commit_no <= ? ORDER BY id"""
_WAVEFORMS = """
    SELECT id, bed, device, name, rate, packed FROM waveforms
    WHERE commit_no > ? AND commit_no <= ? ORDER BY commit_no, id"""
_DEAD_LETTERS = "SELECT id, at, line, reason FROM dead_letters WHERE sink = ? AND sent_at IS NULL ORDER BY id LIMIT ?"

_log = logging.getLogger(__name__)

ReadingTuple = tuple[str, str, str, float | None, int, str, int]
"""bed, device, vital, value, validity (a number), cause, observed_at."""


class RecordedWaveform(NamedTuple):
    """A run of samples with where it came from."""

    bed: str
    device: str
    waveform: Waveform


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
    """Of sessions; the `at` of those that have the same bed and time are a nanosecond apart."""

    @property
    def empty(self) -> bool:
        """Whether there is nothing to send."""
        return not (self.readings or self.alerts or self.waveforms or self.entries)


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
        bounds = {"readings": ROWS, "alerts": ROWS, "session_entries": ROWS}
        if self._waveforms:
            bounds["waveforms"] = RUNS
        for table, bound in bounds.items():
            # The commit with the row that would be one too many is left for the next portion, unless it is the first.
            beyond = self._connection.execute(
                f"SELECT commit_no FROM {table} WHERE commit_no > ? ORDER BY commit_no LIMIT 1 OFFSET ?",  # noqa: S608 - one of four words
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
        alerts = [alert_of(row) for row in self._connection.execute(_ALERTS, span)]
        runs = self._runs(span) if self._waveforms else []
        entries = [entry_of(row) for row in self._connection.execute(_ENTRIES, span)]
        return Portion(last, newest, readings, alerts, runs, entries)

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
