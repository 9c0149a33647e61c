"""The station's records: its configuration, the journal, and how far each sink is."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from drivers.clock import NS
from drivers.errors import JournalUnusable
from drivers.events import LinkState
from monitor.doctor.findings import Finding, Subject, fault, note, ok
from monitor.sinks import registry
from monitor.sinks.forwarder import STOPPED
from monitor.storage import check
from monitor.storage.backlog import SinkRow
from monitor.storage.connection import NEWEST_RECEIVED, connect
from monitor.storage.migration import SCHEMA_VERSION
from monitor.storage.set_aside import damaged_files

_STUCK = 60 * NS
"""How long a station may commit nothing while a device is being received."""
_BEHIND = 3600 * NS
"""How old what a sink has not got may be while the station runs."""

_LAST_LINK = """
    SELECT state FROM device_events WHERE bed = ? AND device = ? AND kind = 'link' ORDER BY at DESC, id DESC LIMIT 1"""
_SINKS = "SELECT name, through, state, detail, at, too_old FROM sinks ORDER BY name"
_WAITING = "SELECT count(*) FROM readings WHERE commit_no > ?"
_OLDEST_WAITING = """
    SELECT min(received_at) FROM readings
    WHERE commit_no = (SELECT min(commit_no) FROM readings WHERE commit_no > ?)"""
_RECOVER = "have it recovered with `sqlite3 {} .recover` (docs/journal.md; the sqlite3 of Debian and Ubuntu cannot)"
_START_ANEW = "start the station anew, which sets it aside and goes on in a new one; keep it, and " + _RECOVER
_LETTERS = "SELECT sink, count(*) FROM dead_letters WHERE sent_at IS NULL GROUP BY sink ORDER BY sink"
_REASONS = """
    SELECT reason FROM dead_letters WHERE sink = ? AND sent_at IS NULL GROUP BY reason ORDER BY min(id) LIMIT 3"""


def configuration(subject: Subject) -> Iterator[Finding]:
    """Every fault of the configuration, passwords and tokens that are not there among them."""
    for text in subject.config_faults:
        yield fault("configuration", text, "correct it; `infusion-monitor check` says when it is right")
    if subject.config is not None and not subject.config_faults:
        beds, devices = len(subject.config.beds), sum(1 for _ in subject.devices())
        yield ok("configuration", f"{subject.file}: {beds} beds, {devices} devices")


def station(subject: Subject) -> Iterator[Finding]:
    """Whether one runs."""
    if subject.data_dir is None:
        yield note("station", "where its records are is not known", "correct the configuration, or say --data-dir")
        return
    try:
        holder = subject.holder()
    except OSError as error:
        yield fault("station", f"whether one runs cannot be seen: {error}", "run the doctor as the station's user")
        return
    if holder is None:
        yield note("station", f"none runs on {subject.data_dir}", "start it: `infusion-monitor run`")
    else:
        yield ok("station", f"runs on {subject.data_dir} (process {holder})")


def journal(subject: Subject) -> Iterator[Finding]:
    """Whether it can be read, and is being written."""
    path = subject.journal
    if path is None:
        if subject.data_dir is not None:
            yield note("journal", f"there is none in {subject.data_dir}", "the station begins one when it starts")
        return
    try:
        with contextlib.closing(connect(path)) as connection:
            yield from _journal(subject, path, connection)
    except JournalUnusable as error:
        yield fault("journal", str(error), "station, doctor and journal have to be of one version")
    except sqlite3.Error as error:
        advice = _START_ANEW.format(path) if check.is_damage(error) else "run the doctor as the station's user"
        yield fault("journal", f"{path} cannot be read: {error}", advice)


def _journal(subject: Subject, path: Path, connection: sqlite3.Connection) -> Iterator[Finding]:
    newest = connection.execute(NEWEST_RECEIVED).fetchone()[0]
    text = f"schema {SCHEMA_VERSION}, {_size(path)}"
    age = None if newest is None else time.time_ns() - newest
    text += ", no reading yet" if age is None else f", newest reading {_duration(age)} old"
    received = [
        f"{bed.id}/{device.id}"
        for bed, device in subject.devices()
        if connection.execute(_LAST_LINK, (bed.id, device.id)).fetchone() == (LinkState.RECEIVING,)
    ]
    stuck = age is None or age > _STUCK
    if subject.runs() and stuck and received:
        yield fault(
            "journal",
            f"{text}, although {', '.join(received)} is being received",
            "look at the station's page and log: the disk may refuse it; what is in memory is lost if it is ended",
        )
    elif subject.runs() and stuck:
        yield note("journal", f"{text}: no device is being received", "switch the monitors on, if they should be")
    else:
        yield ok("journal", text)
    if subject.deep:
        if found := check.fault(connection):
            yield fault("journal", f"SQLite finds damage in it: {found}", _START_ANEW.format(path))
        else:
            yield ok("journal", "SQLite finds no damage in it; `infusion-monitor verify` looks at what it says")


def set_aside(subject: Subject) -> Iterator[Finding]:
    """Damaged journals that wait for a person."""
    if subject.data_dir is not None:
        for name in damaged_files(subject.data_dir):
            path = subject.data_dir / name
            yield fault(
                "damaged journal",
                f"{path} was set aside, and what is in it is in no other",
                f"keep it, {_RECOVER.format(path)}, then move it elsewhere",
            )


def sinks(subject: Subject) -> Iterator[Finding]:
    """How far each is, and whether it goes on by itself."""
    configured = registry.names(subject.config) if subject.config else set()
    with subject.reading_journal() as connection:
        if connection is None:
            return
        rows = [SinkRow(*row) for row in connection.execute(_SINKS)]
        newest: int = connection.execute("SELECT commit_no FROM last_commit").fetchone()[0]
        runs = subject.runs()
        for name in sorted(configured - {row.name for row in rows}):
            make = fault if runs else note
            yield make(f"sink {name}", "has never been forwarded to", "start the station anew: it is configured now")
        for row in rows:
            if row.name not in configured:
                what = f"stands in the journal, through commit {row.through}, and not in the configuration"
                yield note(f"sink {row.name}", what, "nothing is forwarded to it")
            else:
                yield _sink(connection, row, newest, runs=runs)
                if row.too_old:
                    text = f"refused {row.too_old:,} points as older than it keeps any"
                    yield note(f"sink {row.name}", text, "they are in the journal; a longer retention there takes such")


def _sink(connection: sqlite3.Connection, row: SinkRow, newest: int, *, runs: bool) -> Finding:
    waiting = connection.execute(_WAITING, (row.through,)).fetchone()[0]
    oldest = connection.execute(_OLDEST_WAITING, (row.through,)).fetchone()[0]
    age = 0 if oldest is None else time.time_ns() - oldest
    what = f"sink {row.name}"
    text = f"{row.state}{f' ({row.detail})' if row.detail else ''}, "
    text += f"{newest - row.through:,} commits with {waiting:,} readings behind" if waiting else "has everything"
    if waiting:
        text += f", the oldest {_duration(age)} old"
    if row.state == STOPPED:
        return fault(
            what,
            text,
            "mend what it says: it is tried again each minute; a token from the environment needs a new start",
        )
    if age > _BEHIND and runs:
        return fault(what, text, "see whether it can be reached and takes what it is sent; nothing is lost meanwhile")
    if age > _BEHIND:
        return note(what, text, "it is caught up with when the station runs")
    return ok(what, text)


def dead_letters(subject: Subject) -> Iterator[Finding]:
    """Lines that a sink refuses for what they are."""
    with subject.reading_journal() as connection:
        for sink, count in connection.execute(_LETTERS).fetchall() if connection else ():
            reasons = [reason for (reason,) in connection.execute(_REASONS, (sink,))] if connection else []
            yield fault(
                "dead letters",
                f"{count:,} lines that {sink} refuses: {'; '.join(reasons)}",
                f"`infusion-monitor {sink} dead-letters` lists them; once the reason is gone, "
                f"`infusion-monitor {sink} resend` has them sent again",
            )


def _size(path: Path) -> str:
    size = path.stat().st_size
    with contextlib.suppress(FileNotFoundError):
        size += Path(f"{path}-wal").stat().st_size
    return f"{size / 1e6:,.1f} MB"


def _duration(nanoseconds: int) -> str:
    seconds = nanoseconds / NS
    for unit, length in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:,.0f} {unit}"
    return f"{seconds:,.0f} seconds"
