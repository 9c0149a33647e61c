"""One station per data folder, held by a lock that the operating system drops when the station dies."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path

from drivers.errors import StationRunning

_ATTEMPTS = 5
_BETWEEN = 0.05
"""Seconds."""


class StationLock:
    """An exclusive lock on `<data_dir>/station.lock`, which also names its holder's process id."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / "station.lock"
        self._file: int | None = None

    def take(self) -> None:
        """Take the lock, or raise StationRunning (naming the holder) or OSError (the file cannot be opened)."""
        file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        for _ in range(_ATTEMPTS):
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            # Who only asks for the holder has it for a moment, too.
            time.sleep(_BETWEEN)
        else:
            holder = _named(file)
            os.close(file)
            raise StationRunning(f"a station is already running on {self._path.parent} (process {holder})")
        # The number only serves the message above: a full disk must not keep a station from starting.
        with contextlib.suppress(OSError):
            os.ftruncate(file, 0)
            os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        self._file = file

    def holder(self) -> str | None:
        """The process of the station that holds it; None where none does. Raises OSError."""
        try:
            file = os.open(self._path, os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            # Shared and only for this moment, and no file is made: who asks changes nothing.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _named(file)
        finally:
            os.close(file)
        return None

    def release(self) -> None:
        """Give the lock back; harmless when it is not held."""
        # The file stays: removing it would let two stations lock two files of the same name.
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _named(file: int) -> str:
    return os.read(file, 32).decode(errors="replace").strip() or "unknown"
