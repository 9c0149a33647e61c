"""Where people's requests become entries of sessions: one after the other, each at once decided and then committed.

Whoever asks is answered when the entry is on disk, or told that it waits in memory. All of it belongs to the event
loop; the journal is read in a thread, written by the journal's own.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

from drivers.clock import NS, Clock
from drivers.errors import JournalUnusable, StepRefused
from monitor.alerts.conditions import AlertEvent, AlertState, Kind, Priority, Why
from monitor.config import StationConfig
from monitor.sessions import criteria, entries, recorded, rules
from monitor.sessions.entries import Entry
from monitor.sessions.recorded import Recorded
from monitor.sessions.requests import (
    AssignRequest,
    CloseRequest,
    CorrectRequest,
    LimitRequest,
    MoveRequest,
    OpenRequest,
    PhaseRequest,
    Request,
    SignRequest,
)
from monitor.sessions.session import Session
from monitor.sessions.steps import State, Step
from monitor.storage.history import History
from monitor.storage.journal import Journal
from monitor.storage.session_entries import SessionEntries

COMMIT_WITHIN = 5.0
"""Seconds that a caller waits for the disk; then it is told that the entry waits in memory."""
CLOCK_JUMP = 2.0
"""Seconds by which the wall clock must leave the steady one within a tick to count as having been set."""
STATION = "station"
"""The author of what the station itself enters."""
FORGOTTEN = "session_forgotten"
"""The rule of the alert that asks about a session."""

_ID = "23456789abcdefghjkmnpqrstuvwxyz"
"""Without what is mistaken for something else when it is read out."""

_log = logging.getLogger(__name__)

Listener = Callable[[Session, Entry], None]


class Done(NamedTuple):
    """What became of a request."""

    session: Session
    entries: tuple[Entry, ...]
    recorded: bool
    """False where the journal cannot be written: the entry waits in memory, and is lost if the station ends now."""
    again: bool = False
    """Whether it had been done before, for the same request."""


class Desk:
    """The sessions of one station."""

    def __init__(self, config: StationConfig, journal: Journal, data_dir: Path, clock: Clock) -> None:
        self._settings = config.sessions
        self._alerts = config.alerts
        self._beds = frozenset(bed.id for bed in config.beds)
        self._journal = journal
        self._data_dir = data_dir
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()
        self._sessions: dict[str, Session] = {}
        """Those that are open, and those whose last entries are not on disk yet."""
        self._commits: dict[str, asyncio.Event] = {}
        """By request, of what is not known to be on disk."""
        self._listeners: list[Listener] = []
        self._asked: set[str] = set()
        """The beds on which the question stands."""
        self._wall_ahead = self._ahead()

    async def load(self) -> None:
        """Take up the open sessions of the journal, which is open. Raises JournalUnusable."""
        self._journal.begins_with = self._in_memory
        for made in await asyncio.to_thread(self._stored().maybe_open):
            session = Session(made)
            if session.state is not State.CLOSED:
                self._sessions[session.id] = session

    def on_bed(self, bed: str) -> Session | None:
        """The session that is open on a bed."""
        return next((session for session in self._sessions.values() if session.bed == bed), None)

    def open_sessions(self) -> list[Session]:
        """The sessions that are open on beds of this station; at most one a bed."""
        return [session for session in self.all_open() if session.bed in self._beds]

    def all_open(self) -> list[Session]:
        """All that are open, also those without a bed or on one that the station has no more."""
        return [session for session in self._sessions.values() if session.state is not State.CLOSED]

    def add_listener(self, listener: Listener) -> None:
        """Have `listener` called, at once, with each new entry and its session."""
        self._listeners.append(listener)

    async def do(self, request: Request) -> Done:
        """Do what is asked and wait for the commit, `COMMIT_WITHIN` seconds at most.

        The same request again is answered as the first time, and done once. Raises StepRefused, or ConfirmationNeeded
        with what is open.
        """
        async with self._one_at_a_time:
            done = await self._done_before(request)
            if done is None:
                done = await self._do(request)
        return await self._committed(done, request)

    def asked(self, standing: Iterable[AlertEvent]) -> None:
        """Take up, after a restart, the questions among the alerts that stood when the station ended.

        Those of beds that are of the configuration no more are nobody's: they are not ended here either.
        """
        self._asked |= {event.bed for event in standing if event.rule == FORGOTTEN and event.bed in self._beds}

    def tick(self) -> list[AlertEvent]:
        """See to what passes without a request: once a second. Gives the alerts that changed."""
        if not self._one_at_a_time.locked():
            # What is being decided has counted its session's entries already: the clock can wait for the next tick.
            self._look_at_clock()
        return self._ask()

    async def _done_before(self, request: Request) -> Done | None:
        entry = next(
            (it for session in self._sessions.values() for it in session.entries if it.request == request.request), None
        )
        if entry is None:
            # Where the journal cannot be read, what waits is in memory, and was looked for there.
            with contextlib.suppress(JournalUnusable):
                entry = await asyncio.to_thread(self._stored().with_request, request.request)
        return None if entry is None else Done(await self._find(entry.session), (entry,), recorded=True, again=True)

    async def _do(self, request: Request) -> Done:
        self._look_at_clock()
        if isinstance(request, OpenRequest):
            known = await self._known(request, None)
            draft = rules.opening(request, known)
            entry = _entry(draft, request, self._new_id(known.now), 1, known.now)
            session = Session((entry,))
            overlaps = request.at is not None
        else:
            before = await self._find(request.session)
            known = await self._known(request, before)
            draft = rules.next_entry(request, before, known)
            entry = _entry(draft, request, before.id, len(before.entries) + 1, known.now)
            session = before.followed_by(entry)
            # What happens now, by whatever clock, is not held against what was.
            now = isinstance(request, MoveRequest) and request.at is None
            overlaps = session.stays != before.stays and not now
        if overlaps:
            rules.refuse_overlap(session, known.others)
        self._record(session, entry)
        return Done(session, (entry,), recorded=False)

    async def _known(self, request: Request, session: Session | None) -> rules.Known:
        now, given = self._clock.now_ns(), _given(request)
        found = None
        others: tuple[Session, ...] = ()
        starts = isinstance(request, PhaseRequest) and request.step is Step.START
        if session is not None and (starts or isinstance(request, CloseRequest)):
            found = await self._recorded(session, now if given is None else min(now, given))
        if isinstance(request, OpenRequest | MoveRequest | AssignRequest | CorrectRequest):
            if session is not None and isinstance(request, CorrectRequest):
                given = session.opened_at if given is None else min(session.opened_at, given)
            others = await self._others(session, given)
        profiles, default = self._alerts.all, self._alerts.profile
        return rules.Known(self._settings, self._beds, now, profiles, default, found, others)

    async def _recorded(self, session: Session, at: int) -> Recorded | None:
        try:
            return await asyncio.to_thread(lambda: recorded.read(History(self._data_dir), session, at))
        except JournalUnusable as error:
            _log.warning("the vitals of session %s cannot be read: %s", session.id, error)
            return None

    async def _others(self, but: Session | None, since: int | None) -> tuple[Session, ...]:
        """The other sessions that are open, and with `since` those that may have lasted until then."""
        others = dict(self._sessions)
        if since is not None:
            try:
                stored = await asyncio.to_thread(lambda: list(self._stored().all(since)))
            except JournalUnusable as error:
                raise StepRefused(
                    f"whose recording that was is not known, the journal cannot be read: {error}"
                ) from error
            for made in stored:
                others.setdefault(made[0].session, Session(made))
        return tuple(session for session in others.values() if but is None or session.id != but.id)

    async def _find(self, name: str) -> Session:
        """The session of that id, or the one that is open on the bed of that name. Raises StepRefused."""
        if session := self._sessions.get(name) or self.on_bed(name):
            return session
        if name in self._beds:
            raise StepRefused(f"no session is open on {name}")
        try:
            made = await asyncio.to_thread(self._stored().of, name)
        except JournalUnusable as error:
            raise StepRefused(f"session {name} is not open, and the journal cannot be read: {error}") from error
        if not made:
            raise StepRefused(f"there is no session {name!r}, and no bed of that name")
        return Session(made)

    def _new_id(self, now: int) -> str:
        day = datetime.fromtimestamp(now // NS, UTC)
        return f"{day:%Y%m%d}-{''.join(secrets.choice(_ID) for _ in range(6))}"

    def _record(self, session: Session, entry: Entry) -> None:
        self._journal.record_entries([entry], partial(self._on_disk, entry.request))
        self._commits[entry.request] = asyncio.Event()
        self._sessions[session.id] = session
        _log.info("session %s, entry %d: %s", session.id, entry.number, entry.kind)
        for listener in self._listeners:
            try:
                listener(session, entry)
            except Exception:  # noqa: BLE001 - it is recorded, whoever cannot hear of it
                _log.exception("a listener failed with entry %d of session %s", entry.number, session.id)

    def _on_disk(self, request: str) -> None:
        if committed := self._commits.pop(request, None):
            committed.set()
        if not self._commits:
            # What is closed is read from the journal, should anybody ask for it.
            self._sessions = {session.id: session for session in self.all_open()}

    async def _committed(self, done: Done, request: Request) -> Done:
        committed = self._commits.get(request.request)
        if committed is not None:
            try:
                # Of the wall: a clock in a test's hand must not decide about a disk.
                await asyncio.wait_for(committed.wait(), COMMIT_WITHIN)
            except TimeoutError:
                return done._replace(recorded=False)
        return done._replace(recorded=True)

    def _stored(self) -> SessionEntries:
        return SessionEntries(self._data_dir)

    def _in_memory(self) -> list[Entry]:
        """What a new file has to begin with that takes the place of a damaged one; from the journal's thread."""
        # Sessions are replaced, never changed, and the copy is made in one step of the interpreter.
        return [entry for session in tuple(self._sessions.values()) for entry in session.entries]

    def _look_at_clock(self) -> None:
        ahead = self._ahead()
        moved, self._wall_ahead = ahead - self._wall_ahead, ahead
        if abs(moved) < CLOCK_JUMP:
            return
        _log.warning("the clock was set by %+.1f s", moved)
        now = self._clock.now_ns()
        content = {"seconds": round(moved, 3)}
        for session in self.all_open():
            where = (session.id, len(session.entries) + 1, entries.Kind.CLOCK_SET, now, now, STATION, session.bed)
            entry = Entry(*where, content, secrets.token_hex(16))
            self._record(session.followed_by(entry), entry)

    def _ahead(self) -> float:
        return self._clock.now_ns() / NS - self._clock.uptime()

    def _ask(self) -> list[AlertEvent]:
        """Ask about sessions that look forgotten; none is ever closed by itself."""
        now = self._clock.now_ns()
        changes = []
        open_now = {session.bed: session for session in self.open_sessions()}
        for bed in open_now.keys() | self._asked:
            session = open_now.get(bed)
            text = criteria.question(session, self._settings, now) if session else ""
            if text and bed not in self._asked:
                self._asked.add(bed)
                changes.append(_question(bed, AlertState.ON, now, text, Why.TIME))
            elif bed in self._asked and not text:
                self._asked.remove(bed)
                changes.append(_question(bed, AlertState.OFF, now, "Session: entered, or closed", Why.SESSION))
        return changes


def _given(request: Request) -> int | None:
    """The earliest time that a request is about, UTC nanoseconds; None where it is about now."""
    if isinstance(request, LimitRequest | SignRequest):
        return None
    return request.since if isinstance(request, AssignRequest) else request.at


def _question(bed: str, state: AlertState, at: int, text: str, why: Why) -> AlertEvent:
    return AlertEvent(bed, FORGOTTEN, Kind.TECHNICAL, Priority.LOW, state, at, text, why=why)


def _entry(draft: rules.Draft, request: Request, session: str, number: int, now: int) -> Entry:
    return Entry(session, number, draft.kind, draft.at, now, request.by, draft.bed, draft.content, request.request)
