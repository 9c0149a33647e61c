"""A copy of the journal in one file, made while the station writes: `infusion-monitor backup`.

The copy is of the moment at which it began: a reader of a write-ahead log neither waits for the writer nor makes it
wait. Only the log cannot shrink until the copy is made.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from drivers.errors import ConfigError, JournalUnusable
from monitor.storage.check import fault
from monitor.storage.connection import NEWEST_RECEIVED, connect
from monitor.storage.verify import Head, head_of

_PAGES = 4096
"""Copied in one step: 16 MB."""


class Backup(NamedTuple):
    """What a copy holds."""

    size: int
    """Bytes."""
    readings: int
    alerts: int
    commit_no: int
    """The newest commit."""
    newest: int | None
    """When the newest reading was received, UTC nanoseconds; None where there is none."""
    head: Head
    """The end of its chain, to be noted elsewhere."""


def backup(journal: Path, file: Path) -> Backup:
    """Copy `journal` to `file`, which only its owner may read. A copy that fails leaves nothing.

    It is written as `FILE.part` first. Raises ConfigError where `file` is there or its folder is not, JournalUnusable
    where the journal cannot be read, the copy cannot be written, or SQLite finds a fault in it.
    """
    if file.exists() or file.is_symlink():
        raise ConfigError([f"{file}: is there already, and a backup never overwrites anything"])
    if not file.parent.is_dir():
        raise ConfigError([f"{file.parent}: is no folder"])
    part = file.with_name(f"{file.name}.part")
    try:
        with contextlib.closing(connect(journal)) as source, _created(part) as identity:
            made = _copy(source, part)
            _publish(part, identity, file)
    except FileExistsError as error:
        raise ConfigError([f"{error.filename}: has come into being meanwhile, and is left as it is"]) from error
    except (OSError, sqlite3.Error) as error:
        raise JournalUnusable(f"the journal {journal} cannot be copied to {file}: {error}") from error
    return made


@contextlib.contextmanager
def _created(part: Path) -> Iterator[int]:
    """A new, empty file in the place of an old one; its inode. Whatever is still there at the end is removed."""
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        identity = os.fstat(descriptor).st_ino
    finally:
        # Not kept open: closing it later would drop the locks that SQLite holds on the file.
        os.close(descriptor)
    try:
        yield identity
    finally:
        with contextlib.suppress(OSError):
            if part.stat().st_ino == identity:
                for ending in ("-journal", "-wal", "-shm", ""):
                    Path(f"{part}{ending}").unlink(missing_ok=True)


def _copy(source: sqlite3.Connection, part: Path) -> Backup:
    with contextlib.closing(sqlite3.connect(part, isolation_level=None)) as copy:
        # The file counts only once it is whole and synced: until then nothing has to survive a crash.
        copy.execute("PRAGMA synchronous = OFF")
        # One read transaction around all steps: each of them sees that moment, and no commit makes them begin again.
        source.execute("BEGIN")
        source.execute("SELECT commit_no FROM last_commit").fetchone()
        source.backup(copy, pages=_PAGES, progress=_let_signals_in)
        source.execute("COMMIT")
        # Without a write-ahead log it is one file.
        [(mode,)] = copy.execute("PRAGMA journal_mode = DELETE").fetchall()
        found = fault(copy) if mode == "delete" else f"its log cannot be ended: {mode}"
        if found:
            raise sqlite3.DatabaseError(f"SQLite finds the copy damaged ({found})")
        readings, alerts, commit_no, newest = (
            copy.execute(question).fetchone()[0]
            for question in (
                "SELECT count(*) FROM readings",
                "SELECT count(*) FROM alerts",
                "SELECT commit_no FROM last_commit",
                NEWEST_RECEIVED,
            )
        )
        head = head_of(copy)
    return Backup(part.stat().st_size, readings, alerts, commit_no, newest, head)


def _let_signals_in(*_: int) -> None:
    """Called between two steps: Python looks for a Ctrl-C only where it runs."""


def _publish(part: Path, identity: int, file: Path) -> None:
    """Give the finished copy its name, for good."""
    descriptor = os.open(part, os.O_RDONLY)
    try:
        if os.fstat(descriptor).st_ino != identity:
            raise FileExistsError(errno.EEXIST, "of another backup", str(part))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    # Takes the name, or fails where somebody else has: a rename alone would overwrite.
    os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        part.rename(file)
    except OSError:
        file.unlink()
        raise
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
