"""CSV with real times: tables of others, and this program's own export."""

from __future__ import annotations

import math

import pytest

from drivers.clock import NS
from drivers.errors import BadCapture
from drivers.events import Validity
from drivers.recordings import csv
from drivers.recordings.csv_dated import time_of

BEGINS_NS = 1_767_607_200 * NS
OWN = "Local time,UTC,t (s),Phase,SpO2 (%),SpO2 validity,NIBP sys (mmHg),NIBP dia (mmHg),Event,Text\n"


@pytest.fixture
def read(tmp_path):
    def read_(text, device=""):
        path = tmp_path / "one.csv"
        path.write_text(text)
        return csv.read(path, device)

    return read_


def told(recording, vital):
    series = recording.series[vital]
    return list(zip(((series.observed_at - BEGINS_NS) / NS).tolist(), series.value.tolist(), strict=True))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-01-05T10:00:00Z", 0),
        ("2026-01-05 10:00:01.5", 1.5),
        ("2026-01-05T12:00:00+02:00", 0),
        ("2026-01-05T07:30:02,25-0230", 2.25),
        ("2026-01-05T10:00", 0),
        ("2026-01-05", None),
        ("10:00:00", None),
        ("2026-13-05T10:00:00Z", None),
        ("12.5", None),
        ("9999-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00Z", None),
    ],
)
def test_times_with_a_date(text: str, seconds: float | None) -> None:
    at = time_of(text)
    assert at == (None if seconds is None else BEGINS_NS + round(seconds * NS))


def test_a_table_of_another_program(read) -> None:
    found = read(
        "time,HR,SpO2,NIBPs,NIBPd,Mood\n"
        "2026-01-05T10:00:10Z,61,98,120,80,good\n"
        "2026-01-05T10:00:00Z,60,97,118,,\n"
        "2026-01-05T10:00:20Z,,NaN,120,80,\n"
    )
    assert told(found, "heart_rate") == [(0, 60), (10, 61)]
    assert told(found, "spo2") == [(0, 97), (10, 98)]
    # The same pressures again are the same reading; a systolic alone is provisional.
    assert told(found, "nibp_sys") == [(0, 118), (10, 120)]
    assert found.series["nibp_sys"].validity.tolist() == [Validity.QUESTIONABLE, Validity.VALID]
    assert (found.origin, found.ignored) == (BEGINS_NS, ("Mood",))


def test_the_programs_own_export_says_which_are_not_valid(read) -> None:
    at = "2026-01-05T10:00:0"
    found = read(
        OWN + f"l,{at}0.000000001Z,0,baseline,97,,120,80,,\n"
        f"l,{at}1.000000000Z,1,baseline,88,questionable: motion,,,,\n"
        f"l,{at}2.000000000Z,2,baseline,,invalid: sensor_off,120,80,,\n"
        f"l,{at}3.000000000Z,3,baseline,,,,,note,feels fine\n"
    )
    spo2 = found.series["spo2"]
    assert [spo2.causes[it] for it in spo2.cause] == ["", "motion", "sensor_off"]
    assert spo2.validity.tolist() == [Validity.VALID, Validity.QUESTIONABLE, Validity.INVALID]
    assert math.isnan(spo2.value[2])
    assert spo2.observed_at[0] == BEGINS_NS + 1
    # Each was measured: nothing in an export is a repetition.
    assert len(told(found, "nibp_sys")) == 2
    assert [reading.value for _, batch in found.readings() for reading in batch if reading.vital == "spo2"] == [
        97,
        88,
        None,
    ]


def test_a_value_that_its_unit_makes_no_number_is_none(read) -> None:
    found = read("UTC,NIBP_SYS [kPa]\n2026-01-05T10:00:00Z,1e308\n2026-01-05T10:05:00Z,16\n")
    assert told(found, "nibp_sys") == [(300, pytest.approx(120, abs=0.1))]


def test_two_devices_of_one_vital(read) -> None:
    text = (
        "UTC,t (s),SpO2_finger (%),SpO2_ear (%),SpO2_ear validity\n2026-01-05T10:00:00Z,0,97,95,questionable: motion\n"
    )
    assert told(read(text), "spo2") == [(0, 97)]
    assert read(text).ignored == ("SpO2_ear (%)",)
    ear = read(text, "ear")
    assert (told(ear, "spo2"), ear.series["spo2"].validity.tolist()) == ([(0, 95)], [Validity.QUESTIONABLE])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("UTC,SpO2\n2026-01-05T10:00:00Z,97\nlater,98\n", ":3: 'later' is no time"),
        ("UTC,SpO2\n2026-01-05T10:00:00Z,high\n", ":2: 'high' is no number"),
        ("UTC,SpO2\n2026-01-05T10:00:00Z,inf\n", ":2: 'inf' is no number"),
        ("UTC,SpO2\n2026-01-05T10:00:00Z\n", ":2: has 1 cells; its header has 2"),
        ("UTC,Mood\n2026-01-05T10:00:00Z,good\n", "no column is a vital that is known: UTC, Mood"),
        ("UTC,SpO2\n2026-01-05T10:00:00Z,\n", "no value of a vital that is known"),
        (f"UTC,SpO2\n2026-01-05T10:00:00Z,{'9' * 200_000}\n", "field larger than field limit"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(read, text: str, words: str) -> None:
    with pytest.raises(BadCapture, match=r"one\.csv") as raised:
        read(text)
    assert words in str(raised.value)
