"""What the tests of sessions share: entries made by hand, and a desk over a real journal."""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock
from uuid import uuid4

import pytest

from drivers.clock import NS, ManualClock, iso
from drivers.errors import StepRefused
from monitor import config_file
from monitor.alerts import profile_file
from monitor.alerts.profile import ProfileConfig
from monitor.sessions import desk, rules
from monitor.sessions.entries import Entry, Kind
from monitor.sessions.requests import REQUEST
from monitor.sessions.session import Session
from monitor.sessions.settings import SessionsConfig
from monitor.storage.journal import Journal
from monitor.storage.session_entries import SessionEntries

SITE = ProfileConfig.model_validate(
    {
        "profile": "site",
        "rules": {
            "spo2_low": {"vital": "spo2", "below": 90, "clears_at": 92, "priority": "high", "bounds": [85, 92]},
            "sys_high": {"vital": "nibp_sys", "above": {"infusion": "+25 %"}, "bounds": [140, 190.5]},
            "pulse_low": {"vital": "pulse_rate", "below": 45},
        },
    }
)
"""An alert profile of which a nurse may set the limits of two rules."""
PROJECT = Path(__file__).parents[3]
START = 1_767_225_600 * NS
"""When the manual clock begins, UTC nanoseconds."""
MINUTE = 60 * NS


def known(at, recorded=None, settings=None):
    """What the rules know, at so many nanoseconds."""
    beds = frozenset({"chair-1", "chair-2"})
    return rules.Known(settings or SessionsConfig(), beds, at, {"site": SITE, "other": SITE}, "site", recorded)


def settable():
    """A rule of the shipped profile of which the limit can be set for one session, and its bounds."""
    rule, (low, high) = next(iter(rules.settable(profile_file.shipped("adult_infusion")).items()))
    return rule, low, high


def minute(number):
    """Minutes after the start, as UTC nanoseconds."""
    return START + round(number * MINUTE)


def moment(number):
    """The same as the text that a request has."""
    return iso(minute(number))


@dataclass
class Chart:
    """Entries of one session, written down as a test wants them; times in minutes after the start."""

    id: str = "s1"
    bed: str = "chair-1"
    entries: list[Entry] = field(default_factory=list)

    def add(self, kind, at, *, entered=None, by="anna", **content):
        number = len(self.entries) + 1
        entered = at if entered is None else entered
        self.entries.append(
            Entry(self.id, number, kind, minute(at), minute(entered), by, self.bed, content, uuid4().hex)
        )
        return number

    def opened(self, at=0, planned_minutes=40, **more):
        content = {"reference": "P-1", "planned_minutes": planned_minutes, "profile": "default", **more}
        return self.add(Kind.OPENED, at, **content)

    def step(self, step, at, **more):
        return self.add(Kind.STEP, at, step=step, **more)

    def closed(self, at):
        return self.add(Kind.CLOSED, at, criteria=[])

    def moved(self, to, at):
        before, self.bed = self.bed, to
        return self.add(Kind.MOVED, at, **{"from": before, "to": to})

    def corrected(self, number, at, **content):
        """`at` is when it was corrected; `right`, in minutes, the right time of the entry."""
        if "right" in content:
            content["at"] = minute(content.pop("right"))
        correction = self.add(Kind.CORRECTION, at)
        content = {"corrects": number, "reason": "a slip", **content}
        self.entries[-1] = self.entries[-1]._replace(content=content)
        return correction

    def clock_set(self, seconds, at):
        """`at` is the time by the clock as it is after that."""
        return self.add(Kind.CLOCK_SET, at, by="station", seconds=seconds)

    @property
    def session(self):
        return Session(self.entries)


def chart(*steps, planned_minutes=40):
    """A session that was opened and then went these steps: `("baseline", 10), ("start", 20)`."""
    made = Chart()
    made.opened(planned_minutes=planned_minutes)
    for step, at in steps:
        if step == "close":
            made.closed(at)
        else:
            made.step(step, at)
    return made


class Station:
    """A desk over a real journal, as a station holds it: started, stopped, cut off from its power."""

    def __init__(self, folder, clock=None, **settings):
        self.folder = folder
        self.clock = clock or ManualClock()
        self.config = config_file.load(PROJECT / "config.yaml")
        if settings:
            self.config = self.config.model_copy(update={"sessions": SessionsConfig(**settings)})
        self.patience = 60.0
        """Seconds to wait for a commit: a busy machine must not decide."""
        self.made = []
        """What the listener of the desk was told: sessions and entries."""

    async def start(self):
        self.journal = Journal(self.folder, commit_every=0.001)
        self.journal.open()
        self.desk = desk.Desk(self.config, self.journal, self.folder, self.clock)
        self.desk.add_listener(lambda session, entry: self.made.append((session, entry)))
        await self.desk.load()
        return self

    async def stop(self):
        await self.journal.close()

    async def restart(self):
        await self.stop()
        await self.start()

    def cut_off(self, folder):
        """The disk as it is at this moment, elsewhere: what a power cut leaves."""
        folder.mkdir()
        # The log is only ever added to in these small journals, so that the file is to be read first.
        for name in ("journal.db", "journal.db-wal"):
            if (self.folder / name).exists():
                shutil.copyfile(self.folder / name, folder / name)
        station = Station(folder, self.clock)
        station.config = self.config
        return station

    async def do(self, **fields):
        with mock.patch.object(desk, "COMMIT_WITHIN", self.patience):
            return await self.desk.do(REQUEST.validate_python({"by": "anna", **fields}))

    async def refused(self, **fields):
        """The refusal that this has to get."""
        with pytest.raises(StepRefused) as refusal:
            await self.do(**fields)
        return refusal.value

    async def go(self, *steps, session="chair-1"):
        """Do these steps, a minute apart."""
        for step in steps:
            await self.clock.advance(60)
            if step == "open":
                await self.do(verb="open", bed=session, reference="P-1")
            elif step == "close":
                await self.do(verb="close", session=session, reason="a test")
            else:
                await self.do(verb="phase", session=session, step=step, confirm=True)

    def stored(self, session=None):
        """The entries in the journal: of all sessions in one list, or of one."""
        read = SessionEntries(self.folder)
        return [entry for made in read.all() for entry in made] if session is None else read.of(session)

    def refuse_writes(self, monkeypatch):
        """Have the disk refuse everything; gives what makes it take it again."""

        def fails(*_):
            raise sqlite3.OperationalError("database or disk is full")

        database = self.journal._database
        write = database.write
        monkeypatch.setattr(database, "write", fails)
        monkeypatch.setattr("monitor.storage.commit_queue._RETRY_SECONDS", 0.01)
        return lambda: monkeypatch.setattr(database, "write", write)

    def damage(self, monkeypatch):
        """Have SQLite find the file damaged at the next commit: it is set aside, and a new one takes its place."""
        monkeypatch.setattr("monitor.storage.commit_queue._RETRY_SECONDS", 0.01)

        def fails(*_):
            error = sqlite3.DatabaseError("database disk image is malformed")
            error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise error

        # Of this one connection: the new file has another.
        monkeypatch.setattr(self.journal._database, "write", fails)
