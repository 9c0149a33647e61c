"""Takes the pictures of the documents: real stations with simulated devices, seen in Chromium (`make screenshots`)."""

from __future__ import annotations

import argparse
import asyncio
import logging
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright, expect

from monitor.accounts.people import Role
from monitor.review.chart import build
from monitor.review.report import pdf
from monitor.review.report.content import Report
from monitor.review.source import JournalSource
from monitor.station import Station
from monitor.storage.history import LATEST
from monitor.storage.session_mark import mark_of
from scripts.demo_clinic import HOUR, NURSE, Chair, DemoClinic, Done, fall, visit
from simulators.patient import Episode

IMAGES = Path(__file__).parents[1] / "docs" / "images"
SECRET = "of a station that lasts a minute"  # noqa: S105 - as it says
PATIENCE = 120_000
"""Milliseconds that something is waited for: a busy machine must not decide."""
SETTLE = 12_000
"""Milliseconds in which every device has been heard."""


ITEMS = ("identity", "candidacy", "consent", "fasting", "escort", "allergies")
"""Of the checklist."""


def watched() -> list[Done]:
    """The visit of which the chair's page is shown."""
    return [
        *visit(407, -23),
        *((-30 + place / 4, {"verb": "check", "item": item, "answer": "yes"}) for place, item in enumerate(ITEMS)),
        (-22.8, {"verb": "note", "text": "ketamine 0.5 mg/kg in 40 min", "dose": True}),
        (-17, {"verb": "score", "scale": "moaas", "value": 5}),
        (-12.4, {"verb": "acknowledge"}),
        (-12, {"verb": "note", "event": "oxygen", "text": "2 l/min"}),
        (-11, {"verb": "note", "text": "Awake, says it is like floating. Calm."}),
        (-6, {"verb": "score", "scale": "moaas", "value": 4}),
        (-5, {"verb": "score", "scale": "dissociation", "value": 6}),
        (-2, {"verb": "note", "event": "nausea"}),
    ]


SEEN: list[Done] = [(at, {"verb": "acknowledge"}) for at in (-28, -23, -18, -13, -8, -3, -0.1)]
PAUSED = (-0.4, {"verb": "pause", "what": "audio", "seconds": 300.0})
FALLING = Chair(54, visit(409, -16), (fall(-75, 400, 15),), started=-16)
TWO = [Chair(46, visit(412, -23), started=-23), FALLING]
TWELVE = [
    Chair(56, watched(), (fall(-840, 120, 12), fall(-75, 400, 7.5)), started=-23, pleth=True),
    Chair(95, visit(388, -48, (-8, "stop"), (-7, "recovery")), started=-48),
    Chair(128),
    FALLING,
    Chair(147, visit(411, -9), (Episode(-45, HOUR, 10 * HOUR, probe_off=True),), started=-9),
    Chair(179, [*visit(405, -29), *SEEN], started=-29),
    Chair(191, visit(414, 1)[:2], monitor=True),
    Chair(220, [*visit(410, -13), PAUSED], (fall(-120, 400, 8),), started=-13),
    Chair(313, visit(408, -19), started=-19, monitor=True),
    Chair(228, visit(398, -35), started=-35),
    Chair(240, visit(402, -43.5), started=-43.5),
    Chair(241, visit(404, -26), (fall(-240, 120, 14),), started=-26),
]
"""The first is watched."""
REVIEWED = [
    Chair(
        56,
        [
            *visit(388, -50, (-10, "stop"), (-9.5, "recovery")),
            *(
                (-57.5 + place / 4, {"verb": "check", "item": item, "answer": "yes"})
                for place, item in enumerate(ITEMS)
            ),
            (-49.8, {"verb": "note", "text": "ketamine 0.5 mg/kg in 40 min", "dose": True}),
            (-41, {"verb": "score", "scale": "moaas", "value": 4}),
            (-35, {"verb": "acknowledge"}),
            (-34, {"verb": "note", "event": "oxygen", "text": "2 l/min"}),
            (-30, {"verb": "note", "text": "Awake, says it is like floating. Calm."}),
            (-20, {"verb": "score", "scale": "dissociation", "value": 6}),
            (-14, {"verb": "note", "event": "nausea"}),
            (-6, {"verb": "score", "scale": "moaas", "value": 5}),
            (-2, {"verb": "close", "reason": "went home with her sister"}),
        ],
        (fall(-2160, 180, 13), Episode(-1500, 40, 10 * HOUR, probe_off=True)),
        started=-50,
    )
]
"""One whose visit is over: to be reviewed."""
UNPLUGGED = ("chair-10", "cuff")
"""When the station runs."""
MORE = (10, 19, 26, 37, 61, 81, 86, 103, 110, 163, 168, 195, 196, 229, 252, 253, 258, 266, 271, 283, 288, 289, 293, 309)
FORTY = [
    *TWELVE,
    *(Chair(seed, visit(416 + it, -2 - it), started=-2 - it, monitor=it % 5 == 0) for it, seed in enumerate(MORE)),
    *(Chair(seed) for seed in (310, 329, 334, 350)),
]


@asynccontextmanager
async def wall(browser: Browser, chairs: Sequence[Chair], folder: Path, *, account: bool) -> AsyncIterator[Page]:
    """The wall of a clinic of these chairs, with sound; of somebody who has logged in, or who tries it out."""
    demo = DemoClinic(folder, chairs)
    await demo.play_past()
    async with demo.running() as station:
        page = await opened(browser, station, account=account)
        if UNPLUGGED in demo.endpoints:
            demo.endpoints[UNPLUGGED].unplug()
        yield page
        await page.close()


async def opened(browser: Browser, station: Station, *, account: bool) -> Page:
    """The page, when there is sound and every device has been heard."""
    page = await browser.new_page(color_scheme="dark")
    page.set_default_timeout(PATIENCE)
    await page.add_init_script(f"localStorage.setItem('who.name', '{NURSE}')")
    if account:
        await station.accounts.add_user("anna", NURSE, Role.REVIEWER, SECRET, by="demo")
    await page.goto(station.page.address)
    if account:
        # It names the station when it is ready to take a login.
        await expect(page.get_by_role("heading", name="demo-clinic")).to_be_visible()
        await page.get_by_label("Login").fill("anna")
        await page.get_by_label("Password", exact=True).fill(SECRET)
        await page.get_by_role("button", name="Log in").click()
    await expect(page.locator("#connection")).to_have_text("Live")
    await page.get_by_role("button", name="Sound on").click()
    await expect(page.locator("#sound")).to_have_attribute("data-state", "on")
    await page.wait_for_timeout(SETTLE)
    return page


async def look(page: Page, width: int, height: int, to: Path) -> None:
    """Take a picture of that size, with everything lit that flashes."""
    await page.set_viewport_size({"width": width, "height": height})
    # Until everything is where it belongs at this size, and drawn.
    await page.wait_for_timeout(3000)
    await page.screenshot(path=to, animations="disabled")


async def take(browser: Browser, out: Path, folder: Path) -> None:
    """Take all of them."""
    async with wall(browser, TWO, folder / "2", account=False) as page:
        await look(page, 1600, 900, out / "wall-2.png")
    async with wall(browser, TWELVE, folder / "12", account=True) as page:
        await look(page, 1920, 1080, out / "wall-12.png")
        await page.get_by_role("link", name="Chair 1", exact=True).click()
        await expect(page.locator(".entry-list .entry").first).to_be_visible()
        await look(page, 1440, 900, out / "chair.png")
        await look(page, 390, 844, out / "phone.png")
        await page.get_by_role("link", name="All beds").click()
        await page.emulate_media(color_scheme="light")
        await look(page, 1920, 1080, out / "wall-12-light.png")
    async with wall(browser, FORTY, folder / "40", account=True) as page:
        await look(page, 1920, 1080, out / "wall-40.png")
    async with wall(browser, REVIEWED, folder / "review", account=True) as page:
        await page.emulate_media(color_scheme="light")
        await page.get_by_role("link", name="Review").click()
        await page.get_by_role("link", name="KE-388").click()
        await expect(page.get_by_role("heading", name="KE-388")).to_be_visible()
        await look(page, 1440, 1000, out / "review.png")
    paper(folder / "review", out / "report.png")


def paper(data_dir: Path, to: Path) -> None:
    """The first page of the report of the one session there."""
    source = JournalSource(data_dir)
    [session] = source.sessions(0, LATEST)
    made = pdf.render(Report(build(source, session, 0), None, "demo-clinic", mark_of(data_dir, session)))
    to_png = ["pdftoppm", "-png", "-r", "100", "-f", "1", "-singlefile", "-", str(to.with_suffix(""))]
    subprocess.run(to_png, input=made, check=True)  # noqa: S603 - its words are those above


async def main(out: Path) -> None:
    """Take all pictures, into that folder. Raises SystemExit where there is no Chromium."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("there is no chromium on this machine")
    expect.set_options(timeout=PATIENCE)
    with tempfile.TemporaryDirectory() as folder:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            await take(browser, out, Path(folder))
            await browser.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=IMAGES, help="the folder, docs/images without it")
    to = parser.parse_args().out
    # Alerts are warnings, and there are to be some.
    logging.basicConfig(level=logging.ERROR)
    to.mkdir(parents=True, exist_ok=True)
    asyncio.run(main(to))
