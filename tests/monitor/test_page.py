"""The page in a real browser."""

import asyncio
import contextlib
import re
import time

import pytest
from playwright.async_api import expect

from drivers.clock import SystemClock
from drivers.events import Cause, LinkState, measured, missing
from monitor.alerts import signals
from monitor.alerts.conditions import AlertEvent, AlertState, Kind, Priority
from monitor.alerts.signals import Activation, Signal
from monitor.live import BedView, DeviceView, LiveHub
from monitor.web.app import create_app
from monitor.web.server import PageServer

OXIMETER = DeviceView("oximeter", "Nonin", ("spo2", "pulse_rate"))
MONITOR = DeviceView("monitor", "Ivy 450C", ("heart_rate", "spo2", "resp_rate", "temp"))
CUFF = DeviceView("cuff", "GE Dinamap", ("nibp_sys", "nibp_dia", "nibp_mean"))
GIVEN = Activation()
EVIL = "<img src=x onerror=alert(1)>"


class Clinic:
    """Beds that are given values, and a page server that can be stopped and started."""

    def __init__(self, count=2):
        self.clock = SystemClock()
        self.beds = [
            BedView(f"chair-{it}", f"Chair {it}" if it != 2 else EVIL, (MONITOR if it == 2 else OXIMETER, CUFF))
            for it in range(1, count + 1)
        ]
        self.port = 0
        self.standing = {}
        self.open()

    def open(self):
        self.hub = LiveHub(self.beds, self.clock, "clinic")
        self.server = PageServer(create_app(self.hub), port=self.port)
        self.server.bind()
        self.port = int(self.server.address.rpartition(":")[2])
        self.serving = asyncio.create_task(self.server.serve())

    async def stop(self):
        self.hub.close()
        await self.server.stop()
        await self.serving

    def give(self, bed, device, **values):
        now = time.time_ns()
        self.hub.receive(bed, device, [measured(key, value, now, now) for key, value in values.items()])

    def alert(self, bed, rule, priority, text, vital, state=AlertState.ON, kind=Kind.PHYSIOLOGICAL, actor=""):
        """Show an alert on a bed, or no longer; what stands there already stays, as after it is told."""
        now = time.time_ns()
        event = AlertEvent(bed, rule, kind, priority, state, now, text, vital, actor=actor)
        alerts = self.standing.setdefault(bed, {})
        if state is AlertState.OFF:
            del alerts[rule]
        else:
            begun = alerts[rule].begun if rule in alerts else now
            alerts[rule] = Signal(event, state is not AlertState.LATCHED, begun, 0.0)
        self.signals(bed)

    def signals(self, bed, audio=GIVEN, alarm=GIVEN):
        lines = signals.shown(signals.SignalState(self.standing.get(bed, {})))
        self.hub.alerts_changed(bed, lines, audio, alarm)

    @contextlib.asynccontextmanager
    async def measuring(self, **values):
        """Give chair 1 these values twice a second meanwhile."""

        async def measure():
            while True:
                self.give("chair-1", "oximeter", **values)
                await asyncio.sleep(0.5)

        task = asyncio.create_task(measure())
        try:
            yield
        finally:
            task.cancel()


@pytest.fixture
async def clinic():
    clinic = Clinic()
    yield clinic
    await clinic.stop()


async def open_page(browser, clinic, **options):
    """The page, and the list of all that its console says."""
    page = await browser.new_page(**options)
    said = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    await page.goto(clinic.server.address)
    await expect(page.locator("#connection")).to_have_text("Live")
    return page, said


def numeric(page, bed, key):
    return page.locator(f"#{bed} .numeric[data-key={key}]")


async def test_values_are_shown_and_follow_what_is_measured(browser, clinic):
    clinic.give("chair-1", "oximeter", spo2=97, pulse_rate=64)
    clinic.give("chair-1", "cuff", nibp_sys=121, nibp_dia=75, nibp_mean=92)
    clinic.give("chair-2", "monitor", heart_rate=72, spo2=98, temp=36.81)
    page, said = await open_page(browser, clinic)
    await expect(page.locator(".tile")).to_have_count(2)
    await expect(page.locator("#station")).to_have_text("clinic")
    await expect(numeric(page, "bed-chair-1", "spo2").locator(".main")).to_have_text("97")
    await expect(numeric(page, "bed-chair-1", "pulse_rate").locator(".name")).to_have_text("PR")
    await expect(numeric(page, "bed-chair-2", "heart_rate").locator(".main")).to_have_text("72")
    await expect(numeric(page, "bed-chair-2", "temp").locator(".main")).to_have_text("36.8")
    cuff = numeric(page, "bed-chair-1", "nibp")
    await expect(cuff.locator(".value")).to_have_text("121/75 (92)")
    await expect(cuff.locator(".age")).to_have_text("0:01 ago")
    start = time.monotonic()
    clinic.give("chair-1", "oximeter", spo2=95)
    await expect(numeric(page, "bed-chair-1", "spo2").locator(".main")).to_have_text("95")
    assert time.monotonic() - start < 0.5
    await expect(cuff.locator(".age")).to_have_text("0:03 ago")
    assert said == []


async def test_a_pulse_is_small_where_an_ecg_gives_the_heart_rate_and_large_where_it_does_not(browser):
    clinic = Clinic(0)
    await clinic.stop()
    clinic.beds = [BedView("chair-1", "Chair 1", (OXIMETER, MONITOR))]
    clinic.open()
    clinic.give("chair-1", "oximeter", pulse_rate=64)
    page, _ = await open_page(browser, clinic)
    await expect(page.locator(".numerics [data-key=pulse_rate] .main")).to_have_text("64")
    clinic.give("chair-1", "monitor", heart_rate=65)
    await expect(page.locator(".numerics [data-key=heart_rate] .main")).to_have_text("65")
    await expect(page.locator(".small [data-key=pulse_rate] .main")).to_have_text("64")
    await clinic.stop()


async def test_alerts_come_go_and_are_said_the_most_urgent_first(browser, clinic):
    page, said = await open_page(browser, clinic)
    tile = page.locator("#bed-chair-1")
    clinic.alert("chair-1", "pr_high", Priority.MEDIUM, "PR 131 > 120", "pulse_rate")
    await expect(tile.locator(".alert .text")).to_have_text(["PR 131 > 120"])
    await expect(page.locator("#announcer")).to_have_text("Chair 1: medium priority: PR 131 > 120")
    start = time.monotonic()
    clinic.alert("chair-1", "spo2_low", Priority.HIGH, "SpO₂ 86 < 90", "spo2")
    await expect(tile.locator(".alert .text")).to_have_text(["SpO₂ 86 < 90", "PR 131 > 120"])
    assert time.monotonic() - start < 0.5
    await expect(tile.locator(".alert .mark")).to_have_text(["***", "**"])
    await expect(tile).to_have_attribute("data-alert", "high")
    await expect(numeric(page, "bed-chair-1", "spo2")).to_have_attribute("data-alert", "high")
    await expect(page.locator("#announcer")).to_have_text("Chair 1: high priority: SpO₂ 86 < 90")
    periods = await page.evaluate("document.getAnimations().map((it) => it.effect.getTiming().duration)")
    assert sorted(set(periods)) == [500, pytest.approx(1666.7)]
    clinic.alert("chair-1", "spo2_low", Priority.HIGH, "", "spo2", AlertState.OFF)
    clinic.alert("chair-1", "pr_high", Priority.MEDIUM, "", "pulse_rate", AlertState.OFF)
    await expect(tile.locator(".alert")).to_have_count(0)
    assert await tile.get_attribute("data-alert") is None
    assert said == []


FLASHING = """(it) => it.getAnimations().map((found) => found.effect.getTiming().duration)"""
FRAME = """(it) => getComputedStyle(it).boxShadow !== "none" """
FILLED = """(it) => getComputedStyle(it).backgroundColor !== "rgba(0, 0, 0, 0)" """


async def test_what_is_given_latched_and_acknowledged_looks_different(browser, clinic):
    page, said = await open_page(browser, clinic)
    tile = page.locator("#bed-chair-1")
    line = tile.locator(".alert")
    spo2 = numeric(page, "bed-chair-1", "spo2")

    async def looks(signal, text, note, *, filled, framed, flashing):
        await expect(line).to_have_attribute("data-signal", signal)
        await expect(line.locator(".text")).to_have_text(text)
        await expect(line.locator(".said")).to_have_text(note)
        await expect(spo2).to_have_attribute("data-signal", signal)
        for it in (line, spo2):
            assert await it.evaluate(FILLED) is filled
            assert await it.evaluate(FRAME) is framed
            assert await it.evaluate(FLASHING) == flashing
        assert await tile.evaluate(FLASHING) == flashing

    clinic.alert("chair-1", "spo2_low", Priority.HIGH, "SpO₂ 86 < 90", "spo2")
    await looks("given", "SpO₂ 86 < 90", "", filled=True, framed=False, flashing=[500])
    clinic.alert("chair-1", "spo2_low", Priority.HIGH, "is over: SpO₂ 86 < 90", "spo2", AlertState.LATCHED)
    await looks("latched", "was: SpO₂ 86 < 90", "not acknowledged", filled=False, framed=True, flashing=[500])
    clinic.alert("chair-1", "spo2_low", Priority.HIGH, "SpO₂ 85 < 90", "spo2")
    await expect(page.locator("#announcer")).to_have_text("Chair 1: high priority: SpO₂ 85 < 90")
    clinic.alert("chair-1", "spo2_low", Priority.HIGH, "SpO₂ 85 < 90", "spo2", AlertState.ACKNOWLEDGED, actor="anna")
    await looks("acknowledged", "SpO₂ 85 < 90", "✓ seen by anna", filled=False, framed=True, flashing=[])
    clinic.alert("chair-1", "pr_high", Priority.MEDIUM, "PR 131 > 120", "pulse_rate")
    # Of the two the one that nobody has seen is what calls.
    await expect(tile).to_have_attribute("data-alert", "medium")
    await expect(page).to_have_title("PR 131 > 120 - Chair 1 - clinic")
    assert said == []


async def test_signals_that_are_paused_or_off_are_said_and_nothing_calls_while_alarms_are(browser, clinic):
    page, said = await open_page(browser, clinic)
    now = clinic.clock.monotonic()
    clinic.alert("chair-1", "spo2_low", Priority.HIGH, "SpO₂ 86 < 90", "spo2")
    tile = page.locator("#bed-chair-1")
    inhibited = tile.locator(".inhibition")
    await expect(tile.locator(".alert")).to_have_count(1)
    await expect(inhibited).to_have_count(0)
    clinic.signals("chair-1", Activation(AlertState.PAUSED, now + 600, now, "anna"))
    await expect(inhibited).to_have_text(re.compile(r"Audio paused 9:\d\d, by anna"))
    symbol = await inhibited.locator("use").get_attribute("href")
    assert await tile.evaluate(FLASHING) == [500], "a pause of the audio takes nothing from the eye"
    clinic.signals("chair-1", Activation(AlertState.OFF, actor="ben"))
    await expect(inhibited).to_have_text("Audio OFF, by ben")
    assert await inhibited.locator("use").get_attribute("href") != symbol
    assert await inhibited.locator("svg").evaluate("(it) => it.getBBox().width") > 10
    clinic.signals("chair-1", alarm=Activation(AlertState.PAUSED, now + 600, now, "anna"))
    await expect(inhibited).to_have_text(re.compile(r"Alarms paused 9:\d\d, by anna"))
    await expect(tile.locator(".alert .text")).to_have_text("SpO₂ 86 < 90")
    assert await page.evaluate("document.getAnimations().length") == 0
    clinic.signals("chair-1")
    await expect(inhibited).to_have_count(0)
    assert await tile.evaluate(FLASHING) == [500]
    assert said == []


async def test_what_is_wrong_with_the_equipment_is_not_taken_for_the_patient(browser, clinic):
    technical = Kind.TECHNICAL
    clinic.alert("chair-1", "spo2_low", Priority.MEDIUM, "SpO₂ 89 < 90", "spo2")
    clinic.alert("chair-1", "device_lost_cuff", Priority.MEDIUM, "GE Dinamap is lost", "", kind=technical)
    text = "DISK NEARLY FULL: 430 MB are left"
    clinic.alert("", "disk_nearly_full", Priority.MEDIUM, text, "", kind=technical)
    clinic.hub.station_notice(text)
    page, said = await open_page(browser, clinic)
    marks = page.locator("#bed-chair-1 .alert .mark")
    await expect(marks).to_have_text(["**", "!!"])
    assert [await it.get_attribute("aria-label") for it in await marks.all()] == [
        "medium priority, physiological",
        "medium priority, technical",
    ]
    await expect(page.locator("#station-alerts .alert .mark")).to_have_text(["!!"])
    await expect(page.locator("#station-alerts .alert .text")).to_have_text(["DISK NEARLY FULL"])
    await expect(page.locator("#notice")).to_have_text(text)
    assert said == []


async def test_nothing_flashes_for_those_who_want_no_motion(browser, clinic):
    clinic.alert("chair-1", "spo2_low", Priority.HIGH, "SpO₂ 86 < 90", "spo2")
    clinic.alert("chair-1", "pr_high", Priority.HIGH, "is over: PR 131 > 120", "pulse_rate", AlertState.LATCHED)
    page, _ = await open_page(browser, clinic, reduced_motion="reduce")
    await expect(page.locator("#bed-chair-1 .alert")).to_have_count(2)
    assert await page.evaluate("document.getAnimations().length") == 0


async def test_what_is_not_a_value_is_never_shown_as_one(browser, clinic):
    page, said = await open_page(browser, clinic)
    clinic.give("chair-1", "oximeter", spo2=97, pulse_rate=64)
    spo2 = numeric(page, "bed-chair-1", "spo2")
    await expect(spo2).to_have_attribute("data-state", "fresh")
    fresh = await spo2.locator(".main").evaluate("(it) => getComputedStyle(it).color")
    now = time.time_ns()
    clinic.hub.receive("chair-1", "oximeter", [missing("spo2", now, now, Cause.SENSOR_OFF)])
    await expect(spo2.locator(".main")).to_have_text("--")
    await expect(spo2.locator(".note")).to_have_text("sensor off")
    clinic.give("chair-1", "oximeter", spo2=96)
    clinic.hub.link_changed("chair-1", "oximeter", LinkState.LOST, "unplugged", now)
    await expect(spo2).to_have_attribute("data-state", "stale")
    assert await spo2.locator(".main").evaluate("(it) => getComputedStyle(it).color") != fresh
    await expect(page.locator("#bed-chair-1 .device").first).to_have_text("Nonin: lost, reconnecting")
    clinic.hub.link_changed("chair-1", "oximeter", LinkState.UNDECODABLE, "", now)
    await expect(page.locator("#bed-chair-1 .device").first).to_have_text("Nonin: cannot decode what it sends")
    clinic.hub.receive("chair-1", "cuff", [measured("nibp_sys", 128, now, now, (Cause.PROVISIONAL,))])
    cuff = numeric(page, "bed-chair-1", "nibp")
    await expect(cuff.locator(".main")).to_have_text("128/--")
    await expect(cuff.locator(".note")).to_have_text("provisional, still measuring")
    await expect(cuff).to_have_attribute("data-doubt", "provisional")
    assert said == []


async def test_markup_in_a_label_is_text(browser, clinic):
    clinic.alert("chair-2", "x", Priority.LOW, EVIL, "spo2")
    page, said = await open_page(browser, clinic)
    await expect(page.locator("#bed-chair-2 h2")).to_have_text(EVIL)
    await expect(page.locator("#bed-chair-2 .alert .text")).to_have_text(EVIL)
    assert await page.locator("main img").count() == 0
    assert said == []


async def test_a_stopped_station_is_not_live_and_a_started_one_is_again(browser, clinic):
    page, said = await open_page(browser, clinic)
    async with clinic.measuring(spo2=97, pulse_rate=64):
        clinic.give("chair-1", "cuff", nibp_sys=121, nibp_dia=75, nibp_mean=92)
        clinic.alert("chair-1", "spo2_low", Priority.HIGH, "SpO₂ 86 < 90", "spo2")
        await expect(numeric(page, "bed-chair-1", "spo2").locator(".main")).to_have_text("97")
        await expect(page.locator("#bed-chair-1 .alert")).to_have_count(1)
    assert said == []
    start = time.monotonic()
    await clinic.stop()
    assert time.monotonic() - start < 1
    await expect(page.locator("#not-live")).to_be_visible(timeout=7000)
    assert 3.9 < time.monotonic() - start < 7
    await expect(page.locator("#not-live-text")).to_contain_text("NOT LIVE")
    assert "since " in await page.locator("#not-live-text").inner_text()
    assert set(await page.locator(".numeric .main").all_inner_texts()) == {"--"}
    assert set(await page.locator(".numeric .extra").all_inner_texts()) == {""}
    await expect(page.locator(".alert")).to_have_count(0)
    await expect(page.locator("#clock")).to_have_text("--:--:--")
    # A refused connection is all that the console may speak of.
    assert [it for it in said if "ERR_CONNECTION_REFUSED" not in it] == []
    said.clear()
    clinic.open()
    clinic.give("chair-1", "oximeter", spo2=93)
    await expect(page.locator("#not-live")).to_be_hidden(timeout=7000)
    await expect(numeric(page, "bed-chair-1", "spo2").locator(".main")).to_have_text("93")
    assert [it for it in said if "ERR_CONNECTION_REFUSED" not in it] == []


async def test_a_station_that_hangs_is_not_live(browser, clinic, monkeypatch):
    page, _ = await open_page(browser, clinic)
    clinic.give("chair-1", "oximeter", spo2=97)
    await expect(numeric(page, "bed-chair-1", "spo2").locator(".main")).to_have_text("97")
    monkeypatch.setattr(clinic.hub._pulse, "_beat", lambda: None)
    monkeypatch.setattr(clinic.hub, "changes", lambda: nothing(clinic.hub))
    await expect(page.locator("#not-live")).to_be_visible(timeout=7000)
    await expect(numeric(page, "bed-chair-1", "spo2").locator(".main")).to_have_text("--")


async def nothing(hub):
    while not hub.closed:
        await asyncio.sleep(0.05)
    for number in ():
        yield number


SLEEP = """() => {
  const now = Date.now;
  const Real = EventSource;
  let opened = 0;
  window.EventSource = class extends Real {
    constructor(address) {
      super(address);
      opened += 1;
      document.documentElement.dataset.opened = opened;
    }
  };
  Date.now = () => now() + 60000;
}"""


async def test_a_page_that_slept_takes_a_new_connection_instead_of_what_the_old_one_kept(browser, clinic):
    page, said = await open_page(browser, clinic)
    await page.evaluate(SLEEP)
    await expect(page.locator("html")).to_have_attribute("data-opened", "1")
    await expect(page.locator("#not-live")).to_be_hidden()
    await expect(page.locator("#connection")).to_have_text("Live")
    await asyncio.sleep(1.5)
    await expect(page.locator("html")).to_have_attribute("data-opened", "1")
    assert said == []


SHAPES = [(1, 1920, 1080), (2, 1920, 1080), (12, 1920, 1080), (4, 1280, 720), (2, 390, 844), (3, 820, 1180)]
SPILT = """() => [...document.querySelectorAll(
    ".tile, .area, .numerics, .numeric, .value, .label, .alert, .inhibition, .device")]
  .filter((it) => it.scrollWidth > it.clientWidth + 1 && getComputedStyle(it).display !== "contents"
    || it.matches(".tile, .area, .numerics") && it.scrollHeight > it.clientHeight + 1)
  .map((it) => [it.className, it.textContent])"""


@pytest.mark.parametrize(("beds", "width", "height"), SHAPES)
async def test_nothing_is_cut_off_or_spilt_and_a_wall_needs_no_scrolling(browser, beds, width, height):
    clinic = Clinic(beds)
    clinic.give("chair-1", "oximeter", spo2=100, pulse_rate=188)
    clinic.give("chair-1", "cuff", nibp_sys=221, nibp_dia=127, nibp_mean=166)
    now = time.time_ns()
    doubtful = "chair-1" if beds == 2 else f"chair-{beds}"
    clinic.hub.receive(doubtful, "oximeter", [measured("spo2", 100, now, now, (Cause.ARTIFACT,))])
    clinic.alert("chair-1", "a", Priority.HIGH, "SpO₂ 86 < 90", "spo2")
    clinic.alert(
        "chair-1", "b", Priority.MEDIUM, "NIBP sys 221 > 180", "nibp_sys", AlertState.ACKNOWLEDGED, actor="anna"
    )
    moment = clinic.clock.monotonic()
    clinic.signals("chair-1", Activation(AlertState.PAUSED, moment + 120, moment, "anna"))
    page, _ = await open_page(browser, clinic, viewport={"width": width, "height": height})
    await expect(page.locator(".tile")).to_have_count(beds)
    await expect(page.locator("#bed-chair-1 .alert")).to_have_count(2)
    assert await page.evaluate(SPILT) == []
    assert await page.evaluate("document.documentElement.scrollWidth") == width
    if width > 600:
        assert await page.evaluate("document.documentElement.scrollHeight") == height
    await clinic.stop()
