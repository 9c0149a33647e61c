"""Late notes, corrections and signatures on the review page, and the two versions of a chart that was changed."""

import re

from playwright.async_api import expect

from tests.monitor.page.review_clinic import drawn, review_clinic


def tool(page, name):
    return page.locator(".tools").get_by_role("button", name=name)


def status(page):
    return page.locator(".review-head .state")


async def answer(page, ok, **fields):
    question = page.get_by_role("dialog")
    for label, text in fields.items():
        await question.get_by_label(label.replace("_", " ")).fill(text)
    await question.get_by_role("button", name=ok, exact=True).click()
    await expect(question).to_be_hidden()


async def test_a_chart_is_signed_changed_shown_in_both_versions_and_signed_again(browser, tmp_path, filled):
    async with review_clinic(tmp_path, filled) as clinic:
        said: list[str] = []
        page = await clinic.open(browser, "/review/late", said)
        await drawn(page)
        await expect(status(page)).to_have_text("◐ Closed, not signed")
        await tool(page, "Sign…").click()
        question = page.get_by_role("dialog", name="Sign the chart of P-017")
        await expect(question).to_contain_text("8 entries, through entry 8")
        # Meanwhile somebody else writes a note: what was not seen is not signed.
        await clinic.do("note", session="late", text="quick")
        await question.get_by_role("button", name="Sign", exact=True).click()
        await expect(question.locator(".problem")).to_be_visible()
        await question.get_by_role("button", name="Cancel").click()
        await page.reload()
        await drawn(page)
        await tool(page, "Sign…").click()
        await answer(page, "Sign")
        await expect(status(page)).to_have_text("✓ Signed")
        await expect(page.locator(".signatures")).to_contain_text("Anna Berg")
        await expect(tool(page, "Sign")).to_be_hidden()

        await tool(page, "Late note…").click()
        await answer(page, "Record note", Note="went home by taxi")
        await expect(status(page)).to_have_text("✎ Changed since it was signed")
        banner = page.locator(".banner.amended")
        await expect(banner).to_contain_text("it needs a new signature")
        await expect(banner).to_contain_text("went home by taxi")
        await expect(page.locator(".review-entries .entry").filter(has_text="went home by taxi")).to_contain_text(
            "late"
        )

        correct = page.get_by_role("button", name=re.compile("^Correct entry 9"))
        await correct.click()
        await answer(page, "Record correction", Text="quick note", Reason="spelling")
        note = page.locator('.review-entries [data-number="9"]')
        await expect(note.locator(".text")).to_have_text("quick note")
        await expect(note.locator("s")).to_have_text("quick")

        await banner.get_by_role("button", name="As it was signed").click()
        await expect(page.locator("#review")).to_have_attribute("data-version", "signed")
        await expect(note.locator(".text")).to_have_text("quick")
        await expect(page.locator(".review-entries .entry").filter(has_text="taxi")).to_have_count(0)
        await expect(page).to_have_url(re.compile(r"\?version=signed$"))
        await expect(tool(page, "Sign again…")).to_be_hidden()
        await page.reload()
        await expect(page.locator("#review")).to_have_attribute("data-version", "signed")
        await banner.get_by_role("button", name="As it is now").click()
        await expect(page.locator(".review-entries .entry").filter(has_text="taxi")).to_have_count(1)
        await tool(page, "Sign again…").click()
        await answer(page, "Sign")
        await expect(status(page)).to_have_text("✓ Signed")
        await expect(banner).to_be_hidden()
        await expect(page.locator(".signatures tbody tr")).to_have_count(2)
        assert [it for it in said if "409" not in it] == []


async def test_a_viewer_only_looks_and_a_nurse_does_not_sign(browser, tmp_path, filled):
    async with review_clinic(tmp_path, filled) as clinic:
        for name, role in (("vera", "viewer"), ("nora", "nurse")):
            await clinic.station.accounts.add_user(name, name.title(), role, "a long enough one", by="test")
        for name, may_note in (("vera", False), ("nora", True)):
            page = await clinic.open(browser, "/review/late", live=False)
            await page.get_by_label("Login", exact=True).fill(name)
            await page.get_by_label("Password", exact=True).fill("a long enough one")
            await page.get_by_role("button", name="Log in").click()
            await expect(page).to_have_url(re.compile("/review/late$"))
            await drawn(page)
            await expect(page.locator("#who")).to_contain_text(name.title())
            await expect(tool(page, "Late note…")).to_be_visible(visible=may_note)
            await expect(page.get_by_role("button", name=re.compile("^Correct entry"))).to_have_count(7 * may_note)
            await expect(tool(page, "Sign")).to_be_hidden()
            await page.context.clear_cookies()
            await page.close()


async def test_report_and_exports_are_links_of_the_version_that_is_shown(browser, tmp_path, filled):
    async with review_clinic(tmp_path, filled) as clinic:
        page = await clinic.open(browser, "/review/late", live=False)
        await drawn(page)
        await page.get_by_text("Report and exports").click()
        report = page.get_by_role("link", name="Report (PDF)")
        await page.locator(".downloads").get_by_label("Language").select_option("de")
        await page.locator(".downloads").get_by_label("Paper").select_option("letter")
        expected = "/api/sessions/late/report.pdf?lang=de&paper=letter&version=now"
        await expect(report).to_have_attribute("href", expected)
        links = page.locator(".downloads a[download]")
        shown = await links.evaluate_all("(all) => all.map((it) => it.getAttribute('href').split('/').at(-1))")
        formats = ("csv", "parquet", "fhir", "hl7", "edf", "wfdb", "vital")
        assert shown[2:] == [f"{name}?version=now" for name in formats]
