import asyncio
import random
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.clock import NS
from drivers.events import Waveform, measured
from monitor.storage import waveforms
from monitor.storage.backlog import RecordedWaveform
from monitor.storage.history import History
from tests.monitor.storage.helpers import START, ask, commit, database, seal_all, times_in

INT32 = st.integers(-(2**31), 2**31 - 1)
INT64 = st.integers(-(2**63), 2**63 - 1)
RUNS = st.builds(Waveform, st.just("pleth"), st.lists(INT32, max_size=20).map(tuple), st.just(75.0), INT64, INT64)


@given(st.lists(RUNS, min_size=1, max_size=6))
def test_packed_and_unpacked_every_run_is_as_it_was(runs):
    assert waveforms.unpack(waveforms.pack(runs), "pleth", 75.0) == runs


@given(st.lists(RUNS, max_size=6), st.randoms(use_true_random=False))
def test_merged_is_each_once_in_order_of_time(runs, chance):
    again = [*runs, *chance.sample(runs, len(runs) // 2)]
    chance.shuffle(again)
    merged = waveforms.merged(again)
    assert [run.observed_at for run in merged] == sorted(run.observed_at for run in merged)
    assert {(run.observed_at, run.samples) for run in merged} == {(run.observed_at, run.samples) for run in runs}
    assert len(merged) == len({(run.observed_at, run.samples) for run in merged})


@pytest.mark.parametrize("sample", [2**31, -(2**31) - 1, 2**80])
def test_sample_beyond_32_bits_is_refused(sample):
    with pytest.raises(OverflowError):
        waveforms.pack([Waveform("pleth", (1, sample), 75.0, 1, 2)])


def pleth(second, count=75, rate=75.0, name="pleth", seed=0):
    """A second of a wave from a device that sends whole numbers of a byte."""
    chance = random.Random(second * 100 + seed)
    samples = tuple(int(100 + 60 * np.sin(sample / 10) + chance.randrange(3)) for sample in range(count))
    return Waveform(name, samples, rate, START + second * NS, START + (second + 1) * NS)


def test_a_minute_is_small():
    runs = [pleth(second) for second in range(60)]
    assert len(waveforms.pack(runs)) < 60 * 75 * 1.2


PACKED = waveforms.pack([pleth(0), pleth(1)])
BODY = zlib.decompress(PACKED)


def refused_or(packed, right):
    try:
        return right(waveforms.unpack(packed, "pleth", 75.0))
    except ValueError as error:
        return "damaged waveform" in str(error)


def test_byte_that_rotted_is_found_or_does_no_harm():
    for place in range(len(PACKED)):
        rotten = bytearray(PACKED)
        rotten[place] ^= 1 << place % 8
        assert refused_or(bytes(rotten), lambda runs: runs == [pleth(0), pleth(1)])


@given(st.integers(0, len(PACKED) - 1))
def test_pack_that_is_cut_off_is_found(length):
    with pytest.raises(ValueError, match="damaged waveform"):
        waveforms.unpack(PACKED[:length], "pleth", 75.0)


@given(st.binary(max_size=100), st.booleans())
def test_anything_else_is_refused(data, compressed):
    assert refused_or(zlib.compress(data) if compressed else data, lambda _: True)


@given(st.integers(0, len(BODY) - 1), st.integers(0, 255), st.integers(0, 5))
def test_content_that_no_checksum_covers_is_refused_or_whole(place, byte, cut):
    changed = BODY[:place] + bytes([byte]) + BODY[place + 1 : len(BODY) - cut]
    there = (len(changed) - 4 - 24 * struct.unpack_from("<I", changed)[0]) // 4
    assert refused_or(zlib.compress(changed), lambda runs: sum(len(run.samples) for run in runs) == there)


@pytest.mark.parametrize(
    "lengths", [[151, -1], [-1, 151], [150, 1], [75, 74], [2**63 - 1, -(2**63 - 1) + 150], [2**62, 2**62 + 150]]
)
def test_lengths_that_cannot_be_are_refused(lengths):
    changed = bytearray(BODY)
    struct.pack_into("<qq", changed, 4 + 4 * 8, *lengths)
    with pytest.raises(ValueError, match="damaged waveform"):
        waveforms.unpack(zlib.compress(changed), "pleth", 75.0)


@pytest.mark.parametrize("sealed", [True, False])
async def test_through_the_journal_and_back(tmp_path, sealed, opened):
    runs = [pleth(second) for second in range(3)]
    late, quick = pleth(-700), pleth(1, 10, rate=62.4725)
    journal = opened(tmp_path)
    for run in runs:
        journal.record("a", "oximeter", [run])
    journal.record("a", "other", [quick])
    journal.record("a", "oximeter", [late, measured("spo2", 97.0, START, START)])
    journal.record("b", "oximeter", [pleth(0, seed=1)])
    journal.record("a", "oximeter", [pleth(0, name="resp")])
    assert journal.health.waiting_rows == 8
    if sealed:
        await journal.close()
    else:
        committed = asyncio.Event()
        journal.record("a", "oximeter", [], committed.set)
        await committed.wait()
    assert ask(tmp_path, "SELECT count(*) FROM seals") == [(1 if sealed else 0,)]

    history = History(tmp_path)
    of_a = [*(RecordedWaveform("a", "oximeter", run) for run in (late, *runs)), RecordedWaveform("a", "other", quick)]
    found = history.waveforms("a", "pleth", START - 10_000 * NS, START + 10 * NS)
    assert sorted(found) == sorted(of_a)
    assert [it.waveform.observed_at for it in found] == sorted(it.waveform.observed_at for it in found)
    assert history.waveforms("b", "pleth", START, START + NS) == [RecordedWaveform("b", "oximeter", pleth(0, seed=1))]
    assert history.waveforms("c", "pleth", START, START + NS) == []
    await journal.close()


@pytest.mark.parametrize("sealed", [True, False])
def test_span_takes_what_lies_in_it_with_any_part(tmp_path, sealed):
    with database(tmp_path) as writer:
        commit(writer, runs=[pleth(second) for second in range(10)])
        if sealed:
            seal_all(writer)

    def seconds(since, until):
        found = History(tmp_path).waveforms("a", "pleth", START + since, START + until)
        return [(it.waveform.observed_at - START) // NS for it in found]

    assert seconds(3 * NS, 5 * NS) == [3, 4]
    assert seconds(3 * NS + 1, 5 * NS + 1) == [3, 4, 5]
    assert seconds(4 * NS - 1, 4 * NS) == [3]
    assert seconds(-5 * NS, 0) == []
    assert seconds(10 * NS, 20 * NS) == []
    assert seconds(-(2**62), 2**62) == list(range(10))


def test_run_that_was_delivered_twice_is_there_once(tmp_path):
    def found():
        runs = History(tmp_path).waveforms("a", "pleth", START, START + 9 * NS)
        return [it.waveform.samples for it in runs]

    expected = [pleth(0).samples, pleth(1).samples]
    with database(tmp_path) as writer:
        commit(writer, runs=[pleth(0), pleth(0), pleth(1)])
        commit(writer, runs=[pleth(1)])
        assert found() == expected
        seal_all(writer)
        [(packed,)] = ask(tmp_path, "SELECT packed FROM waveforms")
        assert waveforms.unpack(packed, "pleth", 75.0) == [pleth(0), pleth(1)]
        assert found() == expected
        commit(writer, runs=[pleth(0)])  # now that it is packed
        assert found() == expected
        seal_all(writer)
        assert found() == expected


def test_sealing_makes_one_row_of_a_minute_with_the_greatest_commit(tmp_path):
    with database(tmp_path) as writer:
        for second in range(60):
            commit(writer, runs=[pleth(second), pleth(second, 10, name="resp")])
        seal_all(writer)
        commit(writer, runs=[pleth(60)])
    assert ask(tmp_path, "SELECT name, commit_no, begins_at, ends_at FROM waveforms ORDER BY commit_no, name") == [
        ("pleth", 60, START, START + 60 * NS),
        ("resp", 60, START, START + 59 * NS + round(10 / 75 * NS)),
        ("pleth", 61, START + 60 * NS, START + 61 * NS),
    ]


async def test_runs_that_cannot_be_stored_do_not_hold_up_the_others(tmp_path, caplog, opened):
    journal = opened(tmp_path)
    acknowledged = asyncio.Event()
    good = [pleth(0), pleth(1)]
    bad = [
        Waveform("pleth", (1, 2**31), 75.0, START, START),
        Waveform("pleth", (1, 2, 3), 0.0, START, START),
        Waveform("pleth", (1, 2, 3), 75.0, 2**63, START),
        Waveform("pleth", (1, 2, 3), 75.0, 2**63 - 5, START),
        Waveform("pleth", (1, 2, 3), float("nan"), START, START),
    ]
    events = [good[0], *bad, measured("spo2", 97.0, START, START), good[1]]
    journal.record("a", "oximeter", events, acknowledged.set)
    await acknowledged.wait()
    assert [it.waveform for it in History(tmp_path).waveforms("a", "pleth", START, START + 5 * NS)] == good
    assert times_in(tmp_path) == [START]
    assert journal.health[:3] == (3, 0, len(bad))
    assert len(caplog.records) == len(bad)
    await journal.close()
    assert ask(tmp_path, "SELECT count(*) FROM seals") == [(1,)]
    assert [it.waveform for it in History(tmp_path).waveforms("a", "pleth", START, START + 5 * NS)] == good
