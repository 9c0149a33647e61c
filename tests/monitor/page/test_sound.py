"""Whether there is sound on a page, and that it says so where there is none."""

import re

from playwright.async_api import expect

from tests.monitor.page.fake_station import opened

KEEP_CONTEXTS = """() => {
  window.contexts = [];
  const Real = AudioContext;
  window.AudioContext = class extends Real {
    constructor(options) {
      super(options);
      contexts.push(this);
    }
  };
}"""


def sound(page):
    return page.locator("#sound")


def shows(**bed):
    """What makes a snapshot say that of its bed."""

    def change(snapshot):
        return snapshot | {"beds": [one | bed for one in snapshot["beds"]]}

    return change


def activation(state, seconds=None):
    return {"state": state, "for_s": seconds, "since": None, "by": "anna"}


async def test_without_a_touch_there_is_no_sound_and_the_page_says_so(browser, fake_station):
    page, said = await opened(browser, fake_station.server.address)
    await expect(sound(page)).to_have_text(re.compile("^NO SOUND on this page"))
    await expect(sound(page)).to_have_attribute("data-state", "off")
    fake_station.change = shows(audible="medium")
    await expect(sound(page)).to_have_attribute("data-missed", "medium")
    await page.get_by_role("button", name="Sound on").click()
    await expect(sound(page)).to_have_attribute("data-state", "on")
    await expect(sound(page).locator(".without")).to_be_hidden()
    await expect(sound(page)).to_have_attribute("data-sounding", "medium")
    assert await sound(page).get_attribute("data-missed") is None
    await page.reload()
    await expect(sound(page)).to_have_text(re.compile("^Sound needs a touch"))
    await page.locator("#station").click()
    await expect(sound(page)).to_have_attribute("data-sounding", "medium")
    await sound(page).locator("summary").click()
    await page.get_by_role("button", name="Sound off").click()
    await expect(sound(page)).to_have_text(re.compile("^NO SOUND on this page"))
    await page.reload()
    await expect(sound(page)).to_have_text(re.compile("^NO SOUND on this page"))
    assert [it for it in said if "AudioContext was not allowed to start" not in it] == []


async def test_the_loudest_of_all_beds_and_of_the_station_is_sounded_as_soon_as_it_is_told(browser, fake_station):
    page, said = await opened(browser, fake_station.server.address)
    await page.get_by_role("button", name="Sound on").click()
    await expect(sound(page)).to_have_attribute("data-state", "on")
    await fake_station.stop()
    told = """async ([beds, station, state]) => {
      const sound = await import("/static/sound.js");
      const quiet = { audio: { state: "on" }, alarm: { state: "on" } };
      const all = beds.map((audible, id) => ({ ...quiet, id, audible, alerts: [{ state }] }));
      sound.hear({ beds: all, audible_station: station, station_alerts: [{ state }] });
      return document.getElementById("sound").dataset.sounding ?? null;
    }"""
    assert await page.evaluate(told, [["low", None], None, "on"]) == "low"
    assert await page.evaluate(told, [["low", "medium"], None, "on"]) == "medium"
    assert await page.evaluate(told, [["low", "medium"], "high", "on"]) == "high"
    assert await page.evaluate(told, [["low", "medium"], None, "on"]) == "high", "enough of it is heard first"
    assert await page.evaluate(told, [["low", "medium"], "high", "on"]) == "high"
    assert await page.evaluate(told, [["low", "medium"], None, "acknowledged"]) is None, "but not of what was seen"
    assert said == []


async def test_an_alert_of_a_second_is_heard_beside_one_that_was_acknowledged_before(browser, fake_station):
    page, _ = await opened(browser, fake_station.server.address)
    await page.get_by_role("button", name="Sound on").click()
    await expect(sound(page)).to_have_attribute("data-state", "on")
    await fake_station.stop()
    told = """async ([audible, ...alerts]) => {
      const sound = await import("/static/sound.js");
      const given = { audio: { state: "on" }, alarm: { state: "on" } };
      const bed = { ...given, id: "1", audible, alerts: alerts.map(([rule, state]) => ({ rule, state })) };
      sound.hear({ beds: [bed], audible_station: null, station_alerts: [] });
      return document.getElementById("sound").dataset.sounding ?? null;
    }"""
    seen = ["cuff_late", "acknowledged"]
    await page.evaluate(told, [None, seen])
    assert await page.evaluate(told, ["high", seen, ["spo2_low", "on"]]) == "high"
    assert await page.evaluate(told, [None, seen]) == "high", "enough of it is heard first"


async def test_sound_that_the_system_takes_away_is_said_and_comes_back_with_a_touch(browser, fake_station):
    page, said = await opened(browser, fake_station.server.address)
    await page.evaluate(KEEP_CONTEXTS)
    await page.get_by_role("button", name="Sound on").click()
    await expect(sound(page)).to_have_attribute("data-state", "on")
    await page.evaluate("contexts[0].suspend()")
    await expect(sound(page)).to_have_text(re.compile("^NO SOUND: the browser has stopped it"))
    await page.get_by_role("button", name="Sound on").click()
    await expect(sound(page)).to_have_attribute("data-state", "on")
    await page.evaluate("contexts.at(-1).close()")
    await expect(sound(page)).to_have_text(re.compile("^NO SOUND: the browser has stopped it"))
    await page.get_by_role("button", name="Sound on").click()
    await expect(sound(page)).to_have_attribute("data-state", "on")
    stuck = "(it) => Object.defineProperty(it, 'currentTime', { configurable: true, value: it.currentTime })"
    await page.evaluate(f"({stuck})(contexts.at(-1))")
    await expect(sound(page)).to_have_text(re.compile("^NO SOUND: this computer gives none out"))
    await page.evaluate("delete contexts.at(-1).currentTime")
    await expect(sound(page)).to_have_attribute("data-state", "on")
    assert said == []


async def test_a_lost_connection_is_sounded_too(browser, fake_station):
    page, _ = await opened(browser, fake_station.server.address)
    await page.get_by_role("button", name="Sound on").click()
    await expect(sound(page)).to_have_attribute("data-state", "on")
    await fake_station.stop()
    await expect(page.locator("#not-live")).to_be_visible(timeout=8000)
    await expect(sound(page)).to_have_attribute("data-sounding", "lost")
    await sound(page).locator("summary").click()
    await page.get_by_role("button", name="Sound off").click()
    await expect(sound(page)).to_have_attribute("data-missed", "lost")


async def test_beds_that_are_to_be_quiet_are_counted_with_the_first_that_is_heard_again(browser, fake_station):
    page, _ = await opened(browser, fake_station.server.address)
    quiet = sound(page).locator(".quiet")
    await expect(page.locator("#connection")).to_have_text("Live")
    await expect(quiet).to_have_text("")
    fake_station.change = shows(audio=activation("paused", 92.4))
    await expect(quiet).to_have_text("Beds without sound: 1 paused, 1:33")
    fake_station.change = shows(audio=activation("paused", 92.4), alarm=activation("off"))
    await expect(quiet).to_have_text("Beds without sound: 1 OFF")


async def test_the_volume_has_a_floor_and_is_remembered(browser, fake_station):
    page, _ = await opened(browser, fake_station.server.address)
    await page.get_by_role("button", name="Sound on").click()
    await sound(page).locator("summary").click()
    slider = page.get_by_label("Volume")
    await slider.press("Home")
    await expect(slider).to_have_value("20")
    await page.reload()
    await page.locator("#station").click()
    await sound(page).locator("summary").click()
    await expect(slider).to_have_value("20")


async def test_each_priority_can_be_tried(browser, fake_station):
    page, _ = await opened(browser, fake_station.server.address)
    await page.get_by_role("button", name="Sound on").click()
    await sound(page).locator("summary").click()
    await page.get_by_role("button", name="Test").click()
    for signal in ("low", "medium", "high"):
        await expect(sound(page)).to_have_attribute("data-sounding", signal)
    fake_station.change = shows(audible="medium")
    await expect(page.get_by_role("button", name="Test")).to_be_disabled()
