"""WFDB records, read back by PhysioNet's own package."""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.clock import NS
from monitor.review.exports import waveforms
from monitor.review.exports.notes import Note
from monitor.review.exports.wfdb import annotation_file
from tests.monitor.review.exported import LONG, UW, Read, found_again, run, uw_visit, visit_of, written
from tests.monitor.review.made import Record

with warnings.catch_warnings():
    # It warns of its own ways when it is imported.
    warnings.simplefilter("ignore")
    import wfdb


class Notes:
    """What `wfdb` reads of a file of annotations."""

    def __init__(self, record: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read = wfdb.rdann(str(record), "atr")
        self.fs = read.fs
        self.ms: list[int] = read.sample.tolist()
        # The package takes each byte for a character.
        self.bytes = [text.encode("latin-1") for text in read.aux_note]
        self.marks = list(zip(self.ms, read.chan.tolist(), strict=True))
        self.symbols = set(read.symbol)


class Wfdb:
    """What `wfdb` reads of a record."""

    def __init__(self, folder: Path, content: bytes) -> None:
        zipfile.ZipFile(io.BytesIO(content)).extractall(folder)
        (header,) = folder.glob("*.hea")
        self.header = header.read_text("ascii")
        read = wfdb.rdrecord(str(header.with_suffix("")), smooth_frames=False)
        self.begins = read.base_datetime.replace(tzinfo=UTC).timestamp()
        self.units = dict(zip(read.sig_name or [], read.units or [], strict=True))
        self.signals = {
            name: Read(float(read.fs * spf), value)
            for name, spf, value in zip(
                read.sig_name or [], read.samps_per_frame or [], read.e_p_signal or [], strict=True
            )
        }
        self.checksums = [] if not read.sig_name else read.checksum
        digital = wfdb.rdrecord(str(header.with_suffix("")), smooth_frames=False, physical=False)
        self.sums = [] if not read.sig_name else digital.calc_checksum(expanded=True)
        self.comments = read.comments
        self.notes = Notes(header.with_suffix(""))

    def found_again(self, chart, tolerance: float = 0) -> None:
        found_again(chart, self.begins, self.signals, lambda name, _: name, tolerance)


@pytest.fixture
def read(tmp_path: Path) -> Callable[[bytes], Wfdb]:
    return lambda content: Wfdb(tmp_path, content)


def test_every_reading_is_at_its_time_and_every_gap_is_one(visit, read):
    record = read(written("wfdb", visit))
    # One temperature is the rounding of a sum: the number that it is stands in words.
    record.found_again(visit, tolerance=1e-9)
    assert "temp of ecg: 36.763000000000005 °C".encode() in record.notes.bytes


def test_two_hours_of_a_real_patient(real_visit, read):
    read(written("wfdb", real_visit)).found_again(real_visit)


@pytest.mark.skipif(not UW.exists(), reason="no recordings")
def test_two_oximeters_in_hypoxia(read):
    chart = uw_visit()
    read(written("wfdb", chart)).found_again(chart)


def test_the_header_says_what_it_is_of(visit, read):
    record = read(written("wfdb", visit))
    assert record.begins == datetime(2026, 11, 25, 7, 55, tzinfo=UTC).timestamp()
    assert record.units["heart_rate"] == "/min"
    assert record.units["temp"] == "degC"
    assert record.comments[0].startswith("session visit-1, reference P-017, site clinic")
    assert "spo2: oximeter" in record.comments
    assert [it % 2**16 for it in record.checksums] == record.sums
    assert max(map(len, record.header.splitlines())) <= 255


def test_the_reference_is_whole_though_a_header_is_ascii(read):
    record = read(written("wfdb", visit_of(Record().measured("spo2", [1], [97]))))
    assert "reference P 017 \\xe4," in record.comments[0]
    assert any("reference P 017 ä," in note.decode() for note in record.notes.bytes)


def test_entries_alerts_and_doubts_are_annotations(visit, read):
    notes = read(written("wfdb", visit)).notes
    assert notes.fs == 1000
    assert notes.symbols == {'"'}
    told = dict(zip(notes.bytes, notes.ms, strict=True))
    assert told[b"NIBP 125/77 (93) mmHg, cuff"] == 600_000
    assert told[b"spo2 of oximeter: questionable, low_perfusion (for 18.991 s)"] == 1_000_035
    (alert,) = [text.decode() for text in told if text.startswith(b"alert, high")]
    assert "SpO₂ 87 < 90" in alert
    assert alert.endswith("(for 55.000 s)")
    # No two have one time and channel: other programs keep only one of those.
    assert len(set(notes.marks)) == len(notes.marks)
    assert notes.marks == sorted(notes.marks)


texts = st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1, max_size=400)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(1, 100 * 86_400_000), texts), min_size=1, max_size=8))
def test_any_annotations(tmp_path, made):
    made.sort(key=lambda it: it[0])
    (tmp_path / "any.atr").write_bytes(annotation_file([Note(ms * NS // 1000, None, text) for ms, text in made], 0))
    notes = Notes(tmp_path / "any")
    joined: dict[int, bytes] = {}
    for ms, part in zip(notes.ms, notes.bytes, strict=True):
        joined[ms] = joined.get(ms, b"") + part
        # No part ends within a character.
        part.decode()
    expected: dict[int, bytes] = {}
    for ms, text in made:
        expected[ms] = expected.get(ms, b"") + text.encode()
    assert joined == expected


@pytest.mark.timeout(20)
def test_a_note_of_the_first_moment_is_no_definition(tmp_path):
    # The package looks for the end of a definition that begins so, for ever.
    (tmp_path / "any.atr").write_bytes(annotation_file([Note(0, None, "## dose: halved")], 0))
    assert Notes(tmp_path / "any").bytes == [b"## dose: halved"]


def test_a_text_of_any_length_is_whole(read):
    notes = read(written("wfdb", visit_of(Record().measured("spo2", [1], [97]), 1, (5, LONG)))).notes
    parts = [part for ms, part in zip(notes.ms, notes.bytes, strict=True) if ms == 5000]
    assert b"".join(parts).decode() == f"{LONG} [entry 2; Kim]"


def test_waveforms_are_there_with_their_gaps(made_up, visit, read):
    pleth = read(written("wfdb", visit, waveforms.of_session(made_up, visit))).signals["pleth"]
    assert pleth.rate == 75
    of_session = pleth.value[300 * 75 :]
    assert of_session[:25].tolist() == [k * 31 % 256 for k in range(25)]
    missing = np.isnan(of_session)
    assert not missing[: 60 * 75].any()
    assert missing[60 * 75 : 61 * 75].all()
    assert not missing[61 * 75 : 120 * 75].any()
    assert missing[120 * 75 :].all()


def test_a_rate_that_is_no_whole_number_and_faster_readings_beside_it(read):
    record = Record().measured("spo2", np.arange(0, 10, 0.25), 97.0)
    chart = visit_of(record)
    read_back = read(written("wfdb", chart, [run(0, range(500), 62.5, "resp")]))
    read_back.found_again(chart)
    assert read_back.signals["spo2"].rate == 4
    assert read_back.signals["resp"].rate == 62.5
    assert read_back.signals["resp"].value[:500].tolist() == list(range(500))


def test_a_session_without_readings(read):
    record = read(written("wfdb", visit_of(Record(), 1)))
    assert not record.signals
    assert b"session closed [entry 2; Kim]" in record.notes.bytes


def test_one_vital_for_a_day(read):
    chart = visit_of(Record().measured("heart_rate", np.arange(0, 86_400, 1.024), 71.0), 24 * 60)
    read(written("wfdb", chart)).found_again(chart)


def test_the_same_chart_makes_the_same_bytes(visit):
    assert written("wfdb", visit) == written("wfdb", visit)
