"""The page in the language of who reads it, and in English whenever its words do not come."""

from __future__ import annotations

import re
from functools import partial

from playwright.async_api import expect

from monitor.alerts.conditions import Priority
from monitor.words import LANGUAGES, catalogue
from tests.monitor.page.chair_clinic import button, chair_clinic, open_chair, recorded
from tests.monitor.page.fake_station import opened
from tests.monitor.page.test_accessibility import found
from tests.monitor.page.wall_clinic import Clinic

GERMAN = catalogue("page", "de")
WORDS = re.compile("/api/words/")
PATIENCE = 10_000


def root(page):
    return page.locator("html")


def chosen(page):
    return page.locator("#language select")


async def test_a_german_browser_has_the_wall_a_chair_and_the_login_in_german(browser, tmp_path):
    async with chair_clinic(tmp_path) as clinic, clinic.measuring(spo2=82, pulse_rate=70):
        page, said = await open_chair(browser, clinic.address, locale="de-DE", timezone_id="Europe/Berlin")
        await expect(root(page)).to_have_attribute("lang", "de")
        await button(page, "Sitzung eröffnen").click()
        await page.get_by_label("Referenz").fill("P-017")
        await button(page.get_by_role("dialog"), "Sitzung eröffnen").click()
        await expect(page.locator("#chair .state").first).to_have_text("Aufnahme")
        assert said == []
        alert = page.locator("#chair .alert").first
        # What the station told is recorded like that, and not translated.
        await expect(alert.locator(".text").first).to_have_text("SpO₂ 82 < 90")
        await expect(alert.locator(".text").first).to_have_attribute("lang", "en")
        await expect(alert.locator(".mark")).to_have_attribute("aria-label", "hohe Priorität, physiologisch")
        assert await found(page) == []
        await button(alert, "Quittieren: SpO₂ 82 < 90").click()
        await expect(alert).to_contain_text("✓ gesehen von Anna Berg")
        await page.get_by_role("link", name="Alle Plätze").click()
        await expect(page.locator("#wall .tile .session")).to_contain_text("Aufnahme")
        await expect(page.locator("footer")).to_contain_text(GERMAN["Records and alerts only."])
        await expect(page).to_have_title(re.compile("^SpO₂ 82 < 90 - Chair 1"))
        assert await found(page) == []
        await clinic.station.accounts.add_user("anna", "Anna", "admin", "a long enough one", by="test")
        await page.goto(f"{clinic.station.page.address}/login")
        await expect(page).to_have_title("Anmelden - clinic")
        await expect(page.get_by_label("Passwort")).to_be_visible()
        await page.get_by_label("Benutzername").fill("anna")
        await page.get_by_label("Passwort").fill("a wrong one")
        await button(page, "Anmelden").click()
        await expect(page.get_by_role("alert")).to_have_text("Benutzername oder Passwort ist falsch.")


async def test_no_in_any_language_leaves_an_item_of_the_checklist_open(browser, tmp_path):
    async with chair_clinic(tmp_path) as clinic, clinic.measuring(spo2=97):
        await clinic.do("open", bed="chair-1", reference="P-017")
        page, _ = await open_chair(browser, clinic.address, locale="de-DE")
        item = page.locator("#chair .item").first
        await item.get_by_role("button", name="Andere…").click()
        await page.get_by_label("Antwort").fill("Nein")
        await button(page.get_by_role("dialog"), "Antwort eintragen").click()
        await expect(recorded(page)).to_contain_text("Eingetragen")
        await expect(item).to_have_attribute("data-state", "bad")
        await expect(item.locator(".found")).to_have_text(re.compile(r"^nein \(Anna Berg, "))
        assert clinic.station.desk.on_bed("chair-1").entries[-1].content["answer"] == "no"


async def test_the_choice_is_remembered_in_this_browser(browser, fake_station):
    context = await browser.new_context(locale="en-GB")
    page = await context.new_page()
    await page.goto(fake_station.server.address)
    await expect(root(page)).to_have_attribute("lang", "en")
    await expect(chosen(page).locator("option")).to_have_text([language.upper() for language in LANGUAGES])
    await fulfilled(context)
    await chosen(page).select_option("fr")
    await expect(root(page)).to_have_attribute("lang", "fr")
    await expect(page.locator("#connection")).to_have_text("En direct")
    fake_station.me = None
    another = await context.new_page()
    await another.goto(f"{fake_station.server.address}/login")
    await expect(another.get_by_label("Mot de passe")).to_be_visible()
    await expect(chosen(another).locator("option")).to_have_text(list(LANGUAGES.values()))
    await chosen(another).select_option("English")
    await expect(another.get_by_label("Password")).to_be_visible()


async def fulfilled(context):
    """Have the words given that this station does not have."""

    async def give(route):
        await route.fulfill(json=dict(catalogue("page", route.request.url.rpartition("/")[2])))

    await context.route(WORDS, give)


async def test_of_the_browsers_languages_the_first_that_there_is_counts(browser, fake_station):
    fake_station.me = None
    for locale, language in (("es-MX", "es"), ("de-AT", "de"), ("it-IT", "en")):
        page, _ = await opened(browser, f"{fake_station.server.address}/login", locale=locale)
        await expect(root(page)).to_have_attribute("lang", language)
        assert await chosen(page).input_value() == language
        await page.close()


async def test_without_words_the_page_shows_and_sounds_alerts_in_english(browser, fake_station):
    page, said = await opened(browser, fake_station.server.address, locale="de-DE")
    await expect(page.locator("#connection")).to_have_text("Live")
    await page.get_by_role("button", name="Sound on").click()
    fake_station.give(spo2=80)
    fake_station.change = lambda told: told | {"beds": [bed | {"audible": "high"} for bed in told["beds"]]}
    await expect(page.locator("#sound")).to_have_attribute("data-sounding", "high")
    await expect(page.get_by_role("article")).to_contain_text("No session")
    assert said == []


async def test_words_that_do_not_come_are_not_waited_for(browser):
    async with Clinic() as clinic:
        clinic.alert("chair-1", "spo2_low", Priority.HIGH, "SpO₂ 80 < 90", "spo2")
        context = await browser.new_context(locale="de-DE")
        # Nothing is answered, as long as it is waited for.
        await context.route(WORDS, lambda _route: None)
        page = await context.new_page()
        await page.goto(clinic.server.address)
        await expect(page.locator("#wall .alert .text").first).to_have_text("SpO₂ 80 < 90", timeout=PATIENCE)
        await expect(page.locator("#wall .session").first).to_contain_text("No session")
        await context.unroute(WORDS)
        await page.reload()
        await expect(page.locator("#wall .session").first).to_contain_text("Keine Sitzung")
        # Those of an earlier time serve where the station does not give them.
        await context.route(WORDS, lambda route: route.abort())
        await page.reload()
        await expect(page.locator("#wall .session").first).to_contain_text("Keine Sitzung")
        await context.close()


async def fulfil(route, **answer):
    await route.fulfill(**answer)


async def test_words_are_text_and_nothing_else(browser):
    async with Clinic() as clinic:
        context = await browser.new_context(locale="fr-FR")
        evil = "<img src=x onerror=alert(1)>"
        await context.route(WORDS, partial(fulfil, json={"No session": evil, "Beds": evil}))
        page = await context.new_page()
        await page.goto(clinic.server.address)
        await expect(page.locator("#wall .session").first).to_contain_text(evil)
        await expect(page.locator("#wall")).to_have_attribute("aria-label", evil)
        assert await page.locator("img").count() == 0
        for told in ('["No session"]', '{"No session": 1}', "null", "no JSON"):
            await context.unroute(WORDS)
            await page.evaluate("localStorage.clear()")
            await context.route(WORDS, partial(fulfil, body=told))
            await page.reload()
            await expect(page.locator("#wall .session").first).to_contain_text("No session")
        await context.close()


async def test_the_wall_says_causes_priorities_and_links_in_french(browser):
    async with Clinic() as clinic, clinic.measuring(spo2=None, pulse_rate=70):
        page = await browser.new_page(locale="fr-FR")
        await page.goto(clinic.server.address)
        tile = page.locator("#bed-chair-1")
        await expect(tile.locator("[data-key=spo2] .note")).to_have_text("capteur retiré")
        await expect(tile.locator(".session")).to_contain_text("Pas de séance")
        await expect(page.locator("#sound")).to_contain_text("PAS DE SON sur cette page")
