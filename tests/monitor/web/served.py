"""A station whose page is served over real HTTP, with devices and clock in the test's hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from drivers.clock import NS, ManualClock
from drivers.events import Event, measured
from monitor import config_file
from monitor.accounts.people import Role
from monitor.buffer import Rings
from monitor.config import StationConfig
from monitor.sessions.requests import REQUEST
from monitor.sinks.forwarder import Status
from monitor.station import Bed, Station
from monitor.storage.commit_queue import Commits, Health
from monitor.web import station_file
from monitor.web.parts import Recording

TWO_CHAIRS = """
site: clinic
beds:
  - {id: one, label: Chair 1, devices: [{id: oximeter, driver: nonin, url: "tcp://127.0.0.1:9"}]}
  - {id: two, label: Chair 2, devices: [{id: oximeter, driver: nonin, url: "tcp://127.0.0.1:10"}]}
"""


class Served:
    """The station and who asks it."""

    def __init__(self, station: Station, config: StationConfig, clock: ManualClock, client: httpx.AsyncClient) -> None:
        self.station = station
        self.clock = clock
        self.client = client
        parts = (station.alarms, station.rings, station.hub, station.journal)
        self._beds = {bed.id: Bed(bed, *parts) for bed in config.beds}

    def give(self, *events: Event, bed: str = "one") -> None:
        self._beds[bed].receive("oximeter", list(events), None)

    def read(self, bed: str = "one", *, ago: float = 0.0, **values: float) -> None:
        now = self.clock.now_ns()
        at = now - round(ago * NS)
        self.give(*(measured(vital, value, at, now) for vital, value in values.items()), bed=bed)

    async def seconds(self, count: int, bed: str = "one", **values: float) -> None:
        for _ in range(count):
            await self.clock.advance(1)
            if values:
                self.read(bed, **values)

    async def do(self, verb: str, **fields: object) -> str:
        done = await self.station.desk.do(REQUEST.validate_python({"verb": verb, "by": "anna", **fields}))
        return done.session.id

    async def phases(self, *steps: str, session: str = "one", pause: float = 1) -> None:
        for step in steps:
            await self.clock.advance(pause)
            await self.do("phase", session=session, step=step, confirm=True)

    async def token(self, role: Role) -> str:
        """A machine's own."""
        return await self.station.accounts.add_token(f"machine-{role.value}", role, by="anna")

    async def committed(self) -> None:
        assert await self.station.journal.committed(30)

    async def get(self, path: str, **query: object) -> Any:
        """The answer's JSON; it has to be 200."""
        answer = await self.client.get(path, params={key: str(value) for key, value in query.items()})
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def refused(self, path: str, **query: object) -> tuple[int, str]:
        answer = await self.client.get(path, params={key: str(value) for key, value in query.items()})
        return answer.status_code, answer.json()["error"]


@asynccontextmanager
async def served(folder: Path, text: str = TWO_CHAIRS, clock: ManualClock | None = None) -> AsyncIterator[Served]:
    """Its journal is in `folder / "data"`; nobody answers at the addresses of its devices."""
    clock = clock or ManualClock()
    (folder / "site.yaml").write_text(text, encoding="utf-8")
    config = config_file.load(folder / "site.yaml")
    station = Station(config, clock, data_dir=folder / "data", port=0)
    await station.open()
    stop = asyncio.Event()
    running = asyncio.create_task(station.run(stop))
    where = station_file.read(folder / "data")
    assert where is not None
    headers = {"Authorization": f"Bearer {where.token}"}
    try:
        async with httpx.AsyncClient(base_url=station.page.address, headers=headers, timeout=30) as client:
            yield Served(station, config, clock, client)
    finally:
        stop.set()
        await asyncio.wait_for(running, 30)


WELL = Health(10, 0, 0, None)


def recording_of(
    folder: Path, health: Callable[[], Health] = lambda: WELL, sinks: Callable[[], Sequence[Status]] = tuple
) -> Recording:
    """What nobody records: for an app without a station, in the shipped clinic."""
    config = config_file.load(config_file.default_path(), here=False)
    return Recording(config, folder, Rings(), health, lambda: Commits(0, None), sinks)


def routes_of(routes: Iterable[Any]) -> Iterator[tuple[str, str]]:
    """Method and path of all of an app's routes, of those in its routers too; a folder of files is one to get."""
    for route in routes:
        if (router := getattr(route, "original_router", None)) is not None:
            yield from routes_of(router.routes)
        else:
            for method in getattr(route, "methods", None) or {"GET"}:
                yield method, route.path
