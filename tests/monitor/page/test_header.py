"""Who acts on the page, what its requests carry, its colours and the screen that stays on."""

import asyncio
import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import expect

from tests.monitor.page.fake_station import ANNA, opened

POST = """async (body) => {
  const api = await import("/static/api.js");
  try {
    return await api.post("/api/sessions", body);
  } catch (problem) {
    return [problem.name, problem.status ?? null, problem.word ?? null, problem.text];
  }
}"""
MAY = "async (role) => (await import('/static/who.js')).may(role)"


def who(page):
    return page.locator("#who")


async def test_without_accounts_who_acts_is_asked_once_and_can_be_changed(browser, fake_station):
    page, said = await opened(browser, fake_station.server.address)
    await expect(who(page)).to_contain_text("Trying out: no accounts, this computer only")
    asked = asyncio.create_task(page.evaluate(POST, {"verb": "open"}))
    question = page.get_by_role("dialog", name="Who are you?")
    await question.get_by_role("textbox").fill(" Ben ")
    await question.get_by_role("button", name="That is me").click()
    assert await asked == {"done": True}
    assert fake_station.posted == [("/api/sessions", {"verb": "open", "by": "Ben"})]
    await page.reload()
    assert await page.evaluate(POST, {"verb": "note"}) == {"done": True}
    assert fake_station.posted[-1] == ("/api/sessions", {"verb": "note", "by": "Ben"})
    await who(page).get_by_role("button", name="Ben").click()
    await question.get_by_role("textbox").fill("Cleo")
    await question.get_by_role("button", name="That is me").click()
    await page.evaluate(POST, {"verb": "note"})
    assert fake_station.posted[-1][1]["by"] == "Cleo"
    assert said == []


async def test_nothing_is_sent_when_no_name_is_given(browser, fake_station):
    page, _ = await opened(browser, fake_station.server.address)
    await expect(who(page)).to_contain_text("Trying out")
    asked = asyncio.create_task(page.evaluate(POST, {"verb": "open"}))
    await page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    assert await asked == ["Refused", 0, "cancelled", "Nothing was done: it needs a name."]
    assert fake_station.posted == []


async def test_who_is_logged_in_is_shown_with_the_role_and_named_by_the_station_alone(browser, fake_station):
    fake_station.me = dict(ANNA)
    page, said = await opened(browser, fake_station.server.address)
    await expect(who(page)).to_contain_text("Anna Berg")
    await expect(who(page).locator(".role")).to_have_text("nurse")
    assert [await page.evaluate(MAY, role) for role in ("viewer", "nurse", "reviewer", "admin")] == [
        True,
        True,
        False,
        False,
    ]
    assert await page.evaluate(POST, {"verb": "open"}) == {"done": True}
    assert fake_station.posted == [("/api/sessions", {"verb": "open"})]
    await who(page).get_by_role("button", name="Log out").click()
    await expect(page).to_have_url(fake_station.server.address + "/login")
    assert said == []


async def test_a_station_that_started_again_has_another_token_and_the_page_takes_it(browser, fake_station):
    fake_station.me = dict(ANNA)
    page, _ = await opened(browser, fake_station.server.address)
    await expect(who(page)).to_contain_text("Anna Berg")
    fake_station.csrf = "second"
    assert await page.evaluate(POST, {"verb": "open"}) == {"done": True}
    assert fake_station.posted == [("/api/sessions", {"verb": "open"})]


async def test_what_the_station_refuses_is_given_in_its_words_and_done_once(browser, fake_station):
    fake_station.me = dict(ANNA)
    page, _ = await opened(browser, fake_station.server.address)
    await expect(who(page)).to_contain_text("Anna Berg")
    fake_station.refusal = (409, {"error": "confirm", "text": "one is open", "open": ["x"]})
    assert await page.evaluate(POST, {"verb": "open"}) == ["Refused", 409, "confirm", "one is open"]
    fake_station.refusal = (403, {"error": "forbidden", "text": "this needs the role admin"})
    fake_station.asked.clear()
    assert await page.evaluate(POST, {"verb": "open"}) == ["Refused", 403, "forbidden", "this needs the role admin"]
    assert fake_station.asked.count(("POST", "/api/sessions")) == 1
    fake_station.refusal = (502, "<h1>Bad gateway</h1>")
    name, status, word, text = await page.evaluate(POST, {"verb": "open"})
    assert (name, status, word) == ("Refused", 502, "failed")
    assert "502" in text


async def test_a_station_that_does_not_answer_leaves_open_whether_it_was_done(browser, fake_station):
    fake_station.me = dict(ANNA)
    page, _ = await opened(browser, fake_station.server.address)
    await expect(who(page)).to_contain_text("Anna Berg")
    await page.route("**/api/sessions", lambda route: route.abort())
    name, _, _, text = await page.evaluate(POST, {"verb": "open"})
    assert name == "Unreachable"
    assert "Look whether it was done" in text


async def test_the_end_of_a_login_is_announced_with_a_way_to_stay(browser, fake_station):
    ends = datetime.now(UTC) + timedelta(minutes=7, seconds=10)
    fake_station.me = ANNA | {"expires_at": f"{ends:%Y-%m-%dT%H:%M:%SZ}"}
    page, _ = await opened(browser, fake_station.server.address + "/beds/chair-1")
    notice = page.locator("#notices .own-notice")
    await expect(notice).to_contain_text("Your login ends in 7 min.")
    link = notice.get_by_role("link", name="Log in again")
    assert await link.get_attribute("href") == "/login?next=%2Fbeds%2Fchair-1"
    fake_station.me = dict(ANNA)
    await page.evaluate("import('/static/api.js').then((api) => api.me())")
    await expect(notice).to_have_count(0)


async def test_the_colours_are_the_systems_until_others_are_chosen_and_then_from_the_first_moment(
    browser, fake_station
):
    page, _ = await opened(browser, fake_station.server.address, color_scheme="dark")
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    dark = await page.evaluate(ground)
    await page.emulate_media(color_scheme="light")
    light = await page.evaluate(ground)
    assert dark != light
    button = page.locator("#theme").get_by_role("button")
    await expect(button).to_have_text("Auto")
    await button.click()
    await button.click()
    await expect(button).to_have_text("Dark")
    assert await page.evaluate(ground) == dark
    await page.reload()
    await expect(button).to_have_text("Dark")
    assert await page.evaluate(ground) == dark


WAKE = """
  window.locks = [];
  Object.defineProperty(navigator, "wakeLock", { value: { request: async (what) => {
    if (window.refused) throw new DOMException("no", "NotAllowedError");
    const lock = new EventTarget();
    lock.released = false;
    lock.what = what;
    locks.push(lock);
    return lock;
  } } });
"""


async def test_the_screen_is_kept_on_and_asked_for_again_when_the_page_is_seen_again(browser, fake_station):
    page = await browser.new_page()
    await page.add_init_script(WAKE)
    await page.goto(fake_station.server.address)
    await page.wait_for_function("() => locks.length === 1 && locks[0].what === 'screen'")
    seen = "document.dispatchEvent(new Event('visibilitychange'))"
    await page.evaluate(seen)
    assert await page.evaluate("locks.length") == 1
    await page.evaluate(f"locks[0].released = true; {seen}")
    await page.wait_for_function("() => locks.length === 2")
    assert not await page.locator("#connection").get_attribute("title")
    await page.evaluate(f"window.refused = true; locks[1].released = true; {seen}")
    await expect(page.locator("#connection")).to_have_attribute("title", re.compile("cannot keep the screen on"))


@pytest.mark.parametrize("width", [390, 820, 1920])
async def test_everything_in_the_header_can_be_seen_and_reached(browser, fake_station, width):
    fake_station.me = dict(ANNA)
    page, _ = await opened(browser, fake_station.server.address, viewport={"width": width, "height": 900})
    await expect(who(page)).to_contain_text("Anna Berg")
    await page.get_by_role("button", name="Sound on").click()
    await page.locator("#sound summary").click()
    for shown in ("#connection", "#clock", "#sound .panel", "#who button", "#theme button"):
        box = await page.locator(shown).bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
    assert await page.evaluate("document.documentElement.scrollWidth") == width
