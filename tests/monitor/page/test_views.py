"""The views of the page by their paths: links, the browser's own way back, and Esc."""

import re

from playwright.async_api import expect

from monitor.alerts.conditions import Priority
from tests.monitor.page.wall_clinic import Clinic, open_page, tile

WALL, CHAIR = re.compile(r"^http://[^/]+/$"), re.compile(r"/beds/chair-30$")


async def shows(page, path, *, wall):
    """Which view that is."""
    await expect(page).to_have_url(path)
    await expect(page.locator("#wall")).to_be_visible(visible=wall)
    await expect(page.locator("#chair")).to_be_visible(visible=not wall)


async def test_a_tile_leads_to_its_chair_and_every_way_leads_back(browser):
    async with Clinic(30) as clinic:
        page, said = await open_page(browser, clinic, viewport={"width": 600, "height": 800})
        requests = []
        page.on("request", lambda request: requests.append(request.resource_type))
        await tile(page, "chair-30").scroll_into_view_if_needed()
        scrolled = await page.evaluate("window.scrollY")
        assert scrolled > 0
        await tile(page, "chair-30").locator("h2 a").click()
        await shows(page, CHAIR, wall=False)
        assert await page.evaluate("window.scrollY") == 0
        await page.go_back()
        await shows(page, WALL, wall=True)
        assert await page.evaluate("window.scrollY") == scrolled
        await page.go_forward()
        await shows(page, CHAIR, wall=False)
        await page.keyboard.press("Escape")
        await shows(page, WALL, wall=True)
        assert "document" not in requests, "the page is never loaded anew"
        # This station has no details of its chairs.
        assert [it for it in said if "404" not in it] == []


async def test_the_review_pages_are_views_beside_the_wall_and_name_the_beds_that_call(browser):
    async with Clinic(2) as clinic:
        clinic.alert("chair-2", "a", Priority.HIGH, "SpO₂ 86 < 90", "spo2")
        page, _ = await open_page(browser, clinic)
        await page.get_by_role("link", name="Review", exact=True).click()
        await expect(page).to_have_url(re.compile("/review$"))
        await expect(page.get_by_role("heading", name="Review")).to_be_visible()
        await expect(page.locator("#wall")).to_be_hidden()
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("heading", name="Review")).to_be_visible()
        await page.locator("#standing a").click()
        await expect(page).to_have_url(re.compile("/beds/chair-2$"))
        await page.go_back()
        await page.go_back()
        await shows(page, WALL, wall=True)
        await expect(page.locator("#reviews")).to_be_hidden()


async def test_a_chairs_address_can_be_opened_and_loaded_again(browser):
    async with Clinic(30) as clinic:
        page = await browser.new_page()
        await page.goto(f"{clinic.server.address}/beds/chair-30")
        await shows(page, CHAIR, wall=False)
        await page.reload()
        await expect(page.locator("#connection")).to_have_text("Live")
        await shows(page, CHAIR, wall=False)


async def test_a_link_with_a_modifier_opens_a_tab_as_everywhere(browser):
    async with Clinic(30) as clinic:
        page, _ = await open_page(browser, clinic)
        async with page.context.expect_page() as opened:
            await tile(page, "chair-30").locator("h2 a").click(modifiers=["Control"])
        await shows(await opened.value, CHAIR, wall=False)
        await shows(page, WALL, wall=True)
