"""What axe-core finds on the pages, and a whole visit with the keyboard alone."""

from __future__ import annotations

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from tests.monitor.page.chair_clinic import NAMED, chair_clinic, open_chair

_MATTERS = {"serious", "critical"}
"""Impacts, in axe's words."""


async def found(page: Page) -> list[str]:
    """What is wrong there that matters."""
    results = await Axe().run(page)
    return [
        f"{rule['id']}: {rule['help']}: {node['target']}"
        for rule in results.response["violations"]
        if rule["impact"] in _MATTERS
        for node in rule["nodes"]
    ]


@pytest.mark.parametrize("colours", ["dark", "light"])
async def test_axe_finds_nothing_serious(browser, tmp_path, colours):
    async with chair_clinic(tmp_path) as clinic, clinic.measuring(spo2=82, pulse_rate=130):
        clinic.give("cuff", nibp_sys=121, nibp_dia=75, nibp_mean=92)
        await clinic.running()
        page, _ = await open_chair(browser, clinic.address, color_scheme=colours)
        await expect(page.locator("#chair .alert").first).to_be_visible()
        assert await found(page) == []
        await page.get_by_role("button", name="Dose").click()
        await expect(page.get_by_role("dialog")).to_be_visible()
        assert await found(page) == []
        await page.keyboard.press("Escape")
        await page.goto(clinic.station.page.address)
        await expect(page.locator("#wall .alert").first).to_be_visible()
        assert await found(page) == []
        await clinic.station.accounts.add_user("anna", "Anna", "admin", "a long enough one", by="test")
        await page.goto(f"{clinic.station.page.address}/login")
        await expect(page.get_by_role("button", name="Log in")).to_be_visible()
        assert await found(page) == []


async def press(page: Page, name: str) -> None:
    """Reach a button by the Tab key, and press it."""
    target = page.get_by_role("button", name=name).first
    await expect(target).to_be_enabled()
    for _ in range(60):
        if await target.evaluate("it => it === document.activeElement"):
            await page.keyboard.press("Enter")
            return
        await page.keyboard.press("Tab")
    raise AssertionError(f"the Tab key does not lead to {name!r}")


async def test_an_infusion_is_begun_and_an_alert_acknowledged_with_the_keyboard_alone(browser, tmp_path):
    async with chair_clinic(tmp_path) as clinic, clinic.measuring(spo2=97, pulse_rate=70) as given:
        page = await browser.new_page()
        await page.add_init_script(NAMED)
        await page.goto(clinic.station.page.address)
        link = page.get_by_role("link", name="Chair 1")
        await expect(link).to_be_visible()
        for _ in range(30):
            if await link.evaluate("it => it === document.activeElement"):
                break
            await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await press(page, "Open session")
        await expect(page.get_by_role("dialog")).to_be_visible()
        await page.keyboard.type("P-1")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("dialog")).to_be_hidden()
        given["spo2"] = 82
        await expect(page.locator("#chair .alert").first).to_be_visible()
        await press(page, "Acknowledge SpO₂ 82 < 90")
        await expect(page.locator("#chair .alert").first).to_contain_text("seen by Anna Berg")
        await page.keyboard.press("Escape")
        await expect(page.locator("#wall")).to_be_visible()
