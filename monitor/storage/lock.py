"""One writer per data folder, held by a lock that the operating system drops when its holder dies.

As a rule that is the station. While none runs, a command that changes a session holds it for a moment.
"""

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
_WHILE_A_COMMAND = 3.0
"""Seconds that the end of a command is waited for."""
_COMMAND = "command"


class StationLock:
    """An exclusive lock on `<data_dir>/station.lock`, which also names its holder's process id.

    `command` says that a command takes it, for a moment: who wants it then waits instead of being refused.
    """

    def __init__(self, data_dir: Path, *, command: bool = False) -> None:
        self._path = data_dir / "station.lock"
        self._command = command
        self._file: int | None = None

    def take(self) -> None:
        """Take the lock, or raise StationRunning (naming the holder) or OSError (the file cannot be opened)."""
        file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        command_until = time.monotonic() + _WHILE_A_COMMAND
        attempts = 0
        while True:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            attempts += 1
            # Who only asks for the holder has it for a moment, too.
            holder, command = _named(file)
            if attempts >= _ATTEMPTS and not (command and time.monotonic() < command_until):
                os.close(file)
                what = "a command is still writing to" if command else "a station is already running on"
                raise StationRunning(f"{what} {self._path.parent} (process {holder})")
            time.sleep(_BETWEEN)
        # What it says only serves those who find it taken: a full disk must not keep a station from starting.
        with contextlib.suppress(OSError):
            # Cut to its length afterwards, so that nobody who reads it in between finds it empty.
            text = f"{os.getpid()} {_COMMAND}\n" if self._command else f"{os.getpid()}\n"
            os.ftruncate(file, os.pwrite(file, text.encode(), 0))
        self._file = file

    def holder(self) -> str | None:
        """The process of the station that holds it; None where none does: nobody, or a command. Raises OSError."""
        try:
            file = os.open(self._path, os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            # Shared and only for this moment, and no file is made: who asks changes nothing.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            holder, command = _named(file)
            return None if command else holder
        finally:
            os.close(file)
        return None

    def release(self) -> None:
        """Give the lock back; harmless when it is not held."""
        # The file stays: removing it would let two stations lock two files of the same name.
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _named(file: int) -> tuple[str, bool]:
    """The holder's process, and whether it is a command."""
    line = os.pread(file, 64, 0).decode(errors="replace").partition("\n")[0]
    process, _, what = line.partition(" ")
    return process or "unknown", what == _COMMAND
