"""The machine that the station runs on: versions, disk, permissions, clock."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import pwd
import shutil
import sqlite3
import stat
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from drivers import registry
from drivers.clock import NS
from monitor.accounts.store import ACCOUNTS_FILE
from monitor.doctor.findings import Finding, Subject, fault, note, ok
from monitor.storage.connection import JOURNAL_FILE

_LEAST_FREE = 1e9
"""Bytes: with less the disk may be full before anybody has seen to it."""
_BYTES_A_READING = 68
"""Measured over ten million readings: rows, index, blocks and summaries."""
_WEEK = 7 * 86_400
_FIRST_YEAR = 2025
"""A clock that shows an earlier one was never set."""
_AHEAD = 60 * NS
"""How far a device's clock may be ahead of this one."""
_PATIENCE = 5.0

_NEWEST = """
    SELECT max(newest) FROM
    (SELECT (SELECT max(observed_at) FROM readings WHERE readings.series = series.id) AS newest FROM series)"""


def versions(_: Subject) -> Iterator[Finding]:
    """Program, Python, and a SQLite without the fault of the write-ahead log."""
    try:
        program = importlib.metadata.version("infusion-monitor")
    except importlib.metadata.PackageNotFoundError:
        program = "not installed, but run from its source"
    yield ok("versions", f"infusion-monitor {program}, Python {platform.python_version()}, {platform.platform()}")
    if has_wal_reset_bug(sqlite3.sqlite_version_info):
        yield note(
            "SQLite",
            f"{sqlite3.sqlite_version} has the WAL-reset bug, which can lose commits where two connections write",
            "the station writes with one, so it cannot occur as long as nothing else writes the journal; "
            "SQLite 3.51.3 has it no more",
        )
    else:
        yield ok("SQLite", sqlite3.sqlite_version)


def has_wal_reset_bug(version: tuple[int, int, int]) -> bool:
    """It was mended in 3.51.3, and in 3.44.6 and 3.50.7 for who stays with those."""
    mended = {(3, 44): 6, (3, 50): 7}.get(version[:2])
    return version < (3, 51, 3) and (mended is None or version[2] < mended)


def disk(subject: Subject) -> Iterator[Finding]:
    """Room for what comes, on a disk that can be written."""
    folder = subject.data_dir
    if folder is None or not folder.is_dir():
        return
    about = os.statvfs(folder)
    free = about.f_bavail * about.f_frsize
    vitals = sum(len(device.vitals_given(registry.find(device.driver))) for _, device in subject.devices())
    week = vitals * _WEEK * _BYTES_A_READING
    text = f"{free / 1e9:,.1f} GB free in {folder}"
    if vitals:
        text += f", {free / week:,.0f} weeks of {vitals} vitals a second"
    if about.f_flag & os.ST_RDONLY:
        yield fault("disk", f"{folder} is on a disk that is read-only", "have it checked, and mount it for writing")
    elif not os.access(folder, os.W_OK):
        yield fault("disk", f"{_user(os.geteuid())} may not write {folder}", "run station and doctor as the same user")
    elif free < _LEAST_FREE:
        yield fault("disk", text, "make room, or move the data folder to a larger disk")
    elif free < week:
        yield note("disk", text, "make room within days, or say how long to keep readings (journal.keep_days)")
    else:
        yield ok("disk", text)


def permissions(subject: Subject) -> Iterator[Finding]:
    """The data folder and its files: of one owner, and of nobody else's business."""
    folder = subject.data_dir
    if folder is None:
        return
    if not folder.is_dir():
        yield note("data folder", f"there is no {folder} yet", "the station makes it when it first starts")
        return
    about = folder.stat()
    good = True
    if about.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        good = False
        yield fault("data folder", f"others may write {folder}, and so replace the journal", f"chmod 700 {folder}")
    patterns = (f"{Path(JOURNAL_FILE).stem}*", "station.lock", ACCOUNTS_FILE)
    for file in sorted(file for pattern in patterns for file in folder.glob(pattern)):
        try:
            its = file.stat()
        except FileNotFoundError:
            # A log that has gone since, as it does when a station ends.
            continue
        if its.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            good = False
            yield fault("data folder", f"others may read or write {file}", f"chmod 600 {file}")
        if its.st_uid != about.st_uid:
            good = False
            yield fault(
                "data folder",
                f"{file} is of {_user(its.st_uid)}, and the folder is of {_user(about.st_uid)}",
                f"start the station as its own user, and chown {_user(about.st_uid)} {file}",
            )
    if good:
        yield ok("data folder", f"{folder} is of {_user(about.st_uid)}, and nobody else can read the journal")


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


def clock(subject: Subject) -> Iterator[Finding]:
    """Readings are worth as much as their times."""
    now = time.time_ns()
    moment = datetime.fromtimestamp(now // NS, UTC)
    if moment.year < _FIRST_YEAR:
        yield fault("clock", f"it shows {moment:%Y-%m-%d %H:%M} UTC", "set it, and have it synchronised (NTP)")
        return
    with subject.reading_journal() as connection:
        newest = connection.execute(_NEWEST).fetchone()[0] if connection else None
    if newest is not None and newest > now + _AHEAD:
        yield fault(
            "clock",
            f"the newest reading is {(newest - now) / NS / 60:,.0f} minutes in the future",
            "see whether this clock was set back, or a device's is ahead",
        )
    synchronised = _synchronised()
    text = f"{moment:%Y-%m-%d %H:%M} UTC"
    if synchronised is None:
        yield note("clock", f"{text}; whether it is synchronised cannot be seen here", "compare it with another one")
    elif synchronised:
        yield ok("clock", f"{text}, synchronised")
    else:
        yield fault("clock", f"{text}, not synchronised", "have it synchronised (NTP): `timedatectl set-ntp true`")


def _synchronised() -> bool | None:
    """What systemd says; None where there is none, as in a container."""
    program = shutil.which("timedatectl")
    if program is None:
        return None
    try:
        done = subprocess.run(  # noqa: S603 - no word of it comes from outside
            [program, "show", "--property=NTPSynchronized", "--value"],
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return {"yes": True, "no": False}.get(done.stdout.strip()) if done.returncode == 0 else None
