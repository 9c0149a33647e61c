"""Logging in, and where that leads."""

import re

import pytest
from playwright.async_api import expect

from tests.monitor.page.fake_station import PASSWORD, opened


async def login_page(browser, fake_station, query="", **options):
    fake_station.me = None
    page, said = await opened(browser, f"{fake_station.server.address}/login{query}", **options)
    await expect(page.get_by_role("heading")).to_have_text("clinic")
    return page, said


async def log_in(page, password=PASSWORD):
    await page.get_by_label("Login").fill("anna")
    await page.get_by_label("Password", exact=True).fill(password)
    await page.get_by_role("button", name="Log in").click()


async def test_a_login_leads_to_the_view_that_was_asked_for(browser, fake_station):
    page, said = await login_page(browser, fake_station, "?next=%2Fbeds%2Fchair-1")
    await log_in(page)
    await expect(page).to_have_url(fake_station.server.address + "/beds/chair-1")
    await expect(page.locator("#who")).to_contain_text("Anna Berg")
    assert fake_station.posted == [("/api/login", {"login": "anna", "password": PASSWORD})]
    assert said == []


LEADS = {
    "/": "/",
    "/beds/chair-1": "/beds/chair-1",
    "/beds/a%20b?x=1#y": "/beds/a%20b?x=1#y",
    "": "/",
    "beds": "/",
    "//evil.example": "/",
    "/\\evil.example": "/",
    "\\\\evil.example": "/",
    "/\t/evil.example": "/",
    "/.//evil.example": "/",
    "/x/..//evil.example": "/",
    "https://evil.example": "/",
    "https:evil.example": "/",
    "javascript:alert(1)": "/",
    "/login?next=/login": "/",
    "//[": "/",
}


async def test_no_link_to_the_login_leads_anywhere_but_to_this_site(browser, fake_station):
    page, _ = await login_page(browser, fake_station)
    script = "(texts) => import('/static/next.js').then((it) => texts.map(it.nextPath))"
    assert await page.evaluate(script, list(LEADS)) == list(LEADS.values())
    assert await page.evaluate("import('/static/next.js').then((it) => it.nextPath(null))") == "/"


async def test_what_went_wrong_is_said_in_words_and_the_login_stays_written(browser, fake_station):
    page, said = await login_page(browser, fake_station)
    problem = page.get_by_role("alert")
    await expect(problem).to_be_hidden()
    await log_in(page, "wrong")
    await expect(problem).to_have_text("Login or password is wrong.")
    await expect(page.get_by_label("Login")).to_have_value("anna")
    fake_station.login_answer = (429, {"error": "too_many", "text": "too many", "retry_after_s": 2})
    await log_in(page)
    await expect(problem).to_have_text(re.compile(r"Too many attempts\. Try again in [12] s\."))
    await expect(page.get_by_role("button", name="Log in")).to_be_disabled()
    await expect(page.get_by_role("button", name="Log in")).to_be_enabled()
    await expect(problem).to_be_hidden()
    fake_station.login_answer = (422, {"error": "invalid", "text": "login: too long"})
    await log_in(page)
    await expect(problem).to_have_text("login: too long")
    await page.route("**/api/login", lambda route: route.abort())
    await log_in(page)
    await expect(problem).to_contain_text("The station cannot be reached. Nothing is wrong with your password")
    assert said == []


async def test_a_password_can_be_looked_at_and_is_offered_to_password_managers(browser, fake_station):
    page, _ = await login_page(browser, fake_station)
    field = page.get_by_label("Password", exact=True)
    await field.fill("secret")
    await expect(field).to_have_attribute("type", "password")
    await page.get_by_role("button", name="Show").click()
    await expect(field).to_have_attribute("type", "text")
    await page.get_by_role("button", name="Hide").click()
    await expect(field).to_have_attribute("type", "password")
    await expect(field).to_have_attribute("autocomplete", "current-password")
    await expect(page.get_by_label("Login")).to_have_attribute("autocomplete", "username")


async def test_the_organizations_own_login_is_offered_where_there_is_one(browser, fake_station):
    page, _ = await login_page(browser, fake_station)
    await expect(page.locator("#oidc")).to_be_hidden()
    fake_station.nobody["oidc"] = "Hospital login"
    page, _ = await login_page(browser, fake_station, "?next=/beds/chair-1")
    link = page.get_by_role("link", name="Hospital login")
    assert await link.get_attribute("href") == "/oidc/login?next=%2Fbeds%2Fchair-1"


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("oidc_refused", "You were not let in: you have no account here, or the login was refused."),
        ("oidc_unavailable", "That login cannot be reached at the moment. Try again later, or use a password."),
        ("oidc_expired", "That took too long. Try again."),
    ],
)
async def test_what_came_of_the_organizations_own_login_is_said(browser, fake_station, word, text):
    page, _ = await login_page(browser, fake_station, f"?error={word}")
    await expect(page.get_by_role("alert")).to_have_text(text)


@pytest.mark.parametrize("word", ["Call+0900-123", "constructor"])
async def test_nothing_else_in_an_address_is_ever_said(browser, fake_station, word):
    page, _ = await login_page(browser, fake_station, f"?error={word}")
    await expect(page.get_by_role("alert")).to_be_hidden()


async def test_without_accounts_there_is_nothing_to_log_in_to(browser, fake_station):
    page, _ = await opened(browser, fake_station.server.address + "/login?next=/beds/chair-1")
    await expect(page).to_have_url(fake_station.server.address + "/beds/chair-1")


@pytest.mark.parametrize("scheme", ["dark", "light"])
async def test_it_fits_a_phone_in_both_colours(browser, fake_station, scheme):
    page, _ = await login_page(browser, fake_station, viewport={"width": 320, "height": 568}, color_scheme=scheme)
    assert await page.evaluate("document.documentElement.scrollWidth") == 320
    ground = await page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert (ground == "rgb(8, 12, 17)") is (scheme == "dark")
