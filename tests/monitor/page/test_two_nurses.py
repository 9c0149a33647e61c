"""Two nurses with accounts, each at a page of her own."""

from __future__ import annotations

from playwright.async_api import Browser, Page, expect

from monitor.accounts.people import Role
from monitor.storage.history import History
from tests.monitor.page.chair_clinic import ChairClinic, chair_clinic

PASSWORD = "four words of one nurse"


async def logged_in(browser: Browser, clinic: ChairClinic, login: str) -> Page:
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(clinic.address)
    await page.get_by_label("Login").fill(login)
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_role("button", name="Log in", exact=True).click()
    await expect(page.locator("#connection")).to_have_text("Live")
    return page


async def test_one_acknowledges_and_both_see_who(browser, tmp_path):
    async with chair_clinic(tmp_path) as clinic, clinic.measuring(spo2=82, pulse_rate=70):
        for login, name, role in (
            ("root", "Admin", Role.ADMIN), ("anna", "Anna Berg", Role.NURSE), ("ben", "Ben Ort", Role.NURSE)
        ):  # fmt: skip
            await clinic.station.accounts.add_user(login, name, role, PASSWORD, by="test")
        anna, ben = await logged_in(browser, clinic, "anna"), await logged_in(browser, clinic, "ben")
        for page in (anna, ben):
            await expect(page.locator("#chair .alert").first).to_contain_text("SpO₂ 82 < 90")
        await anna.get_by_role("button", name="Acknowledge SpO₂ 82 < 90").click()
        for page in (anna, ben):
            await expect(page.locator("#chair .alert").first).to_contain_text("seen by Anna Berg")
        await anna.context.close()
        await ben.context.close()
    [row] = [it for it in History(tmp_path / "data").audit() if it.action == "alert acknowledge"]
    assert (row.actor, row.origin, row.old, row.new) == ("anna", "127.0.0.1 (session)", "on", "acknowledged")
