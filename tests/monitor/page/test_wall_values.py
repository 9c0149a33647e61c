"""What the wall shows of vitals: the present, or that there is none."""

import asyncio
import time

from playwright.async_api import expect

from drivers.events import Cause, LinkState, measured
from monitor.alerts.conditions import Priority
from monitor.live import BedView
from tests.monitor.page.wall_clinic import EVIL, MONITOR, OXIMETER, Clinic, numeric, open_page, tile
from tests.server import PATIENCE


async def test_values_are_shown_and_follow_what_is_measured(browser, clock):
    async with Clinic(clock=clock) as clinic:
        clinic.give("chair-1", "oximeter", spo2=97, pulse_rate=64)
        clinic.give("chair-1", "cuff", nibp_sys=121, nibp_dia=75, nibp_mean=92)
        clinic.give("chair-2", "monitor", heart_rate=72, spo2=98, temp=36.81)
        page, said = await open_page(browser, clinic)
        await expect(page.locator(".tile")).to_have_count(2)
        await expect(page.locator("#station")).to_have_text("clinic")
        await expect(numeric(page, "chair-1", "spo2").locator(".main")).to_have_text("97")
        await expect(numeric(page, "chair-1", "pulse_rate").locator(".name")).to_have_text("PR")
        await expect(numeric(page, "chair-2", "heart_rate").locator(".main")).to_have_text("72")
        await expect(numeric(page, "chair-2", "temp").locator(".main")).to_have_text("36.8")
        cuff = numeric(page, "chair-1", "nibp")
        await expect(cuff.locator(".value")).to_have_text("121/75 (92)")
        await expect(cuff.locator(".age")).to_have_text("0:00 ago")
        await clock.advance(1)
        clinic.give("chair-1", "oximeter", spo2=95)
        await expect(numeric(page, "chair-1", "spo2").locator(".main")).to_have_text("95")
        await expect(cuff.locator(".age")).to_have_text("0:01 ago")
        # Nothing changes any more, and the age is told.
        await clock.advance(2)
        await expect(cuff.locator(".age")).to_have_text("0:03 ago")
        assert said == []


async def test_a_pulse_is_small_where_an_ecg_gives_the_heart_rate_and_large_where_it_does_not(browser):
    clinic = Clinic(0)
    clinic.beds = [BedView("chair-1", "Chair 1", (OXIMETER, MONITOR))]
    async with clinic:
        clinic.give("chair-1", "oximeter", pulse_rate=64)
        page, _ = await open_page(browser, clinic)
        await expect(page.locator(".numerics [data-key=pulse_rate] .main")).to_have_text("64")
        clinic.give("chair-1", "monitor", heart_rate=65)
        await expect(page.locator(".numerics [data-key=heart_rate] .main")).to_have_text("65")
        await expect(page.locator(".small [data-key=pulse_rate] .main")).to_have_text("64")


async def test_what_is_not_a_value_is_never_shown_as_one(browser):
    async with Clinic() as clinic:
        page, said = await open_page(browser, clinic)
        clinic.give("chair-1", "oximeter", spo2=97, pulse_rate=64)
        spo2 = numeric(page, "chair-1", "spo2")
        await expect(spo2).to_have_attribute("data-state", "fresh")
        fresh = await spo2.locator(".main").evaluate("(it) => getComputedStyle(it).color")
        clinic.give("chair-1", "oximeter", spo2=None)
        await expect(spo2.locator(".main")).to_have_text("--")
        await expect(spo2.locator(".note")).to_have_text("sensor off")
        clinic.give("chair-1", "oximeter", spo2=96)
        now = time.time_ns()
        clinic.hub.link_changed("chair-1", "oximeter", LinkState.LOST, "unplugged", now)
        await expect(spo2).to_have_attribute("data-state", "stale")
        assert await spo2.locator(".main").evaluate("(it) => getComputedStyle(it).color") != fresh
        device = tile(page, "chair-1").locator(".device").first
        await expect(device).to_have_text("Nonin: lost, reconnecting")
        clinic.hub.link_changed("chair-1", "oximeter", LinkState.UNDECODABLE, "", now)
        await expect(device).to_have_text("Nonin: cannot decode what it sends")
        clinic.hub.receive("chair-1", "cuff", [measured("nibp_sys", 128, now, now, (Cause.PROVISIONAL,))])
        cuff = numeric(page, "chair-1", "nibp")
        await expect(cuff.locator(".main")).to_have_text("128/--")
        await expect(cuff.locator(".note")).to_have_text("provisional, still measuring")
        await expect(cuff).to_have_attribute("data-doubt", "provisional")
        assert said == []


async def test_markup_in_a_label_is_text(browser):
    async with Clinic() as clinic:
        clinic.show("chair-2", session={**RUNNING, "reference": EVIL})
        clinic.alert("chair-2", "x", Priority.LOW, EVIL, "spo2")
        page, said = await open_page(browser, clinic)
        await expect(tile(page, "chair-2").locator("h2")).to_have_text(EVIL)
        await expect(tile(page, "chair-2").locator(".alert .text")).to_have_text(EVIL)
        await expect(tile(page, "chair-2").locator(".reference")).to_have_text(EVIL)
        assert await page.locator("main img").count() == 0
        assert said == []


RUNNING = {
    "session": "s",
    "reference": "KE-0412",
    "phase": "infusion",
    "state": "running",
    "planned_minutes": 40,
    "elapsed_s": 760.4,
    "running": True,
    "overrun_s": 0.0,
    "entries": 3,
}
VISITS = (
    (None, "No session"),
    (RUNNING | {"phase": "check_in", "state": "check_in", "elapsed_s": None, "running": False}, "Check-in"),
    (RUNNING | {"phase": "baseline", "state": "baseline", "elapsed_s": None, "running": False}, "Baseline"),
    (RUNNING, "Infusion 12:40 / 40 min"),
    (RUNNING | {"state": "paused", "running": False}, "Infusion paused 12:40 / 40 min"),
    (RUNNING | {"state": "stopped", "running": False}, "Infusion stopped 12:40 / 40 min"),
    (RUNNING | {"elapsed_s": 2530.0, "overrun_s": 130.0}, "Infusion 42:10 / 40 min, 2:10 over"),
    (RUNNING | {"phase": "recovery", "state": "recovery", "running": False}, "Recovery"),
)


async def test_a_visit_says_whose_it_is_and_where_it_is(browser):
    async with Clinic(1) as clinic:
        page, said = await open_page(browser, clinic)
        session, reference = (
            tile(page, "chair-1").locator(".session .phase"),
            tile(page, "chair-1").locator(".reference"),
        )
        for visit, text in VISITS:
            clinic.show("chair-1", session=visit)
            await expect(session).to_have_text(text, use_inner_text=True)
            await expect(reference).to_have_text("" if visit is None else "KE-0412")
        assert said == []


async def test_when_the_next_cuff_reading_is_due_is_said_and_is_no_alert(browser):
    async with Clinic(1) as clinic:
        clinic.give("chair-1", "cuff", nibp_sys=121, nibp_dia=75, nibp_mean=92)
        page, _ = await open_page(browser, clinic)
        cuff = numeric(page, "chair-1", "nibp")
        await expect(cuff.locator(".due")).to_have_text("")
        clinic.show("chair-1", cuff={"every_min": 5, "due_s": 130.2})
        await expect(cuff.locator(".due")).to_have_text("next in 2:10")
        clinic.show("chair-1", cuff={"every_min": 5, "due_s": -65.0})
        await expect(cuff.locator(".due")).to_have_text("overdue 1:05")
        assert await cuff.get_attribute("data-alert") is None
        assert await cuff.locator(".due").evaluate("(it) => getComputedStyle(it).animationName") == "none"


async def test_limits_stand_beside_the_vital_and_the_reason_goes_before_them(browser):
    async with Clinic(1) as clinic:
        limits = {"spo2": {"low": 90.0, "high": None}, "pulse_rate": {"low": 50.0, "high": 120.0}}
        clinic.show("chair-1", limits=limits)
        clinic.give("chair-1", "oximeter", spo2=97, pulse_rate=64)
        page, _ = await open_page(browser, clinic)
        await expect(numeric(page, "chair-1", "spo2").locator(".limits")).to_have_text("≥ 90")
        shown = numeric(page, "chair-1", "pulse_rate").locator(".limits")
        await expect(shown).to_have_text("50–120")
        await expect(shown).to_be_visible()
        now = time.time_ns()
        clinic.hub.receive("chair-1", "oximeter", [measured("pulse_rate", 64, now, now, (Cause.ARTIFACT,))])
        await expect(numeric(page, "chair-1", "pulse_rate").locator(".note")).to_have_text("motion")
        await expect(shown).to_be_hidden()


async def test_of_a_station_that_stopped_nothing_stays_and_of_the_next_all_is_there(browser):
    async with Clinic() as clinic:
        clinic.show("chair-1", session=RUNNING, cuff={"every_min": 5, "due_s": 100.0})
        page, _ = await open_page(browser, clinic)
        async with clinic.measuring(spo2=97, pulse_rate=64):
            clinic.give("chair-1", "cuff", nibp_sys=121, nibp_dia=75, nibp_mean=92)
            clinic.alert("chair-1", "spo2_low", Priority.HIGH, "SpO₂ 86 < 90", "spo2")
            await expect(numeric(page, "chair-1", "spo2").locator(".main")).to_have_text("97")
            await expect(tile(page, "chair-1").locator(".alert")).to_have_count(1)
        async with asyncio.timeout(PATIENCE):
            await clinic.stop()
        await expect(page.locator("#not-live")).to_be_visible()
        assert set(await page.locator(".numeric .main").all_inner_texts()) == {"--"}
        assert set(await page.locator(".numeric :is(.extra, .due, .age)").all_inner_texts()) == {""}
        assert set(await page.locator(".reference").all_inner_texts()) == {""}
        await expect(tile(page, "chair-1").locator(".phase")).to_have_text("Session not known", use_inner_text=True)
        await expect(page.locator(":is(.alert, .action)")).to_have_count(0)
        clinic.open()
        clinic.give("chair-1", "oximeter", spo2=93)
        await expect(page.locator("#not-live")).to_be_hidden()
        await expect(numeric(page, "chair-1", "spo2").locator(".main")).to_have_text("93")


async def test_of_a_station_that_hangs_nothing_stays(browser, monkeypatch):
    async with Clinic(1) as clinic:
        page, _ = await open_page(browser, clinic)
        clinic.give("chair-1", "oximeter", spo2=97)
        await expect(numeric(page, "chair-1", "spo2").locator(".main")).to_have_text("97")
        monkeypatch.setattr(clinic.hub._pulse, "_beat", lambda: None)
        monkeypatch.setattr(clinic.hub, "changes", lambda: nothing(clinic.hub))
        await expect(page.locator("#not-live")).to_be_visible()
        await expect(numeric(page, "chair-1", "spo2").locator(".main")).to_have_text("--")


async def nothing(hub):
    """No beat, until the hub is closed."""
    while not hub.closed:
        await asyncio.sleep(0.05)
    for number in ():
        yield number
