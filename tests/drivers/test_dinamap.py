"""The Dinamap driver: polls that only read, cuff pressures counted once, and a checksum that doubts but never drops."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.clock import NS
from drivers.events import Cause, DeviceStatus, Event, Reading, Validity
from drivers.protocols.dinamap import DRIVER, REQUESTS, Dinamap, Options, check_characters
from simulators.devices.dinamap import DinamapSide
from simulators.patient import Episode, Patient

T0 = 1_767_225_600 * NS
BAD = b"@@"


def built(fields: str, check: bytes = b"") -> bytes:
    message = b" " + fields.encode()
    return message + (check or check_characters(message)) + b"\r"


def cuff(state: int, age: int, sys: int = 0, dia: int = 0, mean: int = 0, check: bytes = b"") -> bytes:
    return built(f"NA{state}10{age:04d}{sys:03d}{dia:03d}{mean:03d}", check)


def codec() -> Dinamap:
    return Dinamap(Options())


def at(seconds: float) -> int:
    return T0 + round(seconds * NS)


def readings(events: list[Event]) -> list[tuple[str, float | None, Validity, str]]:
    return [(e.vital, e.value, e.validity, e.cause) for e in events if isinstance(e, Reading)]


def statuses(events: list[Event]) -> list[tuple[str, bool]]:
    return [(e.code, e.active) for e in events if isinstance(e, DeviceStatus)]


def measuring(active, seconds):
    return DeviceStatus("cuff_busy", active, "cuff: measuring", at(seconds))


FAILED = [(vital, None, Validity.INVALID, "measurement_failed") for vital in ("nibp_sys", "nibp_dia", "nibp_mean")]


@pytest.mark.parametrize("example", DRIVER.examples, ids=lambda example: example.data.decode().strip())
def test_documented_replies_say_what_they_say(example):
    events = codec().feed(example.data, T0)
    assert tuple((e.vital, e.value, e.validity) for e in events if isinstance(e, Reading)) == example.gives


@pytest.mark.parametrize("command", [b" NA!2", b" NC0!E", b" ND!5", b" NF!7", b" OA!3", b" RA!6", b" RC!8", b" TC!:"])
def test_the_check_characters_fit_every_published_command(command):
    assert check_characters(command[:-2]) == command[-2:]


def test_the_requests_are_the_published_bytes_that_read():
    assert set(REQUESTS) == {b" NA!2\r", b" NF!7\r", b" OA!3\r", b" RA!6\r", b" TC!:\r"}
    assert DRIVER.requests == REQUESTS
    assert DRIVER.checksum == ""


@given(st.lists(st.tuples(st.floats(0, 3), st.booleans()), max_size=80), st.sampled_from(["NA", "NF"]))
def test_whatever_comes_and_whenever_asked_only_listed_requests_are_sent(steps, letters):
    one, now = Dinamap(Options(cuff=letters)), 0.0
    for step, answered in steps:
        now += step
        sent = one.request(now)
        assert sent is None or sent in REQUESTS
        assert sent is None or sent[1:3] not in (b"NC", b"ND")
        if answered:
            one.feed(cuff(1, 5, 120, 80, 93), at(now))


def test_one_request_is_outstanding_and_a_round_takes_two_seconds():
    one, sent = codec(), []
    for tenth in range(81):
        request = one.request(tenth / 10)
        if request:
            sent.append((tenth / 10, request))
            one.feed(built({b"NA": "NA1109999000000000", b"OA": "OA6000008", b"RA": "RA3000"}.get(
                request[1:3], "TC40 9999900000")), at(tenth / 10))  # fmt: skip
    assert [request[1:3] for _, request in sent[:5]] == [b"NA", b"OA", b"RA", b"TC", b"NA"]
    assert len(sent) == 17
    assert sent[4][0] == pytest.approx(2.0, abs=0.11)


def test_a_reply_that_does_not_come_is_given_up_after_a_second():
    one = codec()
    assert one.request(0.0) == b" NA!2\r"
    assert one.request(0.9) is None
    one.feed(built("RA3000"), at(0.9))
    assert one.request(0.95) is None, "another request's late reply is not the answer"
    assert one.request(1.0) == b" OA!3\r"


def test_a_new_link_forgets_the_outstanding_request_and_half_a_reply():
    one = codec()
    one.request(0.0)
    one.feed(cuff(1, 5, 120, 80, 93)[:10], at(0))
    one.reset()
    assert one.request(0.1) == b" NA!2\r"
    assert one.feed(cuff(1, 5, 120, 80, 93)[10:], at(0.2)) == []


def test_a_reconnection_does_not_count_the_old_determination_again():
    one = codec()
    one.feed(cuff(1, 5, 120, 80, 93), at(0))
    one.reset()
    assert one.feed(cuff(1, 65, 120, 80, 93), at(60)) == []


def test_pressures_carry_the_time_of_their_determination():
    events = codec().feed(cuff(1, 75, 120, 80, 93), at(0))
    assert {e.observed_at for e in events} == {at(-75)}
    assert {e.received_at for e in events} == {at(0)}


@given(
    st.lists(st.tuples(st.integers(40, 600), st.integers(90, 91)), min_size=1, max_size=8),
    st.randoms(use_true_random=False),
    st.floats(-0.003, 0.003),
)
def test_each_determination_counts_once_however_polls_and_clocks_jitter(determinations, jitter, drift):
    """Ages are whole seconds by a clock that drifts; replies come late; numbers may be the last one's."""
    one, now, seen = codec(), 0.0, []
    for lasts, sys in determinations:
        began = now
        while now < began + lasts - 15:
            age = int((now - began) * (1 + drift))
            seen += one.feed(cuff(1, age, sys, 60, 70), at(now + jitter.uniform(0, 1)))
            now += 2 + jitter.uniform(-0.5, 1.5)
        now = began + lasts
    assert len(readings(seen)) == 3 * len(determinations)


def test_a_determination_during_an_outage_is_seen_though_its_age_has_grown_past_the_last():
    one = codec()
    one.feed(cuff(1, 10, 120, 80, 93), at(0))
    assert len(one.feed(cuff(1, 100, 120, 80, 93), at(300))) == 3


def test_an_age_that_stands_at_its_end_is_not_a_new_determination():
    one = codec()
    one.feed(cuff(1, 5390, 120, 80, 93), at(0))
    assert [one.feed(cuff(1, 5400, 120, 80, 93), at(t)) for t in range(10, 100, 2)] == [[]] * 45
    assert one.feed(cuff(1, 5400, 120, 80, 93), at(9000)) == [], "nor after the link was down for hours"


def test_a_wall_clock_set_back_does_not_hide_a_new_determination():
    one = codec()
    one.feed(cuff(1, 290, 120, 80, 93), at(0))
    assert len(one.feed(cuff(1, 1, 120, 80, 93), at(-3000))) == 3


def test_a_failed_determination_is_told_once_and_again_after_a_new_attempt():
    one = codec()
    one.feed(cuff(1, 100, 120, 80, 93), at(0))
    first = one.feed(cuff(3, 102, 120, 80, 93), at(2))
    assert readings(first) == FAILED
    assert statuses(first) == [("nibp", True)]
    assert one.feed(cuff(3, 104, 120, 80, 93), at(4)) == []
    assert one.feed(cuff(0, 106), at(6)) == [measuring(True, 6)]
    again = one.feed(cuff(3, 120), at(20))
    assert readings(again) == FAILED
    assert statuses(again) == [("cuff_busy", False)]
    good = one.feed(cuff(1, 1, 118, 79, 92), at(60))
    assert [value for _, value, *_ in readings(good)] == [118, 79, 92]
    assert statuses(good) == [("nibp", False)]


@pytest.mark.parametrize("state", [3, 4, 6, 7, 8, 9])
def test_every_fault_of_the_cuff_is_a_failed_measurement(state):
    events = codec().feed(cuff(state, 9999), at(0))
    assert readings(events) == FAILED
    assert statuses(events) == [("nibp", True)]


def test_a_working_cuff_gives_a_provisional_systolic_and_no_old_pressures():
    one = codec()
    one.feed(cuff(1, 200, 120, 80, 93), at(0))
    assert one.feed(cuff(0, 202), at(2)) == [measuring(True, 2)]
    assert one.feed(cuff(0, 204, 120, 80, 93), at(4)) == [], "the last determination, seen again"
    assert one.feed(cuff(0, 1, 120, 80, 93), at(6)) == [], "old numbers beside a counter that was set back"
    assert readings(one.feed(cuff(0, 208, 131), at(8))) == [
        ("nibp_sys", 131, Validity.QUESTIONABLE, "provisional"),
    ]
    assert one.feed(cuff(0, 210, 131), at(10)) == []
    final = one.feed(cuff(1, 0, 129, 84, 99), at(20))
    assert [(value, validity) for _, value, validity, _ in readings(final)] == [(v, 0) for v in (129, 84, 99)]


def test_joining_while_the_cuff_works_gives_no_pressures():
    assert codec().feed(cuff(0, 250, 120, 80, 93), at(0)) == [measuring(True, 0)]


def test_a_determination_between_two_busy_replies_is_not_lost():
    one = codec()
    one.feed(cuff(1, 60, 120, 80, 93), at(0))
    one.feed(cuff(0, 62), at(2))
    assert len(one.feed(cuff(0, 3, 124, 82, 96), at(40))) == 3
    assert one.feed(cuff(1, 5, 124, 82, 96), at(42)) == [measuring(False, 42)]


@pytest.mark.parametrize("ended", [1, 2, 3, 4, 5, 6, 7, 8, 9])
def test_that_the_cuff_measures_is_told_once_and_so_is_its_end_however_it_ends(ended):
    one = codec()
    assert statuses(one.feed(cuff(1, 200, 120, 80, 93), at(0))) == []
    assert statuses(one.feed(cuff(0, 202), at(2))) == [("cuff_busy", True)]
    assert statuses(one.feed(cuff(0, 204, 131), at(4))) == []
    one.reset()
    assert statuses(one.feed(cuff(0, 206, 131), at(6))) == [], "a new link does not begin it anew"
    assert one.feed(cuff(ended, 1, 129, 84, 99), at(8))[0] == measuring(False, 8)
    assert statuses(one.feed(cuff(ended, 3, 129, 84, 99), at(10))) == []


@pytest.mark.parametrize(
    "reply",
    [cuff(1, 9999), cuff(1, 9999, 120, 80, 93), cuff(1, 30), built("OA1000008"), built("OA1-99008"), built("OA0098708"),
     built("OA3098708"), built("OA6098708"), built("RA2000"), built("RA2-99"), built("RA3072"),
     built("TC00A9999909860"), built("TC00A0001200000"), built("TC10A0001209860"), built("TC40A0001209860")],
)  # fmt: skip
def test_signs_for_no_value_are_never_values(reply):
    one = codec()
    assert one.feed(reply, at(0)) == []
    assert one.counters.frames == 1


def test_a_pressure_that_is_absent_from_a_determination_is_invalid_and_its_lone_systolic_provisional():
    assert readings(codec().feed(cuff(1, 3, 87), at(0))) == [
        ("nibp_sys", 87, Validity.QUESTIONABLE, "provisional"),
        ("nibp_dia", None, Validity.INVALID, "no_data"),
        ("nibp_mean", None, Validity.INVALID, "no_data"),
    ]


def test_an_oximeter_that_loses_its_sensor_gives_invalid_readings_with_the_cause():
    one = codec()
    assert readings(one.feed(built("OA1097708") + built("RA2071"), at(0))) == [
        ("spo2", 97, Validity.VALID, ""),
        ("pulse_rate", 71, Validity.VALID, ""),
    ]
    for _ in range(2):
        assert readings(one.feed(built("OA6000008") + built("RA3068"), at(2))) == [
            ("spo2", None, Validity.INVALID, "sensor_off"),
            ("pulse_rate", None, Validity.INVALID, "no_data"),
        ]
    assert readings(one.feed(built("OA3000008"), at(4))) == [("spo2", None, Validity.INVALID, "no_data")]


@pytest.mark.parametrize("display", "01")
def test_a_temperature_is_fahrenheit_on_the_wire_and_celsius_here_once(display):
    one = codec()
    (reading,) = one.feed(built(f"TC00A000451004{display}"), at(0))
    assert reading.value == pytest.approx(38.0)
    assert reading.observed_at == at(-45)
    assert one.feed(built(f"TC00A000471004{display}"), at(2)) == []
    assert one.feed(built("TC10B0004910040"), at(4)) == []
    assert len(one.feed(built("TC00B0000110040"), at(30))) == 1
    assert readings(one.feed(built("TC30C0000910040"), at(40))) == [("temp", None, Validity.INVALID, "sensor_off")]


@pytest.mark.parametrize("reply", [cuff(1, 5, 120, 80, 93, BAD), built("OA1097708", BAD), built("RA2071", BAD),
                                   built("TC00A0001209860", BAD)])  # fmt: skip
def test_check_characters_that_disagree_make_readings_questionable_and_are_counted(reply):
    one = codec()
    events = readings(one.feed(reply, at(0)))
    assert events
    assert {(validity, cause) for _, _, validity, cause in events} == {(Validity.QUESTIONABLE, Cause.CHECKSUM)}
    assert (one.counters.frames, one.counters.rejected) == (1, 1)


def test_a_digit_hit_by_noise_does_not_make_a_second_determination():
    one = codec()
    good = cuff(1, 20, 120, 80, 93)
    one.feed(good, at(0))
    hit = good.replace(b"120", b"128")
    assert one.feed(hit, at(0)) == []
    assert one.feed(cuff(1, 22, 120, 80, 93), at(2)) == []


REPLIES = st.lists(
    st.sampled_from([example.data for example in DRIVER.examples] + [cuff(0, 3), cuff(1, 3, 120, 80, 90)]), max_size=8
)


@given(REPLIES, st.data())
def test_any_split_gives_the_same_events(replies, data):
    stream = b"".join(replies)
    whole = codec()
    expected = whole.feed(stream, T0)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    parts = codec()
    got = [
        event for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True) for event in parts.feed(stream[a:b], T0)
    ]
    assert got == expected
    assert parts.counters == whole.counters


@given(st.binary(max_size=60), st.binary(max_size=60), st.binary(max_size=60))
def test_garbage_before_between_and_after_is_survived(before, between, after):
    # A CR ends whatever the garbage began, as the line's own messages do.
    stream = before + b"\r" + built("OA1097708") + between + b"\r" + built("RA2071") + after
    one = codec()
    got = one.feed(stream, T0) + one.feed(b"\r" + built("OA1096708"), T0)
    values = [(vital, value) for vital, value, validity, _ in readings(got) if validity == Validity.VALID]
    assert ("spo2", 97) in values
    assert ("pulse_rate", 71) in values
    assert ("spo2", 96) in values


def test_a_torn_reply_does_not_hold_up_the_one_behind_it():
    one = codec()
    assert len(one.feed(cuff(1, 5, 120, 80, 93)[:8] + built("RA2071"), T0)) == 1


def test_a_leading_cr_belongs_to_the_reply_and_a_stray_byte_is_counted():
    one = codec()
    assert len(one.feed(b"\r" + built("RA2071") + b"\r" + built("RA2072"), T0)) == 2
    assert (one.counters.frames, one.counters.rejected) == (2, 0)
    one.feed(b"noise" + built("RA2071"), T0)
    assert (one.counters.frames, one.counters.rejected) == (3, 1)


@pytest.mark.parametrize("example", DRIVER.examples, ids=lambda example: example.data.decode().strip())
def test_a_truncated_reply_gives_nothing(example):
    for length in range(len(example.data)):
        assert codec().feed(example.data[:length], T0) == []


@pytest.mark.parametrize("wrong", [b" NA11000051200800931\r", b" NA1100x05120080093&'\r", b" NB1100005120080093&'\r",
                                   b' RA20712"E\r', b' RC2072"E\r', b" OA1-98708#K\r"])  # fmt: skip
def test_what_has_not_a_replys_exact_shape_is_no_frame(wrong):
    one = codec()
    assert one.feed(wrong, T0) == []
    assert one.counters.frames == 0


def test_an_hour_over_the_wire_agrees_with_the_patient():
    """Device and codec, polled over simulated time: every determination once, nothing started by the host."""
    patient = Patient(seed=7, episodes=(Episode(first=600, duration=60, every=10_000, probe_off=True),))
    side, one = DinamapSide(patient, oximeter=True), codec()
    events: list[Event] = []
    for quarter in range(4 * 3600):
        now = quarter / 4
        request = one.request(now)
        if request:
            assert request in DRIVER.requests
            reply = side.answer(request[:3], now) + side.answer(request[3:], now)
            events += one.feed(reply, at(now))
    assert side.started_by_host == 0
    assert one.counters.rejected == 0
    pressures = [e for e in events if isinstance(e, Reading) and e.vital.startswith("nibp") and not e.cause]
    assert len(pressures) == 3 * 13
    for n, reading in enumerate(pressures):
        ended = -10 + 300 * (n // 3)
        found = patient.pressure(ended)
        assert reading.value == (found.sys, found.dia, found.mean)[n % 3]
        assert abs(reading.observed_at - at(ended)) <= 1.5 * NS
    busy = [e for e in events if isinstance(e, DeviceStatus)]
    assert [(e.code, e.active) for e in busy] == [("cuff_busy", True), ("cuff_busy", False)] * 12
    for event in busy:
        assert patient.cuff_busy((event.received_at - T0) / NS) is event.active
    provisional = [e for e in events if isinstance(e, Reading) and e.cause == "provisional"]
    assert [e.vital for e in provisional] == ["nibp_sys"] * 12
    saturations = [e for e in events if isinstance(e, Reading) and e.vital == "spo2"]
    assert len(saturations) == pytest.approx(1800, abs=5)
    for reading in saturations:
        now = (reading.received_at - T0) / NS
        assert reading.value == (None if patient.probe_off(now) else round(patient.spo2(now)))
    pulses = {e.value for e in events if isinstance(e, Reading) and e.vital == "pulse_rate"}
    assert None in pulses
    assert all(math.isclose(value, 75, abs_tol=25) for value in pulses - {None})


def test_a_monitor_without_an_oximeter_gives_only_its_cuff():
    side, one = DinamapSide(Patient()), codec()
    replies = b"".join(side.answer(request, 5.0) for request in REQUESTS)
    assert {vital for vital, *_ in readings(one.feed(replies, at(5)))} == {"nibp_sys", "nibp_dia", "nibp_mean"}
    assert one.counters.frames == len(REQUESTS)


def test_the_device_side_ignores_a_wrong_checksum_and_would_notice_a_started_cuff():
    side = DinamapSide(Patient())
    assert side.answer(b" NA!3\r" + b"NA!2\r" + b"\r" + bytes(500), 0.0) == b""
    assert side.answer(b"\r RC!8\r", 0.0).startswith(b" RC3")
    assert side.started_by_host == 0
    side.answer(b" NC0!E\r ND!5\r", 0.0)
    assert side.started_by_host == 2


@given(st.binary(max_size=300))
def test_arbitrary_bytes_never_raise(data):
    one = codec()
    for event in one.feed(data, T0):
        assert not isinstance(event, Reading) or (event.value is None) == (event.validity == Validity.INVALID)
    DinamapSide(Patient()).answer(data, 0.0)


def test_a_wall_clock_set_forward_gives_no_determination_again():
    patient = Patient()
    side, one = DinamapSide(patient), codec()
    given, jump = [], 0
    for step in range(400):
        now = 1 + step / 4
        if step == 200:
            jump = 3600 * NS
        if request := one.request(now):
            given += one.feed(side.answer(request, now), int(now * NS) + jump)
    assert [event.vital for event in given if isinstance(event, Reading)] == ["nibp_sys", "nibp_dia", "nibp_mean"]
