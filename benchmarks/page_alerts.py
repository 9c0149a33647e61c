"""How long an alert takes from the write of its reading's last byte until a real browser has it on the screen.

The station runs here, its page is open in Chromium. Frames are outside and inside a limit without a delay in turn; the
page notes when the alert's line comes or goes, in the frame after which it is painted.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import random
import shutil
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

from playwright.async_api import Page, async_playwright

from benchmarks.alert_latency import DEVICE, KEYS, configured
from benchmarks.bystanders import Bystanders
from benchmarks.numbered import Numbered, running
from benchmarks.table import Table, quantile
from drivers.clock import SystemClock
from monitor import config_file
from monitor.station import Station

_AIM_MS = 500.0
_SAMPLES = 100
_WARM_UP = 20
_PATIENCE = 20.0
_WATCH = """
window.seen = [];
const shown = () => [...document.querySelectorAll("#wall .alert .text")].some((it) => it.textContent.includes("PR"));
let there = shown();
const look = () => {
  const now = shown();
  if (now === there) return;
  there = now;
  requestAnimationFrame(() => window.seen.push(performance.timeOrigin + performance.now()));
};
const changes = { childList: true, subtree: true, characterData: true };
new MutationObserver(look).observe(document.getElementById("wall"), changes);
"""


def measure() -> Table:
    """One bed, one page."""
    table = Table(
        f"Alert on the page: last byte written to a pseudo-terminal -> painted in Chromium, {_SAMPLES} changes",
        f"each within {_AIM_MS:g} ms",
        ("changes", "p50 ms", "p99 ms", "max ms", "bystanders %"),
        notes=["bystanders: the CPU that all other programs took, the browser among them, in percent of one core."],
    )
    logging.getLogger("drivers").setLevel(logging.ERROR)
    gc.collect()
    found, bystanders = asyncio.run(_case())
    times = sorted(found)
    p50, p99, most = (quantile(times, share) * 1e3 for share in (0.5, 0.99, 1.0))
    table.rows.append((str(len(times)), f"{p50:.0f}", f"{p99:.0f}", f"{most:.0f}", f"{bystanders:.0f}"))
    table.raw.append({"seconds": found})
    if most >= _AIM_MS:
        table.missed.append(f"the slowest took {most:.0f} ms")
    return table


async def _case() -> tuple[list[float], float]:
    chance = random.Random(1)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        device = await stack.enter_async_context(Numbered(DEVICE, KEYS))
        station = Station(config_file.load(configured(folder, device.address)), SystemClock(), data_dir=folder, port=0)
        playwright = await stack.enter_async_context(async_playwright())
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        stack.push_async_callback(browser.close)
        async with running(station, [device.address]):
            page = await browser.new_page()
            await page.goto(station.page.address)
            await page.locator("#wall .numeric").first.wait_for()
            # A format has first to be proved.
            await device.write(_WARM_UP)
            await asyncio.sleep(2)
            await page.evaluate(_WATCH)
            found = []
            bystanders = Bystanders()
            for number in range(_SAMPLES):
                # At any moment between two beats.
                await asyncio.sleep(chance.uniform(0.3, 0.9))
                wall = time.time() - time.perf_counter()
                (written,) = await device.write(1)
                found.append(await _seen(page, number) - (written.at + wall))
            return found, bystanders.percent


async def _seen(page: Page, number: int) -> float:
    """When the page showed that change, seconds since the epoch."""
    async with asyncio.timeout(_PATIENCE):
        while (at := await page.evaluate(f"window.seen[{number}] ?? null")) is None:  # noqa: ASYNC110 - it is in the browser
            await asyncio.sleep(0.02)
    return float(at) / 1e3
