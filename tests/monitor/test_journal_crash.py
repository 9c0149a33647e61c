"""kill -9 at any moment, and a disk that is full: what was acknowledged is there, once, and the file is whole."""

import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from monitor.storage.history import History

PROJECT = Path(__file__).parents[2]
KILLS = 20
RECORD_FOR_EVER = """
import asyncio, itertools, pathlib, sys
from drivers.events import measured
from monitor.storage.journal import Journal

async def main():
    journal = Journal(pathlib.Path(sys.argv[1]), commit_every=0.003)
    journal.open()
    for number in itertools.count(int(sys.argv[2])):
        reading = measured("spo2", float(number), number, number)
        journal.record("a", "oximeter", [reading], lambda n=number: print(n, flush=True))
        if number % 3 == 0:
            await asyncio.sleep(0)

asyncio.run(main())
"""


def assert_whole(data):
    connection = sqlite3.connect(f"file:{data / 'journal.db'}?mode=ro", uri=True)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


def acknowledged_in(output):
    # The last line may be cut off: only what was said in full counts.
    return [int(line) for line in output.read_text().splitlines(keepends=True) if line.endswith("\n")]


def run_and_kill(data, output, first, rest, chance):
    """Start a station that numbers its readings from `first`; kill it; the numbers that it acknowledged."""
    with output.open("w") as stream:
        child = subprocess.Popen([sys.executable, "-c", RECORD_FOR_EVER, data, str(first)], cwd=PROJECT, stdout=stream)
    try:
        # Half of the kills fall anywhere from the start on (schema, recovery), half while rows are being written.
        deadline = time.monotonic() + 60
        while rest and not output.stat().st_size:
            assert child.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.001)
        time.sleep(chance.uniform(0, 0.15 if rest else 0.4))
    finally:
        child.kill()
    assert child.wait() == -signal.SIGKILL
    return acknowledged_in(output)


def test_acknowledged_readings_survive_kill_9(tmp_path):
    chance = random.Random(20)
    data = tmp_path / "data"
    acknowledged = []
    for kill in range(KILLS):
        # The next run starts after the last acknowledgement, as a broker would: the rest is redelivered.
        first = acknowledged[-1] + 1 if acknowledged else 0
        acknowledged += run_and_kill(data, tmp_path / "output", first, kill % 2, chance)

        if acknowledged:
            assert_whole(data)
            stored = [(row.observed_at, row.value) for row in History(data).readings()]
            assert stored == [(number, float(number)) for number in range(len(stored))]
            assert len(stored) >= len(acknowledged)
        assert acknowledged == list(range(len(acknowledged)))
    assert len(acknowledged) > KILLS


FULL_DISK = """
import asyncio, pathlib, resource, sys
from drivers.events import measured
from monitor.alerts.conditions import AlertEvent, AlertState, Kind, Priority
from monitor.storage.journal import Journal

COUNT = 20_000

async def until(condition):
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)

async def main():
    journal = Journal(pathlib.Path(sys.argv[1]), commit_every=0.01)
    journal.open()
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, unlimited[1]))
    acknowledged = []
    for number in range(COUNT):
        reading = measured("spo2", 97.0, number, number)
        journal.record("a", "oximeter", [reading], lambda number=number: acknowledged.append(number))
        if number % 100 == 0:
            await asyncio.sleep(0.001)
    journal.record_alerts(
        [AlertEvent("a", "spo2_low", Kind.PHYSIOLOGICAL, Priority.HIGH, AlertState.ON, 5, "low")]
    )
    await until(lambda: journal.health.error)
    health = journal.health
    assert health.committed_rows + health.waiting_rows == COUNT + 1, health
    assert len(acknowledged) < COUNT
    assert health.dropped_rows == 0
    resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    await until(lambda: len(acknowledged) == COUNT)
    assert acknowledged == list(range(COUNT))
    await journal.close()
    assert journal.health == (COUNT + 1, 0, 0, None), journal.health
    print(health.error)

asyncio.run(main())
"""


def test_full_disk_keeps_rows_and_writes_them_when_there_is_space_again(tmp_path):
    # A limit on the size of files is a refusal by the kernel in the middle of a write, as a full disk is.
    child = subprocess.run(
        [sys.executable, "-c", FULL_DISK, tmp_path], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert child.returncode == 0, child.stderr
    assert child.stdout.strip() in {"disk I/O error", "database or disk is full"}
    history = History(tmp_path)
    assert [row.observed_at for row in history.readings()] == list(range(20_000))
    assert len(list(history.alerts())) == 1
    assert_whole(tmp_path)
