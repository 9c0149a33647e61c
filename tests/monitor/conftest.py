"""Fixtures: the station as a process, and a browser for its page."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright, expect

from tests.monitor.program import RunningStation, Start
from tests.server import PATIENCE
from tests.services import require

# What is expected of a page is waited for that long: a busy machine must not decide.
expect.set_options(timeout=PATIENCE * 1000)

# Without these Chromium looks for its maker's servers at every start.
_OFFLINE = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """The system's Chromium."""
    path = require("chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=_OFFLINE)
        yield browser
        await browser.close()


@pytest.fixture
def start_station() -> Iterator[Start]:
    """Starts stations, and ends those that a failed test has left."""
    started: list[RunningStation] = []

    def start(data_dir: Path, *args: str | Path) -> RunningStation:
        started.append(RunningStation(data_dir, *args))
        return started[-1]

    yield start
    for station in started:
        station.stop(signal.SIGKILL)
