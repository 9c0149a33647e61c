"""The chair page: once is once, nothing old passes for the present, and what comes from outside stays text."""

import json
import signal

import pytest
from playwright.async_api import expect

from tests.monitor.page.chair_clinic import NAMED, button, chair_clinic, open_chair, recorded

VIEWER = {"login": "vera", "name": "Vera", "role": "viewer", "via": "session", "csrf": "", "expires_at": None}
EVIL = "<img src=x onerror=alert(1)>"
ACTIONS = "#chair :is(.panel, .line) :is(button, input, select):visible"


async def test_a_double_click_records_once(browser, tmp_path):
    async with chair_clinic(tmp_path) as clinic:
        await clinic.running()
        page, _ = await open_chair(browser, clinic.address)
        await button(page, "Oxygen given").dblclick()
        await expect(recorded(page)).to_contain_text("Oxygen given")
        # What is there after a double click on a step is another step.
        await button(page, "Pause infusion").dblclick()
        await expect(page.locator(".chair-head .state")).to_have_text("Infusion paused")
        await expect(button(page, "Resume infusion")).to_be_enabled()
        assert clinic.entries() == ["opened", "step", "event", "step"]


async def test_a_viewer_sees_everything_and_has_no_buttons(browser, tmp_path):
    async with chair_clinic(tmp_path) as clinic:
        await clinic.running()
        clinic.give(spo2=82)
        page = await browser.new_page()
        page.set_default_timeout(10_000)
        await page.route("**/api/me", lambda route: route.fulfill(json=VIEWER))
        await page.goto(clinic.address)
        await expect(page.locator("#chair .standing .text")).to_have_text("SpO₂ 82 < 90")
        await expect(page.locator(".entry")).to_have_count(2)
        await expect(page.locator(".limit-list tbody tr")).to_have_count(2)
        names = await page.locator(ACTIONS).evaluate_all("(all) => all.map((it) => it.textContent)")
        assert names == ["10 min", "30 min", "1 h", "Session", "◀", "▶"], "to look is all that is left"


async def test_what_comes_from_outside_stays_text(browser, tmp_path):
    async with chair_clinic(tmp_path, label=EVIL) as clinic:
        session = await clinic.running()
        await clinic.do("note", session=session, text=EVIL)
        await clinic.do("check", session=session, item="consent", answer=EVIL)
        page, said = await open_chair(browser, clinic.address)

        async def hostile(route):
            answer = await route.fetch()
            told = await answer.json()
            told["session"]["profile"] = told["limits"][0]["label"] = told["offer"]["events"][0]["text"] = EVIL
            told["session"]["discharge"][0]["detail"] = EVIL
            await route.fulfill(response=answer, json=told)

        await page.route("**/api/beds/chair-1", hostile)
        await page.reload()
        await expect(page.locator(".chair-head h2")).to_have_text(EVIL)
        await expect(page.locator(".entry", has_text=EVIL)).to_have_count(2)
        await expect(page.locator(".touch", has_text=EVIL)).to_have_count(1)
        await button(page, EVIL).click()
        await expect(recorded(page)).to_contain_text("Nausea")
        assert await page.locator("#chair img").count() == 0
        assert said == []
        await page.unroute_all(behavior="ignoreErrors")


async def test_nothing_can_be_done_and_nothing_is_read_while_the_page_is_not_live(browser, tmp_path):
    async with chair_clinic(tmp_path) as clinic:
        await clinic.running()
        clinic.give(spo2=97, pulse_rate=64)
        page, _ = await open_chair(browser, clinic.address)
        await expect(page.locator("#chair .numeric[data-key=spo2] .main")).to_have_text("97")
        await expect(button(page, "Stop infusion")).to_be_enabled()
        await page.route("**/api/live*", lambda route: route.abort())
        clinic.station.hub.close()
        await expect(page.locator("#not-live")).to_be_visible(timeout=10_000)
        assert set(await page.locator("#chair .numeric .main").all_inner_texts()) == {"--"}
        await expect(page.locator(".chair-head .state")).to_have_text("Not known")
        for name in ("Stop infusion", "Nausea", "Change SpO₂ < 90, high"):
            await expect(button(page, name).first).to_be_disabled()


@pytest.mark.parametrize("reached", [True, False])
async def test_what_a_killed_station_was_asked_for_is_done_once_by_the_next(browser, start_station, tmp_path, reached):
    station = start_station(tmp_path)
    port = station.page.rpartition(":")[2]
    page = await browser.new_page()
    page.set_default_timeout(10_000)
    await page.add_init_script(NAMED)
    asked = []

    async def dies(route):
        asked.append(json.loads(route.request.post_data))
        if len(asked) > 1:
            await route.continue_()
            return
        if reached:
            await route.fetch()
        station.stop(signal.SIGKILL)
        await route.abort()

    await page.goto(f"{station.page}/beds/chair-1")
    await button(page, "Open session").click()
    await page.get_by_label("Reference").fill("P-017")
    await page.route("**/api/sessions", dies)
    await button(page.get_by_role("dialog"), "Open session").click()
    await expect(recorded(page)).to_contain_text("No answer yet")
    start_station(tmp_path, "--port", port)
    await expect(recorded(page)).to_contain_text("session opened", timeout=20_000)
    await expect(page.locator(".chair-head .state")).to_have_text("Check-in", timeout=20_000)
    await expect(page.locator(".entry")).to_have_count(1)
    assert {it["request"] for it in asked} == {asked[0]["request"]}
    assert "at" not in asked[0]
    assert "at" in asked[-1], "when it was done is not when it could be said"
