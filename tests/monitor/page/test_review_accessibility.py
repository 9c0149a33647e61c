"""What axe-core finds on the review pages, that they fit on every screen, and their use with the keyboard alone."""

import pytest
from playwright.async_api import expect

from tests.monitor.page.review_clinic import drawn, review_clinic
from tests.monitor.page.test_accessibility import found, press


@pytest.mark.parametrize("colours", ["dark", "light"])
async def test_axe_finds_nothing_serious(browser, tmp_path, filled, colours):
    async with review_clinic(tmp_path, filled) as clinic:
        page = await clinic.open(browser, "/review", color_scheme=colours)
        await expect(page.locator("#reviews tbody tr")).to_have_count(3)
        assert await found(page) == []
        await page.get_by_role("link", name="P-017").first.click()
        await drawn(page)
        await page.get_by_label("Compare with an earlier session").select_option("early")
        await expect(page.locator(".compare svg .cuff").first).to_be_attached()
        await page.get_by_text("Report and exports").click()
        assert await found(page) == []


async def test_a_session_is_found_and_signed_with_the_keyboard_alone(browser, tmp_path, filled):
    async with review_clinic(tmp_path, filled) as clinic:
        page = await clinic.open(browser, "/review")
        link = page.get_by_role("link", name="P-017").first
        await expect(link).to_be_visible()
        for _ in range(30):
            if await link.evaluate("it => it === document.activeElement"):
                break
            await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await drawn(page)
        await press(page, "Sign…")
        await expect(page.get_by_role("dialog")).to_be_visible()
        await page.keyboard.press("Enter")
        await expect(page.locator(".review-head .state")).to_have_text("✓ Signed")


async def test_nothing_is_wider_than_the_screen(browser, tmp_path, filled):
    async with review_clinic(tmp_path, filled) as clinic:
        page = await clinic.open(browser, "/review")
        for width, height in ((1920, 1080), (1280, 800), (390, 844)):
            await page.set_viewport_size({"width": width, "height": height})
            await expect(page.locator("#reviews tbody tr")).to_have_count(3)
            assert await page.evaluate("document.documentElement.scrollWidth") == width
            await page.get_by_role("link", name="P-017").first.click()
            await drawn(page)
            drawing = page.locator(".review-chart .drawing")
            await expect(drawing.locator("svg")).to_have_attribute(
                "width", str(await drawing.evaluate("(it) => it.clientWidth"))
            )
            assert await page.evaluate("document.documentElement.scrollWidth") == width
            await page.go_back()
