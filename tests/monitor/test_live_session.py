"""What the page is given of a bed's session: its phase, the next cuff reading, the limits, and what is to be heard."""

import json
import math

import pytest

from drivers.clock import NS
from drivers.events import measured
from monitor.alerts.conditions import AlertEvent, AlertState, Kind, Priority
from monitor.alerts.signals import Activation, Signal, SignalState
from monitor.live import BedView, DeviceView, LiveHub
from monitor.sessions.entries import Entry
from monitor.sessions.entries import Kind as Of
from monitor.sessions.session import Session

CUFF = DeviceView("cuff", "GE Dinamap", ("nibp_sys", "nibp_dia", "nibp_mean"))


@pytest.fixture
def hub(clock):
    return LiveHub([BedView("chair-1", "Chair 1", (CUFF,))], clock, "clinic")


class Visit:
    """A session that is entered by hand as the clock stands."""

    def __init__(self, clock, hub):
        self.clock, self.hub, self.entries = clock, hub, []
        self.enter(Of.OPENED, reference="P-1", planned_minutes=40, profile="site")

    def enter(self, kind, **content):
        number, now = len(self.entries) + 1, self.clock.now_ns()
        self.entries.append(Entry("s-1", number, kind, now, now, "anna", "chair-1", content, f"{number:032x}"))
        self.hub.session_changed("chair-1", Session(tuple(self.entries)), 5)


@pytest.fixture
def visit(clock, hub):
    return Visit(clock, hub)


def bed(hub):
    snapshot = hub.snapshot()
    json.dumps(snapshot)
    return snapshot["beds"][0]


def test_without_a_session_there_is_none_and_no_cuff_is_due(hub):
    assert (bed(hub)["session"], bed(hub)["cuff"], bed(hub)["limits"], bed(hub)["audible"]) == (None, None, {}, None)


async def test_the_session_says_its_phase_and_how_long_the_infusion_has_run(hub, clock, visit):
    assert bed(hub)["session"] == {
        "session": "s-1",
        "reference": "P-1",
        "phase": "check_in",
        "state": "check_in",
        "planned_minutes": 40,
        "elapsed_s": None,
        "running": False,
        "overrun_s": 0.0,
        "entries": 1,
    }
    visit.enter(Of.STEP, step="start")
    await clock.advance(41 * 60)
    said = bed(hub)["session"]
    assert (said["phase"], said["state"], said["running"]) == ("infusion", "running", True)
    assert (said["elapsed_s"], said["overrun_s"], said["entries"]) == (41 * 60, 60, 2)
    visit.enter(Of.STEP, step="pause")
    await clock.advance(60)
    said = bed(hub)["session"]
    assert (said["state"], said["running"], said["elapsed_s"]) == ("paused", False, 41 * 60)
    hub.session_changed("chair-1", None)
    assert bed(hub)["session"] is None


def cuff(hub, clock, **values):
    now = clock.now_ns()
    hub.receive("chair-1", "cuff", [measured(key, value, now, now) for key, value in values.items()])


async def test_the_next_cuff_reading_is_due_an_interval_after_the_last_of_the_session(hub, clock, visit):
    await clock.advance(100)
    assert bed(hub)["cuff"] == {"every_min": 5, "due_s": 200}
    cuff(hub, clock, nibp_sys=120, nibp_dia=80, nibp_mean=93)
    await clock.advance(30)
    assert bed(hub)["cuff"]["due_s"] == 270
    await clock.advance(300)
    assert bed(hub)["cuff"]["due_s"] == -30


async def test_a_cuff_reading_of_before_the_session_is_none_of_it(hub, clock):
    cuff(hub, clock, nibp_sys=120)
    await clock.advance(60)
    visit = Visit(clock, hub)
    await clock.advance(10)
    assert bed(hub)["cuff"]["due_s"] == 290
    visit.enter(Of.STEP, step="baseline")
    assert bed(hub)["cuff"]["due_s"] == 300


def test_limits_are_given_as_numbers_and_a_side_without_one_as_none(hub):
    hub.limits_changed("chair-1", {"spo2": (90.0, math.inf), "nibp_sys": (80.0, 180.0)})
    assert bed(hub)["limits"] == {"spo2": {"low": 90.0, "high": None}, "nibp_sys": {"low": 80.0, "high": 180.0}}


@pytest.mark.parametrize(
    ("state", "audio", "expected"),
    [
        (AlertState.ON, Activation(), "high"),
        (AlertState.LATCHED, Activation(), "high"),
        (AlertState.ACKNOWLEDGED, Activation(), None),
        (AlertState.ON, Activation(AlertState.PAUSED, math.inf, actor="anna", begun=NS), None),
        (AlertState.ON, Activation(AlertState.OFF, actor="anna", begun=NS), None),
    ],
)
def test_what_is_to_be_heard_is_what_nobody_has_acknowledged_or_paused(hub, state, audio, expected):
    event = AlertEvent("chair-1", "spo2_low", Kind.PHYSIOLOGICAL, Priority.HIGH, state, 0, "SpO₂ 86 < 90", "spo2")
    signals = {"spo2_low": Signal(event, state is not AlertState.LATCHED, 0, 0.0)}
    hub.alerts_changed("chair-1", SignalState(signals, audio))
    assert bed(hub)["audible"] == expected
    hub.alerts_changed("", SignalState(signals, audio))
    assert hub.snapshot()["audible_station"] == expected


def test_the_boot_word_is_another_one_at_each_start(hub, clock):
    assert hub.snapshot()["boot"] == hub.boot != LiveHub([], clock).boot


async def test_a_clock_that_is_set_back_makes_no_cuff_reading_less_due(hub, clock, visit):
    visit.enter(Of.STEP, step="start")
    cuff(hub, clock, nibp_sys=120)
    await clock.advance(400)
    clock.jump(-3600)
    visit.enter(Of.CLOCK_SET, seconds=-3600.0)
    assert bed(hub)["cuff"]["due_s"] == -100
    cuff(hub, clock, nibp_sys=120)
    assert bed(hub)["cuff"]["due_s"] == 300
