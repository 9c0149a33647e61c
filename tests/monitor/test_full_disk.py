"""A disk that takes nothing more: the page goes on and says so, and nothing is lost."""

from __future__ import annotations

import itertools
import json
import resource
from pathlib import Path

from monitor.storage.history import History
from tests.monitor.program import Start, wait_for


def test_a_full_disk_is_said_on_the_page_and_costs_no_reading(tmp_path: Path, start_station: Start) -> None:
    data = tmp_path / "data"
    station = start_station(data)

    def snapshot() -> dict[str, object]:
        found: dict[str, object] = json.loads(station.get("/api/snapshot"))
        return found

    def spo2() -> dict[str, object]:
        beds = snapshot()["beds"]
        assert isinstance(beds, list)
        found: dict[str, object] = beds[0]["vitals"]["spo2"]
        return found

    wait_for(lambda: len(list(History(data).readings(vital="spo2", bed="chair-1"))) > 3)
    assert snapshot()["notice"] == ""
    # From here on the kernel refuses every write that makes a file longer than it is.
    length = (data / "journal.db-wal").stat().st_size
    resource.prlimit(station.process.pid, resource.RLIMIT_FSIZE, (length, resource.RLIM_INFINITY))
    wait_for(lambda: str(snapshot()["notice"]).startswith("NOT RECORDING"))
    stamp = spo2()["observed_at"]
    wait_for(lambda: spo2()["observed_at"] != stamp)
    assert spo2()["state"] == "fresh"

    resource.prlimit(station.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    wait_for(lambda: snapshot()["notice"] == "")
    assert station.stop()[0] == 0
    times = [row.observed_at for row in History(data).readings(vital="spo2", bed="chair-1")]
    # Three packets a second without a break: no gap where the disk was full.
    assert max(later - earlier for earlier, later in itertools.pairwise(times)) < 2e9
