"""What is shown is the present, or it is taken away: whatever the way to the station does."""

import asyncio
import os
import re
import signal
from datetime import datetime

import pytest
from playwright.async_api import expect

from tests.monitor.page.fake_station import ANNA, opened
from tests.monitor.page.slow_way import SlowWay

REFUSED_WITH = """async (body) => {
  const api = await import("/static/api.js");
  return api.post("/api/sessions", body).catch((problem) => problem.status);
}"""
COUNT = """() => {
  const Real = EventSource;
  window.streams = [];
  window.EventSource = class extends Real {
    constructor(address) {
      super(address);
      streams.push(address);
    }
  };
}"""


def numeric(page):
    return page.locator(".numeric[data-key=spo2] .main")


def connection(page):
    return page.locator("#connection")


async def test_a_slow_way_is_said_and_what_is_too_old_is_never_live(browser, fake_station):
    """The way delivers all the time: a watchdog that only counts messages would see nothing wrong."""
    way = SlowWay(fake_station.port)
    fake_station.give(spo2=97)
    async with way.open() as address:
        page, said = await opened(browser, address)
        await expect(connection(page)).to_have_text("Live")
        await page.evaluate(
            """() => {
          window.seen = [];
          const look = () => {
            const live = document.getElementById("not-live").hidden;
            if (live) seen.push(document.getElementById("clock").textContent);
            requestAnimationFrame(look);
          };
          look();
        }"""
        )
        way.delay = 3.5
        await expect(connection(page)).to_have_text(re.compile("Slow connection: [34] s behind"))
        await expect(page.locator("#not-live")).to_be_hidden()
        way.delay = 8
        await expect(page.locator("#not-live")).to_be_visible(timeout=7000)
        await expect(numeric(page)).to_have_text("--")
        await page.evaluate("seen.length = 0")
        await expect(page.locator("#not-live .quiet")).to_have_text(
            re.compile(r"too slow: messages come \d+ s late"), timeout=20000
        )
        assert await page.evaluate("seen") == []
        way.delay = 0
        await expect(page.locator("#not-live")).to_be_hidden(timeout=15000)
        await expect(connection(page)).to_have_text("Live")
        assert said == []


async def test_a_page_that_is_opened_over_a_way_that_is_too_slow_never_looks_live(browser, fake_station):
    """Here no message was ever quick: only a round trip tells that they are late."""
    way = SlowWay(fake_station.port)
    way.delay = 5.5
    fake_station.give(spo2=97)
    async with way.open() as address:
        page = await browser.new_page()
        direct = fake_station.server.address

        async def detour(route):
            await route.continue_(url=route.request.url.replace(direct, address))

        await page.route("**/api/**", detour)
        await page.goto(direct)
        await expect(page.locator("#not-live")).to_be_visible(timeout=9000)
        await expect(page.locator("#not-live .quiet")).to_have_text(re.compile("too slow"))
        await expect(page.locator(".tile")).to_have_count(0)


async def test_a_station_that_was_stopped_goes_on_and_one_that_was_killed_is_taken_up(browser, start_station, tmp_path):
    station = start_station(tmp_path)
    page, said = await opened(browser, station.page)
    await expect(connection(page)).to_have_text("Live")
    await page.evaluate("window.sameAsBefore = true")
    station.process.send_signal(signal.SIGSTOP)
    await expect(page.locator("#not-live")).to_be_visible(timeout=8000)
    await expect(page.locator("#not-live-text")).to_have_text(re.compile(r"NOT LIVE since \d\d:\d\d:\d\d"))
    await expect(page.locator("#clock")).to_have_text("--:--:--")
    station.process.send_signal(signal.SIGCONT)
    await expect(page.locator("#not-live")).to_be_hidden(timeout=8000)
    station.stop(signal.SIGKILL)
    await expect(connection(page)).to_have_text("Connection lost, reconnecting")
    start_station(tmp_path, "--port", station.page.rpartition(":")[2])
    await expect(page.locator("#not-live")).to_be_hidden(timeout=15000)
    await expect(connection(page)).to_have_text("Live")
    assert await page.evaluate("window.sameAsBefore")
    # The token of the station before is no longer taken: the page has the new one.
    assert await page.evaluate(REFUSED_WITH, {"verb": "none of these", "by": "anna"}) == 422
    assert said == []


async def test_what_cannot_be_shown_does_not_look_live(browser, fake_station):
    """Messages come all the time, and none of them can be understood."""
    fake_station.give(spo2=97)
    page, _ = await opened(browser, fake_station.server.address)
    await expect(numeric(page)).to_have_text("97")
    fake_station.change = lambda snapshot: snapshot | {"beds": None}
    await expect(page.locator("#not-live")).to_be_visible()
    await expect(numeric(page)).to_have_text("--")
    fake_station.change = lambda snapshot: snapshot | {"now": "soon"}
    await expect(page.locator("#not-live")).to_be_visible()
    fake_station.change = lambda snapshot: snapshot
    await expect(page.locator("#not-live")).to_be_hidden()


async def test_a_stream_that_was_cut_goes_on_after_the_last_message_and_the_trend_has_no_gap(browser, fake_station):
    fake_station.give(spo2=97)
    page, said = await opened(browser, fake_station.server.address)
    await expect(connection(page)).to_have_text("Live")
    me, fake_station.me = fake_station.me, None
    await expect(connection(page)).to_have_text("Logged out")
    fake_station.give(spo2=91)
    fake_station.asked.clear()
    fake_station.me = me
    await expect(connection(page)).to_have_text("Live")
    await expect(numeric(page)).to_have_text("91")
    addresses = [path for _, path in fake_station.asked if path.startswith("/api/live")]
    assert re.fullmatch(rf"/api/live\?last={fake_station.hub.boot}\.\d+", addresses[-1])
    kept = """async () => {
      const trends = await import("/static/trends.js");
      return trends.of("chair-1").vitals.get("spo2").map((it) => it[1]);
    }"""
    assert 91 in await page.evaluate(kept)
    assert said == []


async def test_a_login_that_ended_is_said_with_the_way_back_to_this_view(browser, fake_station):
    fake_station.me = dict(ANNA)
    fake_station.give(spo2=97)
    page, _ = await opened(browser, fake_station.server.address + "/beds/chair-1")
    await expect(connection(page)).to_have_text("Live")
    fake_station.me = None
    await expect(page.locator("#not-live")).to_be_visible()
    await expect(page.locator("#not-live .quiet")).to_contain_text("Your login has ended.")
    link = page.locator("#not-live .quiet").get_by_role("link", name="Log in again")
    assert await link.get_attribute("href") == "/login?next=%2Fbeds%2Fchair-1"
    fake_station.me = dict(ANNA)
    await expect(page.locator("#not-live")).to_be_hidden(timeout=8000)


async def test_who_acts_is_asked_for_anew_when_another_station_answers(browser, fake_station):
    page, _ = await opened(browser, fake_station.server.address)
    await expect(connection(page)).to_have_text("Live")
    await fake_station.stop()
    fake_station.asked.clear()
    fake_station.csrf = "second"
    fake_station.me["name"] = ""
    fake_station.open()
    await expect(connection(page)).to_have_text("Live")
    await expect(page.locator("#not-live")).to_be_hidden()
    assert ("GET", "/api/me") in fake_station.asked
    done = await page.evaluate(
        """async () => {
      const api = await import("/static/api.js");
      return api.post("/api/sessions", { by: "anna" });
    }"""
    )
    assert done == {"done": True}


SLEEP = """([counted, dated]) => {
  const [count, date] = [performance.now.bind(performance), Date.now];
  performance.now = () => count() + counted;
  Date.now = () => date() + dated;
}"""


@pytest.mark.parametrize(("counted", "dated"), [(0, 60000), (60000, 60000)], ids=["clock stood still", "both went on"])
async def test_a_page_that_slept_takes_a_new_connection_instead_of_what_the_old_one_kept(
    browser, fake_station, counted, dated
):
    page, said = await opened(browser, fake_station.server.address)
    await expect(connection(page)).to_have_text("Live")
    await page.evaluate(COUNT)
    await page.evaluate(SLEEP, [counted, dated])
    await page.wait_for_function("() => streams.length === 1")
    await expect(page.locator("#not-live")).to_be_hidden()
    await expect(connection(page)).to_have_text("Live")
    await page.wait_for_function("(before) => document.getElementById('clock').textContent > before", arg=clock())
    assert await page.evaluate("streams.length") == 1
    assert said == []


def clock():
    return f"{datetime.now():%H:%M:%S}"  # noqa: DTZ005 - as the page shows it


async def test_a_page_that_the_system_freezes_is_covered_before_it_is_seen_again(browser, fake_station):
    fake_station.give(spo2=97)
    page, _ = await opened(browser, fake_station.server.address)
    await expect(numeric(page)).to_have_text("97")
    frozen = """() => {
      document.dispatchEvent(new Event("freeze"));
      return [!document.getElementById("not-live").hidden, document.querySelector("[data-key=spo2] .main").textContent];
    }"""
    assert await page.evaluate(frozen) == [True, "--"]
    fake_station.give(spo2=90)
    await page.evaluate("document.dispatchEvent(new Event('resume'))")
    await expect(page.locator("#not-live")).to_be_hidden()
    await expect(numeric(page)).to_have_text("90")


async def test_a_tablet_that_slept_shows_nothing_of_what_it_was_sent_meanwhile(browser, fake_station):
    """The whole process of the page stands still, as in a sleep; what it is sent waits in its connection."""
    fake_station.give(spo2=97)
    page, _ = await opened(browser, fake_station.server.address)
    await expect(numeric(page)).to_have_text("97")
    await page.evaluate(
        """() => {
      window.seen = [];
      new MutationObserver(() => seen.push(document.querySelector("[data-key=spo2] .main").textContent))
        .observe(document.getElementById("wall"), { subtree: true, characterData: true, childList: true });
    }"""
    )
    system = await browser.new_browser_cdp_session()
    processes = (await system.send("SystemInfo.getProcessInfo"))["processInfo"]
    renderers = [it["id"] for it in processes if it["type"] == "renderer"]
    try:
        for process in renderers:
            os.kill(process, signal.SIGSTOP)
        for spo2 in (80, 81, 82, 83, 84, 85):
            fake_station.give(spo2=spo2)
            await asyncio.sleep(1)
        fake_station.give(spo2=90)
    finally:
        for process in renderers:
            os.kill(process, signal.SIGCONT)
    await expect(numeric(page)).to_have_text("90")
    seen = await page.evaluate("seen")
    assert "--" in seen
    assert not {"80", "81", "82", "83", "84"} & set(seen)


@pytest.mark.parametrize(
    ("ahead", "text"),
    [
        (-130, "This computer's clock is 2 min ahead of the station's: times on this page are the station's."),
        (25, "This computer's clock is 25 s behind the station's: times on this page are the station's."),
    ],
)
async def test_clocks_that_differ_are_said_and_the_page_is_live_all_the_same(browser, fake_station, ahead, text):
    fake_station.clock.ahead = ahead
    page, said = await opened(browser, fake_station.server.address)
    await expect(page.locator("#notices")).to_contain_text(text)
    await expect(connection(page)).to_have_text("Live")
    fake_station.clock.ahead = 0
    await expect(page.locator("#notices .own-notice")).to_have_count(0)
    await expect(connection(page)).to_have_text("Live")
    assert said == []
