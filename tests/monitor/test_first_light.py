"""What a newcomer sees: the shipped clinic in a browser, killed and started again."""

from __future__ import annotations

import asyncio
import re
import signal
from pathlib import Path

from playwright.async_api import Browser, expect

from tests.monitor.program import Start


async def test_both_chairs_update_and_a_killed_station_is_not_live(
    tmp_path: Path, browser: Browser, start_station: Start
) -> None:
    station = await asyncio.to_thread(start_station, tmp_path / "data")
    port = station.page.rsplit(":", 1)[1]
    page = await browser.new_page()
    await page.goto(station.page)
    spo2 = page.locator("#bed-chair-1 .numeric[data-key=spo2] .main")
    rate = page.locator("#bed-chair-2 .numeric[data-key=heart_rate] .main")
    cuff = page.locator("#bed-chair-1 .numeric[data-key=nibp] .main")
    for shown in (spo2, rate):
        await expect(shown).to_have_text(re.compile(r"^\d+$"), timeout=20_000)
    await expect(cuff).to_have_text(re.compile(r"^\d+/\d+$"), timeout=20_000)
    before = await rate.text_content()
    await expect(rate).not_to_have_text(before or "", timeout=20_000)
    age = page.locator("#bed-chair-1 .numeric[data-key=nibp] .age")
    await expect(age).to_have_text(re.compile(r"^\d+:\d\d ago$"))

    await asyncio.to_thread(station.stop, signal.SIGKILL)
    await expect(page.locator("#not-live")).to_be_visible(timeout=15_000)
    await expect(page.locator("#not-live-text")).to_contain_text("NOT LIVE")
    for shown in (spo2, rate, cuff):
        await expect(shown).to_have_text(re.compile(r"^-"))

    station = await asyncio.to_thread(start_station, tmp_path / "data", "--port", port)
    await expect(page.locator("#not-live")).to_be_hidden(timeout=30_000)
    await expect(spo2).to_have_text(re.compile(r"^\d+$"), timeout=20_000)
    assert (await asyncio.to_thread(station.stop))[0] == 0
