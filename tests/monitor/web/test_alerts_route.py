"""`/api/alerts`: what stands, and what commands and the page do to it."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.alerts.board import STATION, AlertBoard
from tests.monitor.web.commands import ACKNOWLEDGE, ALERTS_ROUTE, BEDS, act, ask, stands, untouched


async def test_what_stands_is_told_of_every_bed_and_of_the_station_itself(port: int) -> None:
    found = await stands(port)
    assert list(found) == [*BEDS, STATION]
    assert [alert["rule"] for one in found.values() for alert in one["alerts"]] == ["spo2_low", "hr_high", "disk"]
    assert {(one["audio"]["state"], one["alarm"]["state"]) for one in found.values()} == {("on", "on")}


async def test_an_acknowledgement_is_answered_with_what_is_told_and_what_stands(port: int) -> None:
    status, answer = await act(port, verb="acknowledge", rules=["spo2_low"])
    assert status == 200
    [told] = answer["told"]
    assert (told["rule"], told["state"], told["actor"], told["text"]) == (
        "spo2_low",
        "acknowledged",
        "Anna",
        "SpO₂ 86 < 90",
    )
    assert answer["alerts"] == (await stands(port))["chair-1"]["alerts"]
    assert [alert["state"] for alert in (await stands(port))["chair-2"]["alerts"]] == ["on"]
    # Whoever did not get the answer says it again.
    status, again = await act(port, verb="acknowledge", rules=["spo2_low"])
    assert (status, again) == (200, {**answer, "told": []})


async def test_audio_and_alarm_are_paused_and_switched_on_again(port: int) -> None:
    status, answer = await act(port, verb="pause", what="audio", seconds=90)
    assert (status, answer["audio"]["state"], answer["alarm"]["state"]) == (200, "paused", "on")
    assert 0 < answer["audio"]["for_s"] <= 90
    assert (await stands(port))["chair-1"]["audio"]["by"] == "Anna"
    status, answer = await act(port, verb="on", what="audio")
    assert (status, answer["audio"]["state"]) == (200, "on")
    status, answer = await act(port, verb="pause", what="alarm", bed=STATION)
    assert (status, answer["bed"], answer["alarm"]["state"]) == (200, STATION, "paused")
    assert (await stands(port))["chair-1"]["alarm"]["state"] == "on"


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"verb": "off", "what": "audio"}, "the profile does not let it be switched off"),
        ({"verb": "pause", "what": "audio", "seconds": 3600}, "at most 300 s"),
        ({"verb": "acknowledge", "rules": ["mood_low"]}, "mood_low: no such alert stands"),
        ({"verb": "acknowledge", "bed": "chair-9"}, "there is no bed 'chair-9'; there are: chair-1, chair-2"),
    ],
)
async def test_what_cannot_be_done_to_alerts_is_refused(
    port: int, board: AlertBoard, fields: dict[str, Any], text: str
) -> None:
    status, answer = await act(port, **fields)
    assert (status, answer["error"]) == (409, "refused")
    assert text in answer["text"]
    assert untouched(board)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "Invalid JSON"),
        (b"[]", "an object"),
        ({**ACKNOWLEDGE, "verb": "silence"}, "verb"),
        ({**ACKNOWLEDGE, "rules": []}, "rules: "),
        ({**ACKNOWLEDGE, "by": "\x1b[2J"}, "by: has a character"),
        ({"verb": "acknowledge", "by": "Anna"}, "bed: Field required"),
        ({"verb": "pause", "bed": "chair-1", "by": "Anna", "what": "spo2_low"}, "what: "),
        ({"verb": "pause", "bed": "chair-1", "by": "Anna", "what": "audio", "seconds": float("nan")}, "seconds: "),
    ],
)
async def test_nonsense_about_alerts_is_named_and_not_done(
    port: int, board: AlertBoard, body: object, text: str
) -> None:
    status, answer = await ask(port, body, route=ALERTS_ROUTE)
    assert (status, answer["error"]) == (422, "invalid")
    assert text in answer["text"]
    assert untouched(board)
