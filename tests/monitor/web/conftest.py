"""Fixtures: a desk and a board behind a page, and accounts whose passwords are quick to hash."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from drivers.clock import SystemClock
from monitor import config_file
from monitor.accounts.passwords import Passwords
from monitor.alerts.board import STATION, AlertBoard
from monitor.alerts.conditions import AlertEvent, AlertState, Kind, Priority
from monitor.alerts.rules import Profile
from monitor.live import BedView, DeviceView, LiveHub
from monitor.sessions.desk import Desk
from monitor.storage.journal import Journal
from monitor.web.app import create_app
from monitor.web.parts import Parts
from monitor.web.server import PageServer
from monitor.web.settings import TlsConfig
from tests.monitor.web.certificates import certificate
from tests.monitor.web.commands import BEDS, serving


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """One of the shipped clinic, with its journal."""
    journal = Journal(tmp_path, commit_every=0.0)
    journal.open()
    desk = Desk(config_file.load(config_file.default_path(), here=False), journal, tmp_path, SystemClock())
    await desk.load()
    yield desk
    await journal.close()


@pytest.fixture
def board() -> AlertBoard:
    """One of two beds; an alert stands on each, and one of the station itself."""
    board = AlertBoard(dict.fromkeys(BEDS, Profile()), Profile(), SystemClock())
    for bed, rule in (("chair-1", "spo2_low"), ("chair-2", "hr_high"), (STATION, "disk")):
        kind = Kind.PHYSIOLOGICAL if bed else Kind.TECHNICAL
        board.detected(bed, [AlertEvent(bed, rule, kind, Priority.HIGH, AlertState.ON, 0, "SpO₂ 86 < 90")])
    return board


@pytest.fixture
async def port(desk: Desk, board: AlertBoard) -> AsyncIterator[int]:
    async with serving(desk, board=board) as port:
        yield port


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> TlsConfig:
    """A certificate for the names of this machine."""
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def quick() -> Passwords:
    """Hashes in a millisecond."""
    return Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture
def hub() -> LiveHub:
    """Of one bed with an oximeter."""
    oximeter = DeviceView("oximeter", "Nonin", ("spo2", "pulse_rate"))
    return LiveHub([BedView("chair-1", "Chair 1", (oximeter,))], SystemClock())


@pytest.fixture
async def server(hub: LiveHub) -> AsyncIterator[PageServer]:
    """A page of that hub, and of nothing else."""
    server = PageServer(create_app(Parts(hub)), port=0)
    server.bind()
    running = asyncio.create_task(server.serve())
    yield server
    hub.close()
    await server.stop()
    await running
