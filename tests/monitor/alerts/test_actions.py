"""What people may ask of alerts, and what they are told: against a real board."""

import json
from dataclasses import replace

import pytest
from pydantic import ValidationError

from drivers.errors import AlertActionRefused
from monitor.alerts.actions import ALERT_REQUEST, do, standing, told
from monitor.alerts.board import STATION, AlertBoard
from monitor.alerts.conditions import AlertEvent, AlertState, Kind, Priority, Why
from monitor.alerts.rules import Profile, Signals
from monitor.alerts.signals import SignalState

BEDS = ("chair-1", "chair-2")
PROFILE = Profile("site", signals=Signals(audio_pause=60))
ON, OFF = AlertState.ON, AlertState.OFF
LOW, MEDIUM, HIGH = Priority.LOW, Priority.MEDIUM, Priority.HIGH


@pytest.fixture
def board(clock):
    return AlertBoard(dict.fromkeys(BEDS, PROFILE), PROFILE, clock)


@pytest.fixture
def recorded(board):
    """What is told to those who write it down."""
    events = []
    board.add_listener(lambda _, several: events.extend(several))
    return events


def raise_(board, rule, priority=HIGH, state=ON, bed="chair-1", group="", kind=Kind.PHYSIOLOGICAL):
    at = board._clock.now_ns()
    board.detected(
        bed, [AlertEvent(bed, rule, kind, priority, state, at, f"{rule} {state}", group=group, why="reading")]
    )


def ask(board, **fields):
    request = ALERT_REQUEST.validate_json(json.dumps({"bed": "chair-1", "by": "Anna", **fields}))
    return [(event.rule, str(event.state)) for event in do(board, request)]


def stands(board, bed="chair-1"):
    return standing(bed, board.signals_of(bed), board._clock.monotonic())


def test_all_that_stands_on_one_bed_is_acknowledged_and_recorded_with_who_did_it(board, recorded):
    for rule, bed in (("spo2_low", "chair-1"), ("hr_high", "chair-1"), ("spo2_low", "chair-2"), ("disk", STATION)):
        raise_(board, rule, bed=bed)
    recorded.clear()
    assert ask(board, verb="acknowledge") == [("spo2_low", "acknowledged"), ("hr_high", "acknowledged")]
    assert {(event.bed, event.actor, event.why) for event in recorded} == {("chair-1", "Anna", Why.OPERATOR)}
    assert [alert["state"] for alert in stands(board)["alerts"]] == ["acknowledged", "acknowledged"]
    assert [alert["state"] for alert in stands(board, "chair-2")["alerts"]] == ["on"]
    assert ask(board, verb="acknowledge", bed=STATION) == [("disk", "acknowledged")]
    assert ask(board, verb="acknowledge") == []


def test_only_the_alerts_that_are_named_are_acknowledged(board):
    for rule in ("spo2_low", "hr_high", "sys_high"):
        raise_(board, rule)
    assert ask(board, verb="acknowledge", rules=["hr_high"]) == [("hr_high", "acknowledged")]
    with pytest.raises(AlertActionRefused, match="mood_low: no such alert stands"):
        ask(board, verb="acknowledge", rules=["spo2_low", "mood_low"])
    assert {it["rule"]: it["state"] for it in stands(board)["alerts"]} == {
        "spo2_low": "on",
        "hr_high": "acknowledged",
        "sys_high": "on",
    }


async def test_a_pause_says_how_long_it_lasts_and_can_be_ended(board, clock):
    assert ask(board, verb="pause", what="audio", seconds=30) == [("audio", "paused")]
    await clock.advance(10.04)
    begun = "2026-01-01T00:00:00.000000Z"
    assert stands(board)["audio"] == {"state": "paused", "for_s": 20.0, "since": begun, "by": "Anna"}
    assert stands(board)["alarm"] == {"state": "on", "for_s": None, "since": None, "by": ""}
    assert ask(board, verb="on", what="audio", by="Ben") == [("audio", "on")]
    assert stands(board)["audio"]["state"] == "on"
    ask(board, verb="pause", what="alarm")
    assert stands(board)["alarm"]["for_s"] == PROFILE.signals.audio_pause
    # Between its end and the tick that tells of it there is no time left, and not less than none.
    await clock.advance(61)
    assert stands(board)["alarm"]["for_s"] == 0


def test_what_the_profile_does_not_allow_is_refused(board, clock, recorded):
    with pytest.raises(AlertActionRefused, match="it can be paused"):
        ask(board, verb="off", what="audio")
    for seconds in (0, -1, 300.5, 1e300):
        with pytest.raises(AlertActionRefused, match="at most 300 s"):
            ask(board, verb="pause", what="audio", seconds=seconds)
    assert recorded == []
    allowing = replace(PROFILE, signals=Signals(may_switch_off=True))
    other = AlertBoard({"chair-1": allowing}, PROFILE, clock)
    assert ask(other, verb="off", what="alarm") == [("alarm", "off")]
    assert (stands(other)["alarm"]["state"], stands(other)["alarm"]["by"]) == ("off", "Anna")
    assert ask(other, verb="off", what="alarm") == []


def test_an_unknown_bed_is_refused_with_those_that_there_are(board, recorded):
    # Also the name that people read in place of the station's: a request has an empty one for that.
    for bed in ("chair-9", "station", "\x1b[2J"):
        with pytest.raises(AlertActionRefused, match=r"^there is no bed .*; there are: chair-1, chair-2$") as refusal:
            ask(board, verb="pause", what="audio", bed=bed)
        assert str(refusal.value).isprintable()
    assert recorded == []


@pytest.mark.parametrize(
    "fields",
    [
        {"verb": "silence"},
        {"verb": "acknowledge", "rules": []},
        {"verb": "acknowledge", "rules": "spo2_low"},
        {"verb": "acknowledge", "rules": [""]},
        {"verb": "acknowledge", "bed": None},
        {"verb": "acknowledge", "what": "audio"},
        {"verb": "acknowledge", "by": " "},
        {"verb": "acknowledge", "by": "\x1b[2J"},
        {"verb": "pause"},
        {"verb": "pause", "what": "spo2_low"},
        {"verb": "pause", "what": "audio", "seconds": "60"},
        {"verb": "pause", "what": "audio", "seconds": True},
        {"verb": "pause", "what": "audio", "seconds": float("nan")},
        {"verb": "off", "what": "audio", "seconds": 60},
    ],
)
def test_what_is_no_request_is_none(board, fields):
    raise_(board, "spo2_low")
    with pytest.raises(ValidationError):
        ask(board, **fields)
    assert [alert["state"] for alert in stands(board)["alerts"]] == ["on"]


@pytest.mark.parametrize("left_out", ["bed", "by"])
def test_neither_where_nor_who_can_be_left_out(left_out):
    fields = {"verb": "acknowledge", "bed": "chair-1", "by": "Anna"}
    del fields[left_out]
    with pytest.raises(ValidationError, match=left_out):
        ALERT_REQUEST.validate_python(fields)


def test_every_alert_is_there_the_most_urgent_first_and_groups_together(board):
    raise_(board, "device_lost", LOW, kind=Kind.TECHNICAL)
    raise_(board, "spo2_falls", LOW, group="spo2_low")
    raise_(board, "hr_high", MEDIUM)
    raise_(board, "spo2_very_low", HIGH, group="spo2_low")
    assert [alert["rule"] for alert in stands(board)["alerts"]] == [
        "spo2_very_low",
        "spo2_falls",
        "hr_high",
        "device_lost",
    ]


async def test_a_latched_alert_says_that_its_condition_is_over_and_since_when_it_stands(board, clock):
    raise_(board, "spo2_low")
    await clock.advance(5)
    raise_(board, "spo2_low", state=OFF)
    [alert] = stands(board)["alerts"]
    assert (alert["state"], alert["present"]) == ("latched", False)
    assert (alert["since"], alert["at"]) == ("2026-01-01T00:00:00.000000Z", "2026-01-01T00:00:05.000000Z")
    assert ask(board, verb="acknowledge") == [("spo2_low", "off")]
    assert stands(board)["alerts"] == []


def test_all_of_it_is_json():
    event = AlertEvent("", "disk", Kind.TECHNICAL, LOW, ON, 0, "the disk is full", value=1.0, why=Why.STATION)
    assert json.loads(json.dumps(told(event))) | {"text": ""} == {
        "bed": "", "rule": "disk", "kind": "technical", "priority": "low", "state": "on", "text": "", "vital": "",
        "device": "", "value": 1.0, "limit": None, "group": "", "why": "station", "actor": "", "session": "",
        "at": "1970-01-01T00:00:00.000000Z",
    }  # fmt: skip
    assert json.loads(json.dumps(standing("", SignalState(), 0)))["alerts"] == []


async def test_what_comes_on_after_somebody_looked_is_not_silenced(board, clock):
    raise_(board, "spo2_90", MEDIUM, group="spo2_low")
    raise_(board, "hr_high", MEDIUM)
    seen = clock.monotonic()
    await clock.advance(1)
    raise_(board, "spo2_85", HIGH, group="spo2_low")
    assert ask(board, verb="acknowledge", groups=["spo2_low"], seen=seen) == [("spo2_90", "acknowledged")]
    assert ask(board, verb="acknowledge", seen=seen) == [("hr_high", "acknowledged")]
    with pytest.raises(AlertActionRefused, match="spo2_85 on: that is new, look again"):
        ask(board, verb="acknowledge", rules=["spo2_85"], seen=seen)
    with pytest.raises(AlertActionRefused, match="spo2_85 on: that is new, look again"):
        ask(board, verb="pause", what="audio", seen=seen)
    assert ask(board, verb="acknowledge", groups=["spo2_low"], seen=clock.monotonic()) == [("spo2_85", "acknowledged")]


async def test_a_pause_is_not_refused_for_what_would_not_have_ended_it(board, clock):
    seen = clock.monotonic()
    await clock.advance(1)
    raise_(board, "cuff_late", LOW)
    raise_(board, "device_lost", HIGH, kind=Kind.TECHNICAL)
    assert ask(board, verb="pause", what="audio", seen=seen) == [("audio", "paused")]
