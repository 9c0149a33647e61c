"""What watches the station from outside: whether it runs, and whether it does all that it is there for."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from drivers.clock import SystemClock
from monitor.live import BedView, DeviceView, LiveHub
from monitor.sinks.forwarder import WAITING, Status
from monitor.storage.commit_queue import Health
from monitor.web.app import create_app
from monitor.web.parts import Parts
from tests.monitor.web.served import WELL, recording_of


class Watched:
    """A station of which a test says how it is."""

    def __init__(self, folder: Path) -> None:
        self.hub = LiveHub([BedView("one", "Anna B.", (DeviceView("oximeter", "Nonin", ("spo2",)),))], SystemClock())
        self.journal = WELL
        self.sink = Status("influxdb", WAITING, "https://influx.clinic.example: no answer", 1, 2, 0, 0)
        recording = recording_of(folder, lambda: self.journal, lambda: [self.sink])
        self.app = create_app(Parts(self.hub, recording=recording))

    async def ask(self, path: str) -> tuple[int, dict[str, object]]:
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            answer = await client.get(path)
            return answer.status_code, answer.json()


@pytest.fixture
def station(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


async def test_all_is_well(station: Watched) -> None:
    assert await station.ask("/healthz") == (200, {"status": "ok"})
    assert await station.ask("/readyz") == (
        200,
        {
            "status": "ok",
            "notice": "",
            "journal": "ok",
            "sinks": {"influxdb": "waiting"},
            "devices": {"connecting": 1},
        },
    )


async def test_what_else_is_wrong_leaves_it_ready(station: Watched) -> None:
    station.hub.station_notice("DISK NEARLY FULL: 400 MB are left")
    status, said = await station.ask("/readyz")
    assert (status, said["status"], said["notice"]) == (200, "degraded", "DISK NEARLY FULL: 400 MB are left")
    assert (await station.ask("/healthz"))[0] == 200


async def test_a_journal_that_is_not_written_makes_it_unready_and_no_less_alive(station: Watched) -> None:
    station.journal = Health(10, 5, 0, "database or disk is full")
    status, said = await station.ask("/readyz")
    assert (status, said["status"], said["journal"]) == (503, "unavailable", "not_written")
    assert await station.ask("/healthz") == (200, {"status": "ok"})


async def test_a_station_that_ends_says_so(station: Watched) -> None:
    station.hub.close()
    assert await station.ask("/healthz") == (503, {"status": "stopping"})
    status, said = await station.ask("/readyz")
    assert (status, said["status"]) == (503, "stopping")


async def test_anybody_may_ask_and_hears_nothing_of_patients_or_addresses(station: Watched) -> None:
    said = json.dumps([await station.ask(path) for path in ("/healthz", "/readyz")])
    assert "Anna" not in said
    assert "clinic.example" not in said


async def test_without_a_journal_it_is_not_said_to_be_well() -> None:
    app = create_app(Parts(LiveHub([], SystemClock())))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        said = (await client.get("/readyz")).json()
    assert (said["journal"], said["sinks"], said["devices"]) == (None, {}, {})
