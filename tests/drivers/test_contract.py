"""What every driver of the registry must do, whoever wrote it: the tests walk the registry."""

from __future__ import annotations

import asyncio
import itertools
import random
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.clock import SystemClock
from drivers.codec import Codec, Driver
from drivers.device import Device
from drivers.errors import RequestRefused, UnknownDriver
from drivers.events import DeviceAlarm, DeviceStatus, Event, LinkState, Reading, Validity, Waveform
from drivers.registry import drivers, find
from drivers.transports.factory import make_transport
from drivers.vitals import VITALS, WAVEFORMS
from simulators.device_side import make_side
from simulators.endpoint import PtyEndpoint
from simulators.patient import Patient
from tests.drivers.fakes import Collector, FakeTransport
from tests.drivers.streams import BYTE_STREAMS, DRIVERS, new_codec, pieces

# Words of the device protocols known to act on the patient or the device: none may ever be listed.
FORBIDDEN = (b"NC", b"ND", b"\x02\x70", b"\x02\x72")

every = pytest.mark.parametrize("driver", DRIVERS, ids=lambda driver: driver.name)
every_stream = pytest.mark.parametrize("driver", BYTE_STREAMS, ids=lambda driver: driver.name)
every_checked = pytest.mark.parametrize(
    "driver", [driver for driver in BYTE_STREAMS if driver.checksum], ids=lambda driver: driver.name
)


def decoded(codec: Codec, data: list[bytes]) -> list[Event]:
    return [event for piece in data for event in codec.feed(piece, 1_000)]


def what(events: list[Event]) -> list[object]:
    """Events without their times, which depend on how the bytes came."""
    return [
        (event.vital, event.value, event.validity, event.cause)
        if isinstance(event, Reading)
        else event._replace(**{name: 0 for name in event._fields if name.endswith("_at")})
        for event in events
    ]


def assert_honest(driver: Driver, events: list[Event]) -> None:
    for event in events:
        if isinstance(event, Reading):
            assert event.vital in driver.vitals
            assert (event.value is None) == (event.validity is Validity.INVALID)
            if event.validity is Validity.VALID:
                low, high = VITALS[event.vital].plausible
                assert event.value is not None
                assert low <= event.value <= high
        elif isinstance(event, Waveform):
            assert event.name in driver.waveforms
        else:
            assert isinstance(event, DeviceStatus | DeviceAlarm)


@every
def test_it_says_what_it_is(driver: Driver) -> None:
    assert find(driver.name) is driver
    assert driver.vitals
    assert set(driver.vitals) <= set(VITALS)
    assert set(driver.waveforms) <= set(WAVEFORMS)
    assert driver.devices
    assert driver.source
    assert driver.examples
    assert driver.transports


def test_a_name_that_is_not_there_is_answered_with_those_that_are() -> None:
    with pytest.raises(UnknownDriver, match=", ".join(drivers())):
        find("nonim")


@every
def test_its_documented_frames_decode_to_what_they_say(driver: Driver) -> None:
    for example in driver.examples:
        codec = new_codec(driver, **example.options)
        readings = [event for event in codec.feed(example.data, 5) if isinstance(event, Reading)]
        assert [(event.vital, event.value, event.validity) for event in readings] == list(example.gives)
        assert example.source


@every
def test_its_device_side_is_understood(driver: Driver) -> None:
    patient = Patient(seed=5)
    codec = new_codec(driver)
    events = decoded(codec, pieces(driver, 30, patient))
    assert_honest(driver, events)
    assert codec.counters.frames > 0
    assert codec.counters.rejected == 0
    values = {event.vital: event.value for event in events if isinstance(event, Reading) and event.value is not None}
    if "spo2" in values:
        assert values["spo2"] == pytest.approx(patient.spo2(30), abs=3)
    if "nibp_sys" in values:
        assert values["nibp_sys"] == patient.pressure(patient.last_cuff_at(30)).sys


@every_stream
@settings(max_examples=25)
@given(data=st.data())
def test_any_split_of_the_bytes_gives_the_same_events(driver: Driver, data: st.DataObject) -> None:
    stream = b"".join(pieces(driver, 6))
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=30))
    edges = [0, *sorted(cuts), len(stream)]
    whole, split = new_codec(driver), new_codec(driver)
    parts = [stream[start:end] for start, end in itertools.pairwise(edges)]
    assert what(decoded(split, parts)) == what(decoded(whole, [stream]))
    assert split.counters == whole.counters


@every_stream
def test_byte_by_byte_is_the_same_too(driver: Driver) -> None:
    stream = b"".join(pieces(driver, 6))
    assert what(decoded(new_codec(driver), [stream[i : i + 1] for i in range(len(stream))])) == what(
        decoded(new_codec(driver), [stream])
    )


@every_stream
def test_garbage_before_between_and_after_is_survived_and_counted(driver: Driver) -> None:
    draw = random.Random(1)
    clean = pieces(driver, 30)
    third = len(clean) // 3
    noise = [draw.randbytes(300) for _ in range(3)]
    codec = new_codec(driver)
    noisy = [noise[0], *clean[:third], noise[1], *clean[third:], noise[2]]
    events = decoded(codec, noisy)
    assert_honest(driver, events)
    assert codec.counters.rejected > 0
    counted = new_codec(driver)
    decoded(counted, clean)
    # One interrupted frame or packet at each of the three places is what noise may cost.
    assert codec.counters.frames >= counted.counters.frames - 3 * 25


@every_stream
def test_a_truncated_frame_gives_nothing(driver: Driver) -> None:
    for example in driver.examples:
        for length in (0, 1, len(example.data) // 2, len(example.data) - 1):
            codec = new_codec(driver, **example.options)
            readings = [event for event in codec.feed(example.data[:length], 5) if isinstance(event, Reading)]
            given_whole = list(example.gives)
            given_cut = [(event.vital, event.value, event.validity) for event in readings]
            assert given_cut == given_whole[: len(given_cut)]
            assert given_cut != given_whole or not given_whole


@every_checked
def test_a_flipped_bit_is_refused(driver: Driver) -> None:
    draw = random.Random(2)
    stream = b"".join(pieces(driver, 4))
    clean = {(event.vital, event.value) for event in decoded(new_codec(driver), [stream]) if isinstance(event, Reading)}
    for _ in range(300):
        flipped = bytearray(stream)
        flipped[draw.randrange(len(flipped))] ^= 1 << draw.randrange(8)
        codec = new_codec(driver)
        events = decoded(codec, [bytes(flipped)])
        assert_honest(driver, events)
        assert {(event.vital, event.value) for event in events if isinstance(event, Reading)} <= clean


@every
def test_a_million_random_bytes_give_no_reading_and_no_error(driver: Driver) -> None:
    draw = random.Random(3)
    codec = new_codec(driver)
    tracemalloc.start()
    codec.feed(draw.randbytes(10_000), 1)
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(250):
        events = codec.feed(draw.randbytes(4000), 1)
        assert not [event for event in events if isinstance(event, Reading)]
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 100_000


@every
def test_a_million_bytes_of_mutated_frames_are_survived(driver: Driver) -> None:
    draw = random.Random(4)
    clean = pieces(driver, 30)
    told = {(event.vital, event.value) for event in decoded(new_codec(driver), clean) if isinstance(event, Reading)}
    codec = new_codec(driver)
    fed = readings = foreign = 0
    while fed < 1_000_000:
        for piece in clean:
            data = bytearray(piece)
            if draw.randrange(10) == 0:
                at = draw.randrange(len(data))
                change = draw.randrange(3)
                if change == 0:
                    data[at] = draw.randrange(256)
                elif change == 1:
                    data[at:at] = draw.randbytes(draw.randrange(1, 4))
                else:
                    del data[at]
            events = codec.feed(bytes(data), 1)
            assert_honest(driver, events)
            for event in events:
                if isinstance(event, Reading):
                    readings += 1
                    foreign += event.value is not None and (event.vital, event.value) not in told
            fed += len(data)
    assert readings > 100
    # What no checksum guards cannot be told from the truth. A checksum of eight bits lets one torn frame in 256 pass,
    # and here every tenth is torn: what becomes a reading all the same must be a rarity.
    assert not driver.checksum or foreign * 1000 <= readings


@every
def test_it_asks_only_for_what_it_listed_and_lists_nothing_that_acts(driver: Driver) -> None:
    asked = set()
    codec = new_codec(driver)
    codec.reset()
    side = make_side(driver.name, Patient())
    for step in range(2000):
        now = step * 0.25
        if driver.polled and (request := codec.request(now)):
            asked.add(request)
            if step % 3:
                codec.feed(side.answer(request, now), int(now * 1e9))
    assert asked <= set(driver.requests)
    assert bool(asked) == driver.polled
    for request in driver.requests:
        assert not any(word in request for word in FORBIDDEN)


@every
@given(data=st.one_of(st.binary(max_size=12), st.sampled_from([b" NC0!E\r", b" ND!5\r", b"\x02\x70\x02\x02\x08\x03"])))
def test_its_transport_sends_no_other_bytes(driver: Driver, data: bytes) -> None:
    transport = FakeTransport(requests=driver.requests)
    if data in driver.requests:
        return
    with pytest.raises(RequestRefused):
        transport.send(data)
    assert transport.sent == []


@every_stream
async def test_a_real_pseudo_terminal_unplugged_and_plugged_in_again(driver: Driver, tmp_path: Path) -> None:
    link = tmp_path / "port"
    clock = SystemClock()
    endpoint = PtyEndpoint(make_side(driver.name, Patient()), clock, link)
    serving = asyncio.create_task(endpoint.serve())
    collector = Collector()
    device = Device("dev", driver, new_codec(driver), make_transport(str(link), driver, clock), collector, clock)
    running = asyncio.create_task(device.run())

    async def until_receiving(times: int) -> None:
        async with asyncio.timeout(30):
            while collector.links.count(LinkState.RECEIVING) < times:
                await asyncio.sleep(0.02)

    await until_receiving(1)
    endpoint.unplug()
    async with asyncio.timeout(10):
        while collector.links[-1] is not LinkState.LOST:
            await asyncio.sleep(0.02)
    assert not link.exists()
    collector.events.clear()
    endpoint.plug()
    await until_receiving(2)
    assert_honest(driver, collector.events)
    for task in (running, serving):
        task.cancel()
    await asyncio.gather(running, serving, return_exceptions=True)
    assert not link.is_symlink()
