"""The wall on every screen: all of it used, nothing cut off, the digits as large as can be, on light and dark."""

import re

import pytest
from playwright.async_api import expect

from drivers.events import Cause, LinkState, measured
from monitor.alerts.conditions import AlertState, Priority
from monitor.alerts.signals import Activation
from tests.monitor.page.wall_clinic import Clinic, open_page, tile

SHAPES = [
    # beds, width, height, least font size of the smallest big numeric
    (1, 1920, 1080, 150),
    (2, 1920, 1080, 100),
    (6, 1920, 1080, 70),
    (12, 1920, 1080, 40),
    (40, 1920, 1080, 20),
    (12, 3840, 2160, 80),
    (4, 1280, 720, 35),
    (6, 1024, 768, 35),
    (2, 390, 844, 35),
    (3, 820, 1180, 45),
]
SPILT = """() => [...document.querySelectorAll(
    ".tile, .head, .area, .numerics, .numeric, .value, .label, .alert, .inhibition, .device")]
  .filter((it) => getComputedStyle(it).display !== "contents" && (it.scrollWidth > it.clientWidth + 1
    || it.matches(".tile, .area") && it.scrollHeight > it.clientHeight + 1))
  .map((it) => [it.className, it.textContent])"""
SMALLEST = """() => Math.min(...[...document.querySelectorAll(".numerics .numeric")]
  .map((it) => Number.parseFloat(getComputedStyle(it).fontSize)))"""


@pytest.mark.parametrize(("beds", "width", "height", "size"), SHAPES)
async def test_nothing_is_cut_off_or_spilt_and_a_wall_needs_no_scrolling(browser, beds, width, height, size):
    async with Clinic(beds) as clinic:
        for bed in clinic.beds:
            visit = {"reference": "KE-0412", "phase": "infusion", "state": "running", "running": True}
            visit |= {"planned_minutes": 40, "elapsed_s": 1234.0, "overrun_s": 0.0}
            limits = {"pulse_rate": {"low": 50, "high": 120}, "spo2": {"low": 90, "high": None}}
            cuff = {"every_min": 5, "due_s": 130.0}
            clinic.show(bed.id, session=visit, cuff=cuff, limits=limits)
            for device in bed.devices:
                clinic.hub.link_changed(bed.id, device.id, LinkState.RECEIVING, "", clinic.clock.now_ns())
            clinic.give(bed.id, "oximeter" if bed.id != "chair-2" else "monitor", spo2=100)
            clinic.give(bed.id, "cuff", nibp_sys=221, nibp_dia=127, nibp_mean=166)
        clinic.give("chair-1", "oximeter", pulse_rate=188)
        now = clinic.clock.now_ns()
        doubtful = "chair-1" if beds == 2 else f"chair-{beds}"
        clinic.hub.receive(doubtful, "oximeter", [measured("spo2", 100, now, now, (Cause.ARTIFACT,))])
        clinic.alert("chair-1", "a", Priority.HIGH, "SpO₂ 86 < 90", "spo2")
        text = "NIBP sys 221 > 180"
        clinic.alert("chair-1", "b", Priority.MEDIUM, text, "nibp_sys", AlertState.ACKNOWLEDGED, actor="anna")
        moment = clinic.clock.monotonic()
        clinic.signals("chair-1", Activation(AlertState.PAUSED, moment + 120, moment, "anna"))
        page, _ = await open_page(browser, clinic, viewport={"width": width, "height": height})
        await expect(page.locator(".tile")).to_have_count(beds)
        await expect(tile(page, "chair-1").locator(".alert")).to_have_count(2)
        assert await page.evaluate(SPILT) == []
        assert await page.evaluate("document.documentElement.scrollWidth") == width
        assert await page.evaluate(SMALLEST) >= size
        if width > 600:
            assert await page.evaluate("document.documentElement.scrollHeight") == height


async def test_a_small_tile_leaves_out_the_trend_and_devices_that_work_and_nothing_else(browser):
    async with Clinic(1) as clinic:
        clinic.give("chair-1", "oximeter", spo2=97, pulse_rate=64)
        page, _ = await open_page(browser, clinic, viewport={"width": 1200, "height": 900})
        chair = tile(page, "chair-1")
        await expect(chair.locator("canvas")).to_be_visible()
        await page.set_viewport_size({"width": 700, "height": 260})
        await expect(chair.locator("canvas")).to_be_hidden()
        await expect(page.locator("#wall")).to_have_attribute("data-density", re.compile("compact|dense"))
        await expect(chair.locator(".numerics .main").first).to_be_visible()
        await expect(chair.locator(".device").last).to_be_visible(), "it does not give anything yet"


CONTRAST = """() => {
  const light = (colour) => {
    const one = new OffscreenCanvas(1, 1).getContext("2d");
    one.fillStyle = colour;
    one.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...one.getImageData(0, 0, 1, 1).data].map((it) => it / 255)
      .map((it) => (it <= 0.03928 ? it / 12.92 : ((it + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (node) => {
    const colour = getComputedStyle(node).backgroundColor;
    return colour === "rgba(0, 0, 0, 0)" ? ground(node.parentElement) : colour;
  };
  const low = [];
  for (const it of document.querySelectorAll(".tile :is(h2, .reference, .phase, .name, .unit, .limits, .age, .due, "
    + ".main, .extra, .note, .text, .said, .action, .device), footer p")) {
    if (it.textContent === "" || it.getClientRects().length === 0) continue;
    const [a, b] = [light(getComputedStyle(it).color), light(ground(it))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) low.push([it.className, it.textContent, ratio]);
  }
  return low;
}"""


@pytest.mark.parametrize("system", ["dark", "light"])
async def test_all_can_be_read_on_light_and_on_dark_whatever_the_system_prefers(browser, system):
    async with Clinic(3) as clinic:
        clinic.give("chair-1", "oximeter", spo2=97, pulse_rate=64)
        clinic.give("chair-2", "monitor", heart_rate=72, spo2=98, temp=36.8, resp_rate=None)
        clinic.give("chair-1", "cuff", nibp_sys=121, nibp_dia=75, nibp_mean=92)
        clinic.give("chair-3", "cuff", ago=700, nibp_sys=121, nibp_dia=75, nibp_mean=92)
        clinic.alert("chair-1", "a", Priority.HIGH, "SpO₂ 86 < 90", "spo2")
        clinic.alert("chair-2", "b", Priority.MEDIUM, "HR 131 > 120", "heart_rate")
        clinic.alert("chair-2", "c", Priority.LOW, "no NIBP", "nibp_sys")
        clinic.alert(
            "chair-3", "d", Priority.MEDIUM, "PR 131 > 120", "pulse_rate", AlertState.ACKNOWLEDGED, actor="Ben"
        )
        page, _ = await open_page(browser, clinic, color_scheme=system)
        await expect(page.locator(".alert")).to_have_count(7)
        grounds = set()
        for theme in ("", "light", "dark"):
            await page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
            assert await page.evaluate(CONTRAST) == []
            grounds.add(await page.evaluate("getComputedStyle(document.documentElement).backgroundColor"))
        assert len(grounds) == 2
