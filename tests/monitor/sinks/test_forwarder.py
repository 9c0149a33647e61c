"""The forwarder: what it does about a sink's answers, with time in the hand; then a thread, a journal and a server."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import logging
import random
import sqlite3
import threading
import time
import weakref
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from drivers.clock import NS, ManualClock, SystemClock
from drivers.errors import JournalUnusable, SinkBusy, SinkRefused
from drivers.events import measured
from monitor.config import InfluxdbConfig
from monitor.sinks.forwarder import FORWARDING, LONGEST_RETRY_AFTER, RESEND_FILE, STOPPED, WAITING, Forwarder
from monitor.sinks.forwarder_thread import ForwarderThread
from monitor.sinks.influxdb import InfluxdbSink
from monitor.sinks.sink import Sent
from monitor.storage.backlog import Backlog, DeadLetter, Portion, SinkRow
from monitor.storage.journal import Journal
from tests.fake_influxdb import Answer, FakeInfluxdb, refusal
from tests.influxd import Influxd

PATIENCE = 60
AT = 1_790_000_000 * NS


class Clock(ManualClock):
    """Notes for how long somebody wanted to sleep."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await super().sleep(seconds)


class List(list):
    """A list that can be referred to weakly."""


class Store:
    """A journal and its backlog in memory; a commit is a list of readings."""

    def __init__(self, commits: int = 0) -> None:
        self.commits: list[list] = []
        self.at_once = 3
        """Commits in a portion."""
        self.row: SinkRow | None = None
        self.file = 17
        self.rows: list[SinkRow] = []
        self.letters: list[DeadLetter] = []
        self.written: list[str] = []
        """What was recorded, in order."""
        self.resent: list[int] = []
        self.fails: deque[Exception] = deque()
        self.open = 0
        self.portions: list[weakref.ref] = []
        self.add(commits)

    def add(self, commits: int) -> None:
        for _ in range(commits):
            number = len(self.commits) + 1
            self.commits.append([("chair1", "oximeter", "spo2", float(number), 0, "", AT + number)])

    def backlog(self) -> Store:
        if self.fails and str(self.fails[0]) == "cannot be opened":
            raise self.fails.popleft()
        self.open += 1
        return self

    def close(self) -> None:
        self.open -= 1

    def sink(self, name: str) -> SinkRow:
        return self.row or SinkRow(name, 0, FORWARDING, "", 0, 0)

    def next(self, through: int) -> Portion:
        assert self.open == 1
        if self.fails:
            raise self.fails.popleft()
        assert not any(portion() for portion in self.portions), "a portion is still in memory"
        newest = len(self.commits)
        last = min(through + self.at_once, newest)
        readings = List(reading for commit in self.commits[through:last] for reading in commit)
        self.portions.append(weakref.ref(readings))
        return Portion(last, newest, readings, [], [])

    def dead_letters(self, sink: str, limit: int = 1_000) -> list[DeadLetter]:
        return [letter for letter in self.letters if letter.id not in self.resent][:limit]

    def record_sink(self, row: SinkRow, file: int) -> None:
        assert file == self.file
        self.row = row
        self.rows.append(row)
        self.written.append(f"through {row.through}")

    def record_dead_letters(self, sink: str, refused, at: int) -> None:
        for line, reason in refused:
            self.letters.append(DeadLetter(len(self.letters) + 1, at, line, reason))
            self.written.append(f"dead {line}")

    def record_resent(self, ids, at: int, file: int) -> None:
        assert file == self.file
        self.resent += ids


class Place:
    """A sink in memory. `answers` are for the next calls, one each: an error, or what it refuses."""

    name = "place"

    def __init__(self) -> None:
        self.answers: deque[Exception | Sent] = deque()
        self.always: Exception | None = None
        self.readings: list[float] = []
        self.lines: list[str] = []
        self.bad: set[str] = set()
        self.calls = 0
        self.closed = 0

    def _answer(self) -> Sent:
        self.calls += 1
        answer = self.answers.popleft() if self.answers else self.always or Sent([], 0)
        if isinstance(answer, Exception):
            # One that was raised before holds on to what was in memory then.
            raise copy.copy(answer)
        return answer

    async def send(self, portion: Portion) -> Sent:
        sent = self._answer()
        self.readings += [reading[3] for reading in portion.readings]
        return sent

    async def send_lines(self, lines) -> Sent:
        sent = self._answer()
        lines = list(lines)
        self.lines += [line for line in lines if line not in self.bad]
        return Sent([(line, "bad") for line in lines if line in self.bad], sent.too_old)

    async def close(self) -> None:
        self.closed += 1


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def place() -> Place:
    return Place()


@contextlib.asynccontextmanager
async def running(store: Store, place: Place, clock: Clock, **options) -> AsyncIterator[Forwarder]:
    forwarder = Forwarder(place, store.backlog, store, clock, **options)
    task = asyncio.create_task(forwarder.run())
    await clock.advance(0)
    try:
        yield forwarder
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


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
    request = tmp_path / RESEND_FILE
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
    request = tmp_path / RESEND_FILE
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


# From here on with real time, a thread, a journal on the disk and a server.


def settled(journal: Journal) -> bool:
    """Whether all is sent, and the journal knows."""
    with contextlib.closing(Backlog(journal.path.parent)) as backlog:
        return backlog.next(backlog.sink("influxdb").through).empty and not journal.health.waiting_rows


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


@pytest.fixture
async def journal(tmp_path) -> AsyncIterator[Journal]:
    journal = Journal(tmp_path, commit_every=0.01)
    journal.open()
    yield journal
    await journal.close()


@contextlib.asynccontextmanager
async def thread_of(server, journal: Journal, monkeypatch, **options) -> AsyncIterator[ForwarderThread]:
    monkeypatch.setenv("INFLUX_TOKEN", server.token)
    configured = InfluxdbConfig(url=server.url, org=server.org, bucket=server.bucket, token_env="INFLUX_TOKEN")
    data_dir = journal.path.parent
    sink = InfluxdbSink(configured, "clinic", **options)
    # An attempt a tenth of a second: what is to be seen here is not how long it waits.
    jitter = random.Random()
    monkeypatch.setattr(jitter, "uniform", lambda *_: 0.1)
    forwarder = Forwarder(
        sink, lambda: Backlog(data_dir), journal, SystemClock(), request=data_dir / RESEND_FILE, jitter=jitter
    )
    thread = ForwarderThread(forwarder)
    thread.start()
    try:
        yield thread
    finally:
        assert await asyncio.to_thread(thread.stop)


def put(journal: Journal, count: int, since: int = 0) -> None:
    for index in range(since, since + count):
        at = AT + index * NS
        journal.record("chair1", "oximeter", [measured("spo2", 90.0 + index % 10, at, at)])


@pytest.fixture
async def fake() -> AsyncIterator[FakeInfluxdb]:
    async with FakeInfluxdb() as fake:
        yield fake


async def test_what_the_journal_takes_is_in_the_server(journal, fake, monkeypatch) -> None:
    put(journal, 100)
    async with thread_of(fake, journal, monkeypatch) as thread:
        await until(lambda: len(fake.points) == 100)
        put(journal, 100, 100)
        await until(lambda: len(fake.points) == 200 and settled(journal))
        assert thread.forwarder.status.state == FORWARDING
    series = ("vitals", (("bed", "chair1"), ("device", "oximeter"), ("site", "clinic")))
    assert fake.points == {(series, AT + index * NS): {"spo2": 90.0 + index % 10} for index in range(200)}


async def test_an_outage_of_the_server_loses_nothing(journal, fake, monkeypatch) -> None:
    async with thread_of(fake, journal, monkeypatch) as thread:
        put(journal, 10)
        await until(lambda: len(fake.points) == 10)
        await fake.stop()
        put(journal, 10, 10)
        await until(lambda: thread.forwarder.status.state == WAITING)
        fake.answers.extend(
            [
                Answer(503),
                refusal(429, "too many", "slow down", Retry_After="0"),
                Answer(how="reset"),
                Answer(204, how="half", writes=True),
                Answer(500, how="half", body=b"x" * 100),
            ]
        )
        await fake.start()
        await until(lambda: len(fake.points) == 20 and not fake.answers)
        await until(lambda: thread.forwarder.status.state == FORWARDING)


async def test_it_goes_on_where_it_ended(journal, fake, monkeypatch) -> None:
    put(journal, 10)
    async with thread_of(fake, journal, monkeypatch):
        await until(lambda: settled(journal))
    posted = len(fake.posts)
    put(journal, 5, 10)
    async with thread_of(fake, journal, monkeypatch):
        await until(lambda: len(fake.points) == 15)
    assert sum(len(post.lines) for post in fake.posts[posted:]) == 5


async def test_dead_letters_are_kept_and_taken_after_all(journal, fake, monkeypatch) -> None:
    journal.record("chair1", "oximeter", [measured("spo2", float("inf"), AT, AT)])
    put(journal, 5, 1)
    async with thread_of(fake, journal, monkeypatch):
        with contextlib.closing(Backlog(journal.path.parent)) as backlog:
            await until(lambda: len(fake.points) == 5 and len(backlog.dead_letters("influxdb")) == 1)
            # Asked for, the server refuses it as well.
            (journal.path.parent / RESEND_FILE).touch()
            await until(lambda: any("spo2=inf" in line for post in fake.posts for line in post.lines))
            [letter] = backlog.dead_letters("influxdb")
            assert "inf" in letter.reason
            # And if it did not:
            await until(lambda: settled(journal))
            fake.always = Answer(204)
            (journal.path.parent / RESEND_FILE).touch()
            await until(lambda: not backlog.dead_letters("influxdb"))


async def test_it_ends_at_once_while_the_server_says_nothing(journal, fake, monkeypatch) -> None:
    put(journal, 1)
    fake.always = Answer(how="never")
    async with thread_of(fake, journal, monkeypatch) as thread:
        await until(lambda: len(fake.posts) == 1)
        assert await asyncio.to_thread(thread.stop)
        assert not fake.points


async def test_a_damaged_journal_that_was_set_aside_is_not_the_end(journal, fake, monkeypatch) -> None:
    """A new file stands in its place while the forwarder has the old one open."""
    async with thread_of(fake, journal, monkeypatch):
        put(journal, 50)
        await until(lambda: len(fake.points) == 50 and settled(journal))
        told = sqlite3.DatabaseError("database disk image is malformed")
        told.sqlite_errorcode = sqlite3.SQLITE_CORRUPT

        def write(*_: object) -> None:
            raise told

        monkeypatch.setattr(journal._database, "write", write)
        put(journal, 5, 50)
        await until(lambda: len(fake.points) == 55 and settled(journal))
    assert list(journal.path.parent.glob("journal-damaged-*.db"))


class Failing:
    """A forwarder that fails at once, the first two times."""

    def __init__(self) -> None:
        self.status = SinkRow("failing", 0, FORWARDING, "", 0, 0)
        self.runs = 0
        self.cancelled = threading.Event()

    async def run(self) -> None:
        self.runs += 1
        if self.runs < 3:
            raise ZeroDivisionError("oh")
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled.set()


async def test_a_forwarder_that_fails_is_started_again(caplog) -> None:
    forwarder = Failing()
    thread = ForwarderThread(forwarder, after_failure=0.01)
    thread.start()
    await until(lambda: forwarder.runs == 3)
    assert await asyncio.to_thread(thread.stop)
    assert await asyncio.to_thread(thread.stop)
    assert forwarder.cancelled.is_set()
    assert [record.message for record in caplog.records] == ["forward failing: unexpected error"] * 2


def test_a_thread_that_was_never_started_can_be_stopped() -> None:
    assert ForwarderThread(Failing()).stop()


def test_a_thread_stopped_at_once_ends() -> None:
    for _ in range(20):
        forwarder = Failing()
        forwarder.runs = 2
        thread = ForwarderThread(forwarder)
        thread.start()
        assert thread.stop(PATIENCE)


async def test_a_stop_between_the_start_of_the_thread_and_of_its_loop_is_heeded() -> None:
    forwarder = Failing()
    forwarder.runs = 2
    thread = ForwarderThread(forwarder)
    thread.stop()
    await asyncio.wait_for(thread._run(), PATIENCE)


def test_a_thread_that_hangs_is_left(caplog) -> None:
    let_go = threading.Event()

    hangs = threading.Event()

    class Hanging(Failing):
        async def run(self) -> None:
            hangs.set()
            let_go.wait()

    thread = ForwarderThread(Hanging())
    thread.start()
    assert hangs.wait(PATIENCE)
    assert not thread.stop(0.01)
    assert "does not end" in caplog.text
    let_go.set()
    assert thread.stop(PATIENCE)


@pytest.fixture
def server(tmp_path) -> Iterator[Influxd]:
    with Influxd(tmp_path / "influxd") as server:
        yield server


async def test_real_a_server_killed_again_and_again_has_everything_once(journal, server, monkeypatch) -> None:
    async with thread_of(server, journal, monkeypatch, patience=2.0) as thread:
        for round_ in range(3):
            put(journal, 200, round_ * 200)
            server.kill()
            put(journal, 200, 600 + round_ * 200)
            await until(lambda: thread.forwarder.status.state == WAITING)
            await asyncio.to_thread(server.start)
            await until(lambda: thread.forwarder.status.state == FORWARDING)
        await until(lambda: thread.forwarder.status.through >= thread.forwarder.status.newest > 0)

        def told() -> dict[int, float]:
            rows = server.query(f'from(bucket: "{server.bucket}") |> range(start: 0, stop: 2100-01-01T00:00:00Z)')
            return {row["_time"]: row["_value"] for row in rows}

        expected = {AT + index * NS: 90.0 + index % 10 for index in range(1200)}
        deadline = time.monotonic() + PATIENCE
        while (found := await asyncio.to_thread(told)) != expected:
            assert time.monotonic() < deadline, len(found)
            await asyncio.sleep(0.1)
