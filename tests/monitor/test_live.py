import asyncio
import json
from contextlib import aclosing

import pytest

from drivers.clock import NS
from drivers.events import Cause, DeviceAlarm, DeviceStatus, LinkState, Reading, Validity, measured, missing
from monitor.alerts.conditions import AlertEvent, AlertState, Kind, Priority
from monitor.alerts.signals import Activation, Signal, SignalState
from monitor.live import BedView, DeviceView, LiveHub

CUFF = ("nibp_sys", "nibp_dia", "nibp_mean")
BED = BedView(
    "chair-1",
    "Chair 1",
    (DeviceView("oximeter", "Nonin", ("spo2", "pulse_rate")), DeviceView("cuff", "GE Dinamap", (*CUFF, "pulse_rate"))),
)


@pytest.fixture
def hub(clock):
    return LiveHub([BED, BedView("chair-2", "Chair 2", ())], clock, "clinic")


def give(hub, clock, device="oximeter", *, ago=0.0, **values):
    now = clock.now_ns()
    hub.receive("chair-1", device, [measured(key, value, now - int(ago * NS), now) for key, value in values.items()])


def shown(hub, vital="spo2"):
    return hub.snapshot()["beds"][0]["vitals"][vital]


def signal(rule, priority=Priority.HIGH, state=AlertState.ON, begun=0, **fields):
    text = fields.pop("text", "SpO₂ 86 < 90")
    event = AlertEvent("chair-1", rule, Kind.PHYSIOLOGICAL, priority, state, 40 * NS, text, "spo2", **fields)
    return Signal(event, state is not AlertState.LATCHED, begun, 0.0)


def test_expected_vitals_are_missing_until_they_come_and_all_of_the_snapshot_is_json(hub):
    snapshot = hub.snapshot()
    assert snapshot["station"] == "clinic"
    assert [bed["label"] for bed in snapshot["beds"]] == ["Chair 1", "Chair 2"]
    assert set(snapshot["beds"][0]["vitals"]) == {"spo2", "pulse_rate", *CUFF}
    assert shown(hub)["state"] == "missing"
    assert shown(hub)["value"] is None
    assert snapshot["beds"][1]["vitals"] == {}


async def test_a_continuous_vital_dims_after_five_seconds_and_is_withheld_after_ten(hub, clock):
    give(hub, clock, spo2=97)
    seen = []
    for _ in range(12):
        seen.append((shown(hub)["state"], shown(hub)["value"]))
        await clock.advance(1)
    assert seen == [("fresh", 97)] * 5 + [("stale", 97)] * 5 + [("old", None)] * 2
    assert shown(hub)["age_s"] == 12
    give(hub, clock, spo2=96)
    assert (shown(hub)["state"], shown(hub)["value"]) == ("fresh", 96)


async def test_a_cuff_pressure_shows_its_age_and_dims_and_goes_by_minutes(hub, clock):
    give(hub, clock, "cuff", nibp_sys=121, nibp_dia=75, nibp_mean=92)
    await clock.advance(449)
    assert (shown(hub, "nibp_sys")["state"], shown(hub, "nibp_sys")["age_s"]) == ("fresh", 449)
    await clock.advance(1)
    assert (shown(hub, "nibp_sys")["state"], shown(hub, "nibp_sys")["value"]) == ("stale", 121)
    await clock.advance(450)
    assert (shown(hub, "nibp_dia")["state"], shown(hub, "nibp_dia")["value"]) == ("old", None)


async def test_invalid_is_withheld_at_once_with_its_reason(hub, clock):
    give(hub, clock, spo2=97)
    hub.receive("chair-1", "oximeter", [missing("spo2", clock.now_ns(), clock.now_ns(), Cause.SENSOR_OFF)])
    assert shown(hub)["state"] == "invalid"
    assert shown(hub)["value"] is None
    assert (shown(hub)["cause"], shown(hub)["reason"]) == ("sensor_off", "sensor off")
    await clock.advance(11)
    assert shown(hub)["state"] == "old"


def test_a_questionable_value_is_shown_with_its_doubts(hub, clock):
    now = clock.now_ns()
    hub.receive("chair-1", "oximeter", [measured("spo2", 93, now, now, (Cause.ARTIFACT, Cause.LOW_PERFUSION))])
    assert (shown(hub)["state"], shown(hub)["value"], shown(hub)["validity"]) == ("fresh", 93, "questionable")
    assert shown(hub)["reason"] == "motion, low perfusion"


@pytest.mark.parametrize("state", [LinkState.SILENT, LinkState.LOST, LinkState.REFUSED, LinkState.UNDECODABLE])
async def test_a_value_of_a_device_that_is_gone_is_not_live(hub, clock, state):
    hub.link_changed("chair-1", "oximeter", LinkState.RECEIVING, "", clock.now_ns())
    give(hub, clock, spo2=97)
    await clock.advance(1)
    hub.link_changed("chair-1", "oximeter", state, "why", clock.now_ns())
    assert shown(hub)["state"] == "stale"
    await clock.advance(3)
    device = hub.snapshot()["beds"][0]["devices"][0]
    assert (device["state"], device["detail"], device["for_s"], device["quiet_s"]) == (state.value, "why", 3, 4)


def test_a_systolic_alone_is_provisional_and_not_read_with_the_pressure_before(hub, clock):
    give(hub, clock, "cuff", ago=200, nibp_sys=121, nibp_dia=75, nibp_mean=92)
    now = clock.now_ns()
    hub.receive("chair-1", "cuff", [Reading("nibp_sys", 128, Validity.QUESTIONABLE, now, now, Cause.PROVISIONAL)])
    assert (shown(hub, "nibp_sys")["value"], shown(hub, "nibp_sys")["cause"]) == (128, "provisional")
    assert shown(hub, "nibp_dia")["value"] is None
    assert shown(hub, "nibp_mean")["value"] is None
    give(hub, clock, "cuff", nibp_sys=127, nibp_dia=78, nibp_mean=95)
    assert [shown(hub, key)["value"] for key in CUFF] == [127, 78, 95]


def test_parts_of_two_measurements_are_never_shown_as_one(hub, clock):
    give(hub, clock, "cuff", ago=200, nibp_sys=121, nibp_dia=75, nibp_mean=92)
    give(hub, clock, "cuff", ago=10, nibp_sys=99, nibp_dia=60)
    assert [shown(hub, key)["value"] for key in CUFF] == [99, 60, None]


@pytest.mark.parametrize("seconds", [3600, -3600])
async def test_a_jump_of_the_wall_clock_makes_nothing_old_and_nothing_young(hub, clock, seconds):
    give(hub, clock, spo2=97)
    await clock.advance(2)
    clock.jump(seconds)
    assert (shown(hub)["state"], shown(hub)["age_s"]) == ("fresh", 2)
    await clock.advance(9)
    assert shown(hub)["state"] == "old"
    give(hub, clock, spo2=95)
    assert (shown(hub)["value"], shown(hub)["age_s"]) == (95, 0)


def test_what_was_held_back_on_its_way_is_not_young_and_does_not_replace_a_younger(hub, clock):
    give(hub, clock, ago=60, spo2=80)
    assert (shown(hub)["state"], shown(hub)["value"]) == ("old", None)
    give(hub, clock, spo2=97)
    give(hub, clock, ago=30, spo2=81)
    assert shown(hub)["value"] == 97


GIVEN = Activation()


def standing(*signals, audio=GIVEN, alarm=GIVEN):
    return SignalState({it.event.rule: it for it in signals}, audio, alarm)


def test_alerts_are_shown_as_they_are_told_until_others_are(hub):
    shown = [
        signal("spo2_low", begun=30 * NS, value=86.0, limit=90.0, group="spo2", device="oximeter"),
        signal("pr_high", Priority.MEDIUM, AlertState.ACKNOWLEDGED, actor="anna"),
        signal("spo2_falls", Priority.HIGH, AlertState.LATCHED),
    ]
    hub.alerts_changed("chair-1", standing(*shown))
    first, second = hub.snapshot()["beds"]
    assert first["alerts"][0] == {
        "rule": "spo2_low",
        "group": "spo2",
        "priority": "high",
        "kind": "physiological",
        "state": "on",
        "present": True,
        "text": "SpO₂ 86 < 90",
        "since": "1970-01-01T00:00:30.000000Z",
        "vital": "spo2",
        "device": "oximeter",
        "value": 86.0,
        "limit": 90.0,
        "actor": "",
    }
    assert [(it["rule"], it["group"], it["state"], it["present"], it["actor"]) for it in first["alerts"][1:]] == [
        ("spo2_falls", "spo2_falls", "latched", False, ""),
        ("pr_high", "pr_high", "acknowledged", True, "anna"),
    ]
    assert second["alerts"] == []
    json.dumps(hub.snapshot())
    hub.alerts_changed("chair-1", standing())
    assert hub.snapshot()["beds"][0]["alerts"] == []


async def test_a_pause_says_how_long_it_lasts_yet_and_who_paused(hub, clock):
    paused = Activation(AlertState.PAUSED, clock.monotonic() + 120, clock.monotonic(), "anna", 5 * NS)
    off = Activation(AlertState.OFF, actor="ben", begun=7 * NS)
    hub.alerts_changed("chair-1", standing(audio=paused, alarm=off))
    await clock.advance(30.5)
    first, second = hub.snapshot()["beds"]
    assert first["audio"] == {"state": "paused", "for_s": 89.5, "since": "1970-01-01T00:00:05.000000Z", "by": "anna"}
    assert first["alarm"] == {"state": "off", "for_s": None, "since": "1970-01-01T00:00:07.000000Z", "by": "ben"}
    assert second["audio"] == second["alarm"] == {"state": "on", "for_s": None, "since": None, "by": ""}
    await clock.advance(100)
    assert hub.snapshot()["beds"][0]["audio"]["for_s"] == 0
    json.dumps(hub.snapshot())


def test_alerts_without_a_bed_are_the_stations_own(hub):
    assert hub.snapshot()["station_alerts"] == []
    hub.alerts_changed("", standing(signal("disk_nearly_full", Priority.MEDIUM)))
    snapshot = hub.snapshot()
    assert [it["rule"] for it in snapshot["station_alerts"]] == ["disk_nearly_full"]
    assert [bed["alerts"] for bed in snapshot["beds"]] == [[], []]


async def test_those_who_look_are_counted_while_they_do(hub):
    assert hub.viewers == 0
    async with aclosing(hub.changes()) as one, aclosing(hub.changes()) as other:
        await anext(one)
        await anext(other)
        assert hub.viewers == 2
        await one.aclose()
        assert hub.viewers == 1
        hub.close()
        assert [number async for number in other] == []
    assert hub.viewers == 0


def test_listeners_hear_what_is_received_until_they_are_removed(hub, clock):
    heard = []

    def listener(bed, device, events):
        heard.append((bed, device, len(events)))

    hub.add_listener(listener)
    give(hub, clock, spo2=97, pulse_rate=60)
    hub.remove_listener(listener)
    hub.remove_listener(listener)
    give(hub, clock, spo2=97)
    assert heard == [("chair-1", "oximeter", 2)]


async def test_changes_come_at_once_then_at_most_four_a_second_and_at_least_one(hub, clock, monkeypatch):
    # The loop's time is the test's: a busy machine must not decide.
    monkeypatch.setattr(asyncio.get_running_loop(), "time", clock.monotonic)
    moments = {}

    async def watch():
        async for number in hub.changes():
            moments[number] = round(clock.monotonic(), 2)

    watching = asyncio.create_task(watch())
    await clock.advance(0)
    for _ in range(100):
        give(hub, clock, spo2=97)
        await clock.advance(0.01)
    for _ in range(250):
        await clock.advance(0.01)
    assert list(moments.values()) == [0, 0.25, 0.5, 0.75, 1, 2, 3]
    hub.close()
    await clock.advance(0)
    assert watching.done()
    assert [number async for number in hub.changes()] == []


def test_what_a_device_says_of_itself_stands_until_it_takes_it_back(hub, clock):
    def notices():
        return hub.snapshot()["beds"][0]["devices"][0]["notices"]

    now = clock.now_ns()
    hub.receive("chair-1", "oximeter", [DeviceStatus("low_battery", True, "Battery low", now)])
    hub.receive("chair-1", "oximeter", [DeviceAlarm("spo2", True, "SPO2 LOW", now)])
    assert notices() == ["Battery low", "SPO2 LOW"]
    hub.receive("chair-1", "oximeter", [DeviceStatus("low_battery", False, "Battery low", now)])
    assert notices() == ["SPO2 LOW"]


def test_a_cuff_at_work_is_no_notice(hub, clock):
    hub.receive("chair-1", "cuff", [DeviceStatus("cuff_busy", True, "cuff: measuring", clock.now_ns())])
    device = hub.snapshot()["beds"][0]["devices"][1]
    assert (device["notices"], device["work"]) == ([], ["cuff: measuring"])
    hub.receive("chair-1", "cuff", [DeviceStatus("cuff_busy", False, "cuff: measuring", clock.now_ns())])
    assert hub.snapshot()["beds"][0]["devices"][1]["work"] == []
