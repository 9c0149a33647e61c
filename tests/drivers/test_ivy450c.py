"""Ivy 450C, Ansar-B: the capture of a real monitor, and what a reader of the numbers relies on."""

import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.events import DeviceAlarm, Reading, Validity, Waveform
from drivers.protocols.ivy450c import DRIVER, Ivy450cCodec, Ivy450cOptions
from simulators.devices.ivy450c import SIDE
from simulators.patient import Episode, Patient

NOW = 1_767_225_600_000_000_000
SECOND = 1_000_000_000
CAPTURE = Path(__file__).parents[3] / "shared" / "recordings" / "dev_ivy450c" / "Ivy450C.1.data"
LINES = {
    "HR": "1;80;ECG-II-DIAG;",
    "RR": "1;35;APNEA: 20 SEC;",
    "ETCO2": "1;;;",
    "SPO2": "1;100;PR=80 ;",
    "NIBP": "4;121;75;92;80;;",
    "P1": "3;111;73;88;;",
    "P2": "3;;;;NO TRANSDUCER;",
    "T1": "1;;;",
    "T2": "1;;;",
}
ALL = {
    "heart_rate": 80,
    "resp_rate": 35,
    "spo2": 100,
    "pulse_rate": 80,
    "nibp_sys": 121,
    "nibp_dia": 75,
    "nibp_mean": 92,
    "abp_sys": 111,
    "abp_dia": 73,
    "abp_mean": 88,
}
STEADY = {vital: value for vital, value in ALL.items() if not vital.startswith("nibp")}


@pytest.fixture(scope="module")
def capture():
    if not CAPTURE.exists():
        pytest.skip("the capture of a real Ivy 450C is not beside this repository (../shared/recordings)")
    return CAPTURE.read_bytes()


def text(**changed):
    return "".join(f"{key}={rest}\r" for key, rest in (LINES | changed).items()).encode("latin-1") + b"\xfe"


def frame(waves=bytes(range(200)) * 2, **changed):
    return b"\xffANSAR-B " + waves + text(**changed)


def codec(**options):
    return Ivy450cCodec(Ivy450cOptions(**options))


def only(kind, events):
    return [event for event in events if isinstance(event, kind)]


def values(events):
    return {event.vital: event.value for event in only(Reading, events)}


def states(events):
    return {event.vital: (event.value, event.validity, event.cause) for event in only(Reading, events)}


def fed(data, cuts):
    device = codec()
    events, before = [], 0
    for cut in [*sorted(cuts), len(data)]:
        events += device.feed(data[before:cut], NOW)
        before = cut
    return events, device.counters


def test_the_capture(capture):
    device = codec()
    events = device.feed(capture, NOW)
    assert (device.counters.frames, device.counters.rejected) == (28, 0)
    readings = only(Reading, events)
    assert Counter(reading.vital for reading in readings) == {
        vital: 1 if vital.startswith("nibp") else 28 for vital in ALL
    }
    for reading in readings:
        assert reading.validity is Validity.VALID
        assert reading.value == ALL[reading.vital] or (reading.vital, reading.value) == ("abp_sys", 110)
    assert only(DeviceAlarm, events) == []
    waves = only(Waveform, events)
    assert Counter((wave.name, wave.rate, len(wave.samples)) for wave in waves) == {
        ("ecg", 200.0, 200): 27,
        ("resp", 50.0, 50): 27,
        ("pleth", 50.0, 50): 27,
        ("abp", 50.0, 50): 27,
    }
    assert max(max(wave.samples) for wave in waves if wave.name == "ecg") > 220


def test_the_capture_however_it_is_cut(capture):
    whole = fed(capture, [])
    for size in (1, 7, 64, 561, 563):
        assert fed(capture, range(size, len(capture), size)) == whole


@pytest.mark.parametrize("start", range(0, 1200, 41))
def test_the_capture_joined_anywhere(capture, start):
    device = codec()
    events = device.feed(capture[start : start + 2500], NOW)
    assert device.counters.frames in (4, 5)
    assert values(events) == ALL
    assert device.counters.rejected == 0


@pytest.mark.parametrize("example", DRIVER.examples)
def test_examples_decode(example):
    events = codec().feed(example.data, NOW)
    assert tuple((e.vital, e.value, e.validity) for e in only(Reading, events)) == example.gives


def test_nothing_is_ever_sent():
    assert DRIVER.requests == {}
    assert all(codec().request(second) is None for second in range(100))


def test_waves_of_a_whole_frame_with_any_byte_in_them():
    waves = bytes(random.Random(1).choices((0x00, 0x0D, 0x48, 0xFE, 0xFF), k=400))
    found = {wave.name: wave for wave in only(Waveform, codec().feed(frame(waves), NOW))}
    assert found["ecg"].samples == tuple(waves[:200])
    assert found["resp"].samples == tuple(waves[200:250])
    assert found["pleth"].samples == tuple(waves[250:300])
    assert found["abp"].samples == tuple(waves[300:350])
    assert found["ecg"].observed_at == NOW - SECOND * 199 // 200
    assert found["resp"].observed_at == NOW - SECOND * 49 // 50


def test_a_text_without_its_header_gives_readings_and_no_wave():
    device = codec()
    events = device.feed(frame() + frame()[9:] + frame(), NOW)
    assert [event.value for event in only(Reading, events) if event.vital == "heart_rate"] == [80, 80, 80]
    assert len(only(Waveform, events)) == 8
    assert (device.counters.frames, device.counters.rejected) == (3, 1)


@pytest.mark.parametrize("lost", [1, 5, 100, 300, 400])
def test_bytes_lost_in_the_waves_cost_the_waves_only(lost):
    device = codec()
    damaged = frame()[:9] + frame()[9 + lost :]
    events = device.feed(frame() + damaged + frame(), NOW)
    assert len([e for e in only(Reading, events) if e.vital == "spo2"]) == 3
    assert len(only(Waveform, events)) == 8
    assert device.counters.rejected == 1


def test_the_channel_of_the_arterial_line():
    data = frame(P1="3;12;4;8;;", P2="3;131;81;99;;")
    assert {v: x for v, x in values(codec(abp_channel="P2").feed(data, NOW)).items() if v.startswith("abp")} == {
        "abp_sys": 131,
        "abp_dia": 81,
        "abp_mean": 99,
    }
    events = codec(abp_channel="none").feed(data, NOW)
    assert not [vital for vital in values(events) if vital.startswith("abp")]
    assert "abp" not in {wave.name for wave in only(Waveform, events)}
    assert values(codec().feed(data, NOW))["abp_sys"] == 12
    assert "abp" not in {wave.name for wave in only(Waveform, codec().feed(frame(P1="3;;;;;"), NOW))}


def test_what_was_never_connected_gives_nothing():
    events = codec().feed(text(HR="1;;;", SPO2="1;;SENSOR OFF;", P1="3;;;;NO TRANSDUCER;", NIBP="4;;;;;;"), NOW)
    assert values(events) == {"resp_rate": 35}


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        ("SENSOR OFF", "sensor_off"),
        ("Probe Off", "sensor_off"),
        ("NO TRANSDUCER", "sensor_off"),
        ("SEARCHING", "searching"),
        ("OFFSET", "no_data"),
        ("", "no_data"),
    ],
)
def test_what_was_lost_is_invalid_for_the_reason_that_the_words_tell(words, cause):
    gone = (None, Validity.INVALID, cause)
    device = codec()
    device.feed(text(), NOW)
    found = states(device.feed(text(SPO2=f"1;;{words};", P1=f"3;;;;;{words}", HR=f"1;---;;{words}"), NOW))
    for vital in ("spo2", "pulse_rate", "abp_sys", "abp_dia", "abp_mean", "heart_rate"):
        assert found[vital] == gone
    assert found["resp_rate"] == (35, Validity.VALID, "")


def test_a_pulse_rate_of_its_own_may_be_lost():
    device = codec()
    device.feed(text(), NOW)
    found = states(device.feed(text(SPO2="1;97;PR=   ;"), NOW))
    assert found["spo2"] == (97, Validity.VALID, "")
    assert found["pulse_rate"] == (None, Validity.INVALID, "no_data")


def test_a_value_that_the_device_itself_doubts():
    found = states(codec().feed(text(SPO2="1;97;PR=80 SEARCHING;"), NOW))
    assert found["spo2"] == (97, Validity.QUESTIONABLE, "searching")
    assert found["pulse_rate"] == (80, Validity.QUESTIONABLE, "searching")


@pytest.mark.parametrize(
    ("changed", "vital", "expected"),
    [
        ({"HR": "1; 61 ;;"}, "heart_rate", (61, Validity.VALID, "")),
        ({"HR": "1;0;;"}, "heart_rate", (0, Validity.VALID, "")),
        ({"ETCO2": "1;38;;"}, "etco2", (38, Validity.VALID, "")),
        ({"T1": "1;36.9;;"}, "temp", (36.9, Validity.VALID, "")),
        ({"T1": "1;98.6;;"}, "temp", (98.6, Validity.QUESTIONABLE, "implausible")),
        ({"P1": "3;-3;-9;-5;;"}, "abp_mean", (-5, Validity.QUESTIONABLE, "implausible")),
        ({"SPO2": "1;101;PR=80;"}, "spo2", (101, Validity.QUESTIONABLE, "implausible")),
    ],
)
def test_numbers_as_they_may_be_written(changed, vital, expected):
    assert states(codec().feed(text(**changed), NOW))[vital] == expected


@pytest.mark.parametrize(
    "changed",
    [
        {"HR": "1;8O;ECG-II-DIAG;"},
        {"HR": "1;8 0;;"},
        {"HR": "1;-80;;"},
        {"HR": "1;8.0;;"},
        {"HR": "1;1080;;"},
        {"HR": "2;80;ECG-II-DIAG;"},
        {"HR": "1;80;"},
        {"HR": "1;80;;;"},
        {"RR": "1;35;APNEA\x7f;"},
        {"RR": "1;35;\xe9;"},
        {"RR": "1;35;;\n"},
        {"RR": "1;35;\tAPNEA;"},
        {"SPO2": "1;100;PR=8O;"},
        {"SPO2": "1;100;PR= 8O;"},
        {"SPO2": "1;100;PR=1080;"},
        {"NIBP": "3;121;75;92;;"},
        {"NIBP": "4;121;75;92;80;"},
        {"P1": "3;111;73;8-8;;"},
        {"T1": "1;36,9;;"},
        {"T2": "1;36.;;"},
        {"T2": "1;;;\rT2=1;;;"},
        {"T2": "1;;;\rT3=1;;;"},
        {"T2": "1;;;\r"},
        {"T2": "1;;;\rRR=1;35;;"},
        {"T2": "1;;" + "X" * 500 + ";"},
    ],
)
def test_one_malformed_line_refuses_the_whole_block(changed):
    for make in (text, frame):
        device = codec()
        events = device.feed(make() + make(**changed) + make(HR="1;81;;"), NOW)
        assert [e.value for e in only(Reading, events) if e.vital == "heart_rate"] == [80, 81]
        assert (device.counters.frames, device.counters.rejected) == (2, 1)


def test_a_monitor_with_fewer_parameters():
    events = codec().feed(b"HR=1;80;;\rSPO2=1;97;PR=80;\r\xfe", NOW)
    assert values(events) == {"heart_rate": 80, "spo2": 97, "pulse_rate": 80}
    assert codec().feed(b"HR=1;80;;\xfe", NOW) == []
    assert codec().feed(b"\xfe", NOW) == []


def nibp(events):
    return [(e.vital[5:], e.value, e.cause) for e in only(Reading, events) if e.vital.startswith("nibp")]


def test_a_cuff_pressure_counts_once():
    device = codec()
    assert len(nibp(device.feed(text() * 50, NOW))) == 3
    device.reset()
    assert nibp(device.feed(text() * 5, NOW)) == []
    assert nibp(device.feed(text(NIBP="4;121;76;92;80;;") * 3, NOW + SECOND)) == [
        ("sys", 121, ""),
        ("dia", 76, ""),
        ("mean", 92, ""),
    ]
    assert len(nibp(device.feed(text(NIBP="4;121;76;92;81;;") * 3, NOW))) == 3
    assert nibp(device.feed(text(NIBP="4;;;;;;") * 3, NOW)) == []
    events = device.feed(text(NIBP="4;121;76;92;81;;") * 3, NOW + 5 * SECOND)
    assert len(nibp(events)) == 3
    assert {event.observed_at for event in only(Reading, events)} == {NOW + 5 * SECOND}


def test_a_systolic_without_its_diastolic_is_provisional():
    device = codec()
    assert nibp(device.feed(text(NIBP="4;87;;;;;") * 2, NOW)) == [("sys", 87, "provisional")]
    assert nibp(device.feed(text(NIBP="4;94;52;;;;"), NOW)) == [("sys", 94, "provisional"), ("dia", 52, "provisional")]
    assert nibp(device.feed(text(NIBP="4;94;52;64;70;;") * 2, NOW)) == [
        ("sys", 94, ""),
        ("dia", 52, ""),
        ("mean", 64, ""),
    ]


def test_alarms_begin_change_and_end():
    device = codec()

    def alarms(**changed):
        return [(e.code, e.active, e.text) for e in only(DeviceAlarm, device.feed(text(**changed) * 2, NOW))]

    assert alarms() == []
    assert alarms(HR="1;130;ECG-II-DIAG;HR HIGH") == [("hr", True, "HR HIGH")]
    assert alarms(HR="1;130;ECG-II-DIAG; HR HIGH ") == []
    assert alarms(HR="1;30;ECG-II-DIAG;HR LOW") == [("hr", False, "HR HIGH"), ("hr", True, "HR LOW")]
    device.reset()
    assert alarms(SPO2="1;85;PR=80;SPO2 LOW") == [("hr", False, "HR LOW"), ("spo2", True, "SPO2 LOW")]


@given(
    parts=st.lists(
        st.sampled_from(
            [frame(), frame()[9:], text(HR="1;91;;LOW"), frame(NIBP="4;1;;;;;"), frame()[:300], frame()[:-4]]
        )
        | st.binary(max_size=30)
        | st.just(b"\xffANSAR-B HR=1;\xfe"),
        max_size=5,
    ),
    cuts=st.lists(st.integers(0, 2500), max_size=12),
    damage=st.lists(st.tuples(st.integers(0, 2500), st.integers(1, 255)), max_size=3),
)
def test_the_split_of_the_bytes_changes_nothing(parts, cuts, damage):
    data = bytearray(b"".join(parts))
    for place, bits in damage:
        if place < len(data):
            data[place] ^= bits
    data = bytes(data)
    whole = fed(data, [])
    assert fed(data, [min(cut, len(data)) for cut in cuts]) == whole
    assert fed(data, range(len(data))) == whole


@given(noise=st.binary(max_size=60), after=st.binary(max_size=60))
def test_garbage_before_between_and_after_is_survived(noise, after):
    device = codec()
    events = device.feed(noise + frame() + noise + frame() + after + b"\0" * 1000, NOW)
    assert [e.value for e in only(Reading, events) if e.vital == "spo2"] == [100, 100]
    assert device.counters.frames == 2
    assert device.counters.rejected == 1 + bool(noise)


def test_a_cut_off_frame_gives_nothing():
    for data in (frame(), text()):
        device = codec()
        assert device.feed(data[:-1], NOW) == []
        assert values(device.feed(data[-1:], NOW)) == ALL


def test_a_new_link_forgets_half_a_frame():
    device = codec()
    device.feed(frame()[:450], NOW)
    device.reset()
    assert values(device.feed(frame(), NOW)) == ALL
    assert device.counters.rejected == 0


@pytest.mark.parametrize("seed", range(3))
def test_memory_stays_bounded(seed):
    noise = random.Random(seed)
    bits = [
        b"\xff",
        b"ANSAR-B ",
        b"HR=",
        b"1;80;;\r",
        b"\xfe",
        b"\xffANSAR-B " + b"x" * 390,
        b"RR=1;3",
        *map(bytes, zip(range(256))),
    ]
    device = codec()
    for _ in range(300):
        device.feed(b"".join(noise.choices(bits, k=60)), NOW)
        assert len(device._framer._buffer) <= 921


@pytest.mark.parametrize("arterial_line", [False, True])
def test_the_device_side_agrees_with_the_patient(arterial_line):
    patient = Patient(seed=9, episodes=(Episode(first=100, duration=40, every=9999, spo2_falls_by=15),))
    side = SIDE(patient, arterial_line=arterial_line)
    device = codec()
    cuffs = []
    for now in range(1000):
        events = device.feed(side.tick(now), NOW + now * SECOND)
        found = values(events)
        assert found["heart_rate"] == found["pulse_rate"] == round(patient.heart_rate(now))
        assert found["spo2"] == round(patient.spo2(now))
        assert found["resp_rate"] == round(patient.resp_rate(now))
        assert ("abp_sys" in found) is arterial_line
        assert {wave.name for wave in only(Waveform, events)} - {"abp"} == {"ecg", "resp", "pleth"}
        assert all(reading.validity is Validity.VALID for reading in only(Reading, events))
        if "nibp_sys" in found:
            cuffs.append(now)
            truth = patient.pressure(patient.last_cuff_at(now))
            assert (found["nibp_sys"], found["nibp_dia"], found["nibp_mean"]) == (truth.sys, truth.dia, truth.mean)
    assert cuffs == [2, 290, 590, 890]
    assert (device.counters.frames, device.counters.rejected) == (1000, 0)


def test_the_device_side_loses_its_probe():
    patient = Patient(seed=9, episodes=(Episode(first=10, duration=10, every=9999, probe_off=True),))
    side = SIDE(patient)
    device = codec()
    for now in range(30):
        found = states(device.feed(side.tick(now), NOW))
        if patient.probe_off(now):
            assert found["spo2"] == found["pulse_rate"] == (None, Validity.INVALID, "sensor_off")
        else:
            assert found["spo2"][1] is Validity.VALID
        assert found["heart_rate"][1] is Validity.VALID


def test_a_pressure_that_stood_there_before_is_good_but_of_unknown_age():
    device = codec()
    first = [e for e in only(Reading, device.feed(text(), NOW)) if e.vital == "nibp_sys"]
    assert [(e.value, e.validity, e.cause) for e in first] == [(121, Validity.VALID, "age_unknown")]
    second = [e for e in only(Reading, device.feed(text(NIBP="4;125;76;93;80;;"), NOW)) if e.vital == "nibp_sys"]
    assert [(e.value, e.cause) for e in second] == [(125, "")]


def test_a_pressure_after_a_blank_is_of_now():
    device = codec()
    device.feed(text(NIBP="4;;;;;;"), NOW)
    first = [e for e in only(Reading, device.feed(text(), NOW)) if e.vital == "nibp_sys"]
    assert [(e.value, e.cause) for e in first] == [(121, "")]


def test_a_pressure_that_changed_while_nobody_looked_is_of_unknown_age():
    device = codec()
    device.feed(text() * 3, NOW)
    device.reset()
    again = device.feed(text(NIBP="4;130;80;97;80;;"), NOW + 1800 * SECOND)
    assert [(e.value, e.cause) for e in only(Reading, again) if e.vital == "nibp_sys"] == [(130, "age_unknown")]
    device.reset()
    assert nibp(device.feed(text(NIBP="4;130;80;97;80;;"), NOW + 3600 * SECOND)) == []
