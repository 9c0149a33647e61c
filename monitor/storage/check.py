"""Whether the journal's file is whole: before anything is recorded where that takes a moment, beside it otherwise."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

from drivers.errors import JournalDamaged

AT_ONCE = 64 * 2**20
"""Bytes that are checked before the first reading is recorded: well under a second from a disk that nothing was read
from yet. A month of a clinic takes minutes, in which nobody's readings would be recorded."""
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}

_log = logging.getLogger(__name__)


def is_damage(error: Exception) -> bool:
    """Whether an error of SQLite says that the file is not what SQLite wrote."""
    # The first byte is the class of the code, the rest its detail.
    return isinstance(error, sqlite3.Error) and (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _DAMAGED


def fault(connection: sqlite3.Connection) -> str | None:
    """The first thing that SQLite finds wrong in the file, in one line; None where it is whole. Reads all of it."""
    [(verdict,)] = connection.execute("PRAGMA quick_check(1)").fetchall()
    return None if verdict == "ok" else str(verdict.splitlines()[-1])


def check(connection: sqlite3.Connection, path: Path) -> None:
    """Read the whole file. Raises JournalDamaged where SQLite finds a fault in it, sqlite3.Error where it cannot."""
    try:
        found = fault(connection)
    except sqlite3.Error as error:
        if is_damage(error):
            raise damaged(path, str(error)) from error
        raise
    if found is not None:
        raise damaged(path, found)


def damaged(path: Path, what: str) -> JournalDamaged:
    """The error that says so."""
    return JournalDamaged(f"the journal {path} is damaged ({what})")


class CheckBeside:
    """The check of a file that is being written, in a thread of its own; `tell` is called there if it is damaged."""

    def __init__(self, path: Path, tell: Callable[[JournalDamaged], None]) -> None:
        self._path = path
        self._tell = tell
        self._stopping = threading.Event()
        self._connection: sqlite3.Connection | None = None
        self._thread = threading.Thread(target=self._work, name="journal check", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End it, in the middle if need be; harmless where it has ended."""
        self._stopping.set()
        while self._thread.is_alive():
            # What is interrupted before it began goes on all the same.
            if connection := self._connection:
                with contextlib.suppress(sqlite3.ProgrammingError):
                    connection.interrupt()
            self._thread.join(0.01)

    def _work(self) -> None:
        began = time.monotonic()
        try:
            reader = sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False)
            with contextlib.closing(reader) as self._connection:
                if not self._stopping.is_set():
                    check(self._connection, self._path)
        except JournalDamaged as error:
            self._tell(error)
        except sqlite3.Error as error:
            if not self._stopping.is_set():
                _log.warning("the journal cannot be checked: %s", error)
        else:
            if not self._stopping.is_set():
                _log.info("the journal is whole: checked in %.0f s", time.monotonic() - began)
