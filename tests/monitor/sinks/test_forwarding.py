"""A journal on the disk, the forwarder in its thread, and a server: first a fake, then a real one that is killed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from functools import partial

import pytest

from drivers.clock import NS, SystemClock
from drivers.events import measured
from monitor.config import InfluxdbConfig
from monitor.sessions.entries import Entry, Kind
from monitor.sinks.forwarder import FORWARDING, WAITING, Forwarder, resend_file
from monitor.sinks.forwarder_thread import ForwarderThread
from monitor.sinks.influxdb import InfluxdbSink
from monitor.storage.backlog import Backlog
from monitor.storage.journal import Journal
from tests.broker import PATIENCE, until
from tests.fake_influxdb import Answer, refusal
from tests.influxd import Influxd
from tests.monitor.sinks.helpers import AT


def settled(journal: Journal) -> bool:
    """Whether all is sent, and the journal knows."""
    with contextlib.closing(Backlog(journal.path.parent)) as backlog:
        return backlog.next(backlog.sink("influxdb").through).empty and not journal.health.waiting_rows


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
        sink, lambda: Backlog(data_dir), journal, SystemClock(), request=resend_file(data_dir, sink.name), jitter=jitter
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
            resend_file(journal.path.parent, "influxdb").touch()
            await until(lambda: any("spo2=inf" in line for post in fake.posts for line in post.lines))
            [letter] = backlog.dead_letters("influxdb")
            assert "inf" in letter.reason
            # And if it did not:
            await until(lambda: settled(journal))
            fake.always = Answer(204)
            resend_file(journal.path.parent, "influxdb").touch()
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


@pytest.fixture
def server(tmp_path) -> Iterator[Influxd]:
    with Influxd(tmp_path / "influxd") as server:
        yield server


async def test_real_entries_of_sessions_are_there_once_whatever_is_sent_again(
    journal, server, monkeypatch, tmp_path
) -> None:
    opened = {"reference": "P-17", "planned_minutes": 40, "profile": "default"}
    content = [(Kind.OPENED, opened), (Kind.STEP, {"step": "start"})]
    # All of it for one minute, as people enter things; each in a commit of its own.
    content += [(Kind.NOTE, {"text": f'note {number} "°C"'}) for number in range(3, 8)]
    for number, (kind, one) in enumerate(content, start=1):
        on_disk = asyncio.Event()
        entry = Entry("s1", number, kind, AT, AT + number * NS, "Kim", "chair1", one, f"r{number}")
        journal.record_entries([entry], on_disk.set)
        await on_disk.wait()

    def told() -> dict[int, dict[str, object]]:
        points: dict[int, dict[str, object]] = {}
        for row in server.query(f'from(bucket: "{server.bucket}") |> range(start: 0, stop: 2100-01-01T00:00:00Z)'):
            assert (row["_measurement"], row["bed"], row["site"]) == ("sessions", "chair1", "clinic")
            points.setdefault(row["_time"], {})[row["_field"]] = row["_value"]
        return points

    as_json = partial(json.dumps, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    expected = {
        AT + number - 1: {
            "session": "s1",
            "author": "Kim",
            "number": number,
            "entered_at": AT + number * NS,
            "kind": kind,
            "content": as_json(one),
            "request": f"r{number}",
            "at": AT,
            "row": number,
        }
        for number, (kind, one) in enumerate(content, start=1)
    }
    expected[AT] |= {"event": "opened", "reference": "P-17", "text": "session opened, 40 min of infusion planned"}
    expected[AT + 1] |= {"event": "start", "text": "infusion started"}
    for number in range(3, 8):
        expected[AT + number - 1] |= {"event": "note", "text": f'note {number} "°C"'}
    async with thread_of(server, journal, monkeypatch):
        await until(lambda: settled(journal))
        assert await asyncio.to_thread(told) == expected
    # Sent again from commits in the middle on: as after a crash before the cursor was on disk.
    with contextlib.closing(Backlog(tmp_path)) as backlog:
        for through in (0, 3, 5):
            journal.record_sink(backlog.sink("influxdb")._replace(through=through), backlog.file)
            await until(lambda: not journal.health.waiting_rows)
            async with thread_of(server, journal, monkeypatch):
                await until(lambda: settled(journal))
            assert await asyncio.to_thread(told) == expected


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
