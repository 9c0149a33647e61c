"""WFDB records: what the format's own library wrote is read as it is, and a header is not believed."""

from __future__ import annotations

import zipfile
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from drivers.clock import NS
from drivers.errors import BadCapture
from drivers.events import Validity
from drivers.recordings import bounds, formats
from drivers.recordings import wfdb as ours

pytestmark = pytest.mark.filterwarnings("ignore:The inplace keyword:DeprecationWarning")
NONE = np.nan
BEGINS = datetime.fromisoformat("2026-01-05T10:00:00")
BEGINS_NS = 1_767_607_200 * NS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A record of numerics at 1 Hz, and one of waveforms at 125 Hz."""
    import wfdb

    numerics = np.array(
        [[60, 97, 120, 80, 36.6], [NONE, 98, NONE, NONE, 36.7], [62, NONE, 120, 80, NONE], [63, 12, 118, NONE, 36.5]]
    )
    wfdb.wrsamp(
        "one",
        fs=1,
        units=["bpm", "%", "mmHg", "mmHg", "degC"],
        sig_name=["HR", "SpO2", "NBPSys", "NBPDias", "Temp"],
        p_signal=numerics,
        fmt=["16"] * 5,
        adc_gain=[1, 1, 1, 1, 10],
        baseline=[0] * 5,
        base_datetime=BEGINS,
        write_dir=str(tmp_path),
    )
    waves = np.stack([np.arange(250), np.arange(250)[::-1], np.arange(250) % 7], axis=1).astype(np.int64)
    waves[100:110, 0] = -32768
    wfdb.wrsamp(
        "waves",
        fs=125,
        units=["NU", "mV", "mV"],
        sig_name=["PLETH", "II", "XY"],
        d_signal=waves,
        fmt=["16"] * 3,
        adc_gain=[1, 200, 1],
        baseline=[0] * 3,
        write_dir=str(tmp_path),
    )
    return tmp_path


def told(recording, vital):
    series = recording.series[vital]
    return list(zip(((series.observed_at - BEGINS_NS) / NS).tolist(), series.value.tolist(), strict=True))


def test_numerics_at_their_times(folder: Path) -> None:
    found = ours.read(folder / "one.hea")
    assert told(found, "heart_rate") == [(0, 60), (2, 62), (3, 63)]
    assert told(found, "spo2") == [(0, 97), (1, 98), (3, 12)]
    assert found.series["spo2"].validity.tolist() == [Validity.VALID, Validity.VALID, Validity.QUESTIONABLE]
    assert told(found, "temp") == [(0, 36.6), (1, 36.7), (3, 36.5)]
    # The same pressures again are the same reading; a systolic alone is provisional.
    assert told(found, "nibp_sys") == [(0, 120), (3, 118)]
    assert found.series["nibp_sys"].validity.tolist() == [Validity.VALID, Validity.QUESTIONABLE]
    assert told(found, "nibp_dia") == [(0, 80)]
    assert found.origin == BEGINS_NS


def test_waveforms_as_the_integers_of_the_file(folder: Path) -> None:
    found = ours.read(folder / "waves.hea")
    assert (found.ignored, found.series, found.origin) == (("XY",), {}, 0)
    pleth, ecg = found.waveforms
    assert (pleth.name, pleth.rate) == ("pleth", 125)
    assert [(run.observed_at, run.samples) for run in pleth.runs(10)] == [
        (0, tuple(range(100))),
        (round(110 / 125 * NS), tuple(range(110, 250))),
    ]
    assert (ecg.name, ecg.samples.tolist()) == ("ecg", list(range(250))[::-1])


def test_a_zip_of_one_record(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "one.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("one.hea", "one.dat"):
            archive.write(folder / name, f"inside/{name}")
    assert told(ours.read(path), "spo2") == told(ours.read(folder / "one.hea"), "spo2")
    with zipfile.ZipFile(path, "a") as archive:
        archive.write(folder / "waves.hea", "waves.hea")
    with pytest.raises(BadCapture, match="has 2 headers"):
        ours.read(path)


def test_what_makes_it_another_recording_is_in_all_of_its_files(folder: Path) -> None:
    before = formats.sha256(folder / "one.hea")
    data = bytearray((folder / "one.dat").read_bytes())
    data[0] ^= 1
    (folder / "one.dat").write_bytes(data)
    assert formats.sha256(folder / "one.hea") != before


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("", "is no header of a WFDB record"),
        ("one\n", "expected the record's name"),
        ("two 1 1 4\none.dat 16 1 16 0 0 0 0 HR\n", "is the header of a record called two"),
        ("one/3 1 1 4\n", "a record of several segments is not read"),
        ("one 2 1 4\none.dat 16 1 16 0 0 0 0 HR\n", "says that it has 2 signals, and describes 1"),
        ("one 1 1 999999999999\none.dat 16 1 16 0 0 0 0 HR\n", "no recording of one bed"),
        ("one 1 1 400\none.dat 16 1 16 0 0 0 0 HR\n", "one.dat: has 40 bytes, and its header says 800"),
        ("one 1 1 4\n../one.dat 16 1 16 0 0 0 0 HR\n", "is no file beside it"),
        ("one 1 1 4\n/etc/passwd 16 1 16 0 0 0 0 HR\n", "is no file beside it"),
        ("one 1 1 4\none.dat 516 1 16 0 0 0 0 HR\n", "of a form that is not read"),
        ("one 1 x 4\none.dat 16 1 16 0 0 0 0 HR\n", "expected the record's name"),
        ("one 1 1 4\none.dat 16 1 16 0 0 0 0 Mood\n", "no value of a vital that is known: Mood"),
        ("one 1 1 4\nthere.dat 16 1 16 0 0 0 0 HR\n", "No such file"),
    ],
)
def test_a_header_is_not_believed(folder: Path, header: str, words: str) -> None:
    (folder / "one.hea").write_text(header)
    with pytest.raises(BadCapture, match=r"one\.hea") as raised:
        ours.read(folder / "one.hea")
    assert words in str(raised.value)


def test_archives_that_are_none(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "one.zip"
    path.write_bytes(b"PK\x03\x04 rubbish")
    with pytest.raises(BadCapture, match=r"a damaged \.zip"):
        ours.read(path)
    monkeypatch.setattr(ours, "_MOST_BYTES", 100_000)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("one.hea", bytes(1_000_000))
    with pytest.raises(BadCapture, match="more than 100,000 bytes"):
        ours.read(path)


def test_too_much(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MOST_READINGS", 10)
    with pytest.raises(BadCapture, match="more than 10 values"):
        ours.read(folder / "one.hea")
