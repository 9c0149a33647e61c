import asyncio
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from drivers.errors import JournalUnusable
from drivers.events import Cause, Validity, measured, missing
from monitor.alerts.conditions import AlertEvent, AlertState, Kind, Priority, Why
from monitor.storage.history import History
from monitor.storage.journal import Journal
from tests.monitor.storage.helpers import PROJECT

WRITE_AND_DIE = """
import asyncio, os, pathlib, sys
from drivers.events import measured
from monitor.storage.journal import Journal

async def main():
    journal = Journal(pathlib.Path(sys.argv[1]), commit_every=0.0)
    journal.open()
    committed = asyncio.Event()
    journal.record("chair-1", "oximeter", [measured("spo2", 97.0, 1, 2)], committed.set)
    await committed.wait()
    os.kill(os.getpid(), 9)

asyncio.run(main())
"""
READ_AS_NOBODY = """
import os, pathlib, sys
from monitor.storage.history import History

if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
folder = pathlib.Path(sys.argv[1])
assert not os.access(folder, os.W_OK)
print([row.value for row in History(folder).readings()])
"""


async def write(folder, **beds):
    journal = Journal(folder)
    journal.open()
    for bed, readings in beds.items():
        journal.record(bed, "oximeter", readings)
    await journal.close()


def python(program, folder):
    return subprocess.run(
        [sys.executable, "-c", program, folder], cwd=PROJECT, capture_output=True, text=True, check=False
    )


async def test_rows_in_order_of_time_over_all_series(tmp_path):
    await write(
        tmp_path,
        a=[measured("spo2", 97.0, 10, 11), measured("pulse_rate", 71.5, 30, 31), measured("spo2", 96.0, 50, 51)],
        b=[missing("spo2", 20, 21, Cause.SENSOR_OFF), measured("spo2", 5.0, 40, 41)],
    )
    assert list(History(tmp_path).readings()) == [
        ("a", "oximeter", "spo2", 97.0, "%", Validity.VALID, "", 10, 11),
        ("b", "oximeter", "spo2", None, "%", Validity.INVALID, "sensor_off", 20, 21),
        ("a", "oximeter", "pulse_rate", 71.5, "/min", Validity.VALID, "", 30, 31),
        ("b", "oximeter", "spo2", 5.0, "%", Validity.QUESTIONABLE, "implausible", 40, 41),
        ("a", "oximeter", "spo2", 96.0, "%", Validity.VALID, "", 50, 51),
    ]


@pytest.mark.parametrize(
    ("question", "times"),
    [
        ({}, [10, 20, 30, 40]),
        ({"bed": "a"}, [10, 30, 40]),
        ({"vital": "spo2"}, [10, 20, 40]),
        ({"bed": "a", "vital": "spo2"}, [10, 40]),
        ({"since": 20}, [20, 30, 40]),
        ({"until": 30}, [10, 20]),
        ({"bed": "a", "since": 30, "until": 40}, [30]),
        ({"bed": "c"}, []),
    ],
)
async def test_questions(tmp_path, question, times):
    await write(
        tmp_path,
        a=[measured("spo2", 97.0, 10, 11), measured("pulse_rate", 70.0, 30, 31), measured("spo2", 97.0, 40, 41)],
        b=[measured("spo2", 97.0, 20, 21)],
    )
    assert [row.observed_at for row in History(tmp_path).readings(**question)] == times


async def test_alerts_come_back_as_they_went_in_in_order_of_time(tmp_path):
    physiological = AlertEvent(
        "a", "spo2_low", Kind.PHYSIOLOGICAL, Priority.HIGH, AlertState.ON, 20, "SpO₂ 86 < 90", "spo2", "", 86.0, 90.0
    )
    technical = AlertEvent(
        "b", "device_lost_oximeter", Kind.TECHNICAL, Priority.LOW, AlertState.OFF, 10, "back", device="oximeter"
    )
    by_a_person = physiological._replace(
        priority=Priority.NONE,
        state=AlertState.ACKNOWLEDGED,
        at=30,
        group="spo2_low",
        why=Why.OPERATOR,
        actor="Kim Möller",
        session="2026-11-25-a",
    )
    journal = Journal(tmp_path)
    journal.open()
    journal.record_alerts([physiological, technical, by_a_person])
    await journal.close()

    history = History(tmp_path)
    assert list(history.alerts()) == [technical, physiological, by_a_person]
    assert list(history.alerts(bed="a")) == [physiological, by_a_person]
    assert list(history.alerts(since=11)) == [physiological, by_a_person]
    assert list(history.alerts(until=20)) == [technical]
    assert isinstance(next(history.alerts()).priority, Priority)


async def test_reads_beside_a_running_station_the_state_of_one_moment(tmp_path):
    journal = Journal(tmp_path, commit_every=0.0)
    journal.open()
    committed = asyncio.Event()
    journal.record("a", "oximeter", [measured("spo2", 97.0, at, at) for at in (1, 2)], committed.set)
    await committed.wait()
    half_read = History(tmp_path).readings()
    assert next(half_read).observed_at == 1
    journal.record("a", "oximeter", [measured("spo2", 97.0, 3, 3)])
    await journal.close()
    assert [row.observed_at for row in half_read] == [2]
    assert [row.observed_at for row in History(tmp_path).readings()] == [1, 2, 3]


@pytest.mark.parametrize("index", ["left behind", "gone"])
def test_reads_after_the_station_was_killed(tmp_path, index):
    assert python(WRITE_AND_DIE, tmp_path).returncode == -9
    assert (tmp_path / "journal.db-wal").stat().st_size
    if index == "gone":
        (tmp_path / "journal.db-shm").unlink()
    assert [row.value for row in History(tmp_path).readings()] == [97.0]


@pytest.fixture
def public_folder():
    """A folder that other users may enter, unlike pytest's own; a root that tests read-only folders needs one."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)
        Path(folder).chmod(0o755)


def make_read_only(folder):
    for file in folder.iterdir():
        file.chmod(0o444)
    folder.chmod(0o555)


async def test_reads_a_closed_journal_without_permission_to_write(public_folder):
    await write(public_folder, a=[measured("spo2", 97.0, 1, 2)])
    assert not (public_folder / "journal.db-wal").exists()
    make_read_only(public_folder)
    read = python(READ_AS_NOBODY, public_folder)
    assert (read.stdout, read.stderr) == ("[97.0]\n", "")


def test_reads_a_killed_journal_without_permission_to_write(public_folder):
    python(WRITE_AND_DIE, public_folder)
    make_read_only(public_folder)
    read = python(READ_AS_NOBODY, public_folder)
    assert (read.stdout, read.stderr) == ("[97.0]\n", "")


def test_killed_journal_whose_log_cannot_be_read_is_refused_rather_than_read_without_it(public_folder):
    python(WRITE_AND_DIE, public_folder)
    (public_folder / "journal.db-shm").unlink()
    make_read_only(public_folder)
    read = python(READ_AS_NOBODY, public_folder)
    assert read.stdout == ""
    assert "JournalUnusable" in read.stderr
    assert "cannot be read" in read.stderr


def test_no_journal(tmp_path):
    with pytest.raises(JournalUnusable, match=r"there is no journal .*: has a station ever run there\?"):
        History(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("version", "text"), [(99, "newer program"), (0, "start the station once")])
async def test_other_schema(tmp_path, version, text):
    await write(tmp_path)
    with sqlite3.connect(tmp_path / "journal.db") as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    connection.close()
    with pytest.raises(JournalUnusable, match=text):
        History(tmp_path)


async def test_damage_found_while_reading(tmp_path):
    await write(tmp_path, a=[measured("spo2", 97.0, at, at) for at in range(20_000)])
    history = History(tmp_path)
    file = tmp_path / "journal.db"
    whole = file.read_bytes()
    file.write_bytes(whole[:8192].ljust(len(whole), b"\xff"))
    with pytest.raises(JournalUnusable, match="cannot be read"):
        list(history.readings())


async def test_name_with_characters_of_an_address(tmp_path):
    folder = tmp_path / "ward 1?mode=rw#2%20"
    await write(folder, a=[measured("spo2", 97.0, 1, 2)])
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    assert list(History(folder).readings()) == list(History(copy).readings())
