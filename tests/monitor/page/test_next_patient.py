"""One patient leaves and the next sits down: nothing of the first is left on the page, or recorded for the second."""

import re

from playwright.async_api import expect

from tests.monitor.page.chair_clinic import button, chair_clinic, open_chair, recorded


async def next_patient(clinic, page, session):
    """Somebody at another page closes the session and opens the next."""
    await clinic.do("phase", session=session, step="stop", confirm=True)
    await clinic.do("close", session=session, reason="fetched early")
    await clinic.do("open", bed="chair-1", reference="P-018")
    await expect(page.locator(".chair-head .reference")).to_have_text("P-018")


async def test_nothing_of_the_patient_before_is_left(browser, tmp_path):
    async with chair_clinic(tmp_path) as clinic:
        session = await clinic.running()
        page, said = await open_chair(browser, clinic.address)
        await button(page, "Nausea").first.click()
        await expect(recorded(page)).to_contain_text("Nausea")
        await page.get_by_label("Happened").select_option("5 min ago")
        await button(page, "CADSS").click()
        begun = page.get_by_label("CADSS, 0 to 92").last
        await begun.fill("44")
        await button(page, "Dose…").click()
        await page.get_by_label("What was given").fill("for P-017")
        await next_patient(clinic, page, session)
        await expect(page.get_by_role("dialog")).to_have_count(0)
        await expect(page.get_by_label("Happened")).to_have_value("0")
        await expect(begun).to_have_value("")
        await expect(button(page, "Undo")).to_be_hidden()
        await expect(recorded(page)).to_contain_text("What you record is confirmed here")
        assert clinic.entries() == ["opened"]
        assert said == []


async def test_what_is_answered_late_says_whose_it_was(browser, tmp_path):
    async with chair_clinic(tmp_path) as clinic:
        session = await clinic.running()
        page, _ = await open_chair(browser, clinic.address)

        async def late(route):
            answer = await route.fetch()
            await next_patient(clinic, page, session)
            await route.fulfill(response=answer)

        await page.route("**/api/sessions", late)
        await button(page, "Nausea").first.click()
        await expect(recorded(page)).to_have_text(re.compile(r"^Recorded \S+ for P-017, who was here before: Nausea$"))
        assert clinic.entries() == ["opened"]


async def test_what_is_asked_about_a_chair_is_left_with_it(browser, tmp_path):
    async with chair_clinic(tmp_path) as clinic:
        page, _ = await open_chair(browser, clinic.station.page.address)
        await page.locator("#bed-chair-1 h2 a").click()
        await button(page, "Open session").click()
        await expect(page.get_by_role("dialog")).to_be_visible()
        await page.go_back()
        await expect(page.get_by_role("dialog")).to_have_count(0)
        await expect(page.locator("#wall")).to_be_visible()
