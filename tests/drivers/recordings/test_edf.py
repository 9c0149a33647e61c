"""EDF files: what another library wrote is read as it is, and a header is not believed."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import pyedflib
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.clock import NS
from drivers.errors import BadCapture
from drivers.recordings import edf, sampled

BEGINS_NS = 1_767_607_200 * NS
SIGNALS = [
    ("SpO2", "%", 1),
    ("HR", "bpm", 1),
    ("NIBPs", "mmHg", 1),
    ("NIBPd", "mmHg", 1),
    ("Pleth", "", 125),
    ("XY", "", 1),
]


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    """Four seconds, written by a library that the program does not use."""
    path = tmp_path_factory.mktemp("edf") / "one.edf"
    with pyedflib.EdfWriter(str(path), len(SIGNALS), file_type=pyedflib.FILETYPE_EDFPLUS) as writer:
        writer.setStartdatetime(datetime.fromisoformat("2026-01-05T10:00:00"))
        for place, (label, unit, rate) in enumerate(SIGNALS):
            writer.setSignalHeader(
                place,
                {
                    "label": label,
                    "dimension": unit,
                    "sample_frequency": rate,
                    "physical_min": -32768,
                    "physical_max": 32767,
                    "digital_min": -32768,
                    "digital_max": 32767,
                    "transducer": "",
                    "prefilter": "",
                },
            )
        numbers = [[97, 98, -32768, 12], [60, 61, 62, 63], [120, 120, -32768, 118], [80, 80, -32768, -32768]]
        pleth, other = np.arange(500) - 250, [1, 2, 3, 4]
        columns = [np.array(it, np.int32) for it in (*numbers, pleth, other)]
        for second in range(4):
            for column, (_, _, rate) in zip(columns, SIGNALS, strict=True):
                writer.writeDigitalSamples(column[second * rate : (second + 1) * rate])
    return path


def told(recording, vital):
    series = recording.series[vital]
    return list(zip(((series.observed_at - BEGINS_NS) / NS).tolist(), series.value.tolist(), strict=True))


def test_the_same_as_was_written(written: Path) -> None:
    found = edf.read(written)
    assert told(found, "spo2") == [(0, 97), (1, 98), (3, 12)]
    assert told(found, "heart_rate") == [(0, 60), (1, 61), (2, 62), (3, 63)]
    assert told(found, "nibp_sys") == [(0, 120), (3, 118)]
    assert told(found, "nibp_dia") == [(0, 80)]
    [pleth] = found.waveforms
    assert (pleth.name, pleth.rate, pleth.samples.tolist()) == ("pleth", 125, list(range(-250, 250)))
    assert pleth.begins.tolist() == [BEGINS_NS]
    assert found.ignored == ("XY",)


def changed(written: Path, path: Path, *changes: tuple[int, bytes]) -> Path:
    data = bytearray(written.read_bytes())
    for place, content in changes:
        data[place : place + len(content)] = content
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (((0, b"BIOSEMI "),), "is no EDF file"),
        (((236, b"99999999"),), "not as many as its header says"),
        (((236, b"-1      "),), "not as many as its header says"),
        (((236, b"many    "),), "something else where it has to have a number"),
        (((252, b"0   "),), "its header contradicts itself"),
        (((244, b"often   "),), "the file cannot be read"),
    ],
)
def test_a_header_is_not_believed(written: Path, tmp_path: Path, changes, words: str) -> None:
    path = changed(written, tmp_path / "two.edf", *changes)
    with pytest.raises(BadCapture, match=r"two\.edf") as raised:
        edf.read(path)
    assert words in str(raised.value)


def test_what_is_cut_off_or_not_there(written: Path, tmp_path: Path) -> None:
    path = tmp_path / "two.edf"
    with pytest.raises(BadCapture, match="No such file"):
        edf.read(path)
    path.write_bytes(written.read_bytes()[:-1])
    with pytest.raises(BadCapture, match="truncated"):
        edf.read(path)
    path.write_bytes(b"0       ")
    with pytest.raises(BadCapture, match="is no EDF file"):
        edf.read(path)


def test_a_start_without_a_date(written: Path, tmp_path: Path) -> None:
    anonymous = changed(written, tmp_path / "two.edf", (88, b"Startdate X X X X".ljust(80)), (168, b"01.01.85"))
    assert edf.read(anonymous).series["spo2"].value.tolist() == [97, 98, 12]


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 256 * 8 - 1), st.binary(min_size=1, max_size=8)), max_size=3))
def test_nothing_worse_than_bad_capture_comes_of_any_header(written: Path, tmp_path_factory, changes) -> None:
    path = changed(written, tmp_path_factory.getbasetemp() / "any.edf", *changes)
    try:
        found = edf.read(path)
    except BadCapture:
        return
    assert all(np.isfinite(series.value).all() for series in found.series.values())


def test_what_would_last_for_centuries_is_no_recording(tmp_path: Path) -> None:
    day = np.full(60_000, 70)
    signal = sampled.Signal("HR", "bpm", 1 / 86_400, day, day > 0, 1.0, 0.0)
    with pytest.raises(BadCapture, match="no time of a recording"):
        sampled.sampled(tmp_path / "one.edf", [signal], BEGINS_NS)
