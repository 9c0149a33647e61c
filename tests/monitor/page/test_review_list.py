"""The list of all sessions: what it says of each, search and filters, and the ways there and back."""

import re

from playwright.async_api import expect

from drivers.clock import NS
from tests.monitor.page.review_clinic import EARLY, drawn, review_clinic


def rows(page):
    return page.locator("#reviews tbody tr")


def ids(page):
    return rows(page).evaluate_all("(all) => all.map((it) => it.dataset.session)")


async def test_sessions_are_found_told_and_opened(browser, tmp_path, filled):
    async with review_clinic(tmp_path, filled) as clinic:
        await clinic.do("open", bed="chair-2", reference="P-020")
        said: list[str] = []
        page = await clinic.open(browser, "/", said)
        await page.get_by_role("link", name="Review", exact=True).click()
        await expect(rows(page)).to_have_count(4)
        assert (await ids(page))[1:] == ["other", "late", "early"], "the newest first"
        await expect(rows(page).first).to_contain_text("Open: Check-in")
        late = rows(page).nth(2)
        for told in ("P-017", "late", "Chair 1", "2026", "40 min", "Closed, not signed"):
            await expect(late).to_contain_text(told)
        search = page.get_by_label("Reference or id")
        await search.fill("p-017")
        await expect(rows(page)).to_have_count(2)
        await search.fill("earl")
        await expect(rows(page)).to_have_count(1)
        await search.fill("<b>")
        await expect(page.get_by_text("No session is like that.")).to_be_visible()
        await search.fill("")
        await page.get_by_label("State", exact=True).select_option("open")
        await expect(rows(page)).to_have_count(1)
        await page.get_by_label("State", exact=True).select_option("")
        await page.get_by_label("Bed", exact=True).select_option("chair-2")
        await expect(rows(page)).to_have_count(1)
        await page.get_by_label("Bed", exact=True).select_option("")
        day = await page.evaluate(
            "(ms) => new Date(ms - new Date(ms).getTimezoneOffset() * 60000).toISOString().slice(0, 10)",
            EARLY // NS * 1000,
        )
        await page.get_by_label("To day").fill(day)
        await expect(rows(page)).to_have_attribute("data-session", "early")
        await page.get_by_label("To day").fill("")
        await page.get_by_role("link", name="P-018").click()
        await expect(page).to_have_url(re.compile("/review/other$"))
        await expect(page.locator("#review h2")).to_have_text("P-018")
        await expect(page.locator("#wall, #chair, #reviews")).to_have_count(3)
        assert await page.locator("#wall, #chair, #reviews").evaluate_all("(all) => all.every((it) => it.hidden)")
        await page.go_back()
        await expect(rows(page)).to_have_count(4)
        assert said == []


async def test_more_are_shown_when_wanted(browser, tmp_path, filled):
    async with review_clinic(tmp_path, filled, more=49) as clinic:
        page = await clinic.open(browser, "/review", live=False)
        await expect(rows(page)).to_have_count(50)
        await page.get_by_role("button", name="More").click()
        await expect(rows(page)).to_have_count(52)
        await expect(page.get_by_role("button", name="More")).to_be_hidden()
        assert len(set(await ids(page))) == 52


async def test_the_past_is_not_covered_when_the_connection_is_lost_and_an_open_chart_says_how_old_it_is(
    browser, tmp_path, filled
):
    async with review_clinic(tmp_path, filled) as clinic:
        await clinic.do("open", bed="chair-2", reference="P-020")
        page = await clinic.open(browser, "/review/late")
        await drawn(page)
        await expect(page.locator(".as-of")).to_be_hidden()
        await page.evaluate("async () => (await import('/static/cover.js')).raise(Date.now())")
        await expect(page.locator("#not-live")).to_be_hidden()
        await expect(page.locator(".review-chart svg .cuff").first).to_be_visible()
        await page.goto(clinic.address + "/beds/chair-2")
        await page.get_by_role("link", name="Review this session").click()
        await expect(page.locator(".as-of")).to_have_text(re.compile(r"^As of \d\d:\d\d:\d\d. This page is not live"))
        await expect(page.get_by_role("button", name="Sign")).to_be_hidden()
        await page.goto(clinic.address + "/review/nobody")
        await expect(page.get_by_text("There is no session nobody at this station.")).to_be_visible()
