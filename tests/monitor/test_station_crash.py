"""The station is killed at random moments: what a reader had seen committed is still there, and the file is sound."""

from __future__ import annotations

import random
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from monitor.storage.history import History, ReadingRow
from tests.monitor.program import Start, wait_for

KILLS = 20


def rows(data: Path) -> list[ReadingRow]:
    return list(History(data).readings())


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_twenty_kills_lose_no_committed_reading(tmp_path: Path, start_station: Start) -> None:
    data = tmp_path / "data"
    draw = random.Random(8)
    before: set[ReadingRow] = set()
    for _ in range(KILLS):
        station = start_station(data)
        count = len(before)
        wait_for(lambda count=count: len(rows(data)) > count)
        time.sleep(draw.uniform(0, 1))
        seen = rows(data)
        station.stop(signal.SIGKILL)
        after = rows(data)
        assert before <= set(seen) <= set(after)
        assert len(after) == len(set(after))
        before = set(after)
    with sqlite3.connect(data / "journal.db") as journal:
        assert journal.execute("PRAGMA integrity_check").fetchone() == ("ok",)
