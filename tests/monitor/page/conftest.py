"""A station whose every answer a test decides, and a bare page of its to try modules in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page, async_playwright

from tests.monitor.conftest import _OFFLINE
from tests.monitor.page.fake_station import FakeStation
from tests.monitor.page.review_clinic import fill
from tests.services import require


@pytest.fixture
async def fake_station() -> AsyncIterator[FakeStation]:
    """Started, and stopped after the test."""
    station = FakeStation()
    yield station
    await station.stop()


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The journal of the sessions that the review pages are tried with: to be copied."""
    folder = tmp_path_factory.mktemp("reviewed") / "data"
    asyncio.run(fill(folder))
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bare_page() -> AsyncIterator[Page]:
    """A page with nothing on it from where the modules are, for all tests of a file; their loop is the module's."""
    station = FakeStation()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=require("chromium"), args=_OFFLINE)
        page = await browser.new_page()
        await page.goto(station.server.address + "/bare")
        yield page
        await browser.close()
    await station.stop()
