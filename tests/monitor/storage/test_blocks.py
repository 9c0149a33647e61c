import json
import math
import random
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.clock import NS
from drivers.events import Validity
from monitor.storage import blocks
from monitor.storage.blocks import BLOCK, FURTHEST, SLOT, SLOT_TYPE, SLOTS
from tests.monitor.storage.helpers import START, bits, rows_of

INT64 = st.integers(-(2**63), 2**63 - 1)
BEGINNINGS = st.integers(-FURTHEST // BLOCK, FURTHEST // BLOCK).map(lambda number: number * BLOCK)
# What the journal can hold: a number that is none has become NULL there, infinite ones stay what they are.
VALUES = st.none() | st.floats(allow_nan=False)
CAUSES = st.sampled_from(["", "sensor_off", "artifact,low_perfusion"]) | st.text(max_size=5)


@st.composite
def rows_in_a_block(draw):
    """A block's beginning, and rows in any order, no two of one time."""
    begins_at = draw(BEGINNINGS)
    row = st.tuples(st.integers(0, BLOCK - 1).map(begins_at.__add__), INT64, VALUES, st.sampled_from([0, 1, 2]), CAUSES)
    return begins_at, draw(st.lists(row, unique_by=lambda row: row[0], max_size=30))


def expected(rows):
    return [(*row[:2], bits(row[2]), *row[3:]) for row in sorted(rows, key=lambda row: row[0])]


@given(rows_in_a_block())
def test_packed_and_unpacked_every_reading_is_as_it_was(given_):
    begins_at, rows = given_
    columns = blocks.columns(rows)
    assert rows_of(columns) == expected(rows)
    unpacked = blocks.unpack(blocks.pack(columns, begins_at), begins_at)
    assert rows_of(unpacked) == expected(rows)
    for column, again in zip(columns[:5], unpacked[:5], strict=True):
        assert column.dtype == again.dtype
    assert unpacked.causes[0] == ""


def test_first_and_last_block_of_all_time():
    for begins_at in (-FURTHEST // BLOCK * BLOCK, FURTHEST // BLOCK * BLOCK):
        rows = [
            (begins_at, 2**63 - 1, -0.0, 0, ""),
            (begins_at + 1, -(2**63), 5e-324, 1, "x"),
            (begins_at + BLOCK - 1, 0, None, 2, ""),
        ]
        assert rows_of(blocks.unpack(blocks.pack(blocks.columns(rows), begins_at), begins_at)) == expected(rows)


@given(rows_in_a_block(), st.data())
def test_parts_joined_are_the_whole(given_, data):
    _, rows = given_
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=4)))
    parts = [rows[first:last] for first, last in zip([0, *cuts], [*cuts, len(rows)], strict=True)]
    assert rows_of(blocks.joined([blocks.columns(part) for part in parts])) == expected(rows)


@given(rows_in_a_block(), st.data())
def test_between_is_what_lies_in_the_span(given_, data):
    begins_at, rows = given_
    moments = st.integers(begins_at - 1, begins_at + BLOCK) | st.sampled_from([begins_at, *(row[0] for row in rows)])
    since, until = data.draw(moments), data.draw(moments)
    found = rows_of(blocks.between(blocks.columns(rows), since, until))
    assert found == [row for row in expected(rows) if since <= row[0] < until]


@given(rows_in_a_block())
def test_summary_is_what_a_slow_count_says(given_):
    begins_at, rows = given_
    slots = np.frombuffer(blocks.summarise(blocks.columns(rows), begins_at), SLOT_TYPE)
    assert len(slots) == SLOTS
    for number, slot in enumerate(slots.tolist()):
        first = begins_at + number * SLOT
        there = [row for row in rows if first <= row[0] < first + SLOT]
        values = [row[2] for row in there if row[2] is not None]
        count, questionable, invalid, lowest, highest = slot
        assert count == len(there)
        assert questionable == sum(row[3] == Validity.QUESTIONABLE for row in there)
        assert invalid == sum(row[3] == Validity.INVALID for row in there)
        assert lowest == min(values) if values else math.isnan(lowest)
        assert highest == max(values) if values else math.isnan(highest)


def regular(chance):
    """Ten minutes of an oximeter: a value a second, received at a moment that nobody chose."""
    rows = []
    value = 97.0
    for second in range(600):
        value = min(100.0, max(80.0, value + chance.choice([0, 0, 0, 0, 0, 0, 0, 0, 1, -1])))
        at = START + second * NS + chance.randrange(3_000_000)
        rows.append((at, at, value, 0, ""))
    return rows


def test_ten_minutes_of_a_value_a_second_are_small():
    # A row of the table and its entry in the index of the commits are some 60 bytes; three of what is left are the
    # nanoseconds of the receipt, which are chance.
    packed = blocks.pack(blocks.columns(regular(random.Random(1))), START)
    assert len(packed) < 600 * 6
    even = [(START + second * NS, START + second * NS, 97.0, 0, "") for second in range(600)]
    assert len(blocks.pack(blocks.columns(even), START)) < 600


def test_thousand_causes_in_one_block():
    rows = [(START + number, START, None, 2, f"cause {number}") for number in range(1000)]
    assert rows_of(blocks.unpack(blocks.pack(blocks.columns(rows), START), START)) == expected(rows)


PACKED = blocks.pack(
    blocks.columns([*regular(random.Random(2))[:50], (START + BLOCK - 1, START, None, 2, "sensor_off")]), START
)
BODY = zlib.decompress(PACKED)


def unpacked(packed):
    """What is in it, None where it is refused in the way that is promised."""
    try:
        return blocks.unpack(packed, START)
    except ValueError as error:
        if "damaged block" not in str(error):
            raise
        return None


def assert_usable(readings):
    """If there is anything, then whole: columns of one length, and every cause in its table."""
    if readings is not None:
        assert {len(column) for column in readings[:5]} == {len(readings.observed_at)}
        rows_of(readings)
        rows_of(blocks.joined([readings, blocks.columns([(START, START, 1.0, 0, "other")])]))


def test_byte_that_rotted_is_found_or_does_no_harm():
    whole = rows_of(blocks.unpack(PACKED, START))
    found = 0
    for place in range(len(PACKED)):
        rotten = bytearray(PACKED)
        rotten[place] ^= 1 << place % 8
        again = unpacked(bytes(rotten))
        # Deflate can say one thing in several ways.
        assert again is None or rows_of(again) == whole
        found += again is None
    assert found > 0.9 * len(PACKED)


@given(st.integers(0, len(PACKED) - 1))
def test_block_that_is_cut_off_is_found(length):
    with pytest.raises(ValueError, match="damaged block"):
        blocks.unpack(PACKED[:length], START)


@given(st.binary(max_size=200), st.booleans())
def test_anything_else_is_refused(data, compressed):
    assert_usable(unpacked(zlib.compress(data) if compressed else data))


@given(st.integers(0, len(BODY) - 1), st.integers(0, 255), st.integers(0, 3))
def test_content_that_no_checksum_covers_is_refused_or_whole(place, byte, cut):
    # Made by somebody rather than by chance: zlib's own checksum is right.
    changed = BODY[:place] + bytes([byte]) + BODY[place + 1 : len(BODY) - cut]
    assert_usable(unpacked(zlib.compress(changed)))


@pytest.mark.parametrize(
    "table",
    ["5", "null", '"abc"', "{}", "[]", "[5]", '["x"]', '["", null]', "[" * 100_000, '["", "\\ud800"', "", "NaN"],
)
def test_table_of_causes_that_is_none_is_refused(table):
    one = struct.pack("<I", 1) + bytes(24) + b"\x00" + b"\x00\x00" + table.encode()
    with pytest.raises(ValueError, match="damaged block"):
        blocks.unpack(zlib.compress(one), START)


def test_cause_beyond_the_table_is_refused():
    one = struct.pack("<I", 1) + bytes(24) + b"\x00" + b"\x02\x00" + json.dumps(["", "x"]).encode()
    with pytest.raises(ValueError, match="damaged block"):
        blocks.unpack(zlib.compress(one), START)
