"""`.vital` files: the same values at the same times as the format's own library, and nothing worse than BadCapture."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.clock import NS
from drivers.errors import BadCapture
from drivers.events import Cause, Validity
from drivers.recordings import bounds, vital
from tests.conftest import RECORDINGS

FILES = sorted((RECORDINGS / "vital_files").glob("*.vital"))
OF_VITAL = {
    "heart_rate": "Intellivue/ECG_HR",
    "pulse_rate": "Intellivue/PLETH_HR",
    "spo2": "Intellivue/PLETH_SAT_O2",
    "abp_sys": "Intellivue/ABP_SYS",
    "abp_dia": "Intellivue/ABP_DIA",
    "abp_mean": "Intellivue/ABP_MEAN",
    "resp_rate": "Intellivue/RR",
    "perfusion_index": "Intellivue/PLETH_PERF_REL",
}
CUFF = {"nibp_sys": "Intellivue/NIBP_SYS", "nibp_dia": "Intellivue/NIBP_DIA", "nibp_mean": "Intellivue/NIBP_MEAN"}
WAVES = {"pleth": "Intellivue/PLETH", "ecg": "Intellivue/ECG_II", "resp": "Intellivue/RESP", "abp": "Intellivue/ABP"}
BEGINS = 1_700_000_000


def text(content: str) -> bytes:
    return struct.pack("<I", len(content.encode())) + content.encode()


def packet(kind: int, content: bytes) -> bytes:
    return struct.pack("<BI", kind, len(content)) + content


def track(
    number: int, name: str, kind: int = 2, form: int = 1, unit: str = "", meaning: int = 0, rate: float = 0
) -> bytes:
    head = struct.pack("<HBB", number, kind, form) + text(name) + text(unit)
    return packet(0, head + struct.pack("<ffIfddBI", 0, 0, 0, rate, 1, 0, meaning, 0))


def record(number: int, second: float, content: bytes) -> bytes:
    return packet(1, struct.pack("<HdH", 10, BEGINS + second, number) + content)


def number(track_: int, second: float, value: float) -> bytes:
    return record(track_, second, struct.pack("<f", value))


def samples(track_: int, second: float, *values: int) -> bytes:
    return record(track_, second, struct.pack(f"<I{len(values)}h", len(values), *values))


HEADER = b"VITA" + struct.pack("<IHhIIddB", 3, 27, 0, 0, 0, 0, 0, 0)


@pytest.fixture
def read(tmp_path):
    def read_(*packets, device=""):
        path = tmp_path / "one.vital"
        path.write_bytes(gzip.compress(HEADER + b"".join(packets)))
        return vital.read(path, device)

    return read_


def told(recording, key):
    series = recording.series[key]
    return list(zip(((series.observed_at / NS) - BEGINS).tolist(), series.value.tolist(), strict=True))


@pytest.mark.filterwarnings(
    "ignore:The inplace keyword:DeprecationWarning",
    # It leaves the file open.
    "ignore:Exception ignored in. <_io.FileIO name=.*vital:pytest.PytestUnraisableExceptionWarning",
)
@pytest.mark.skipif(not FILES, reason=f"no recordings at {RECORDINGS}")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_same_as_the_formats_own_library_reads(path: Path) -> None:
    import vitaldb

    theirs = vitaldb.VitalFile(str(path)).trks
    ours = vital.read(path)
    assert set(ours.series) == set(OF_VITAL) | set(CUFF)
    for key, name in OF_VITAL.items():
        assert ours.series[key].value.tolist() == [rec["val"] for rec in theirs[name].recs]
        seconds = np.array([rec["dt"] for rec in theirs[name].recs])
        assert np.abs(ours.series[key].observed_at / NS - seconds).max() < 1e-6
    for key, name in CUFF.items():
        # One reading, which the monitor repeats each second.
        first = theirs[name].recs[0]
        assert {rec["val"] for rec in theirs[name].recs} == {first["val"]}
        assert ours.series[key].value.tolist() == [first["val"]]
    there = {name: track for name, track in WAVES.items() if track in theirs}
    assert {wave.name for wave in ours.waveforms} == set(there)
    for wave in ours.waveforms:
        recs = theirs[there[wave.name]].recs
        assert wave.rate == theirs[there[wave.name]].srate
        runs = list(wave.runs(10.0))
        assert [list(run.samples) for run in runs] == [rec["val"].tolist() for rec in recs]
        assert max(abs(run.observed_at / NS - rec["dt"]) for run, rec in zip(runs, recs, strict=True)) < 1e-6
    taken = {*OF_VITAL.values(), *CUFF.values(), *there.values()}
    assert set(ours.ignored) == set(theirs) - taken


def test_one_track_of_several_is_a_vital_and_the_others_are_named(read) -> None:
    found = read(
        track(1, "HR"), number(1, 0, 60), track(2, "ECG_HR"), number(2, 0, 61), track(3, "Mood"), number(3, 0, 1)
    )
    assert told(found, "heart_rate") == [(0, 61)]
    assert set(found.ignored) == {"HR", "Mood"}
    # A track that has nothing is no choice.
    assert told(read(track(1, "HR"), number(1, 0, 60), track(2, "ECG_HR")), "heart_rate") == [(0, 60)]


def test_a_name_that_is_not_known_has_the_meaning_that_the_file_gives_it(read) -> None:
    found = read(
        track(1, "XY_1", meaning=10), number(1, 0, 97), track(2, "CO2_X", unit="kPa", meaning=15), number(2, 0, 5)
    )
    assert told(found, "spo2") == [(0, 97)]
    assert told(found, "etco2")[0][1] == pytest.approx(37.5, abs=0.01)
    assert read(track(1, "ETCO2", unit="vol%"), number(1, 0, 5), track(2, "HR"), number(2, 0, 60)).ignored == ("ETCO2",)


def test_values_that_are_none_and_values_that_are_in_doubt(read) -> None:
    found = read(track(1, "SPO2"), number(1, 0, float("nan")), number(1, 1, 97), number(1, 2, 12))
    series = found.series["spo2"]
    assert told(found, "spo2") == [(1, 97), (2, 12)]
    assert series.validity.tolist() == [Validity.VALID, Validity.QUESTIONABLE]
    assert series.causes[series.cause[1]] == Cause.IMPLAUSIBLE
    shorts = read(
        track(1, "SPO2", form=5), *(record(1, at, struct.pack("<h", it)) for at, it in enumerate((-32768, 97)))
    )
    assert told(shorts, "spo2") == [(1, 97)]


def test_a_value_that_its_unit_makes_no_number_is_none(read) -> None:
    values = [record(1, second, struct.pack("<d", value)) for second, value in ((0, 1e308), (300, 16.0))]
    found = read(track(1, "NIBP_SYS", form=2, unit="kPa"), *values)
    assert told(found, "nibp_sys") == [(300, pytest.approx(120, abs=0.1))]


def test_a_reading_of_the_cuff_that_is_repeated_is_one(read) -> None:
    tracks = [track(1, "NIBP_SBP"), track(2, "NIBP_DBP")]
    pressures = [(0, 120, 80), (60, 120, 80), (120, 120, 80), (600, 120, 80), (660, 130, 85)]
    found = read(*tracks, *(number(it, at + it / 10, row[it - 1]) for at, *row in pressures for it in (1, 2)))
    # Minutes after it was last repeated the same pressures are measured ones.
    assert [round(at) for at, _ in told(found, "nibp_sys")] == [0, 600, 660]
    assert [value for _, value in told(found, "nibp_dia")] == [80, 80, 85]
    alone = read(*tracks, number(1, 0, 118), number(1, 10, 120), number(2, 10, 80))
    assert alone.series["nibp_sys"].validity.tolist() == [Validity.QUESTIONABLE, Validity.VALID]


def test_gaps_in_a_waveform_are_runs_that_are_not_there(read) -> None:
    found = read(track(1, "PLETH", kind=1, form=5, rate=10), samples(1, 0, 1, 2, -32768, -32768, 3), samples(1, 1, 4))
    [wave] = found.waveforms
    assert [(run.observed_at / NS - BEGINS, run.samples) for run in wave.runs(10.0)] == [
        (0.0, (1, 2)),
        (pytest.approx(0.4), (3,)),
        (1.0, (4,)),
    ]
    assert [run.samples for run in wave.runs(0.1)] == [(1,), (2,), (3,), (4,)]


def test_one_device_of_several(read) -> None:
    devices = b"".join(packet(9, struct.pack("<I", it) + text(name) + text(name)) for it, name in ((1, "A"), (2, "B")))
    tracks = [track(it, "HR")[:-4] + struct.pack("<I", it) for it in (1, 2)]
    values = [number(1, 0, 60), number(2, 0, 70)]
    assert told(read(devices, *tracks, *values, device="b"), "heart_rate") == [(0, 70)]
    assert read(devices, *tracks, *values).ignored == ("B/HR",)


def test_times_that_count_from_nowhere_are_no_date(read) -> None:
    early = packet(1, struct.pack("<HdHf", 10, 12.5, 1, 97))
    found = read(track(1, "SPO2"), early)
    assert (found.origin, found.began) == (0, 0.5)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is no .vital file"),
        (b"t,SpO2\n", "does not begin as a gzip stream does"),
        (gzip.compress(b"VIT"), "ends within its header"),
        (gzip.compress(b"NOPE" + HEADER[4:]), "VITA is missing"),
        (gzip.compress(HEADER), "no value of a vital that is known"),
        (gzip.compress(HEADER + b"\x01\x00"), "ends within a packet's head"),
        (gzip.compress(HEADER + struct.pack("<BI", 77, 2**32 - 1)), "more than any recording"),
        (gzip.compress(HEADER + struct.pack("<BI", 0, 2**30)), "a description of a track or device says"),
        (gzip.compress(HEADER + packet(0, b"\x01\x00\x02\x01" + struct.pack("<I", 2**31))), "a text of"),
        (gzip.compress(HEADER + track(1, "HR") + record(1, 0, b"\x00")), "has no value"),
        (gzip.compress(HEADER + track(1, "HR") + record(1, float("inf"), b"\x00" * 4)), "has the time inf"),
        (gzip.compress(HEADER + track(1, "HR") + record(1, float("nan"), b"\x00" * 4)), "has the time nan"),
        (
            gzip.compress(
                HEADER + track(1, "PLETH", kind=1, form=5, rate=9) + record(1, 0, struct.pack("<I", 2**32 - 1))
            ),
            "4,294,967,295 samples",
        ),
        (gzip.compress(HEADER + track(1, "HR") + number(1, 0, 60))[:-9], "damaged or truncated gzip"),
    ],
    # The bytes have the moment of their packing in them: no name that each of several processes gives alike.
    ids=lambda it: it if isinstance(it, str) else "",
)
def test_what_is_damaged_is_told_with_its_place(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "one.vital"
    path.write_bytes(content)
    with pytest.raises(BadCapture, match=r"one\.vital") as raised:
        vital.read(path)
    assert words in str(raised.value)


def test_a_file_that_unpacks_without_end_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vital, "_MOST_PACKETS", 100)
    monkeypatch.setattr(bounds, "MOST_READINGS", 50)
    path = tmp_path / "bomb.vital"
    path.write_bytes(gzip.compress(HEADER + packet(77, b"") * 200))
    with pytest.raises(BadCapture, match="more than 100 packets"):
        vital.read(path)
    path.write_bytes(gzip.compress(HEADER + track(1, "HR") + number(1, 0, 60) * 60))
    with pytest.raises(BadCapture, match="more than 50 values"):
        vital.read(path)
    monkeypatch.setattr(vital, "_MOST_BYTES", 10_000)
    path.write_bytes(gzip.compress(HEADER + packet(77, bytes(20_000))))
    with pytest.raises(BadCapture, match="20,000 bytes"):
        vital.read(path)


WHOLE = b"".join(
    [
        HEADER,
        packet(9, struct.pack("<I", 1) + text("Intellivue") + text("Intellivue") + text("COM1")),
        track(1, "ECG_HR"),
        track(2, "NIBP_SYS"),
        track(3, "PLETH", kind=1, form=5, rate=125),
        track(4, "EVENT", kind=5, form=0),
        track(5, "spo2"),
        track(6, "spo2_validity", kind=5, form=0),
        number(1, 0, 60),
        number(2, 0, 120),
        samples(3, 0, *range(20)),
        record(4, 1, bytes(4) + text("began")),
        number(5, 1, 93),
        record(6, 1, bytes(4) + text("questionable, motion")),
        packet(6, b"\x05\x02\x00\x01\x00\x02\x00"),
    ]
)


@given(st.integers(0, len(WHOLE) - 1), st.integers(0, 255), st.integers(0, len(WHOLE)), st.booleans())
def test_nothing_worse_than_bad_capture_comes_of_any_bytes(tmp_path_factory, place, byte, length, packed) -> None:
    path = tmp_path_factory.getbasetemp() / "any.vital"
    damaged = bytearray(WHOLE if packed else gzip.compress(WHOLE, mtime=0))
    damaged[place % len(damaged)] = byte
    del damaged[length:]
    path.write_bytes(gzip.compress(damaged) if packed else bytes(damaged))
    try:
        found = vital.read(path)
    except BadCapture:
        return
    assert found.series or found.waveforms
    assert all(np.isfinite(series.value[series.validity != Validity.INVALID]).all() for series in found.series.values())


def test_the_whole_of_those_bytes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "whole.vital"
    path.write_bytes(gzip.compress(WHOLE))
    found = vital.read(path)
    assert set(found.series) == {"heart_rate", "nibp_sys", "spo2"}
    spo2 = found.series["spo2"]
    assert (spo2.validity.tolist(), spo2.causes[spo2.cause[0]]) == ([Validity.QUESTIONABLE], "motion")
