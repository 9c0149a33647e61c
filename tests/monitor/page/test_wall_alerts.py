"""How the wall shows alerts: the most urgent first, none left out, each told by colour, mark and words."""

import re
import time

import pytest
from playwright.async_api import expect

from monitor.alerts.conditions import AlertState, Kind, Priority
from monitor.alerts.signals import Activation
from tests.monitor.page.wall_clinic import GIVEN, Clinic, numeric, open_page, tile

FLASHING = """(it) => it.getAnimations().map((found) => found.effect.getTiming().duration)"""
FRAME = """(it) => getComputedStyle(it).boxShadow !== "none" """
FILLED = """(it) => getComputedStyle(it).backgroundColor !== "rgba(0, 0, 0, 0)" """
LATCHED, ACKNOWLEDGED, OFF = AlertState.LATCHED, AlertState.ACKNOWLEDGED, AlertState.OFF


async def test_alerts_come_go_and_are_said_the_most_urgent_first(browser):
    async with Clinic() as clinic:
        page, said = await open_page(browser, clinic)
        chair = tile(page, "chair-1")
        clinic.alert("chair-1", "pr_high", Priority.MEDIUM, "PR 131 > 120", "pulse_rate")
        await expect(chair.locator(".alert .text")).to_have_text(["PR 131 > 120"])
        await expect(page.locator("#announcer")).to_have_text("Chair 1: medium priority: PR 131 > 120")
        clinic.alert("chair-1", "spo2_low", Priority.HIGH, "SpO₂ 86 < 90", "spo2")
        await expect(chair.locator(".alert .text")).to_have_text(["SpO₂ 86 < 90", "PR 131 > 120"])
        await expect(chair.locator(".alert .mark")).to_have_text(["***", "**"])
        await expect(chair).to_have_attribute("data-alert", "high")
        await expect(numeric(page, "chair-1", "spo2")).to_have_attribute("data-alert", "high")
        await expect(page.locator("#announcer")).to_have_text("Chair 1: high priority: SpO₂ 86 < 90")
        periods = await page.evaluate("document.getAnimations().map((it) => it.effect.getTiming().duration)")
        assert sorted(set(periods)) == [500, pytest.approx(1666.7)]
        clinic.alert("chair-1", "spo2_low", Priority.HIGH, "", "spo2", OFF)
        clinic.alert("chair-1", "pr_high", Priority.MEDIUM, "", "pulse_rate", OFF)
        await expect(chair.locator(".alert")).to_have_count(0)
        assert await chair.get_attribute("data-alert") is None
        assert said == []


async def test_what_is_given_latched_and_acknowledged_looks_different(browser):
    async with Clinic() as clinic:
        page, said = await open_page(browser, clinic)
        chair, line = tile(page, "chair-1"), tile(page, "chair-1").locator(".alert")
        spo2 = numeric(page, "chair-1", "spo2")

        async def looks(signal, text, note, *, filled, framed, flashing):
            await expect(line).to_have_attribute("data-signal", signal)
            await expect(line.locator(".text")).to_have_text(text)
            await expect(line.locator(".said")).to_have_text(note)
            await expect(spo2).to_have_attribute("data-signal", signal)
            for it in (line, spo2):
                assert await it.evaluate(FILLED) is filled
                assert await it.evaluate(FRAME) is framed
                assert await it.evaluate(FLASHING) == flashing
            assert await chair.evaluate(FLASHING) == flashing

        high = ("chair-1", "spo2_low", Priority.HIGH)
        clinic.alert(*high, "SpO₂ 86 < 90", "spo2")
        await looks("given", "SpO₂ 86 < 90", "", filled=True, framed=False, flashing=[500])
        clinic.alert(*high, "is over: SpO₂ 86 < 90", "spo2", LATCHED)
        await looks("latched", "was: SpO₂ 86 < 90", "not acknowledged", filled=False, framed=True, flashing=[500])
        clinic.alert(*high, "SpO₂ 85 < 90", "spo2")
        await expect(page.locator("#announcer")).to_have_text("Chair 1: high priority: SpO₂ 85 < 90")
        clinic.alert(*high, "SpO₂ 85 < 90", "spo2", ACKNOWLEDGED, actor="anna")
        await looks("acknowledged", "SpO₂ 85 < 90", "✓ seen by anna", filled=False, framed=True, flashing=[])
        clinic.alert("chair-1", "pr_high", Priority.MEDIUM, "PR 131 > 120", "pulse_rate")
        # Of the two the one that nobody has seen is what calls.
        await expect(chair).to_have_attribute("data-alert", "medium")
        await expect(page).to_have_title("PR 131 > 120 - Chair 1 - clinic")
        assert said == []


async def test_signals_that_are_paused_or_off_are_said_and_nothing_calls_while_alarms_are(browser):
    async with Clinic() as clinic:
        page, said = await open_page(browser, clinic)
        now = clinic.clock.monotonic()
        clinic.alert("chair-1", "spo2_low", Priority.HIGH, "SpO₂ 86 < 90", "spo2")
        chair = tile(page, "chair-1")
        inhibited = chair.locator(".inhibition")
        await expect(chair.locator(".alert")).to_have_count(1)
        await expect(inhibited).to_have_count(0)
        clinic.signals("chair-1", Activation(AlertState.PAUSED, now + 600, now, "anna"))
        await expect(inhibited).to_have_text(re.compile(r"Audio paused 9:\d\d, by anna"))
        symbol = await inhibited.locator("use").get_attribute("href")
        assert await chair.evaluate(FLASHING) == [500], "a pause of the audio takes nothing from the eye"
        clinic.signals("chair-1", Activation(AlertState.OFF, actor="ben"))
        await expect(inhibited).to_have_text("Audio OFF, by ben")
        assert await inhibited.locator("use").get_attribute("href") != symbol
        assert await inhibited.locator("svg").evaluate("(it) => it.getBBox().width") > 10
        clinic.signals("chair-1", alarm=Activation(AlertState.PAUSED, now + 600, now, "anna"))
        await expect(inhibited).to_have_text(re.compile(r"Alarms paused 9:\d\d, by anna"))
        await expect(chair.locator(".alert .text")).to_have_text("SpO₂ 86 < 90")
        assert await page.evaluate("document.getAnimations().length") == 0
        clinic.signals("chair-1")
        await expect(inhibited).to_have_count(0)
        assert await chair.evaluate(FLASHING) == [500]
        assert said == []


async def test_what_is_wrong_with_the_equipment_is_not_taken_for_the_patient(browser):
    async with Clinic() as clinic:
        technical = Kind.TECHNICAL
        clinic.alert("chair-1", "spo2_low", Priority.MEDIUM, "SpO₂ 89 < 90", "spo2")
        clinic.alert("chair-1", "device_lost_cuff", Priority.MEDIUM, "GE Dinamap is lost", kind=technical)
        text = "DISK NEARLY FULL: 430 MB are left"
        clinic.alert("", "disk_nearly_full", Priority.MEDIUM, text, kind=technical)
        clinic.hub.station_notice(text)
        page, said = await open_page(browser, clinic)
        marks = tile(page, "chair-1").locator(".alert .mark")
        await expect(marks).to_have_text(["**", "!!"])
        assert [await it.get_attribute("aria-label") for it in await marks.all()] == [
            "medium priority, physiological",
            "medium priority, technical",
        ]
        await expect(page.locator("#station-alerts .alert .mark")).to_have_text(["!!"])
        await expect(page.locator("#station-alerts .alert .text")).to_have_text(["DISK NEARLY FULL"])
        await expect(page.locator("#notice")).to_have_text(text)
        assert said == []


async def test_nothing_flashes_for_those_who_want_no_motion(browser):
    async with Clinic() as clinic:
        clinic.alert("chair-1", "spo2_low", Priority.HIGH, "SpO₂ 86 < 90", "spo2")
        clinic.alert("chair-1", "pr_high", Priority.HIGH, "is over: PR 131 > 120", "pulse_rate", LATCHED)
        page, _ = await open_page(browser, clinic, reduced_motion="reduce")
        await expect(tile(page, "chair-1").locator(".alert")).to_have_count(2)
        assert await page.evaluate("document.getAnimations().length") == 0


HIDDEN = """() => [...document.querySelectorAll(".tile .alert, .tile .numeric .main")].filter((it) => {
  const tile = it.closest(".tile").getBoundingClientRect();
  const { left, right, top, bottom, width, height } = it.getBoundingClientRect();
  return width < 10 || height < 10 || left < tile.left || right > tile.right || top < tile.top || bottom > tile.bottom
    || Number.parseFloat(getComputedStyle(it).fontSize) < 13;
}).map((it) => it.textContent)"""


async def test_with_forty_beds_no_alert_and_no_number_is_left_out_or_illegible(browser):
    async with Clinic(40) as clinic:
        for number in range(1, 41):
            device = "monitor" if number == 2 else "oximeter"
            clinic.give(f"chair-{number}", device, spo2=86, **{"heart_rate" if number == 2 else "pulse_rate": 131})
            clinic.give(f"chair-{number}", "cuff", nibp_sys=221, nibp_dia=127, nibp_mean=166)
        texts = {
            "SpO₂ 79 < 85": Priority.HIGH,
            "PR 38 < 40": Priority.HIGH,
            "NIBP sys 221 > 180": Priority.MEDIUM,
            "Nonin: poor signal": Priority.MEDIUM,
            "no NIBP for 12 min": Priority.LOW,
            "PI low": Priority.LOW,
        }
        for bed in ("chair-1", "chair-14", "chair-40"):
            for text, priority in reversed(texts.items()):
                clinic.alert(bed, text, priority, text, "spo2")
        page, _ = await open_page(browser, clinic, viewport={"width": 1920, "height": 1080})
        await expect(page.locator("#wall")).to_have_attribute("data-density", "dense")
        for bed in ("chair-1", "chair-14", "chair-40"):
            await expect(tile(page, bed).locator(".alert .text")).to_have_text(list(texts))
        assert await page.evaluate(HIDDEN) == []
        # What does not fit on the screen is named where it cannot be scrolled away.
        await expect(page.locator("body")).to_have_class(re.compile("scrolls"))
        await expect(page.locator("#standing a")).to_have_text(["Chair 1", "Chair 14", "Chair 40"])


async def test_beds_that_call_are_named_most_urgent_first_also_while_a_chair_is_shown(browser):
    async with Clinic(3) as clinic:
        clinic.alert("chair-1", "a", Priority.LOW, "PI low")
        clinic.alert("chair-3", "b", Priority.HIGH, "SpO₂ 79 < 85", "spo2")
        page, _ = await open_page(browser, clinic)
        await expect(page.locator("#standing")).to_be_hidden()
        await tile(page, "chair-1").locator("h2 a").click()
        await expect(page.locator("#standing a")).to_have_text(["Chair 3", "Chair 1"])
        await page.locator("#standing a").first.click()
        assert page.url.endswith("/beds/chair-3")
        now = time.monotonic()
        clinic.signals("chair-3", GIVEN, Activation(AlertState.PAUSED, now + 600, now, "anna"))
        # Its signals are paused: who else calls goes before it.
        await expect(page.locator("#standing a")).to_have_text(["Chair 1", "Chair 3"])


async def test_of_a_group_what_is_over_and_what_is_present_both_stand(browser):
    line = {
        "group": "spo2_low", "kind": "physiological", "since": "2026-11-25T09:00:00Z", "value": None, "limit": None,
        "vital": "spo2", "device": "", "actor": "",
    }  # fmt: skip
    over = {
        "rule": "spo2_85",
        "priority": "high",
        "state": "latched",
        "present": False,
        "text": "is over: SpO₂ 82 < 85",
    }
    still = {"rule": "spo2_90", "priority": "medium", "state": "on", "present": True, "text": "SpO₂ 88 < 90"}
    async with Clinic() as clinic:
        clinic.show("chair-1", alerts=[line | over, line | still])
        page, said = await open_page(browser, clinic)
        await expect(tile(page, "chair-1").locator(".alert .text")).to_have_text(["was: SpO₂ 82 < 85", "SpO₂ 88 < 90"])
        assert said == []
