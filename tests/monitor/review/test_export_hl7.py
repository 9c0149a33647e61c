"""A session as HL7 messages says what the chart says: value for value, gap for gap, alert for alert."""

from __future__ import annotations

import io
from collections import defaultdict

import hl7
import numpy as np
import pytest
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message

from drivers.events import Validity
from monitor.alerts.conditions import AUDIO, AlertState
from monitor.hl7.message import id_of
from monitor.review.chart import Chart
from monitor.review.exports.registry import EXPORTERS, export_of
from monitor.review.tracks import Track, gaps
from tests.monitor.review.recorded_session import after, chart_of
from tests.monitor.sinks.hl7_reading import alert_told, readings_told


def exported(chart: Chart) -> str:
    file = io.BytesIO()
    EXPORTERS["hl7"]().write(export_of(chart, "clinic", None), file)
    return file.getvalue().decode()


def messages_of(text: str) -> list[str]:
    return ["MSH" + part for part in text.partition("\rBTS")[0].split("\rMSH")[1:]]


@pytest.fixture(scope="module")
def text(visit: Chart) -> str:
    return exported(visit)


@pytest.fixture(scope="module")
def messages(text: str) -> list[str]:
    return messages_of(text)


def columns(messages: list[str]) -> dict[str, list[tuple]]:
    """By vital its readings: milliseconds, device, value, validity, cause."""
    found: defaultdict[str, list[tuple]] = defaultdict(list)
    for message in (it for it in messages if "ORU^R01" in it):
        for device, at, vital, value, flags, status, cause in readings_told(message):
            assert (value is None) == (status == "X") == (flags in {"INV", "NAV"})
            validity = Validity.INVALID if status == "X" else Validity(flags.startswith("QUES"))
            found[vital].append((at, device.split("^")[0], value, validity, cause))
    return found


def recorded(chart: Chart, vital: str) -> list[tuple]:
    track = chart.vitals[vital]
    return [
        (
            at // 1_000_000,
            f"{bed_at(at)}.{track.devices[device]}",
            None if np.isnan(value) else value,
            validity,
            track.causes[cause],
        )
        for at, device, value, validity, cause in zip(
            *(one.tolist() for one in (track.at, track.device, track.value, track.validity, track.cause)), strict=True
        )
    ]


def bed_at(at: int) -> str:
    return "chair-9" if at < after(0) else "chair-1" if at < after(18 * 60) else "chair-2"


def test_every_reading_is_there_and_nothing_else(visit: Chart, messages: list[str]) -> None:
    found = columns(messages)
    assert found.keys() == visit.vitals.keys()
    for vital, readings in found.items():
        assert sorted(readings, key=str) == sorted(recorded(visit, vital), key=str), vital


def test_the_gaps_are_where_the_chart_has_them(visit: Chart, messages: list[str]) -> None:
    found = columns(messages)
    for vital, expected in visit.gaps.items():
        rows = sorted(found[vital], key=lambda it: it[0])
        at = np.array([row[0] * 1_000_000 for row in rows], np.int64)
        value = np.array([np.nan if row[2] is None else row[2] for row in rows])
        validity = np.array([row[3] for row in rows], np.uint8)
        nothing = np.zeros(len(rows), np.uint16)
        there = gaps(Track(vital, at, value, validity, nothing, ("",), nothing, ("",)), visit.span)
        assert [(it.since // 1_000_000, it.until // 1_000_000) for it in there] == [
            (it.since // 1_000_000, it.until // 1_000_000) for it in expected
        ]


def test_every_change_of_an_alert_is_there(visit: Chart, messages: list[str]) -> None:
    found: defaultdict[str, list[tuple]] = defaultdict(list)
    for message in messages:
        if "ORU^R40" in message:
            alert = alert_told(message)
            assert alert["bed"].startswith("clinic^^chair-")
            found[alert["order"].split("^")[0]].append(
                (alert["at"], alert["text"], alert["value"], alert["phase"], alert["actor"])
            )
    expected = {}
    for life in visit.alerts:
        changes = [
            (it.at // 1_000_000, it.text, it.value, "end" if it.state is AlertState.OFF else "continue", it.actor)
            for it in life.changes
        ]
        changes[0] = (*changes[0][:3], "start", changes[0][4])
        expected[f"{life.bed}.{life.rule}.{life.began}"] = changes
    [paused] = visit.silences
    expected[f"chair-1.{AUDIO}.{paused.at}"] = [(paused.at // 1_000_000, "audio paused", None, "start", "Kim Möller")]
    assert found == expected


def test_messages_are_in_order_of_time_and_each_is_another(text: str, messages: list[str]) -> None:
    times = [message.split("|")[6] for message in messages]
    assert times == sorted(times)
    assert len({id_of(message) for message in messages}) == len(messages)
    assert text.endswith(f"\rBTS|{len(messages)}\r")


def test_other_programs_read_it(text: str, messages: list[str]) -> None:
    head, _, rest = text.partition("\rMSH")
    # The library takes milliseconds for each message: some of each kind of trouble, and all alerts.
    some = [message for place, message in enumerate(messages) if place % 200 == 0 or "ORU^R40" in message]
    assert rest
    batch = hl7.parse_batch(head + "\r" + "\r".join(some) + f"\rBTS|{len(some)}\r")
    assert [str(message).rstrip("\r") for message in batch] == some
    assert str(batch.header).startswith("BHS|^~\\&|infusion-monitor|clinic|")
    assert str(batch.header[9]) == "visit-1"
    for message in some:
        if "ORU^R01" in message:
            assert parse_message(message, validation_level=VALIDATION_LEVEL.STRICT).validate()
        assert "|P-017^^^clinic^PI|" in message
        assert "|visit-1^^^clinic^VN" in message


def test_the_same_chart_gives_the_same_file(made_up, text: str) -> None:
    assert exported(chart_of(made_up)) == text


def test_a_session_without_anything_is_an_empty_batch(made_up) -> None:
    chart = chart_of(made_up, "visit-2")
    assert exported(chart).count("\r") == 2
    assert hl7.parse_file(exported(chart))[0] == []


def test_two_real_hours(real_visit: Chart) -> None:
    found = columns(messages_of(exported(real_visit)))
    assert found.keys() == real_visit.vitals.keys()
    for vital, track in real_visit.vitals.items():
        rows = found[vital]
        assert [row[0] for row in rows] == (track.at // 1_000_000).tolist()
        assert [row[2] for row in rows] == [None if np.isnan(it) else it for it in track.value.tolist()]


def test_no_site_makes_fields_of_its_own(visit: Chart) -> None:
    file = io.BytesIO()
    EXPORTERS["hl7"]().write(export_of(visit, "a|b^c\rMSH|", None), file)
    facilities = {message.split("|")[3] for message in messages_of(file.getvalue().decode())}
    assert facilities == {"a\\F\\b\\S\\c\\X0D\\MSH\\F\\"}
