"""Nonin formats 2, 7, 8 and 13: what a reader of the numbers relies on."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from drivers.events import DeviceStatus, Reading, Validity, Waveform
from drivers.protocols.nonin import DRIVER, NoninCodec, NoninOptions
from simulators.devices.nonin import SIDE
from simulators.patient import Episode, Patient

NOW = 1_767_225_600_000_000_000
SECOND = 1_000_000_000
CAPTURED = """
01804900CA 0180464A11 01804400C5 01804300C4 01814300C5 0180434A0E 0180436024 0180439458 01804300C4 01804100C2
01803E17D6 01803C04C1 018039601A 0180366017 0180356016 01803400B5 01803400B5 01803400B5 0180354A00 0180366017
0180376018 01803A00BB 01804000C1 01804A00CB 0180574A22 01806900EA 01807C4A47 0180900011 0180A10022 0181AF0031
"""
"""A device's thirty frames: the end of one packet, a whole one, the start of a third."""

ARTIFACT, OUT_OF_TRACK, ALARM, DISCONNECTED, RED, GREEN, YELLOW = 0x20, 0x10, 0x08, 0x40, 0x04, 0x02, 0x06


def packet(rate=74, spo2=96, flags=(), battery=0, form="2", pleth=None):
    """Twenty-five frames; `flags` are (frame number, bits)."""
    floats = [0] * 25
    floats[0], floats[1], floats[2], floats[3], floats[7] = rate >> 7, rate & 127, spo2, 48, battery
    statuses = [0x81] + [0x80] * 24
    for number, bits in flags:
        statuses[number - 1] |= bits
    frames = []
    for number in range(25):
        sample = pleth[number] if pleth else 60 + number
        head = (1, statuses[number], sample & 0xFF) if form == "2" else (statuses[number], sample >> 8, sample & 0xFF)
        body = bytes((*head, floats[number]))
        frames.append(body + bytes((sum(body) & 255,)))
    return b"".join(frames)


def eight(rate=74, spo2=96, flags=0, flags2=0):
    return bytes((0x80 | flags | rate >> 7, rate & 127, spo2, flags2))


def thirteen(rate=74, spo2=96, high=2, low=0, more=b""):
    data = bytes.fromhex("2025112509301500") + bytes((high, low, rate >> 8, rate & 255, 0, spo2)) + more
    return b"\0\x02\0\x0d\0" + bytes((len(data),)) + data + bytes((sum(data) & 255, 3))


def codec(form="auto"):
    return NoninCodec(NoninOptions(format=form))


def readings(events):
    return [(e.vital, e.value, e.validity, e.cause) for e in events if isinstance(e, Reading)]


def good(rate, spo2):
    return [("pulse_rate", rate, Validity.VALID, ""), ("spo2", spo2, Validity.VALID, "")]


def bad(*causes):
    return [(vital, None, Validity.INVALID, ",".join(causes)) for vital in ("pulse_rate", "spo2")]


def doubtful(rate, spo2, cause):
    return [("pulse_rate", rate, Validity.QUESTIONABLE, cause), ("spo2", spo2, Validity.QUESTIONABLE, cause)]


def only(kind, events):
    return [event for event in events if isinstance(event, kind)]


@pytest.mark.parametrize("example", DRIVER.examples, ids=lambda example: example.source[:9])
def test_examples_decode_with_and_without_being_told_the_format(example):
    told = example.source.split(",")[0].split()[1]
    for form in ("auto", told, int(told)):
        events = codec(form).feed(example.data, NOW)
        assert tuple((e.vital, e.value, e.validity) for e in only(Reading, events)) == example.gives


def test_a_devices_own_frames():
    device = codec()
    events = device.feed(bytes.fromhex(CAPTURED), NOW)
    assert readings(events) == good(74, 96)
    (wave,) = only(Waveform, events)
    assert (wave.name, wave.rate, len(wave.samples)) == ("pleth", 75.0, 25)
    assert wave.samples[:4] == (0x43, 0x43, 0x43, 0x43)
    assert wave.samples[-1] == 0xA1
    assert wave.observed_at == NOW - 320_000_000
    assert device.counters.rejected == 0


def test_nothing_is_ever_sent():
    device = codec()
    assert DRIVER.requests == {}
    assert all(device.request(second) is None for second in range(100))


@pytest.mark.parametrize("form", ["auto", "2", "7", "8", "13", 2, 7, 8, 13])
def test_format_may_be_written_as_a_number(form):
    assert NoninOptions(format=form).format == str(form)


@pytest.mark.parametrize("form", [1, "3", True, None, 2.0])
def test_other_formats_are_refused(form):
    with pytest.raises(ValidationError):
        NoninOptions(format=form)


@pytest.mark.parametrize("rate", [0, 1, 126, 127, 128, 130, 255, 256, 300, 390])
def test_every_bit_of_the_rate(rate):
    for data in (packet(rate), packet(rate, form="7"), eight(rate) * 3, thirteen(rate)):
        assert readings(codec().feed(data, NOW))[:2] == good(rate, 96)


def test_a_rate_beyond_life_is_doubted_and_511_is_none():
    for make in (packet, lambda rate: packet(rate, form="7"), lambda rate: eight(rate) * 3, thirteen):
        assert readings(codec().feed(make(510), NOW))[0] == (
            "pulse_rate",
            510,
            Validity.QUESTIONABLE,
            "implausible",
        )  # fmt: skip - one reading, one line
        assert readings(codec().feed(make(511), NOW))[0] == ("pulse_rate", None, Validity.INVALID, "no_data")


def test_127_is_no_saturation():
    for data in (packet(spo2=127), packet(spo2=127, form="7"), eight(spo2=127) * 3, thirteen(spo2=127)):
        assert readings(codec().feed(data, NOW))[1] == ("spo2", None, Validity.INVALID, "no_data")


@pytest.mark.parametrize("form", ["2", "7"])
@pytest.mark.parametrize("number", [1, 3, 25])
def test_a_flag_in_any_frame_counts_for_the_packet(form, number):
    def given_flags(bits, **values):
        return readings(codec(form).feed(packet(flags=[(number, bits)], form=form, **values), NOW))

    assert given_flags(ALARM) == bad("sensor_off")
    assert given_flags(DISCONNECTED) == bad("sensor_off")
    assert given_flags(OUT_OF_TRACK) == doubtful(74, 96, "searching")
    assert given_flags(OUT_OF_TRACK, rate=511, spo2=127) == bad("searching")
    assert given_flags(ALARM | OUT_OF_TRACK, rate=511, spo2=127) == bad("sensor_off")
    assert given_flags(ARTIFACT) == doubtful(74, 96, "artifact")
    assert given_flags(ARTIFACT | OUT_OF_TRACK) == doubtful(74, 96, "searching,artifact")
    assert given_flags(RED) == doubtful(74, 96, "low_perfusion")
    assert given_flags(YELLOW) == good(74, 96)
    assert given_flags(GREEN) == good(74, 96)


def test_two_pulses_in_one_packet_do_not_add_up_to_yellow():
    flags = [(number, RED) for number in range(1, 13)] + [(number, GREEN) for number in range(13, 25)]
    assert readings(codec().feed(packet(flags=flags), NOW)) == doubtful(74, 96, "low_perfusion")


def test_a_red_pulse_holds_until_the_next_pulse():
    red, between, green = packet(flags=[(2, RED)]), packet(), packet(flags=[(2, GREEN)])
    device = codec()
    assert readings(device.feed(red + between * 2, NOW)) == doubtful(74, 96, "low_perfusion") * 3
    assert readings(device.feed(green + between, NOW)) == good(74, 96) * 2


def test_a_red_pulse_holds_for_three_seconds_at_most():
    events = readings(codec().feed(packet(flags=[(2, RED)]) + packet() * 12, NOW))
    assert events == doubtful(74, 96, "low_perfusion") * 9 + good(74, 96) * 4


@pytest.mark.parametrize(
    ("flags", "flags2", "rate", "spo2", "expected"),
    [
        (0x20, 0, 74, 96, doubtful(74, 96, "searching")),
        (0x20, 0, 511, 127, bad("searching")),
        (0x10, 0, 74, 96, doubtful(74, 96, "low_perfusion")),
        (0x08, 0, 74, 96, good(74, 96)),
        (0x04, 0, 74, 96, doubtful(74, 96, "artifact")),
        (0x40, 0, 74, 96, bad("sensor_off")),
        (0x20, 0x08, 511, 127, bad("sensor_off")),
        (0, 0x08, 74, 96, bad("sensor_off")),
        (0, 0x20, 74, 96, good(74, 96)),
    ],
)
def test_flags_of_format_8(flags, flags2, rate, spo2, expected):
    assert readings(codec().feed(eight(rate, spo2, flags, flags2) * 3, NOW)) == expected * 3


@pytest.mark.parametrize(
    "make",
    [lambda on: packet(battery=on), lambda on: eight(flags2=on) * 3, lambda on: thirteen(low=on)],
    ids=["2", "8", "13"],
)
def test_low_battery_is_told_once_when_it_begins_and_once_when_it_ends(make):
    device = codec()
    assert only(DeviceStatus, device.feed(make(0) * 2, NOW)) == []
    began = only(DeviceStatus, device.feed(make(1) * 2, NOW))
    assert [(event.code, event.active) for event in began] == [("low_battery", True)]
    device.reset()
    ended = only(DeviceStatus, device.feed(make(1) + make(0), NOW))
    assert [(event.code, event.active) for event in ended] == [("low_battery", False)]


def test_a_spot_check_from_memory_is_no_reading():
    device = codec()
    events = device.feed(thirteen(low=0x10) * 2, NOW)
    assert readings(events) == []
    assert [(event.code, event.active) for event in events] == [("from_memory", True)]
    events = device.feed(thirteen(low=0x10, high=1) + thirteen(), NOW)
    assert readings(events) == good(74, 96)
    assert [(event.code, event.active) for event in only(DeviceStatus, events)] == [("from_memory", False)]


def test_a_failed_spot_check_gives_no_value():
    assert readings(codec().feed(thirteen(high=1), NOW)) == bad("measurement_failed")


def test_the_devices_clock_is_not_used():
    assert {event.observed_at for event in codec().feed(thirteen(), NOW)} == {NOW}


def test_a_longer_spot_check_is_understood():
    assert readings(codec().feed(thirteen(more=b"\x01\x80\xff") * 2, NOW)) == good(74, 96) * 2


@pytest.mark.parametrize("form", ["2", "7"])
def test_a_damaged_packet_gives_only_what_came_whole(form):
    whole = packet(form=form)
    for number in range(1, 26):
        damaged = bytearray(packet(130, 91, form=form))
        damaged[5 * number - 1] ^= 0x10
        device = codec()
        device.feed(whole, NOW)
        events = device.feed(bytes(damaged) + whole, NOW)
        kept = 0 if number < 3 else 1 if number == 3 else 2
        assert readings(events) == good(130, 91)[:kept] + good(74, 96)
        assert len(only(Waveform, events)) == 1
        assert device.counters.rejected == 1


@pytest.mark.parametrize("form", ["2", "7"])
@pytest.mark.parametrize("lost", range(25))
def test_a_packet_that_lacks_a_frame_gives_nothing(form, lost):
    short = packet(130, 91, form=form)
    short = short[: 5 * lost] + short[5 * lost + 5 :]
    events = codec().feed(packet(form=form) + short + packet(form=form), NOW)
    assert readings(events) == good(74, 96) * 2
    assert len(only(Waveform, events)) == 2


@pytest.mark.parametrize("make", [packet, lambda *a: packet(*a, form="7"), thirteen], ids=["2", "7", "13"])
def test_a_flipped_bit_is_never_a_wrong_value(make):
    data = make(130, 91)
    for position in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[position // 8] ^= 1 << position % 8
        found = readings(codec().feed(bytes(damaged), NOW))
        assert found in ([], good(130, 91))
        if position < 8 * 20:  # the frames that carry the values and prove the packet; format 13 as a whole
            assert found == []


def test_a_cut_off_frame_gives_nothing():
    for data in (packet(), packet(form="7"), eight() * 3, thirteen()):
        device = codec()
        assert device.feed(data[:-1], NOW) == []
        assert readings(device.feed(data[-1:], NOW))[:2] == good(74, 96)


def test_a_new_link_forgets_half_a_packet_and_the_format():
    device = codec()
    device.feed(packet() + packet(200)[:60], NOW)
    device.reset()
    assert readings(device.feed(packet(200)[60:] + packet(80, form="7"), NOW)) == good(80, 96)
    device.reset()
    assert readings(device.feed(eight() * 3, NOW)) == good(74, 96) * 3
    device.reset()
    assert device.feed(eight() * 2, NOW) == []


STREAMS = {
    "2": packet(70, 97) + packet(71, 97, [(3, RED)], battery=1) + packet(72, 96, [(3, GREEN)]),
    "7": packet(70, 97, form="7") + packet(71, 95, [(3, OUT_OF_TRACK)], form="7") + packet(72, 96, form="7"),
    "8": eight(70, 97) + eight(71, 97, 0x20) + eight(72, 96) + eight(300, 96),
    "13": thirteen(70, 97) + thirteen(71, 97, low=1) + thirteen(72, 96),
}


def fed(data, cuts, form="auto"):
    device = codec(form)
    events, before = [], 0
    for cut in [*sorted(cuts), len(data)]:
        events += device.feed(data[before:cut], NOW)
        before = cut
    return events, device.counters


@given(
    streams=st.lists(
        st.one_of(st.sampled_from(sorted(STREAMS.values())), st.binary(max_size=40), st.just(packet()[35:])), max_size=6
    ),
    cuts=st.lists(st.integers(0, 400)),
    damage=st.lists(st.integers(0, 400), max_size=3),
)
def test_the_split_of_the_bytes_changes_nothing(streams, cuts, damage):
    data = bytearray(b"".join(streams))
    for place in damage:
        if place < len(data):
            data[place] ^= 0x41
    data = bytes(data)
    whole = fed(data, [])
    assert fed(data, [min(cut, len(data)) for cut in cuts]) == whole
    assert fed(data, range(len(data))) == whole


@pytest.mark.parametrize("form", list(STREAMS))
def test_garbage_before_between_and_after_is_survived_and_counted(form):
    data = STREAMS[form]
    noise = b"\x55\xaa\xff\x01\x02\x00\x7f\x80\x80"
    expected = readings(codec().feed(data, NOW))
    device = codec()
    events = device.feed(noise + data + noise + data + noise, NOW)
    assert readings(events) == expected * 2
    assert device.counters.rejected == 1 + (len(device.feed(b"\x55" * 130, NOW)) == 0)


@pytest.mark.parametrize("form", list(STREAMS))
def test_a_stream_joined_anywhere_gives_no_wrong_value(form):
    data = STREAMS[form] * 2
    allowed = set(readings(codec(form).feed(data, NOW)))
    for start in range(len(data)):
        device = codec()
        assert set(readings(device.feed(data[start:], NOW))) <= allowed
        if start <= len(data) // 2:
            assert device.counters.frames >= 3


@pytest.mark.parametrize("told", list(STREAMS))
@pytest.mark.parametrize("form", list(STREAMS))
def test_no_format_is_mistaken_for_another(told, form):
    """Also with flat waves and a finger that is off, where bytes repeat."""
    flat = [
        packet(*values, flags=[(number, bits) for number in range(1, 26)], form=kind, pleth=[level] * 25) * 4
        for values in ((74, 96), (511, 127), (129, 96), (1, 1))
        for bits in (0, ALARM | OUT_OF_TRACK)
        for level in (0, 1, 0x68, 0x80, 0xFF)
        for kind in ("2", "7")
        if kind == form
    ]
    if form != told:
        for data in [STREAMS[form] * 4, *flat]:
            for start in range(25):
                assert codec(told).feed(data[start:], NOW) == []


def test_a_device_that_changes_its_format_is_followed():
    device = codec()
    order = ["2", "7", "2", "8", "2", "13", "7", "13", "8"]
    for form in order:
        expected = readings(codec(form).feed(STREAMS[form], NOW))
        assert readings(device.feed(STREAMS[form], NOW)) == expected


def test_readings_that_waited_for_the_format_keep_their_own_time():
    device = codec()
    events = []
    for second in range(5):
        for byte in eight(70 + second):
            events += device.feed(bytes((byte,)), NOW + second * SECOND)
    assert [(event.value, event.observed_at) for event in events[::2]] == [
        (70.0 + second, NOW + second * SECOND) for second in range(5)
    ]
    assert all(event.received_at == event.observed_at for event in events)


def test_a_damaged_packet_keeps_its_own_time():
    device = codec()
    data = packet() + packet(80)[:45]
    device.feed(data, NOW)
    events = device.feed(b"\x55" * 5, NOW + SECOND)
    assert [(event.value, event.received_at) for event in events] == [(80.0, NOW), (96.0, NOW)]


@pytest.mark.parametrize("seed", range(4))
def test_noise_gives_nothing_and_memory_stays_bounded(seed):
    noise = random.Random(seed)
    device = codec("auto" if seed else "2")
    for _ in range(300):
        data = bytes(noise.choices(range(256), weights=[8, 8, 8, *[1] * 125, *[2] * 128], k=500))
        assert readings(device.feed(data, NOW)) == [] or seed
        assert len(device._framer._buffer) <= 125
        assert len(device._arrivals) <= 16
        assert device._found == []


@pytest.mark.parametrize("form", ["2", "7", "8", "13", 2])
def test_the_device_side_agrees_with_the_patient(form):
    patient = Patient(seed=5, episodes=(Episode(first=20, duration=20, every=1000, spo2_falls_by=12),))
    side = SIDE(patient, format=form)
    device = codec()
    steps = round(60 / side.period)
    seen = []
    for step in range(steps):
        now = step * side.period
        seen += [(now, event) for event in device.feed(side.tick(now), NOW) if isinstance(event, Reading)]
    assert len(seen) == 2 * (180 if form in ("2", "7", 2) else 60)
    for now, reading in seen:
        truth = patient.spo2(now) if reading.vital == "spo2" else patient.heart_rate(now)
        assert reading.validity is Validity.VALID
        assert reading.value == pytest.approx(truth, abs=2)
    assert min(reading.value for _, reading in seen if reading.vital == "spo2") < 88
    assert device.counters.rejected == 0


@pytest.mark.parametrize("form", ["2", "7", "8"])
def test_a_finger_that_comes_off_is_seen_at_once(form):
    patient = Patient(seed=2, episodes=(Episode(first=10, duration=20, every=1000, probe_off=True),))
    side = SIDE(patient, format=form)
    device = codec()
    for step in range(round(40 / side.period)):
        now = step * side.period
        for event in only(Reading, device.feed(side.tick(now), NOW)):
            if 10.7 < now < 29.5:
                assert (event.value, event.cause) == (None, "sensor_off")
            elif now < 9.9 or now > 31:
                assert event.validity is Validity.VALID


def test_the_device_sides_wave_is_the_patients():
    patient = Patient(seed=4)
    side = SIDE(patient)
    events = codec().feed(b"".join(side.tick(step / 75) for step in range(75)), NOW)
    samples = [sample for wave in only(Waveform, events) for sample in wave.samples]
    assert samples == pytest.approx([230 * patient.pleth(step / 75) for step in range(75)], abs=12)


def test_a_weak_pulse_is_told():
    class Cold(Patient):
        def perfusion_index(self, t):
            return 0.2

    for form in ("2", "7", "8"):
        side = SIDE(Cold(seed=1), format=form)
        events = codec().feed(b"".join(side.tick(step * side.period) for step in range(round(10 / side.period))), NOW)
        causes = [cause for *_, cause in readings(events)]
        assert causes.count("low_perfusion") >= len(causes) - 6
