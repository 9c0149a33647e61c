"""The embedded store: what is committed here is kept.

One SQLite file (WAL, synchronous=FULL), written by one thread with one connection in group commits. The event loop only
appends to a queue in memory and never waits for the disk. Stored are readings, device statuses, device alarms, link
changes and alerts. Waveforms are not stored in this form: they come with compressed blocks.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from drivers.errors import JournalUnusable
from drivers.events import Event, LinkState, Reading
from monitor.alerts.conditions import AlertEvent
from monitor.storage.database import JOURNAL_FILE, Batch, Database, Row, Written, alert_row, device_rows, link_row
from monitor.storage.lock import StationLock

_MAX_WAITING = 1_000_000
"""Rows held in memory while the disk refuses them."""
_FULL_WINDOW = 10
"""Acknowledgements that are worth a commit at once: half of the 20 messages that mosquitto keeps in flight for a client
of MQTT 3.1.1; one of MQTT 5 does not wait for them."""
_ROWS_A_COMMIT = 10_000
"""So that a long backlog is written in steps, each of which is kept even if the next one fails."""
_RETRY_SECONDS = 1.0

_log = logging.getLogger(__name__)


class Health(NamedTuple):
    """How the journal is doing."""

    committed_rows: int
    """New rows on disk since `open`; a row that was there already is not counted."""
    waiting_rows: int
    """Rows in memory that no commit contains yet."""
    dropped_rows: int
    """Rows that are lost: the oldest readings beyond memory's bound, and rows that cannot be stored."""
    error: str | None
    """Why the last commit failed; None while all is well."""


class _Work(NamedTuple):
    """What one commit takes."""

    batches: list[Batch]
    rows: list[Row]

    @property
    def size(self) -> int:
        return sum(len(batch.readings) for batch in self.batches) + len(self.rows)

    @property
    def acknowledgements(self) -> list[Callable[[], None]]:
        return [batch.on_commit for batch in self.batches if batch.on_commit is not None]


class Journal:
    """The writing side of the station's journal in `data_dir`.

    Rows are committed at most `commit_every` seconds after the first of them was recorded, sooner when 10
    acknowledgements wait. While the disk refuses, up to `max_waiting` rows are kept in memory and tried again every
    second; beyond that the oldest readings are dropped and counted, device events and alerts never.
    """

    def __init__(self, data_dir: Path, *, commit_every: float = 0.25, max_waiting: int = _MAX_WAITING) -> None:
        self.path = data_dir / JOURNAL_FILE
        self._lock = StationLock(data_dir)
        self._commit_every = commit_every
        self._max_waiting = max_waiting

        # The queue between the loop and the writer: all of it is touched only under `_changed`, which is never held
        # while the disk works.
        self._changed = threading.Condition(threading.Lock())
        self._accepting = False
        self._batches: deque[Batch] = deque()
        self._rows: list[Row] = []
        self._acknowledgements = 0
        self._first_at = 0.0
        self._health = Health(0, 0, 0, None)

    def open(self) -> None:
        """Lock, check and migrate the file and start the writer; call it inside the running loop.

        Raises StationRunning when another station holds the folder, JournalUnusable when the file cannot be opened,
        is damaged or is of a newer program.
        """
        self._loop = asyncio.get_running_loop()
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock.take()
        except OSError as error:
            raise JournalUnusable(f"the data folder {self.path.parent} cannot be used: {error}") from error
        try:
            self._database = Database(self.path)
        except JournalUnusable:
            self._lock.release()
            raise
        self._accepting = True
        # A daemon, so that a program that dies without close() does die.
        self._writer = threading.Thread(target=self._write_until_closed, name="journal", daemon=True)
        self._writer.start()

    async def close(self) -> None:
        """Commit everything, run the last `on_commit`s, stop the writer and give the lock back; harmless when closed.

        If the disk still refuses, one last attempt is made; what it does not take is lost, counted and logged.
        """
        with self._changed:
            if not self._accepting:
                return
            self._accepting = False
            self._changed.notify()
        await asyncio.to_thread(self._writer.join)
        self._lock.release()

    @property
    def health(self) -> Health:
        """Counters since `open`, and the present error."""
        with self._changed:
            return self._health

    def record(
        self, bed: str, device: str, events: Sequence[Event], on_commit: Callable[[], None] | None = None
    ) -> None:
        """Keep what a device gave. `on_commit` runs on the loop's thread once all of it is on disk, in order of calls.

        A reading that is there already (same series, `observed_at` and content) is not stored again. If readings must
        be dropped before they could be committed, their `on_commit` never runs: who sent them still has them.
        """
        readings = [event for event in events if isinstance(event, Reading)]
        rows = [] if len(readings) == len(events) else device_rows(bed, device, events)
        if readings or rows or on_commit:
            self._append(_Work([Batch(bed, device, readings, on_commit)], rows))

    def record_link(self, bed: str, device: str, state: LinkState, detail: str, at: int) -> None:
        """Keep a change of the link to a device, at UTC nanoseconds `at`."""
        self._append(_Work([], [link_row(bed, device, state, detail, at)]))

    def record_alerts(self, events: Sequence[AlertEvent]) -> None:
        """Keep what became of alert conditions."""
        if events:
            self._append(_Work([], [alert_row(event) for event in events]))

    def _append(self, work: _Work) -> None:
        with self._changed:
            if not self._accepting:
                raise RuntimeError("the journal is not open")
            if not self._something_waits():
                self._first_at = time.monotonic()
                self._changed.notify()
            self._batches.extend(work.batches)
            self._rows.extend(work.rows)
            self._count(waiting=work.size)
            self._drop_beyond_bound()
            self._acknowledgements += len(work.acknowledgements)
            if self._acknowledgements >= _FULL_WINDOW:
                self._changed.notify()

    def _something_waits(self) -> bool:
        return bool(self._batches or self._rows)

    def _count(self, *, committed: int = 0, waiting: int = 0, dropped: int = 0) -> None:
        was = self._health
        self._health = Health(
            was.committed_rows + committed, was.waiting_rows + waiting, was.dropped_rows + dropped, was.error
        )

    def _drop_beyond_bound(self) -> None:
        while self._health.waiting_rows > self._max_waiting and self._batches:
            oldest = self._batches.popleft()
            self._acknowledgements -= oldest.on_commit is not None
            self._count(waiting=-len(oldest.readings), dropped=len(oldest.readings))

    # From here on: the writer's thread.

    def _write_until_closed(self) -> None:
        while work := self._next():
            try:
                written = self._database.write(*work)
            except Exception as error:  # noqa: BLE001 - whatever it is, the writer must live on: rows wait, health tells
                self._put_back(work, error)
            else:
                self._done(work, written)
        self._database.close()

    def _next(self) -> _Work | None:
        """Wait until a commit is due and take its rows; None when closed and nothing waits."""
        with self._changed:
            self._changed.wait_for(lambda: self._something_waits() or not self._accepting)
            if not self._something_waits():
                return None
            self._changed.wait_for(
                lambda: self._acknowledgements >= _FULL_WINDOW or not self._accepting,
                timeout=self._first_at + self._commit_every - time.monotonic(),
            )
            work = _Work([], self._rows)
            self._rows = []
            size = 0
            while self._batches and size < _ROWS_A_COMMIT:
                batch = self._batches.popleft()
                size += len(batch.readings)
                work.batches.append(batch)
            self._acknowledgements -= len(work.acknowledgements)
            return work

    def _done(self, work: _Work, written: Written) -> None:
        with self._changed:
            recovered = self._health.error is not None
            self._health = self._health._replace(error=None)
            self._count(committed=written.new, waiting=-work.size, dropped=written.refused)
        if recovered:
            _log.warning("the journal is written again")
        if acknowledgements := work.acknowledgements:
            # A loop that ended without close() waits for no acknowledgement, and the rows are on disk all the same.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._acknowledge, acknowledgements)

    def _acknowledge(self, acknowledgements: Iterable[Callable[[], None]]) -> None:
        # Each in a turn of its own: the loop reports an error in one, and the next runs all the same.
        for acknowledgement in acknowledgements:
            self._loop.call_soon(acknowledgement)

    def _put_back(self, work: _Work, error: Exception) -> None:
        with self._changed:
            already_known = self._health.error is not None
            self._health = self._health._replace(error=str(error) or type(error).__name__)
            self._batches.extendleft(reversed(work.batches))
            self._rows[:0] = work.rows
            self._acknowledgements += len(work.acknowledgements)
            self._drop_beyond_bound()
            last_attempt = not self._accepting
        if not already_known:
            _log.error("the journal cannot be written, rows wait in memory: %s", error)
        with self._changed:
            if last_attempt:
                self._give_up()
            else:
                self._changed.wait_for(lambda: not self._accepting, timeout=_RETRY_SECONDS)

    def _give_up(self) -> None:
        lost = self._health.waiting_rows
        self._batches.clear()
        self._rows.clear()
        self._count(waiting=-lost, dropped=lost)
        _log.error("the journal was closed while it could not be written: %d rows are lost", lost)
