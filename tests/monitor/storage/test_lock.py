"""Who may write to a data folder: one station, or for a moment a command."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from drivers.errors import StationRunning
from monitor.storage import lock
from monitor.storage.journal import Journal
from monitor.storage.lock import StationLock


def test_a_station_waits_for_a_command_that_holds_the_folder(tmp_path: Path) -> None:
    command, station = StationLock(tmp_path, command=True), StationLock(tmp_path)
    command.take()
    # Longer than a station is waited for.
    threading.Timer(lock._ATTEMPTS * lock._BETWEEN * 3, command.release).start()
    station.take()
    assert station.holder() == str(os.getpid())
    station.release()


def test_a_command_that_does_not_end_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "_WHILE_A_COMMAND", 0.3)
    command = StationLock(tmp_path, command=True)
    command.take()
    with pytest.raises(StationRunning, match=rf"a command is still writing to .* \(process {os.getpid()}\)"):
        StationLock(tmp_path).take()
    command.release()


@pytest.mark.parametrize("command", [True, False])
def test_a_station_is_not_waited_for(tmp_path: Path, *, command: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    # Whoever waited for it would wait for ever.
    monkeypatch.setattr(lock, "_WHILE_A_COMMAND", float("inf"))
    # What a command left there does not make a station one.
    earlier = StationLock(tmp_path, command=True)
    earlier.take()
    earlier.release()
    station = StationLock(tmp_path)
    station.take()
    with pytest.raises(StationRunning, match=rf"a station is already running on .* \(process {os.getpid()}\)"):
        StationLock(tmp_path, command=command).take()
    station.release()


def test_only_a_station_is_said_to_hold_it(tmp_path: Path) -> None:
    assert StationLock(tmp_path).holder() is None
    command = StationLock(tmp_path, command=True)
    command.take()
    assert StationLock(tmp_path).holder() is None
    command.release()
    station = StationLock(tmp_path)
    station.take()
    assert StationLock(tmp_path).holder() == str(os.getpid())
    station.release()
    assert StationLock(tmp_path).holder() is None


async def test_the_journal_of_a_command_says_that_it_is_one(tmp_path: Path) -> None:
    journal = Journal(tmp_path, command=True)
    journal.open()
    assert (tmp_path / "station.lock").read_text() == f"{os.getpid()} command\n"
    await journal.close()
