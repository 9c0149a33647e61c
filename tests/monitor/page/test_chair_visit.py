"""A visit by the chair page alone, as somebody goes through it who has never seen it."""

import re

from playwright.async_api import expect

from tests.monitor.page.chair_clinic import button, chair_clinic, open_chair, recorded

CONFLICT = re.compile("status of 409")


async def opened(page):
    await button(page, "Open session").click()
    asked = page.get_by_role("dialog", name="Open a session on Chair 1")
    reference = asked.get_by_label("Reference")
    await expect(reference).to_be_focused()
    await reference.fill("Anna Miller")
    await button(asked, "Open session").click()
    assert await reference.evaluate("(it) => it.validity.patternMismatch"), "a name is no reference"
    await reference.fill("P-017")
    await button(asked, "Open session").click()
    # Nobody has logged in: who it is has to be said, once.
    name = page.get_by_role("dialog", name="Who are you?")
    await name.get_by_role("textbox").fill("Anna Berg")
    await button(name, "That is me").click()
    await expect(page.locator(".chair-head .state")).to_have_text("Check-in")
    await expect(page.locator(".chair-head .reference")).to_have_text("P-017")
    await expect(page.get_by_role("dialog")).to_have_count(0)


async def started(page):
    await button(page, "Begin baseline").click()
    await expect(page.locator(".chair-head .state")).to_have_text("Baseline")
    await button(page, "Yes Consent given").click()
    await expect(page.locator(".item", has_text="Consent given").locator(".found")).to_contain_text("yes (Anna Berg")
    asked = page.get_by_role("dialog", name="Start all the same?")
    await button(page, "Start infusion").click()
    await expect(asked.locator("li").first).to_have_text("Escort named")
    await page.keyboard.press("Escape")
    await expect(asked).to_have_count(0)
    await expect(page.locator(".chair-head .state")).to_have_text("Baseline")
    await button(page, "Start infusion").click()
    await button(asked, "Start all the same").click()
    await expect(page.locator(".chair-head .state")).to_have_text("Infusion running")
    await expect(page.locator(".chair-head .progress")).to_have_text(re.compile(r"^0:0\d of 40 min$"))
    await expect(page.locator(".steps .said")).to_contain_text("never controls a pump")


async def noted(page, clinic):
    await button(page, "Nausea").first.click()
    await expect(recorded(page)).to_have_text(re.compile(r"^Recorded \d\d:\d\d:\d\d: Nausea$"))
    await button(page, "Undo").click()
    await expect(page.locator(".entry[data-void] .was")).to_have_text("Nausea")
    await page.get_by_label("Happened").select_option("5 min ago")
    await button(page, "Oxygen given").click()
    entry = page.locator(".entry[data-kind=event]", has_text="Oxygen given")
    await expect(entry).to_contain_text("5 min late")
    await expect(page.get_by_label("Happened")).to_have_value("0")
    await button(page, "Dose…").click()
    await page.get_by_label("What was given").fill("ketamine 0.5 mg/kg in 40 min")
    await button(page, "Record dose").click()
    await expect(recorded(page)).to_contain_text("dose: ketamine 0.5 mg/kg in 40 min")
    await button(page, "MOAA/S 4").click()
    await expect(recorded(page)).to_contain_text("MOAA/S 4")
    await button(page, "CADSS").click()
    await page.get_by_label("CADSS, 0 to 92").last.fill("93")
    await button(page, "Record").click()
    await page.get_by_label("CADSS, 0 to 92").last.fill("12")
    await button(page, "Record").click()
    await expect(recorded(page)).to_contain_text("CADSS 12")
    assert clinic.entries()[-6:] == ["event", "correction", "event", "dose", "score", "score"]


async def limited(page, clinic):
    row = page.locator(".limit-list tr", has_text="SpO₂")
    await expect(row.locator(".number")).to_have_text("< 90 %")
    await row.get_by_role("button").first.click()
    asked = page.get_by_role("dialog", name="SpO₂: high alert below")
    await asked.get_by_label("Limit in %, 80 to 95").fill("79")
    await asked.get_by_label("Reason").fill("her usual is 91")
    await button(asked, "Set limit").click()
    await asked.get_by_label("Limit in %, 80 to 95").fill("88")
    await button(asked, "Set limit").click()
    await expect(row.locator(".number")).to_have_text("< 88 % · this session")
    session = clinic.station.desk.on_bed("chair-1")
    assert dict(session.limits) == {"spo2_low": 88}


async def alerted(page, values):
    values["spo2"] = 82
    alert = page.locator("#chair .standing")
    await expect(alert.locator(".text")).to_have_text("SpO₂ 82 < 88")
    await alert.get_by_role("button").click()
    await expect(alert.locator(".said")).to_have_text("✓ seen by Anna Berg")
    await expect(alert.get_by_role("button")).to_have_count(0)
    await button(page, "Pause audio 2:00").click()
    inhibition = page.locator("#chair .inhibition")
    await expect(inhibition).to_contain_text(re.compile(r"Audio paused 1:5\d, by Anna Berg"))
    await button(inhibition, "Resume").click()
    await expect(inhibition).to_have_count(0)
    await expect(page.locator(".alert-history .change").first).to_contain_text("Audio")
    values["spo2"] = 97


async def closed(page):
    await button(page, "Stop infusion").click()
    await button(page, "Begin recovery").click()
    await button(page, "Yes Escort is here").click()
    await expect(page.locator(".discharge .row", has_text="Escort is here")).to_have_attribute("data-state", "done")
    await button(page, "Close session").click()
    asked = page.get_by_role("dialog", name="Close all the same?")
    await expect(asked.locator("li").first).to_contain_text("At least 120 min")
    await button(asked, "Close session").click()
    await expect(asked).to_be_visible()
    await asked.get_by_label("Reason").fill("goes home with her sister")
    await button(asked, "Close session").click()
    await expect(page.locator(".chair-head .state")).to_have_text("No session")
    await expect(button(page, "Open session")).to_be_enabled()


async def test_a_newcomer_opens_starts_notes_acknowledges_and_closes(browser, tmp_path):
    async with chair_clinic(tmp_path) as clinic, clinic.measuring(spo2=97, pulse_rate=64) as values:
        page, said = await open_chair(browser, clinic.address, named=False)
        await opened(page)
        await started(page)
        await noted(page, clinic)
        await limited(page, clinic)
        await alerted(page, values)
        await closed(page)
        # That something was refused is what the browser may say.
        assert [it for it in said if not CONFLICT.search(it)] == []


async def test_what_was_closed_by_mistake_is_open_again(browser, tmp_path):
    async with chair_clinic(tmp_path) as clinic:
        await clinic.running()
        page, _ = await open_chair(browser, clinic.address)
        await button(page, "Stop infusion").click()
        await button(page, "Close session").click()
        asked = page.get_by_role("dialog", name="Close all the same?")
        await asked.get_by_label("Reason").fill("pressed by mistake")
        await button(asked, "Close session").click()
        await expect(page.locator(".chair-head .state")).to_have_text("No session")
        await button(page, "Undo").click()
        await expect(page.locator(".chair-head .state")).to_have_text("Infusion stopped")


async def test_what_was_written_can_be_corrected_and_stays_to_be_seen(browser, tmp_path):
    async with chair_clinic(tmp_path) as clinic:
        session = await clinic.running()
        await clinic.do("note", session=session, text="left arm")
        page, said = await open_chair(browser, clinic.address)
        note = page.locator(".entry[data-kind=note]")
        await button(page, "Correct entry 3: left arm").click()
        asked = page.get_by_role("dialog", name="Correct entry 3")
        await asked.get_by_label("Text").fill("right arm")
        await asked.get_by_label("Reason").fill("looked again")
        await button(asked, "Record correction").click()
        await expect(note.locator(".text")).to_have_text("right arm")
        await expect(note.locator("s")).to_contain_text("left arm")
        await button(page, "Make void entry 3: right arm").click()
        void = page.get_by_role("dialog", name="Make entry 3 void")
        await void.get_by_label("Reason").fill("another patient's")
        await button(void, "Make void").click()
        await expect(note.locator("s")).to_have_text("right arm")
        await expect(page.locator(".entry").first).to_contain_text("entry 3 is void: another patient's")
        await button(page, "Skip… Escort named").click()
        await page.get_by_role("dialog").get_by_label("Reason").fill("comes at eleven")
        await page.keyboard.press("Enter")
        await expect(page.locator(".item", has_text="Escort")).to_contain_text("skipped: comes at eleven (Anna Berg")
        assert said == []
