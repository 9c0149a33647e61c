"""The forwarder: what it does about a sink's answers and about its journal, with time in the hand."""

from __future__ import annotations

import logging
import random
from collections import deque

import pytest

from drivers.clock import NS
from drivers.errors import JournalUnusable, SinkBusy, SinkRefused
from monitor.sinks.forwarder import FORWARDING, LONGEST_RETRY_AFTER, STOPPED, WAITING, resend_file
from monitor.sinks.sink import Sent
from monitor.storage.backlog import DeadLetter, SinkRow
from tests.monitor.sinks.helpers import Clock, Place, Store, running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def place() -> Place:
    return Place()


async def test_a_backlog_is_forwarded_at_once_and_the_cursor_moves_with_it(place, clock) -> None:
    store = Store(8)
    async with running(store, place, clock) as forwarder:
        assert place.readings == [1, 2, 3, 4, 5, 6, 7, 8]
        assert [row.through for row in store.rows] == [3, 6, 8]
        assert clock.slept == [0, 0, 1]
        assert forwarder.status == ("place", FORWARDING, "", 8, 8, 0, 0)
        store.add(1)
        await clock.advance(0.9)
        assert len(place.readings) == 8
        await clock.advance(0.1)
        assert place.readings[8:] == [9]
    assert store.open == 0
    assert place.closed == 1


async def test_nothing_is_recorded_while_nothing_is_new_but_a_sign_of_life_each_minute(place, clock) -> None:
    store = Store(1)
    async with running(store, place, clock):
        assert len(store.rows) == 1
        await clock.advance(59.5)
        assert len(store.rows) == 1
        await clock.advance(1)
        assert len(store.rows) == 2
        assert store.rows[1].at - store.rows[0].at == 60 * NS
        assert place.calls == 1


async def test_it_begins_where_it_was(place, clock) -> None:
    store = Store(5)
    store.row = SinkRow("place", 4, STOPPED, "was stopped", 0, 17)
    async with running(store, place, clock) as forwarder:
        assert place.readings == [5]
        assert forwarder.status.too_old == 17
        assert store.rows[-1][:4] == ("place", 5, FORWARDING, "")


async def test_refused_lines_are_recorded_before_the_cursor(place, clock, caplog) -> None:
    store = Store(6)
    place.answers.extend([Sent([("a", "bad"), ("b", "bad")], 0), Sent([("c", "bad")], 4)])
    async with running(store, place, clock) as forwarder:
        assert store.written == ["dead a", "dead b", "through 3", "dead c", "through 6"]
        assert forwarder.status.refused == 3
        assert forwarder.status.too_old == store.rows[-1].too_old == 4
    assert [record.message for record in caplog.records if "refuses lines" in record.message] == [
        "place: it refuses lines: `infusion-monitor doctor` shows them with the reason"
    ]


async def test_while_the_sink_is_busy_the_delay_grows_with_full_jitter(place, clock) -> None:
    store = Store(1)
    place.always = SinkBusy("overloaded")
    async with running(store, place, clock, jitter=random.Random(7)):
        for _ in range(12):
            await clock.advance(60)
    jitter = random.Random(7)
    expected = [jitter.uniform(0, longest) for longest in (1, 2, 4, 8, 16, 32, *[60] * len(clock.slept))]
    assert clock.slept == expected[: len(clock.slept)]
    assert len(clock.slept) > 12
    assert place.readings == []


async def test_a_retry_after_is_the_least_and_is_capped(place, clock) -> None:
    store = Store(1)
    place.answers.extend([SinkBusy("later", 30.0), SinkBusy("much later", 86_400.0)])
    async with running(store, place, clock, jitter=random.Random(7)):
        jitter = random.Random(7)
        assert clock.slept == [30 + jitter.uniform(0, 1)]
        await clock.advance(29.9)
        assert place.calls == 1
        await clock.advance(1.1)
        assert clock.slept[1:] == [LONGEST_RETRY_AFTER + jitter.uniform(0, 2)]
        await clock.advance(LONGEST_RETRY_AFTER + 2)
        assert place.readings == [1]


async def test_after_an_outage_the_delay_begins_anew(place, clock) -> None:
    store = Store(1)
    place.answers.extend([SinkBusy("x")] * 5)
    async with running(store, place, clock, jitter=random.Random(7)):
        await clock.advance(100)
        assert place.readings == [1]
        place.answers.append(SinkBusy("x"))
        clock.slept.clear()
        store.add(1)
        await clock.advance(1)
        assert clock.slept[0] < 1


async def test_an_outage_is_told_once_when_it_begins_and_once_when_it_is_over(place, clock, caplog) -> None:
    store = Store(1)
    place.always = SinkBusy("overloaded")
    async with running(store, place, clock) as forwarder:
        await clock.advance(300)
        assert forwarder.status.state == WAITING
        assert store.rows[0][1:4] == (0, WAITING, "overloaded")
        # Then a sign of life about once a minute, not at each attempt.
        assert len(store.rows) <= 6 < place.calls
        store.add(2)
        await clock.advance(60)
        assert forwarder.status.newest == 3
        place.always = SinkBusy("and now something else")
        await clock.advance(60)
        assert store.rows[-1].detail == "and now something else"
        place.always = None
        await clock.advance(60)
        assert forwarder.status[1:4] == (FORWARDING, "", 3)
        assert store.rows[-1].state == FORWARDING
    assert [record.message for record in caplog.records] == [
        "place: not forwarded, readings are kept in the journal: overloaded",
        "place: the journal is forwarded again",
    ]


async def test_where_a_person_is_needed_it_stops_and_looks_again_each_minute(place, clock, caplog) -> None:
    store = Store(1)
    place.always = SinkRefused("make a bucket")
    async with running(store, place, clock) as forwarder:
        await clock.advance(179)
        assert place.calls == 3
        assert forwarder.status[1:3] == (STOPPED, "make a bucket")
        place.always = None
        await clock.advance(1)
        assert forwarder.status.state == FORWARDING
        assert place.readings == [1]
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("ERROR", "place: not forwarded, readings are kept in the journal: make a bucket"),
        ("WARNING", "place: the journal is forwarded again"),
    ]


async def test_a_portion_that_failed_is_sent_again_whole(place, clock) -> None:
    store = Store(6)
    place.answers.extend([Sent([], 0), SinkBusy("x")])
    async with running(store, place, clock):
        assert place.readings == [1, 2, 3]
        await clock.advance(1)
        assert place.readings == [1, 2, 3, 4, 5, 6]
        assert store.row.through == 6


@pytest.mark.parametrize("text", ["cannot be opened", "cannot be read"])
async def test_a_journal_that_cannot_be_read_is_opened_again(place, clock, text) -> None:
    store = Store(2)
    store.fails.append(JournalUnusable(text))
    async with running(store, place, clock) as forwarder:
        assert forwarder.status[1:3] == (WAITING, text)
        assert store.open == 0
        await clock.advance(1)
        assert place.readings == [1, 2]
        assert forwarder.status.state == FORWARDING


async def test_a_journal_that_was_replaced_is_forwarded_from_its_beginning(place, clock) -> None:
    store = Store(9)
    async with running(store, place, clock) as forwarder:
        store.commits.clear()
        store.add(2)
        store.row = None
        store.rows.clear()
        store.fails.append(JournalUnusable("it was replaced"))
        await clock.advance(2)
        assert place.readings[9:] == [1, 2]
        assert {row.through for row in store.rows} == {2}
        assert forwarder.status.through == 2


async def test_what_nobody_foresaw_ends_nothing(place, clock, caplog) -> None:
    store = Store(1)
    # The log that the test keeps holds on to what was in memory.
    store.portions = deque(maxlen=0)
    place.answers.extend([ZeroDivisionError("oh"), ZeroDivisionError("oh")])
    async with running(store, place, clock) as forwarder:
        assert forwarder.status[1:3] == (WAITING, "unexpected error: ZeroDivisionError: oh")
        await clock.advance(10)
        assert place.readings == [1]
    assert sum(record.exc_info is not None for record in caplog.records) == 1


async def test_dead_letters_are_sent_again_when_asked(place, clock, caplog, tmp_path) -> None:
    request = resend_file(tmp_path, "place")
    caplog.set_level(logging.INFO)
    store = Store(1)
    store.letters = [DeadLetter(number, 0, f"line {number}", "bad") for number in range(1, 2501)]
    place.bad = {f"line {number}" for number in range(1, 1201)}
    async with running(store, place, clock, request=request):
        await clock.advance(5)
        assert place.lines == []
        request.touch()
        await clock.advance(1)
        assert not request.exists()
        assert place.lines == [f"line {number}" for number in range(1201, 2501)]
        assert store.resent == list(range(1201, 2501))
        calls = place.calls
        await clock.advance(5)
        assert place.calls == calls
    assert len(store.dead_letters("place", 5000)) == 1200
    assert "of the dead letters 1300 were taken and 1200 refused again" in caplog.text


async def test_dead_letters_wait_until_the_sink_takes_something(place, clock, tmp_path) -> None:
    request = resend_file(tmp_path, "place")
    store = Store(1)
    store.letters = [DeadLetter(1, 0, "line", "bad")]
    async with running(store, place, clock, request=request) as forwarder:
        place.answers.extend([SinkBusy("x"), SinkBusy("y"), Sent([], 2)])
        request.touch()
        await clock.advance(1)
        assert forwarder.status[1:3] == (WAITING, "x")
        await clock.advance(10)
        assert place.lines == ["line"]
        assert store.resent == [1]
        assert forwarder.status.state == FORWARDING
        assert forwarder.status.too_old == 2
