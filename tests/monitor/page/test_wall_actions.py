"""What can be done from the wall: alerts acknowledged, audio paused, a chair opened; with a real station behind it."""

import re

from playwright.async_api import expect

from tests.monitor.page.chair_clinic import NAMED, button, chair_clinic
from tests.monitor.page.fake_station import ANNA
from tests.monitor.page.wall_clinic import tile

CALLING = {"spo2": 86, "pulse_rate": 131}
SMALL = """() => [...document.querySelectorAll(".tile :is(button, h2 a)")].filter((it) => {
  const { width, height } = (it.matches("a") ? it.closest(".head") : it).getBoundingClientRect();
  return width < 44 || height < 44;
}).map((it) => [it.className, it.textContent, it.getBoundingClientRect().toJSON()])"""


async def wall(browser, clinic, **options):
    """The wall of a clinic whose chair 1 calls, for somebody whose name is known."""
    page = await browser.new_page(**options)
    await page.add_init_script(NAMED)
    await page.goto(clinic.station.page.address)
    chair = tile(page, "chair-1")
    await expect(chair.locator(".alert .text")).to_have_text([re.compile("SpO₂ 86 < 90"), re.compile("PR 131 > 120")])
    # Who may do something is known a moment after what there is to see.
    await expect(button(chair, "Acknowledge")).to_be_visible()
    return page, chair


async def test_one_alert_is_acknowledged_or_all_are_and_each_says_by_whom(browser, tmp_path):
    async with chair_clinic(tmp_path) as clinic, clinic.measuring(**CALLING):
        _, chair = await wall(browser, clinic)
        await button(chair, "Acknowledge SpO₂ 86 < 90").click()
        await expect(chair.locator(".alert .said")).to_have_text(["✓ seen by Anna Berg", ""])
        await expect(chair).to_have_attribute("data-alert", "medium")
        await expect(button(chair, "Acknowledge SpO₂ 86 < 90")).to_have_count(0)
        await button(chair, "Acknowledge").click()
        await expect(chair.locator(".alert .said")).to_have_text(["✓ seen by Anna Berg"] * 2)
        await expect(chair).to_have_attribute("data-signal", "acknowledged")
        await expect(chair.get_by_role("button", name="Acknowledge")).to_have_count(0)


async def test_audio_is_paused_with_a_countdown_and_resumed(browser, tmp_path):
    async with chair_clinic(tmp_path) as clinic, clinic.measuring(**CALLING):
        _, chair = await wall(browser, clinic)
        await button(chair, "Pause audio").dblclick()
        await expect(chair.locator(".inhibition")).to_have_text(re.compile(r"^Audio paused \d:\d\d, by Anna Berg$"))
        await button(chair, "Resume audio").click()
        await expect(chair.locator(".inhibition")).to_have_count(0)
        await expect(button(chair, "Pause audio")).to_be_visible()


async def test_who_may_only_look_has_no_buttons(browser, tmp_path):
    async with chair_clinic(tmp_path) as clinic, clinic.measuring(**CALLING):
        page = await browser.new_page()
        await page.route("**/api/me", lambda route: route.fulfill(json=ANNA | {"role": "viewer", "csrf": "x"}))
        await page.goto(clinic.station.page.address)
        await expect(tile(page, "chair-1").locator(".alert")).to_have_count(2)
        await expect(page.locator("#who")).to_contain_text("Anna Berg")
        await expect(tile(page, "chair-1").get_by_role("button")).to_have_count(0)


async def test_what_could_not_be_done_is_said_in_the_tile_until_it_is(browser, tmp_path):
    async with chair_clinic(tmp_path) as clinic, clinic.measuring(**CALLING):
        page, chair = await wall(browser, clinic)
        refused = {"error": "refused", "text": "audio may be paused for 300 s at most"}
        await page.route("**/api/alerts", lambda route: route.fulfill(status=409, json=refused))
        await button(chair, "Pause audio").click()
        await expect(chair.get_by_role("alert")).to_have_text("audio may be paused for 300 s at most")
        await page.unroute("**/api/alerts")
        await page.route("**/api/alerts", lambda route: route.abort())
        await button(chair, "Acknowledge").click()
        await expect(chair.get_by_role("alert")).to_contain_text("did not answer")
        await expect(chair.locator(".alert .said")).to_have_text(["", ""])
        await page.unroute("**/api/alerts")
        await button(chair, "Acknowledge").click()
        await expect(chair.locator(".alert .said")).to_have_text(["✓ seen by Anna Berg"] * 2)
        await expect(chair.locator(".failed")).to_be_hidden()


async def test_everything_can_be_done_with_the_keyboard_and_the_focus_stays_on_the_bed(browser, tmp_path):
    async with chair_clinic(tmp_path) as clinic, clinic.measuring(**CALLING):
        page, chair = await wall(browser, clinic)
        title = chair.locator("h2 a")
        await title.focus()
        for name in ("Acknowledge SpO₂ 86 < 90", "Acknowledge PR 131 > 120", "Acknowledge"):
            await page.keyboard.press("Tab")
            await expect(button(chair, name)).to_be_focused()
        assert await button(chair, "Acknowledge").evaluate("(it) => getComputedStyle(it).outlineStyle") == "solid"
        await page.keyboard.press("Enter")
        await expect(chair.locator(".alert .said")).to_have_text(["✓ seen by Anna Berg"] * 2)
        await expect(title).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page).to_have_url(re.compile(r"/beds/chair-1$"))
        await expect(page.locator("#wall")).to_be_hidden()
        await page.keyboard.press("Escape")
        await expect(page.locator("#wall")).to_be_visible()
        await expect(title).to_be_focused()


async def test_a_finger_finds_everything(browser, tmp_path):
    async with chair_clinic(tmp_path) as clinic, clinic.measuring(**CALLING):
        for width, height in ((390, 844), (1024, 768)):
            page, chair = await wall(
                browser, clinic, viewport={"width": width, "height": height}, has_touch=True, is_mobile=True
            )
            await expect(button(chair, "Acknowledge SpO₂ 86 < 90")).to_be_visible()
            assert await page.evaluate(SMALL) == []
            await page.close()
