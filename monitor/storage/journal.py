"""The embedded store: what is committed here is kept.

One SQLite file (WAL, synchronous=FULL), written by one thread with one connection in group commits. The event loop only
appends to a queue in memory (`commit_queue`) and never waits for the disk. Between two commits the same thread seals
what was committed (`sealing`, once a minute) and removes what is too old to be kept (`retention`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from drivers.clock import NS
from drivers.errors import JournalDamaged, JournalUnusable
from drivers.events import Event, LinkState, Reading, Waveform
from monitor.alerts.conditions import AlertEvent
from monitor.sessions.entries import Entry
from monitor.storage import rows
from monitor.storage.backlog import SinkRow
from monitor.storage.check import CheckBeside, is_damage
from monitor.storage.commit_queue import MAX_WAITING, NOTHING, CommitQueue, Commits, Health, Work
from monitor.storage.connection import JOURNAL_FILE
from monitor.storage.database import Database, Written
from monitor.storage.lock import StationLock
from monitor.storage.migration import SCHEMA_VERSION
from monitor.storage.rows import Batch, Row
from monitor.storage.set_aside import damaged_files, set_aside

_SEAL_SECONDS = 60.0
_REMOVE_SECONDS = 3600.0
_DAY = 86_400 * NS

_log = logging.getLogger(__name__)


class Journal:
    """The writing side of the station's journal in `data_dir`.

    `keep_days` is for how long readings and waveforms are kept, for ever without it; those that one of `sinks` has not
    taken yet are never removed. Rows are committed at most `commit_every` seconds after the first of them was recorded,
    sooner when 10 acknowledgements wait. While the disk refuses, up to `max_waiting` rows are kept in memory and tried
    again every second; beyond that the oldest readings are dropped and counted, all else never. `command` is for one
    that writes a few rows and ends: a station that starts meanwhile waits for it.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        commit_every: float = 0.25,
        max_waiting: int = MAX_WAITING,
        seal_every: float = _SEAL_SECONDS,
        keep_days: int | None = None,
        sinks: Sequence[str] = (),
        command: bool = False,
    ) -> None:
        self.path = data_dir / JOURNAL_FILE
        self.begins_with: Callable[[], Iterable[Entry]] = tuple
        """What a new file that takes the place of a damaged one begins with: the sessions that are open. Called on the
        writer's thread."""
        self.begins_with_alerts: Callable[[], Iterable[AlertEvent]] = tuple
        """The same of the alerts that stand."""
        self._lock = StationLock(data_dir, command=command)
        self._queue = CommitQueue(commit_every, max_waiting)
        self._seal_every = seal_every
        self._keep_days = keep_days
        self._sinks = tuple(sinks)

        # Of the writer's thread alone.
        self._database: Database | None = None
        self._check: CheckBeside | None = None
        self._begins = False
        """Whether the present file is such a new one, and does not have that yet."""
        self._damage: Exception | None = None
        """Why the file has to be set aside before the next one is opened. The check sets it too."""
        self._sealing_fails = ""
        self._seal_at = 0.0
        self._remove_at = math.inf if keep_days is None else 0.0

        self._damaged: tuple[str, ...] = ()

    def open(self) -> None:
        """Lock, check and migrate the file and start the writer; call it inside the running loop.

        A damaged file is set aside and a new one begun. Raises StationRunning when another station holds the folder,
        JournalUnusable when the file cannot be opened or is of a newer program.
        """
        self._loop = asyncio.get_running_loop()
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock.take()
        except OSError as error:
            raise JournalUnusable(f"the data folder {self.path.parent} cannot be used: {error}") from error
        try:
            self._database = self._opened()
        except BaseException:
            self._lock.release()
            raise
        self._damaged = damaged_files(self.path.parent)
        self._queue.open()
        self._seal_at = time.monotonic() + self._seal_every
        # A daemon, so that a program that dies without close() does die.
        self._writer = threading.Thread(target=self._write_until_closed, name="journal", daemon=True)
        self._writer.start()

    async def close(self) -> None:
        """Commit everything, run the last `on_commit`s, stop the writer and give the lock back; harmless when closed.

        If the disk still refuses, one last attempt is made; what it does not take is lost, counted and logged.
        """
        if not self._queue.close():
            return
        await asyncio.to_thread(self._writer.join)
        self._lock.release()

    @property
    def health(self) -> Health:
        """Counters since `open`, and the present error."""
        return self._queue.health

    @property
    def commits(self) -> Commits:
        """How the disk has done since `open`."""
        return self._queue.commits

    @property
    def damaged(self) -> tuple[str, ...]:
        """The journals that were set aside and still lie in the folder, as of the last seal: it asks no disk."""
        return self._damaged

    def record(
        self, bed: str, device: str, events: Sequence[Event], on_commit: Callable[[], None] | None = None
    ) -> None:
        """Keep what a device gave. `on_commit` runs on the loop's thread once all of it is on disk, in order of calls.

        A reading that is there already (same series, `observed_at` and content) is not stored again. If readings must
        be dropped before they could be committed, their `on_commit` never runs: who sent them still has them.
        """
        readings = [event for event in events if isinstance(event, Reading)]
        runs: list[Waveform] = []
        others: list[Row] = []
        if len(readings) < len(events):
            runs = [event for event in events if isinstance(event, Waveform)]
            others = rows.device_rows(bed, device, events)
        if events or on_commit:
            self._queue.put(Work([Batch(bed, device, readings, runs, on_commit)], others))

    def record_link(self, bed: str, device: str, state: LinkState, detail: str, at: int) -> None:
        """Keep a change of the link to a device, at UTC nanoseconds `at`."""
        self._queue.put(Work([], [rows.link_row(bed, device, state, detail, at)]))

    def record_alerts(self, events: Sequence[AlertEvent]) -> None:
        """Keep what became of alert conditions."""
        if events:
            self._queue.put(Work([], [rows.alert_row(event) for event in events]))

    def record_entries(self, entries: Sequence[Entry], on_commit: Callable[[], None] | None = None) -> None:
        """Keep one or more entries of sessions, all in one commit; `on_commit` runs on the loop once they are on disk.

        One whose `request` is there already is not stored again. Raises ValueError or TypeError, and keeps none, where
        the journal could not hold one of them.
        """
        *others, last = [rows.entry_row(entry) for entry in entries]
        self._queue.put(Work([], [*others, last._replace(on_commit=on_commit)]))

    async def committed(self, within: float) -> bool:
        """Wait until all that was recorded so far is on disk, so many seconds at most; whether it is."""
        done = asyncio.Event()
        self.record("", "", (), done.set)
        try:
            # Of the wall: a clock in a test's hand must not decide about a disk.
            await asyncio.wait_for(done.wait(), within)
        except TimeoutError:
            return False
        return True

    def record_audit(
        self, actor: str, action: str, detail: str, *, origin: str = "", old: str = "", new: str = ""
    ) -> None:
        """Keep who did what to the record, to accounts or to a session.

        `actor` is `station`, a person's login or a token's name; where nobody logs in, the name that was said. `origin`
        is where it was asked for, `old` and `new` what was in force before and is since; empty where there is nothing
        to say.
        """
        row = rows.audit_row(time.time_ns(), actor, action, detail, origin=origin, old=old, new=new)
        self._queue.put(Work([], [row]))

    def record_sink(self, sink: SinkRow, file: int) -> None:
        """Keep how far a sink is; from any thread.

        `file` is `Backlog.file`: a journal that took the place of the one that was read does not believe it.
        """
        self._queue.put(Work([], [rows.sink_row(sink, file)]))

    def record_dead_letters(self, sink: str, refused: Sequence[tuple[str, str]], at: int) -> None:
        """Keep lines that a sink refuses, each with its reason; from any thread. `at` is UTC nanoseconds."""
        if refused:
            self._queue.put(Work([], rows.dead_letter_rows(sink, refused, at)))

    def record_resent(self, ids: Sequence[int], at: int, file: int) -> None:
        """Keep that these dead letters were taken after all; from any thread.

        `at` is UTC nanoseconds, `file` as for `record_sink`.
        """
        if ids:
            self._queue.put(Work([], rows.resent_rows(ids, at, file)))

    # From here on: the writer's thread.

    def _opened(self, work: Work = NOTHING) -> Database:
        """The file, brought to the present schema; where it is damaged a new one in its place. `work` comes next."""
        if self._damage is None:
            try:
                database = Database(self.path)
            except JournalDamaged as error:
                self._damage = error
            else:
                if not database.prepared.checked:
                    self._check = CheckBeside(self.path, self._found_damaged)
                if 0 < (schema := database.prepared.migrated_from) < SCHEMA_VERSION:
                    self._audit_first("journal migrated", f"schema {schema} to {SCHEMA_VERSION}")
                return self._begun(database, work)
        try:
            aside = set_aside(self.path, time.time_ns()).name
        except OSError as error:
            raise JournalUnusable(f"{self._damage}, and it cannot be set aside: {error}") from error
        damage, self._damage = self._damage, None
        _log.critical("%s: the damaged journal is kept as %s, recording goes on in a new one", damage, aside)
        self._audit_first("damaged journal set aside", f"{aside}: {damage}")
        self._damaged = damaged_files(self.path.parent)
        self._begins = True
        return self._begun(Database(self.path), work)

    def _begun(self, database: Database, work: Work) -> Database:
        """The file with what a new one begins with: before anything else, so that no session lacks its beginning."""
        first = []
        if self._begins:
            first += [rows.entry_row(entry) for entry in self.begins_with()]
            waiting = [*work.rows, *self._queue.rows()]
            first += [row for event in self.begins_with_alerts() if (row := rows.alert_row(event)) not in waiting]
        if first:
            try:
                database.write([], first)
            except BaseException:
                database.close()
                raise
        self._begins = False
        return database

    def _found_damaged(self, damage: Exception) -> None:
        self._damage = damage
        self._queue.wake()

    def _is_damaged(self) -> bool:
        return self._damage is not None

    def _audit_first(self, action: str, detail: str) -> None:
        self._queue.put_first(rows.audit_row(time.time_ns(), "station", action, detail))

    def _write_until_closed(self) -> None:
        while (work := self._queue.take(min(self._seal_at, self._remove_at), self._is_damaged)) is not None:
            try:
                if self._database is None:
                    self._database = self._opened(work)
                if work.batches or work.rows:
                    began = time.monotonic()
                    written = self._database.write(*work)
                    self._done(work, written, time.monotonic() - began)
            except Exception as error:  # noqa: BLE001 - whatever it is, the writer must live on: rows wait, health tells
                self._put_back(work, error)
            else:
                self._look_after(self._database, time.monotonic())
        if self._check is not None:
            self._check.stop()
        if self._database is not None:
            with contextlib.suppress(Exception):
                self._database.seal(time.time_ns())
            self._database.close()

    def _look_after(self, database: Database, now: float) -> None:
        """One step of what is due between two commits."""
        if self._damage is not None:
            self._give_up_file(database, self._damage)
            return
        try:
            if now >= self._seal_at:
                self._damaged = damaged_files(self.path.parent)
                more = database.seal(time.time_ns())
                self._seal_at = now if more else now + self._seal_every
                self._sealing_fails = ""
            elif self._keep_days is not None and now >= self._remove_at:
                at = time.time_ns()
                if not database.remove(at - self._keep_days * _DAY, self._sinks, at):
                    self._remove_at = now + _REMOVE_SECONDS
        except Exception as error:  # noqa: BLE001 - see below
            # The readings are safe and are sealed or removed later: recording goes on.
            later = now + self._seal_every
            self._seal_at, self._remove_at = max(self._seal_at, later), max(self._remove_at, later)
            if is_damage(error):
                self._give_up_file(database, error)
            elif self._sealing_fails != (why := f"{type(error).__name__}: {error}"):
                self._sealing_fails = why
                unforeseen = None if isinstance(error, sqlite3.Error) else error
                _log.error("the journal cannot be sealed, tried again later: %s", error, exc_info=unforeseen)

    def _give_up_file(self, database: Database, damage: Exception) -> None:
        if self._check is not None:
            self._check.stop()
            self._check = None
        self._damage = damage
        self._database = None
        database.abandon()

    def _done(self, work: Work, written: Written, seconds: float) -> None:
        self._queue.done(work, written, seconds)
        if acknowledgements := work.acknowledgements:
            # A loop that ended without close() waits for no acknowledgement, and the rows are on disk all the same.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._acknowledge, acknowledgements)

    def _acknowledge(self, acknowledgements: Iterable[Callable[[], None]]) -> None:
        # Each in a turn of its own: the loop reports an error in one, and the next runs all the same.
        for acknowledgement in acknowledgements:
            self._loop.call_soon(acknowledgement)

    def _put_back(self, work: Work, error: Exception) -> None:
        last_attempt = self._queue.put_back(work, error)
        if self._database is not None and is_damage(error):
            self._give_up_file(self._database, error)
            # Not the last attempt: the next one has a new file.
            last_attempt = False
        if last_attempt:
            self._queue.give_up()
        else:
            self._queue.pause()
