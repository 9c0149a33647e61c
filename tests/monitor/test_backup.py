"""`backup`: a copy of one moment, while the station writes, that a station can go on from."""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from drivers.errors import ConfigError, JournalUnusable
from drivers.events import measured
from monitor.storage import backup as module
from monitor.storage.backup import backup
from monitor.storage.database import Database
from monitor.storage.history import History, ReadingRow
from monitor.storage.rows import Batch
from monitor.storage.verify import verify
from tests.monitor.program import COMMAND, ROOT, Start, call, wait_for

ROWS = 5_000


def readings(first: int, count: int) -> Batch:
    return Batch("chair-1", "ox", [measured("spo2", 97.0, at, at) for at in range(first, first + count)], [], None)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    path = tmp_path / "data" / "journal.db"
    path.parent.mkdir()
    database = Database(path)
    database.write([readings(1, ROWS)], [])
    database.seal(1)
    database.close()
    return path


@pytest.fixture
def between_steps(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Has a function called after each page that is copied."""

    def have(act: Callable[[], None]) -> None:
        monkeypatch.setattr(module, "_PAGES", 1)
        monkeypatch.setattr(module, "_let_signals_in", lambda *_: act())

    return have


def test_the_copy_is_one_file_that_only_its_owner_may_read(journal: Path, tmp_path: Path) -> None:
    file = tmp_path / "copies" / "journal-1.db"
    file.parent.mkdir()
    made = backup(journal, file)
    assert [path.name for path in file.parent.iterdir()] == ["journal-1.db"]
    about = file.stat()
    assert about.st_mode & 0o777 == 0o600
    assert made[:5] == (about.st_size, ROWS, 0, 1, ROWS)
    found = verify(file, made.head)
    assert found.holds
    assert found.readings == ROWS
    # A reader makes no file beside it, as it would if the copy still had a write-ahead log.
    assert [path.name for path in file.parent.iterdir()] == ["journal-1.db"]
    file.rename(file.parent / "journal.db")
    assert len(list(History(file.parent).readings())) == ROWS


def test_each_commit_during_the_copy_goes_on_and_the_copy_is_of_one_moment(
    journal: Path, tmp_path: Path, between_steps: Callable[[Callable[[], None]], None]
) -> None:
    database = Database(journal)
    database.write([readings(ROWS + 1, 10)], [])
    steps = 0

    def write_a_commit() -> None:
        nonlocal steps
        steps += 1
        assert database.write([readings(ROWS + 1_000 * steps, 100)], []).new == 100
        database.seal(steps)

    between_steps(write_a_commit)
    made = backup(journal, tmp_path / "copy.db")
    database.close()
    with sqlite3.connect(tmp_path / "copy.db") as copy:
        pages = copy.execute("PRAGMA page_count").fetchone()[0]
    copy.close()
    # Had a commit made it begin again, there would be more steps than pages.
    assert 10 < steps <= pages
    assert (made.readings, made.commit_no, made.newest) == (ROWS + 10, 2, ROWS + 10)
    assert verify(tmp_path / "copy.db").holds
    assert verify(journal).readings == ROWS + 10 + 100 * steps


@pytest.mark.parametrize("there", ["file", "link", "folder"])
def test_what_is_there_is_never_overwritten(journal: Path, tmp_path: Path, there: str) -> None:
    file = tmp_path / "copy.db"
    match there:
        case "file":
            file.write_text("kept")
        case "link":
            file.symlink_to(tmp_path / "nowhere")
        case "folder":
            file.mkdir()
    before = sorted(tmp_path.iterdir())
    done = call("backup", file, "--data-dir", journal.parent)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"{file}: is there already, and a backup never overwrites anything\n"
    assert sorted(tmp_path.iterdir()) == before
    assert there != "file" or file.read_text() == "kept"


def test_no_folder_for_it(journal: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is no folder"):
        backup(journal, tmp_path / "none" / "copy.db")


def test_no_journal(tmp_path: Path) -> None:
    with pytest.raises(JournalUnusable, match="there is no journal"):
        backup(tmp_path / "journal.db", tmp_path / "copy.db")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_backup_left_is_replaced(journal: Path, tmp_path: Path) -> None:
    left = tmp_path / "copy.db.part"
    left.write_bytes(b"half a copy" * 1_000)
    left.chmod(0o644)
    assert backup(journal, tmp_path / "copy.db").readings == ROWS
    assert not left.exists()
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600


def test_a_file_that_comes_meanwhile_is_left_as_it_is(
    journal: Path, tmp_path: Path, between_steps: Callable[[Callable[[], None]], None]
) -> None:
    file = tmp_path / "copy.db"
    between_steps(lambda: None if file.exists() else file.touch())
    with pytest.raises(ConfigError, match=re.escape(f"{file}: has come into being meanwhile")):
        backup(journal, file)
    assert file.read_bytes() == b""
    assert not (tmp_path / "copy.db.part").exists()


def test_another_backup_to_the_same_file_is_not_spoilt(
    journal: Path, tmp_path: Path, between_steps: Callable[[Callable[[], None]], None]
) -> None:
    part = tmp_path / "copy.db.part"

    def begin_another() -> None:
        if part.stat().st_size:
            part.unlink()
            part.write_bytes(b"")

    between_steps(begin_another)
    with pytest.raises((ConfigError, JournalUnusable)):
        backup(journal, tmp_path / "copy.db")
    assert part.read_bytes() == b""
    assert not (tmp_path / "copy.db").exists()


def test_ctrl_c_leaves_nothing(
    journal: Path, tmp_path: Path, between_steps: Callable[[Callable[[], None]], None]
) -> None:
    between_steps(lambda: os.kill(os.getpid(), signal.SIGINT))
    # What a shell starts in the background takes no interrupt.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            backup(journal, tmp_path / "copy.db")
    finally:
        signal.signal(signal.SIGINT, before)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_full_disk_leaves_nothing(journal: Path, tmp_path: Path) -> None:
    # The kernel refuses every write that makes a file longer than this.
    most = journal.stat().st_size // 2

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    done = subprocess.run(
        [*COMMAND, "backup", str(tmp_path / "copy.db"), "--data-dir", str(journal.parent)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limit,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"infusion-monitor: the journal {journal} cannot be copied to {tmp_path}/copy.db: ")
    assert done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_damaged_journal_makes_no_backup(journal: Path, tmp_path: Path) -> None:
    data = bytearray(journal.read_bytes())
    data[4096 * 30 : 4096 * 31] = b"\xa5" * 4096
    journal.write_bytes(data)
    done = call("backup", tmp_path / "copy.db", "--data-dir", journal.parent)
    assert done.returncode == 1
    assert "SQLite finds the copy damaged" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_what_a_killed_station_has_only_in_its_log_is_in_the_copy(tmp_path: Path) -> None:
    data = tmp_path / "data"
    program = f"""
import os, pathlib
from tests.monitor.test_backup import Database, readings
data = pathlib.Path({str(data)!r})
data.mkdir()
database = Database(data / "journal.db")
database.write([readings(1, 50)], [])
os.kill(os.getpid(), 9)
"""
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False)
    assert (data / "journal.db-wal").stat().st_size > 0
    assert backup(data / "journal.db", tmp_path / "copy.db").readings == 50


def test_a_real_station_is_backed_up_while_it_runs_and_another_goes_on_from_there(
    tmp_path: Path, start_station: Start
) -> None:
    data, copy, restored = tmp_path / "data", tmp_path / "copy.db", tmp_path / "restored"
    station = start_station(data)
    wait_for(lambda: b"fresh" in station.get("/api/snapshot"))
    done = call("backup", copy, "--data-dir", data)
    assert (done.returncode, done.stderr) == (0, "")
    said = re.fullmatch(
        rf"{re.escape(str(copy))}: ([\d,]+) bytes, ([\d,]+) readings, \d+ alerts\n"
        r"newest commit (\d+), received at \S+Z\nhead (\d+:[0-9a-f]{64})\n",
        done.stdout,
    )
    assert said is not None
    assert station.stop()[0] == 0
    at_that_time = list(all_readings(copy, tmp_path / "look"))
    assert len(at_that_time) == int(said[2].replace(",", ""))
    assert len(at_that_time) < len(list(History(data).readings()))

    restored.mkdir()
    shutil.copy(copy, restored / "journal.db")
    again = start_station(restored)
    wait_for(lambda: len(list(History(restored).readings())) > len(at_that_time))
    assert again.stop()[0] == 0
    # The simulated cuff begins with a measurement of some seconds ago: by its time that may be among the older ones.
    newest = max(row.received_at for row in at_that_time)
    assert [row for row in History(restored).readings() if row.received_at <= newest] == at_that_time
    done = call("verify", "--data-dir", restored, "--head", said[4])
    assert (done.returncode, done.stderr) == (0, "")


def all_readings(file: Path, folder: Path) -> list[ReadingRow]:
    folder.mkdir()
    shutil.copy(file, folder / "journal.db")
    return list(History(folder).readings())
