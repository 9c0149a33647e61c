"""The trends and the pleth of the chair page: real readings, drawn by the vendored charts under the page's rules."""

import re
import time

from playwright.async_api import expect

from drivers.clock import iso
from drivers.events import Cause, measured, missing
from tests.monitor.page.chair_clinic import button, chair_clinic, open_chair

NS = 10**9
INK = """(canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.some((it, index) => index % 4 === 3 && it > 0);
}"""


def past(clinic, minutes=10):
    """Readings of the last minutes: a saturation that fell for a moment, a gap of a minute, two cuff pressures."""
    now = time.time_ns()
    events = []
    for ago in range(minutes * 60, 0, -1):
        at = now - ago * NS
        if 240 < ago < 300:
            continue
        value = 71.0 if ago == 400 else 97.0
        events += [measured("spo2", value, at, at), measured("pulse_rate", 64.0, at, at)]
    events += [missing("spo2", now - it * NS, now - it * NS, Cause.SENSOR_OFF) for it in range(230, 220, -1)]
    clinic._bed.receive("oximeter", events, None)
    cuff = [
        measured(vital, value, now - ago * NS, now - ago * NS)
        for ago in (420, 120)
        for vital, value in (("nibp_sys", 121.0), ("nibp_dia", 75.0), ("nibp_mean", 92.0))
    ]
    clinic._bed.receive("cuff", cuff, None)


async def opened(browser, clinic, **options):
    page, said = await open_chair(browser, clinic.address, **options)
    await expect(page.locator(".plot")).to_have_count(3)
    await button(page, "10 min").click()
    await expect(button(page, "10 min")).to_have_attribute("aria-pressed", "true")
    return page, said


async def test_what_was_measured_is_drawn_and_can_be_read_pointed_at_and_zoomed(browser, tmp_path):
    async with chair_clinic(tmp_path) as clinic:
        past(clinic)
        await clinic.running()
        page, said = await opened(browser, clinic)
        await page.get_by_text("Values of this span as a table").click()
        spo2 = page.locator(".values tr", has_text="SpO₂")
        # The one second at 71 is there: nothing was averaged.
        await expect(spo2.locator("td").nth(1)).to_have_text(re.compile("^71 at "))
        await expect(spo2.locator("td").nth(3)).to_have_text(re.compile(r"^\d+ steps$"))
        await expect(page.locator(".lane .tick")).to_have_count(2)
        await expect(page.locator(".plot[data-plot=pressure] .plot-title")).to_have_text("NIBP mmHg")
        for plot in await page.locator(".plot canvas").all():
            assert await plot.evaluate(INK)
        area = await page.locator(".plot[data-plot=spo2] .u-over").bounding_box()
        middle = area["y"] + area["height"] / 2
        await page.mouse.move(area["x"] + area["width"] * 0.85, middle)
        read = page.locator(".trends .read")
        await expect(read).to_have_text(
            re.compile(r"^\d\d:\d\d:\d\d .*SpO₂ 97.*NIBP 121/75 mean 92 \(\d\d:\d\d:\d\d\)")
        )
        await page.mouse.move(area["x"] + area["width"] * 0.55, middle)
        # A gap has no value.
        await expect(read).not_to_contain_text("SpO₂ 97")
        await page.mouse.move(area["x"] + area["width"] * 0.3, middle)
        await page.mouse.down()
        await page.mouse.move(area["x"] + area["width"] * 0.4, middle, steps=4)
        await page.mouse.up()
        # From 420 s ago to 360 s ago: in all plots, and asked of the station in its own steps.
        await expect(page.locator(".values tr", has_text="PR").locator("td").nth(0)).to_have_text(re.compile("^64 at"))
        await expect(spo2.locator("td").nth(1)).to_have_text(re.compile("^71 at "))
        await expect(page.locator(".lane .tick")).to_have_count(0)
        await button(page, "Back to live").click()
        await expect(page.locator(".lane .tick")).to_have_count(2)
        assert said == []


async def test_the_trends_follow_and_are_worked_by_the_keyboard(browser, tmp_path):
    async with chair_clinic(tmp_path) as clinic:
        past(clinic, minutes=4)
        page, said = await opened(browser, clinic)
        await page.get_by_text("Values of this span as a table").click()
        last = page.locator(".values tr", has_text="PR").locator("td").first
        await expect(last).to_have_text(re.compile("^64 at"))
        clinic.give(pulse_rate=131)
        await expect(last).to_have_text(re.compile("^131 at"))
        await expect(page.locator(".lane .spell[data-kind=medium]")).to_have_count(1)
        await page.locator(".plots").focus()
        await page.keyboard.press("ArrowLeft")
        read = page.locator(".trends .read")
        await expect(read).to_have_text(re.compile(r"^\d\d:\d\d:\d\d"))
        first = await read.text_content()
        await page.keyboard.press("ArrowLeft")
        await expect(read).not_to_have_text(first)
        assert said == []


async def test_the_pleth_runs_while_it_comes_and_is_none_where_none_comes(browser, tmp_path):
    async with chair_clinic(tmp_path) as clinic:
        page, said = await open_chair(browser, clinic.address)
        pleth = page.locator(".pleth")
        await expect(pleth).to_have_attribute("data-state", "none")
        await expect(pleth.locator(".said")).to_have_text("no pleth")
        clinic.pulse(4)
        await expect(pleth).to_have_attribute("data-state", "live")
        assert await pleth.locator("canvas").evaluate(INK)
        await expect(pleth).to_have_attribute("data-state", "stopped", timeout=10_000)
        await expect(pleth.locator(".said")).to_have_text(re.compile(r"^stopped \d s ago$"))
        assert said == []


async def test_phases_of_the_session_are_those_that_the_station_tells(browser, tmp_path):
    async with chair_clinic(tmp_path) as clinic:
        past(clinic, minutes=4)
        session = (
            await clinic.do("open", bed="chair-1", reference="P-1", at=iso(time.time_ns() - 200 * NS))
        ).session.id
        await clinic.do("phase", session=session, step="start", at=iso(time.time_ns() - 100 * NS), confirm=True)
        page, _ = await opened(browser, clinic)
        area = page.locator(".plot[data-plot=spo2] canvas")
        # The ground is shaded from the start on, which is a sixth of the span from its end.
        shade = """(canvas) => [0.5, 0.95].map((part) => {
          const x = Math.round(44 + (canvas.width - 98) * part);
          return [...canvas.getContext("2d").getImageData(x, 20, 1, 1).data];
        })"""
        await expect(page.locator(".lane .tick")).to_have_count(2)
        before, after = await area.evaluate(shade)
        assert before != after
