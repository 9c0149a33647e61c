"""What waits in memory for the next commit: the event loop puts rows in, the journal's writer takes them out.

Nobody who puts something in waits for the disk: the lock is never held while it works.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from monitor.storage.database import Written
from monitor.storage.rows import Batch, Row

MAX_WAITING = 1_000_000
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


class Commits(NamedTuple):
    """What the disk was asked for since `open`."""

    number: int
    """How many commits were made."""
    seconds: float | None
    """How long the last of them took; None before the first."""


class Work(NamedTuple):
    """What one commit takes."""

    batches: list[Batch]
    rows: list[Row]

    @property
    def size(self) -> int:
        """How many rows it makes."""
        return sum(batch.size for batch in self.batches) + len(self.rows)

    @property
    def acknowledgements(self) -> list[Callable[[], None]]:
        """What is to be called once all of it is on disk, in order."""
        asked: list[Batch | Row] = [*self.batches, *self.rows]
        return [one.on_commit for one in asked if one.on_commit is not None]


NOTHING = Work([], [])


class CommitQueue:
    """Rows in memory between the loop and the writer, at most `max_waiting` of them unless they are no readings.

    A commit is due `commit_every` seconds after the first row came, sooner when 10 acknowledgements wait.
    """

    def __init__(self, commit_every: float, max_waiting: int) -> None:
        self._commit_every = commit_every
        self._max_waiting = max_waiting
        self._changed = threading.Condition(threading.Lock())
        self._accepting = False
        self._batches: deque[Batch] = deque()
        self._rows: list[Row] = []
        self._acknowledgements = 0
        self._first_at = 0.0
        self._health = Health(0, 0, 0, None)
        self._commits = Commits(0, None)

    @property
    def health(self) -> Health:
        """Counters, and the present error."""
        with self._changed:
            return self._health

    @property
    def commits(self) -> Commits:
        """How the disk has done."""
        with self._changed:
            return self._commits

    def open(self) -> None:
        """Take rows from now on."""
        with self._changed:
            self._accepting = True

    def close(self) -> bool:
        """Take no more, and have what waits tried at once, one last time; whether it was open."""
        with self._changed:
            was = self._accepting
            self._accepting = False
            self._changed.notify()
            return was

    def put(self, work: Work) -> None:
        """Have it in one of the next commits. Raises RuntimeError while the queue is not open."""
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

    def put_first(self, row: Row) -> None:
        """Have it before all that waits, whether the queue is open or not."""
        with self._changed:
            self._rows.insert(0, row)
            self._count(waiting=1)

    def rows(self) -> list[Row]:
        """The rows that wait, without the readings."""
        with self._changed:
            return self._rows.copy()

    def wake(self) -> None:
        """Have `take` look at its `unless` at once."""
        with self._changed:
            self._changed.notify()

    def take(self, until: float, unless: Callable[[], bool]) -> Work | None:
        """Wait for the next commit's rows, and take them out; None when closed and nothing waits.

        Gives nothing at `until`, seconds of the monotonic clock, and as soon as `unless` is true, where no rows wait.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._something_waits() or not self._accepting or unless(),
                timeout=max(0.0, until - time.monotonic()),
            )
            if not self._something_waits():
                return NOTHING if self._accepting else None
            self._changed.wait_for(
                lambda: self._acknowledgements >= _FULL_WINDOW or not self._accepting,
                timeout=self._first_at + self._commit_every - time.monotonic(),
            )
            work = Work([], self._rows)
            self._rows = []
            size = 0
            while self._batches and size < _ROWS_A_COMMIT:
                batch = self._batches.popleft()
                size += batch.size
                work.batches.append(batch)
            self._acknowledgements -= len(work.acknowledgements)
            return work

    def done(self, work: Work, written: Written, seconds: float) -> None:
        """What was taken is on disk."""
        with self._changed:
            recovered = self._health.error is not None
            self._health = self._health._replace(error=None)
            self._commits = Commits(self._commits.number + 1, seconds)
            self._count(committed=written.new, waiting=-work.size, dropped=written.refused)
        if recovered:
            _log.warning("the journal is written again")

    def put_back(self, work: Work, error: Exception) -> bool:
        """What was taken could not be written and waits again; whether that was the last attempt."""
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
        return last_attempt

    def pause(self) -> None:
        """Wait before the next attempt; not when closed."""
        with self._changed:
            self._changed.wait_for(lambda: not self._accepting, timeout=_RETRY_SECONDS)

    def give_up(self) -> None:
        """Lose what waits, counted and logged."""
        with self._changed:
            lost = self._health.waiting_rows
            self._batches.clear()
            self._rows.clear()
            self._count(waiting=-lost, dropped=lost)
        _log.error("the journal was closed while it could not be written: %d rows are lost", lost)

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
            self._count(waiting=-oldest.size, dropped=oldest.size)
