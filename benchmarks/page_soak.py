"""Whether a page of 40 beds stays as light as it was: memory, nodes and frame times over five minutes in Chromium.

The web part is that of `pages`: every bed is given five vitals once a second, and alerts come and go.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import shutil
from typing import Any, NamedTuple

from playwright.async_api import async_playwright

from benchmarks.pages import serve
from benchmarks.table import Table, quantile

_BEDS = 40
_MINUTES = 5
_MINUTE = 60.0
_SETTLE = 20.0
_COLLECTIONS = 3
"""What one finds to be rubbish is gone only after the next."""
_GROWTH = 1.1
"""Of memory from the first minute to the last."""
_FRAMES = """
window.frames_ = [];
let last = performance.now();
const step = (now) => { window.frames_.push(now - last); last = now; requestAnimationFrame(step); };
requestAnimationFrame(step);
"""


class _Minute(NamedTuple):
    heap: float
    nodes: float
    listeners: float
    busy: float
    """Seconds of work of the page's main thread."""
    frames: list[float]
    """Milliseconds between two frames, in rising order."""


def measure() -> Table:
    """A line for each minute."""
    table = Table(
        f"Page soak: {_BEDS} beds at 1 Hz in Chromium (1920 x 1080), minute by minute",
        f"memory of the last minute within {_GROWTH:g} times that of the first, and no more nodes",
        ("minute", "heap MB", "nodes", "listeners", "main thread %", "frame p50 ms", "frame p99 ms"),
        notes=["The heap is taken after its rubbish was cleared away. Frames are those of a browser without a screen."],
    )
    minutes = asyncio.run(_case())
    for number, it in enumerate(minutes, start=1):
        p50, p99 = (quantile(it.frames, share) for share in (0.5, 0.99))
        figures = (f"{it.heap / 1e6:.1f}", f"{it.nodes:.0f}", f"{it.listeners:.0f}", f"{it.busy / _MINUTE * 100:.0f}")
        table.rows.append((str(number), *figures, f"{p50:.1f}", f"{p99:.1f}"))
        table.raw.append({"minute": number, "heap": it.heap, "nodes": it.nodes, "busy": it.busy})
    first, last = minutes[0], minutes[-1]
    if last.heap > _GROWTH * first.heap:
        table.missed.append(f"memory grew from {first.heap / 1e6:.1f} to {last.heap / 1e6:.1f} MB")
    if last.nodes > _GROWTH * first.nodes:
        table.missed.append(f"nodes grew from {first.nodes:.0f} to {last.nodes:.0f}")
    return table


async def _case() -> list[_Minute]:
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(_BEDS, theirs), daemon=True)
    server.start()
    try:
        port: int = ours.recv()
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            page = await browser.new_page(viewport={"width": 1920, "height": 1080})
            await page.goto(f"http://127.0.0.1:{port}/")
            await page.locator("#wall .tile").nth(_BEDS - 1).wait_for()
            session = await page.context.new_cdp_session(page)
            await session.send("Performance.enable")
            await page.evaluate(_FRAMES)
            await asyncio.sleep(_SETTLE)
            minutes = []
            before = await _metrics(session)
            for _ in range(_MINUTES):
                await page.evaluate("window.frames_ = []")
                await asyncio.sleep(_MINUTE)
                frames: list[float] = await page.evaluate("window.frames_")
                await page.evaluate("window.frames_ = []")
                for _ in range(_COLLECTIONS):
                    await session.send("HeapProfiler.collectGarbage")
                now = await _metrics(session)
                busy = now["TaskDuration"] - before["TaskDuration"]
                minutes.append(
                    _Minute(now["JSHeapUsedSize"], now["Nodes"], now["JSEventListeners"], busy, sorted(frames))
                )
                before = now
            await browser.close()
            return minutes
    finally:
        server.terminate()
        server.join()


async def _metrics(session: Any) -> dict[str, float]:
    answer = await session.send("Performance.getMetrics")
    return {it["name"]: it["value"] for it in answer["metrics"]}
