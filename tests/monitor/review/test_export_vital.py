"""`.vital` files, read back by the format's own package and by the project's own reader."""

from __future__ import annotations

import gzip
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.clock import NS
from drivers.events import Validity
from drivers.recordings import vital as reader
from monitor.review.exports import waveforms
from tests.monitor.review.exported import LONG, UW, run, uw_visit, visit_of, written
from tests.monitor.review.made import Record
from tests.monitor.sessions.helpers import START

with warnings.catch_warnings():
    # It warns of its own ways when it is imported.
    warnings.simplefilter("ignore")
    import vitaldb

Reading = Callable[[bytes], vitaldb.VitalFile]


@pytest.fixture
def read(tmp_path: Path) -> Reading:
    def read(content: bytes) -> vitaldb.VitalFile:
        path = tmp_path / "visit.vital"
        path.write_bytes(content)
        with warnings.catch_warnings():
            # It leaves the closing of the file to the interpreter.
            warnings.simplefilter("ignore", ResourceWarning)
            return vitaldb.VitalFile(str(path))

    return read


def texts(file, track):
    return [(record["dt"], record["val"]) for record in file.trks[track].recs]


def found_again(chart, file):
    """Assert that each reading of the chart that has a value is there, and nothing else, and what is not valid."""
    for track in chart.vitals.values():
        for number, device in enumerate(track.devices):
            of_device = track.device == number
            known = of_device & track.known
            name = f"{device}/{track.vital}"
            records = file.trks[name].recs if known.any() else []
            assert [record["val"] for record in records] == track.value[known].tolist()
            # 0.2 us is what a double of seconds since 1970 holds.
            at = np.array([record["dt"] for record in records])
            assert np.allclose(at - START // NS, (track.at[known] - START) / NS, rtol=0, atol=3e-7)
            odd = of_device & (track.validity != Validity.VALID)
            told = texts(file, f"{name}_validity") if odd.any() else []
            assert len([text for _, text in told if text != "valid"]) == odd.sum()


def test_every_reading_is_at_its_time_with_exactly_its_value(visit, read):
    found_again(visit, read(written("vital", visit)))


def test_two_hours_of_a_real_patient(real_visit, read):
    found_again(real_visit, read(written("vital", real_visit)))


@pytest.mark.skipif(not UW.exists(), reason="no recordings")
def test_two_oximeters_in_hypoxia(read):
    chart = uw_visit()
    found_again(chart, read(written("vital", chart)))


readings = st.lists(
    st.tuples(
        st.integers(0, 120_000_000).map(lambda it: it / 1_000_000),
        st.none() | st.floats(allow_nan=False, allow_infinity=False),
    ),
    min_size=1,
    max_size=50,
    unique_by=lambda it: it[0],
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(readings)
def test_any_readings(read, made):
    made.sort()
    chart = visit_of(Record().measured("etco2", *zip(*made, strict=True)))
    found_again(chart, read(written("vital", chart)))


def test_a_track_says_what_it_is(visit, read):
    file = read(written("vital", visit))
    spo2, temp = file.trks["oximeter/spo2"], file.trks["ecg/temp"]
    assert (spo2.montype, spo2.unit, spo2.mindisp, spo2.maxdisp) == (10, "%", 20, 100)
    assert (temp.montype, temp.unit) == (19, "°C")
    assert file.trks["cuff/nibp_mean"].montype == 18
    assert file.dgmt == 0
    assert file.dtstart == visit.span.since / NS
    assert set(file.devs) == {"ecg", "cuff", "oximeter"}


def test_what_is_not_valid_is_told_with_its_time_and_when_it_is_over(visit, read):
    told = texts(read(written("vital", visit)), "oximeter/spo2_validity")
    opened = visit.session.opened_at / NS
    assert told[0] == (opened + 300, "invalid, sensor_off")
    over, word = told[30]
    assert word == "valid"
    assert 330 <= over - opened < 330.05
    assert sum(text == "questionable, low_perfusion" for _, text in told) == 20


def test_entries_and_alerts_are_events(visit, read):
    events = dict((text, at) for at, text in texts(read(written("vital", visit)), "EVENT"))  # noqa: C402 - turned round
    opened = visit.session.opened_at / NS
    assert events["infusion started [entry 7; Kim Möller]"] == opened + 240
    assert events["phase: infusion running (for 300.000 s)"] == opened + 240
    (alert,) = [text for text in events if text.startswith("alert, high, physiological: SpO₂ 87 < 90")]
    assert events[alert] == opened + 410


def test_waveforms_keep_their_runs_and_times(made_up, visit, read):
    recorded = waveforms.of_session(made_up, visit)
    file = read(written("vital", visit, recorded))
    track = file.trks["oximeter/pleth"]
    assert (track.srate, track.montype) == (75, 8)
    assert [(record["dt"], record["val"].tolist()) for record in track.recs] == [
        (pytest.approx(it.waveform.observed_at / NS, abs=3e-7), list(it.waveform.samples)) for it in recorded
    ]


def test_samples_of_more_than_16_bits_are_exact(read):
    samples = [k * 1000 for k in range(-250, 250)]
    file = read(written("vital", visit_of(Record()), [run(0, samples, 125, "ecg")]))
    assert file.trks["oximeter/ecg"].recs[0]["val"].tolist() == samples


def test_a_session_without_readings(read):
    file = read(written("vital", visit_of(Record(), 1, (5, LONG))))
    assert list(file.trks) == ["EVENT"]
    assert (START / NS + 5, f"{LONG} [entry 2; Kim]") in texts(file, "EVENT")


def test_the_same_chart_makes_the_same_bytes_and_names_no_moment_of_writing(visit):
    content = written("vital", visit)
    assert content == written("vital", visit)
    assert content[4:8] == bytes(4)
    assert gzip.decompress(content)[:4] == b"VITA"


def test_the_projects_own_reader_reads_the_same(real_visit, made_up, visit, tmp_path):
    path = tmp_path / "visit.vital"
    path.write_bytes(written("vital", real_visit))
    recording = reader.read(path)
    for vital, track in real_visit.vitals.items():
        series = recording.series[vital]
        assert series.value.tolist() == track.value[track.known].tolist()
        assert np.abs(series.observed_at - track.at[track.known]).max() < 300
    recorded = waveforms.of_session(made_up, visit)
    path.write_bytes(written("vital", visit, recorded))
    again = reader.read(path)
    # Of two devices it reads the one that measured it most, and that it had no value for a while.
    pulse_rate = again.series["pulse_rate"]
    assert (len(pulse_rate.value), int(np.isnan(pulse_rate.value).sum())) == (1380, 30)
    (wave,) = again.waveforms
    assert wave.samples.tolist() == [sample for it in recorded for sample in it.waveform.samples]
