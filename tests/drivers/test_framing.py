"""The resynchronising loop, with a small protocol of its own: AA, length, payload, sum."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from drivers.codec import Counters
from drivers.framing import INCOMPLETE, NO_FRAME, Framer, sum8


def frame_length(buffer: bytearray, start: int) -> int:
    if buffer[start] != 0xAA:
        return NO_FRAME
    if len(buffer) < start + 2:
        return INCOMPLETE
    length = buffer[start + 1] + 3
    if len(buffer) < start + length:
        return INCOMPLETE
    good = sum8(buffer[start : start + length - 1]) == buffer[start + length - 1]
    return length if good else NO_FRAME


def frame(payload: bytes) -> bytes:
    body = bytes([0xAA, len(payload)]) + payload
    return body + bytes([sum8(body)])


payloads = st.binary(max_size=20)


@given(st.lists(payloads, max_size=10), st.lists(st.integers(0, 200)))
def test_any_split_gives_the_same_frames(contents: list[bytes], cuts: list[int]) -> None:
    frames = [frame(payload) for payload in contents]
    stream = b"".join(frames)
    counters = Counters()
    framer = Framer(frame_length, 64, counters)
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    found = [one for a, b in itertools.pairwise(edges) for one in framer.feed(stream[a:b])]
    assert found == frames
    assert (counters.bytes, counters.frames, counters.rejected) == (len(stream), len(frames), 0)


@given(st.binary(max_size=40).filter(lambda noise: 0xAA not in noise), payloads)
def test_noise_between_frames_is_one_rejection_and_costs_no_frame(noise: bytes, payload: bytes) -> None:
    counters = Counters()
    framer = Framer(frame_length, 64, counters)
    found = list(framer.feed(frame(b"first") + noise + frame(payload)))
    assert found == [frame(b"first"), frame(payload)]
    assert counters.rejected == (1 if noise else 0)


def test_bytes_before_the_first_frame_are_no_fault_of_the_device() -> None:
    counters = Counters()
    list(Framer(frame_length, 64, counters).feed(b"half a frame" + frame(b"x")))
    assert (counters.frames, counters.rejected) == (1, 0)


@given(st.binary(max_size=2000))
def test_whatever_comes_what_is_kept_stays_below_one_frame(data: bytes) -> None:
    framer = Framer(frame_length, 64, Counters())
    list(framer.feed(data))
    assert len(framer._buffer) < 64


def test_a_frame_that_claims_to_be_longer_than_any_is_none() -> None:
    counters = Counters()
    framer = Framer(frame_length, 64, counters)
    list(framer.feed(frame(b"x")))
    assert list(framer.feed(b"\xaa\xff" + b"\x00" * 70 + frame(b"y"))) == [frame(b"y")]
    assert counters.rejected == 1


def test_reset_forgets_half_a_frame() -> None:
    framer = Framer(frame_length, 64, Counters())
    whole = frame(b"payload")
    list(framer.feed(whole[:4]))
    framer.reset()
    assert list(framer.feed(whole)) == [whole]
