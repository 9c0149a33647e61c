"""EDF+ files, read back by pyedflib."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyedflib
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.clock import NS
from drivers.errors import ExportRefused, ExtraMissing
from drivers.events import Validity
from monitor.review.exports import waveforms
from monitor.sessions.entries import Kind
from tests.monitor.review.exported import LONG, UW, Read, found_again, run, uw_visit, visit_of, written
from tests.monitor.review.made import Record
from tests.monitor.sessions.helpers import START, chart, minute

NONE = -32768


class Edf:
    """What pyedflib reads of a file."""

    def __init__(self, path: Path) -> None:
        with pyedflib.EdfReader(str(path)) as file:
            self.header: dict[str, Any] = file.getHeader()
            self.duration = file.getFileDuration()
            self.heads = {head["label"]: head for head in file.getSignalHeaders()}
            self.signals = {}
            for number, label in enumerate(file.getSignalLabels()):
                digital = file.readSignal(number, digital=True)
                value = np.where(digital == NONE, np.nan, file.readSignal(number))
                self.signals[label] = Read(file.getSampleFrequency(number), value)
            onset, duration, text = file.readAnnotations()
        self.notes = list(zip(onset.tolist(), duration.tolist(), text.tolist(), strict=True))
        self.begins = self.header["startdate"].replace(tzinfo=UTC).timestamp()

    def found_again(self, chart) -> None:
        found_again(chart, self.begins, self.signals, self.label, tolerance=1e-9)

    def label(self, name: str, device: str) -> str:
        (label,) = [
            label
            for label, head in self.heads.items()
            if head["transducer"] == device and label[:15].rstrip() == name[:15].rstrip()
        ]
        return label


@pytest.fixture
def read(tmp_path: Path) -> Callable[[bytes], Edf]:
    def read(content: bytes) -> Edf:
        path = tmp_path / "visit.edf"
        path.write_bytes(content)
        return Edf(path)

    return read


def test_every_reading_is_at_its_time_and_every_gap_is_one(visit, read):
    read(written("edf", visit)).found_again(visit)


def test_two_hours_of_a_real_patient(real_visit, read):
    read(written("edf", real_visit)).found_again(real_visit)


@pytest.mark.skipif(not UW.exists(), reason="no recordings")
def test_two_oximeters_in_hypoxia(read):
    chart = uw_visit()
    read(written("edf", chart)).found_again(chart)


readings = st.lists(
    st.tuples(
        st.integers(0, 1200).map(lambda it: it / 10), st.none() | st.integers(0, 30_000).map(lambda it: it / 100)
    ),
    min_size=1,
    max_size=50,
    unique_by=lambda it: it[0],
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(readings, st.sampled_from(["spo2", "temp", "nibp_sys"]))
def test_any_readings(read, made, vital):
    made.sort()
    chart = visit_of(Record().measured(vital, *zip(*made, strict=True)))
    read(written("edf", chart)).found_again(chart)


def test_the_header_has_the_pseudonym_and_utc(visit, read):
    file = read(written("edf", visit))
    assert file.header["patientcode"] == "P-017"
    assert file.header["patientname"] in {"", "X"}
    assert file.header["admincode"] == "visit-1"
    assert file.header["recording_additional"] == "UTC"
    # The recording that was assigned to it begins five minutes before it.
    assert file.header["startdate"] == datetime(2026, 11, 25, 7, 55)  # noqa: DTZ001 - the format has no zone
    assert file.duration >= visit.span.seconds


def test_a_signal_says_what_its_numbers_are(visit, read):
    heads = read(written("edf", visit)).heads
    assert heads["spo2"]["transducer"] == "oximeter"
    assert heads["spo2"]["dimension"] == "%"
    assert heads["spo2"]["prefilter"] == "no value: -32768; step: 1"
    assert heads["perfusion_index"]["prefilter"] == "no value: -3276.8; step: 0.1"
    assert heads["temp"]["dimension"] == "degC"
    assert heads["pulse_rate cuff"]["transducer"] == "cuff"


def test_entries_alerts_phases_and_doubts_are_annotations(visit, read):
    notes = read(written("edf", visit)).notes
    alert = next(note for note in notes if note[2].startswith("alert, high"))
    assert alert[0] == pytest.approx(710)
    assert alert[1] == pytest.approx(55)
    assert "SpO₂ 87 < 90" in alert[2]
    assert (540.0, 300.0, "phase: infusion running") in notes
    assert (600.0, -1.0, "NIBP 125/77 (93) mmHg, cuff") in notes
    assert (600.0, 29.01, "spo2 of oximeter: invalid, sensor_off") in notes
    texts = [text for _, _, text in notes]
    assert any("feels floaty, anxious" in text and "at first: feels floaty, calm" in text for text in texts)
    assert any(text.startswith("void: of another patient") for text in texts)
    assert any("café, Übelkeit, 気分が悪い, 🙂" in text for text in texts)
    # The signature came ten minutes after the end of the recording.
    assert any(at == 1740 and text.startswith("2026-11-25T08:34:00.000000Z: chart signed") for at, _, text in notes)


def test_waveforms_are_there_with_their_gaps(made_up, visit, read):
    runs = waveforms.of_session(made_up, visit)
    pleth = read(written("edf", visit, runs)).signals["pleth"]
    assert pleth.rate == 75
    of_session = pleth.value[300 * 75 : (300 + 1440) * 75]
    assert of_session[:25].tolist() == [k * 31 % 256 for k in range(25)]
    missing = np.isnan(of_session)
    assert not missing[: 60 * 75].any()
    assert missing[60 * 75 : 61 * 75].all()
    assert not missing[61 * 75 : 120 * 75].any()
    assert missing[120 * 75 :].all()


def test_runs_that_come_late_or_early_are_one_and_a_lost_one_is_a_gap(read):
    late = [run(k / 3 + 0.02 * (k % 3), range(k, k + 25)) for k in range(30) if k != 10]
    pleth = read(written("edf", visit_of(Record()), late)).signals["pleth"].value
    expected = np.concatenate([np.arange(k, k + 25) for k in range(10)])
    assert pleth[:250].tolist() == expected.tolist()
    assert np.isnan(pleth[250:275]).sum() >= 24
    assert (~np.isnan(pleth)).sum() == 29 * 25


def test_an_odd_rate_and_samples_of_more_than_16_bits(read):
    runs = [run(0, [k * 1000 for k in range(-250, 250)], 62.5, "resp"), run(0, range(1000), 99.956, "ecg")]
    file = read(written("edf", visit_of(Record()), runs))
    assert file.signals["resp"].rate == 62.5
    assert file.signals["resp"].value[:500].tolist() == pytest.approx([k * 100 for k in range(-250, 250)])
    assert "1 is 10 of the device's" in file.heads["resp"]["prefilter"]
    assert file.signals["ecg"].rate == 100
    ecg = file.signals["ecg"].value
    assert ecg[~np.isnan(ecg)].tolist() == pytest.approx(list(range(1000)))


def test_what_fits_no_signal_is_said_in_words(read):
    record = Record().measured("spo2", [1, 1.00001, 1.00002, 1.00003], [97, 98, 96, 95])
    record.measured("perfusion_index", range(20), [0.24] * 19 + [9999.5])
    notes = [text for _, _, text in read(written("edf", visit_of(record))).notes]
    assert "spo2 of monitor: 98.0 %" in notes
    assert "perfusion_index of monitor: 9999.5 %" in notes


def test_numbers_that_are_rounded_are_said_to_be(read):
    computed = ((np.linspace(96, 104, 110) - 32) / 1.8).tolist()
    file = read(written("edf", visit_of(Record().measured("temp", range(110), computed))))
    assert file.heads["temp"]["prefilter"].endswith("step: 0.0001; rounded")
    assert file.signals["temp"].value[:110] == pytest.approx(computed, abs=0.51e-4)


def test_a_session_without_readings(read):
    file = read(written("edf", visit_of(Record(), 1, (5, LONG))))
    assert not file.signals
    assert any(text.startswith("Über den Wolken 気分が悪い") for _, _, text in file.notes)


def test_one_vital_for_a_day(read):
    record = Record().measured("spo2", range(86_400), 97.0)
    record.measured("spo2", [86_400 - 0.4], 91.0, validity=Validity.QUESTIONABLE, cause="low_perfusion")
    chart = visit_of(record, 24 * 60)
    file = read(written("edf", chart))
    file.found_again(chart)
    assert file.begins == START // NS


def test_names_that_are_long_or_alike_stay_apart(read):
    record = Record()
    for device in ("a-device-of-the-east-wing", "a-device-of-the-east-hall", "Gerät ä"):
        record.measured("pulse_rate", [1], [70], device=device)
    file = read(written("edf", visit_of(record)))
    assert len(file.signals) == 6
    assert {head["transducer"] for head in file.heads.values()} >= {"a-device-of-the-east-hall", "Ger\\xe4t \\xe4"}


def test_the_same_chart_makes_the_same_bytes(visit):
    assert written("edf", visit) == written("edf", visit)


def test_without_the_library_it_says_what_to_install(visit, monkeypatch):
    monkeypatch.delattr("monitor.review.exports.edf_file", raising=False)
    monkeypatch.delitem(sys.modules, "monitor.review.exports.edf_file", raising=False)
    monkeypatch.setitem(sys.modules, "edfio", None)
    with pytest.raises(ExtraMissing, match=r"infusion-monitor\[edf\]"):
        written("edf", visit)


@pytest.mark.parametrize("format_", ["edf", "wfdb"])
def test_a_chart_that_spans_years_is_refused(format_):
    made = chart(("close", 60))
    made.add(Kind.ASSIGNED, 61, bed="chair-2", since=minute(-2_000_000), until=minute(-1_999_980))
    record = Record().measured("spo2", range(60), 96).measured("spo2", [-119_999_990], 91, bed="chair-2")
    with pytest.raises(ExportRefused, match=r"spans 1388\.\d days"):
        written(format_, record.chart(made.session))
