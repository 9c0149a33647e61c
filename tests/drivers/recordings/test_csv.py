"""Recordings as CSV: what is a reading, what is none, and what is said of a file that is none of these."""

import gzip
import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import BadCapture
from drivers.events import Cause, Validity, measured
from drivers.recordings import csv
from drivers.vitals import VITALS
from tests.conftest import RECORDINGS

SECOND = 1_000_000_000


@pytest.fixture
def read(tmp_path):
    def read_(text, device=""):
        path = tmp_path / "one.csv"
        path.write_text(text)
        return csv.read(path, device)

    return read_


def told(recording, vital):
    series = recording.series[vital]
    return list(zip(series.t.tolist(), series.value.tolist(), strict=True))


def test_columns_by_their_short_names_and_by_their_keys(read):
    found = read("t,HR,PR,SpO2,PI,RR,SBP,DBP,MBP,etco2\n1,60,61,97,2.5,14,120,80,93,38\n")
    assert {vital: it.value.tolist() for vital, it in found.series.items()} == {
        "heart_rate": [60],
        "pulse_rate": [61],
        "spo2": [97],
        "nibp_sys": [120],
        "nibp_dia": [80],
        "nibp_mean": [93],
        "resp_rate": [14],
        "etco2": [38],
        "perfusion_index": [2.5],
    }
    assert found.ignored == ()


def test_blank_and_nan_are_missing_and_the_span_is_that_of_all_lines(read):
    found = read("t,SpO2,PR\n0,,60\n1,NaN,\n2.5,97,\n9,,\n")
    assert told(found, "spo2") == [(2.5, 97)]
    assert told(found, "pulse_rate") == [(0, 60)]
    assert (found.began, found.ended) == (0, 9)


def test_gzip_other_line_ends_blanks_and_quotes(tmp_path):
    path = tmp_path / "any_name"
    path.write_bytes(gzip.compress('"t", "HR" ,"SpO2"\r\n0,"60", \r\n1, 61,97\r\n\r\n'.encode("utf-8-sig")))
    found = csv.read(path)
    assert told(found, "heart_rate") == [(0, 60), (1, 61)]
    assert told(found, "spo2") == [(1, 97)]


def test_columns_that_are_not_known_are_named(read):
    assert read("t,SpO2,clock,Mood\n0,97,09:25:02,good\n").ignored == ("clock", "Mood")


def test_one_device_of_several(read):
    text = "t,SpO2_A1,PR_A1,SpO2_B2,SpO2\n0,97,60,93,90\n"
    assert told(read(text, "b2"), "spo2") == [(0, 93)]
    assert read(text, "A1").ignored == ("SpO2_B2", "SpO2")
    assert told(read(text), "spo2") == [(0, 90)]


def test_a_pressure_that_is_repeated_is_one_reading(read):
    found = read("t,SBP,DBP,MBP\n10,120,80,93\n20,,,\n30,120,80,93\n40,121,80,93\n50,120,80,93\n")
    assert told(found, "nibp_sys") == [(10, 120), (40, 121), (50, 120)]
    assert told(found, "nibp_dia") == [(10, 80), (40, 80), (50, 80)]


def test_a_systolic_alone_is_provisional_and_what_follows_is_new(read):
    found = read("t,SBP,DBP,MBP\n10,120,80,93\n60,118,,\n65,118,,\n70,120,80,93\n")
    series = found.series["nibp_sys"]
    assert told(found, "nibp_sys") == [(10, 120), (60, 118), (70, 120)]
    assert [series.causes[it] for it in series.cause] == ["", Cause.PROVISIONAL, ""]
    assert series.validity.tolist() == [Validity.VALID, Validity.QUESTIONABLE, Validity.VALID]


def test_a_file_that_has_systolics_only_has_no_provisional_ones(read):
    assert read("t,SBP\n10,120\n").series["nibp_sys"].validity.tolist() == [Validity.VALID]


def test_native_files_have_ticks(read):
    found = read('"time","HR [bpm]","Pulse (SpO2) [bpm]","QT [msec]"\n99956,80,81,400\n9995.6,70,,\n')
    assert told(found, "heart_rate") == [(10, 70), (100, 80)]
    assert found.ignored == ("QT [msec]",)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("t,SpO2\n0,97\n1,high\n", ":3:", "'high' is no number"),
        ("t,SpO2\n0,97\n\n1,inf\n", ":4:", "'inf' is no number"),
        ("t,SpO2\n0,97\n,98\n", ":3:", "has no time"),
        ("t,SpO2\n5,97\n4,98\n", ":3:", "the time 4 is before that of the line above, 5"),
        ("t,SpO2\n5,97\n6\n", ":3:", "has 1 cells; its header has 2"),
        ("t,SpO2,SPO2\n5,97,96\n", ":1:", "second column of SpO₂"),
        ("time,SpO2\n5,97\n", ":1:", "no column of time"),
        ("t,PLETH\n5,97\n", ":1:", "no column is a vital that is known: PLETH; expected HR"),
        ("t,SpO2_A,PR_A,SpO2_B\n5,97,1,2\n", ":1:", "columns of the devices A, B: name one"),
        ("t,SpO2\n", "", "no line below its header"),
        ("t,SpO2\n0,97\n1e15,97\n", "", "goes from 0 s to 1e+15 s"),
        ("t,SpO2\n-1e300,97\n1e300,97\n", "", "goes from -1e+300 s to 1e+300 s"),
        ("", ":1:", "no column of time"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(read, text, line, words):
    with pytest.raises(BadCapture, match=r"one\.csv") as raised:
        read(text)
    assert f"one.csv{line}" in str(raised.value)
    assert words in str(raised.value)


def test_a_time_that_stands_still_is_two_readings(read):
    assert told(read("t,SpO2\n5,97\n5,96\n"), "spo2") == [(5, 97), (5, 96)]


@pytest.mark.parametrize(
    ("data", "words"),
    [(None, "No such file"), (b"\x1f\x8b\x08rubbish", "damaged gzip"), (b"t,HR\n\xff,2\n", ":2: not text in UTF-8")],
)
def test_a_file_that_cannot_be_read(tmp_path, data, words):
    path = tmp_path / "one.csv"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(BadCapture, match=words):
        csv.read(path)


numbers = st.one_of(st.none(), st.integers(-50, 450), st.floats(-50, 450).map(lambda it: round(it, 2)))


@given(st.lists(st.tuples(st.sampled_from([0, 0.5, 1, 1.024, 60]), numbers, numbers), min_size=1, max_size=30))
def test_readings_are_those_that_a_codec_would_give(tmp_path_factory, lines):
    path = tmp_path_factory.getbasetemp() / "random.csv"
    t, rows, expected = 0.0, [], []
    for step, *cells in lines:
        t = round(t + step, 3)
        rows.append(",".join([str(t), *("" if cell is None else str(cell) for cell in cells)]))
        at = round(t * SECOND)
        expected += [
            measured(v, float(c), at, at) for v, c in zip(("spo2", "temp"), cells, strict=True) if c is not None
        ]
    path.write_text("t,SpO2,temp\n" + "\n".join(rows) + "\n")
    found = [reading for _, batch in csv.read(path).readings() for reading in batch]
    # Of one moment, whatever its lines, vital by vital.
    assert found == sorted(expected, key=lambda it: (it.observed_at, it.vital != "spo2"))


def test_readings_come_in_batches_of_one_moment(read):
    found = read("t,PR,SpO2\n0,60,97\n0,61,\n1,62,98\n")
    batches = [(t, [(it.vital, it.value) for it in batch]) for t, batch in found.readings()]
    assert batches == [
        (0, [("pulse_rate", 60), ("pulse_rate", 61), ("spo2", 97)]),
        (1, [("pulse_rate", 62), ("spo2", 98)]),
    ]


@pytest.mark.skipif(not RECORDINGS.exists(), reason=f"no recordings at {RECORDINGS}")
def test_every_recorded_file_is_read():
    rows = 0
    for path in sorted(RECORDINGS.glob("*/*.csv*")):
        if "_PLETH_" in path.name:
            with pytest.raises(BadCapture, match="no column is a vital that is known: PLETH"):
                csv.read(path)
            continue
        found = csv.read(path, "Radical7" if "uw_hypoxia" in path.parts else "")
        for vital, series in found.series.items():
            assert vital in VITALS
            assert np.all(np.diff(series.t) >= 0)
            assert not np.isnan(series.value).any()
            rows += len(series.t)
    assert rows > 2_000_000


@pytest.mark.skipif(not RECORDINGS.exists(), reason=f"no recordings at {RECORDINGS}")
def test_moments_can_be_computed_with_exactly():
    t = csv.read(RECORDINGS / "mimic4" / "82284982n.csv.gz").series["spo2"].t
    assert all((a + (b - a)) == b and math.modf(a * 2**20)[0] == 0 for a, b in itertools.pairwise(t))
