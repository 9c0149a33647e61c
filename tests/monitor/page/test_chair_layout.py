"""The chair page on a desk, a tablet and a phone: what is needed at once is in sight, and nothing is spilt."""

import pytest
from playwright.async_api import expect

from tests.monitor.page.chair_clinic import button, chair_clinic, open_chair

LONG = "The chair at the corridor's end, window"
ESSENTIALS = [
    ".vitals",
    ".standing .see",
    ".step[data-step=stop]",
    ".touch[data-event=nausea]",
    ".plot[data-plot=pressure]",
]
SPILT = """() => [...document.querySelectorAll("#chair :is(.panel, button, .numeric, .alert, .row, .entry, .line)")]
  .filter((it) => it.offsetParent !== null && it.scrollWidth > it.clientWidth + 1)
  .map((it) => [it.className, it.textContent.slice(0, 60)])"""
SMALL = """() => [...document.querySelectorAll("#chair .panel button")]
  .filter((it) => it.offsetParent !== null && (it.offsetHeight < 30 || it.offsetWidth < 30))
  .map((it) => it.textContent)"""


async def shown(clinic, browser, width, height):
    await clinic.running()
    await clinic.do("note", session="chair-1", text="x" * 300)
    clinic.give(spo2=82, pulse_rate=188)
    clinic.give("cuff", nibp_sys=221, nibp_dia=127, nibp_mean=166)
    page, _ = await open_chair(browser, clinic.address, viewport={"width": width, "height": height})
    await expect(page.locator(".standing")).to_have_count(2)
    await expect(page.locator(".plot[data-plot=pressure] canvas")).to_be_visible()
    return page


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1280, 800), (1024, 768), (390, 844)])
async def test_nothing_is_spilt_and_every_button_can_be_hit(browser, tmp_path, width, height):
    async with chair_clinic(tmp_path, label=LONG) as clinic:
        page = await shown(clinic, browser, width, height)
        assert await page.evaluate("document.documentElement.scrollWidth") == width
        assert await page.evaluate(SPILT) == []
        assert await page.evaluate(SMALL) == []
        if width >= 1280:
            for essential in ESSENTIALS:
                box = await page.locator(f"#chair {essential}").first.bounding_box()
                assert box["y"] + box["height"] <= height, f"{essential} is below the fold"


async def test_the_way_back_leads_to_the_wall_and_again_to_the_chair(browser, tmp_path):
    async with chair_clinic(tmp_path) as clinic:
        clinic.give(spo2=97)
        page, said = await open_chair(browser, clinic.address)
        await expect(page.locator("#wall")).to_be_hidden()
        await expect(page.locator(".chair-head h2")).to_be_focused()
        await page.get_by_role("link", name="All beds").click()
        await expect(page.locator("#chair")).to_be_hidden()
        await page.get_by_role("link", name="Chair 1").click()
        await expect(page.locator(".vitals [data-key=spo2] .main")).to_have_text("97")
        await expect(button(page, "Open session")).to_be_enabled()
        await page.goto(clinic.address.replace("chair-1", "nowhere"))
        await expect(page.locator("#chair .missing")).to_have_text("There is no bed nowhere at this station.")
        assert said == []
