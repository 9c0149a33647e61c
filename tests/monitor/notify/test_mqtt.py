"""The clinic's own systems are told over a real mosquitto, and whatever becomes of it, nobody here waits for it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import pytest

from drivers.transports.mqtt import MqttSettings
from monitor.notify import mqtt
from monitor.notify.mqtt import MOST_WAITING, PUBLISHING, STOPPED, WAITING, Publisher
from tests.broker import PATIENCE, Authority, Broker, until
from tests.services import require

IDENTIFIER = "station-publisher"
ALICE, BOB = "sessions/chair-1", "sessions/chair-2"


@pytest.fixture(autouse=True)
def _short_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "FIRST_DELAY", 0.05)
    monkeypatch.setattr(mqtt, "LONGEST_DELAY", 0.2)
    monkeypatch.setattr(mqtt, "REFUSED_DELAY", 0.05)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "broker", lines=["log_type all"]) as started:
        yield started


def publisher(
    broker: Broker,
    present: Mapping[str, bytes] | None = None,
    *,
    prefix: str = "/clinic",
    scheme: str = "mqtt",
    settings: MqttSettings | None = None,
) -> Publisher:
    standing = {} if present is None else present
    url = f"{scheme}://127.0.0.1:{broker.port}{prefix}"
    return Publisher(url, settings or MqttSettings(), IDENTIFIER, lambda: standing)


def taken(broker: Broker) -> int:
    """How many messages the broker has taken of the publisher; needs the line `log_type all`."""
    return broker.log().count(f"Sending PUBACK to {IDENTIFIER} ")


@contextlib.asynccontextmanager
async def running(one: Publisher, state: str = PUBLISHING) -> AsyncIterator[asyncio.Task[None]]:
    """A publisher that runs and has come to that state; it is cancelled at the end."""
    task = asyncio.ensure_future(one.run())
    try:
        # Before its first attempt it waits too, and says nothing yet.
        await until(lambda: one.state == state and (one.detail or state == PUBLISHING), f"for {state}")
        yield task
    finally:
        await ended(task)


async def ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=PATIENCE)
    assert done, "it does not end"
    assert task.cancelled()


@contextlib.asynccontextmanager
async def listening(broker: Broker, authority: Authority | None = None) -> AsyncIterator[list[tuple[str, bytes, bool]]]:
    """What a system of the clinic's hears, from what is retained on: topic, payload, and whether it was retained."""
    heard: list[tuple[str, bytes, bool]] = []

    async def listen() -> None:
        async for message in client.messages:
            assert isinstance(message.payload, bytes)
            heard.append((message.topic.value, message.payload, message.retain))

    async with broker.client(authority) as client:
        await client.subscribe("#", qos=1)
        task = asyncio.ensure_future(listen())
        try:
            yield heard
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_who_asks_later_is_told_what_is_so(broker: Broker) -> None:
    one = publisher(broker, {ALICE: b"infusion", BOB: b"recovery"})
    async with running(one):
        one.publish(BOB, b"closed")
        await until(lambda: taken(broker) == 3)
    async with listening(broker) as heard:
        await until(lambda: len(heard) == 2)
    assert sorted(heard) == [(f"clinic/{ALICE}", b"infusion", True), (f"clinic/{BOB}", b"closed", True)]


@pytest.mark.parametrize(
    ("prefix", "topic"), [("", ALICE), ("/", ALICE), ("/a/b", f"a/b/{ALICE}"), ("/caf%C3%A9/", f"café/{ALICE}")]
)
async def test_topics_begin_with_the_prefix(broker: Broker, prefix: str, topic: str) -> None:
    async with running(publisher(broker, {ALICE: b"1"}, prefix=prefix)), listening(broker) as heard:
        await until(lambda: heard)
    assert heard == [(topic, b"1", True)]


async def test_changes_come_in_their_order(broker: Broker) -> None:
    one = publisher(broker, {ALICE: b"standing"})
    async with listening(broker) as heard, running(one):
        for number in range(300):
            one.publish((ALICE, BOB)[number % 2], b"%d" % number)
        await until(lambda: len(heard) == 301)
    assert [payload for _, payload, _ in heard] == [b"standing", *(b"%d" % number for number in range(300))]


async def test_an_empty_message_removes_its_topic(broker: Broker) -> None:
    one = publisher(broker, {ALICE: b"1", BOB: b"2"})
    async with running(one):
        one.publish(ALICE, b"")
        await until(lambda: taken(broker) == 3)
        async with listening(broker) as heard:
            await until(lambda: heard)
    assert [topic for topic, _, _ in heard] == [f"clinic/{BOB}"]


async def test_a_broker_that_comes_back_is_told_what_is_so_and_nothing_of_before(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "monitor")
    present = {ALICE: b"baseline"}
    one = publisher(broker, present)
    async with running(one):
        for expected in (b"infusion", b"recovery"):
            broker.kill()
            await until(lambda: one.state == WAITING)
            assert "127.0.0.1" in one.detail
            present[ALICE] = expected
            one.publish("sessions/stale", b"given while the broker was away")
            broker.start()
            await until(lambda: one.state == PUBLISHING)
            one.publish(BOB, b"and goes on")
            async with listening(broker) as heard:
                await until(lambda: len(heard) == 2)
            assert sorted((topic, payload) for topic, payload, _ in heard) == [
                (f"clinic/{ALICE}", expected),
                (f"clinic/{BOB}", b"and goes on"),
            ]
            assert one.detail == ""
    assert "stale" not in broker.log()
    said = [record.getMessage() for record in caplog.records if record.name.startswith("monitor")]
    assert ["not told" in text for text in said] == [True, False, True, False]


async def test_a_wrong_password_is_said_once_and_mended_without_a_restart(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Broker(tmp_path, users={"station": "old"}, lines=["log_type all"]) as broker:
        settings = MqttSettings(username="station", password="new")
        one = publisher(broker, {ALICE: b"1"}, settings=settings)
        async with running(one, STOPPED):
            assert "Not authorized" in one.detail
            await until(lambda: broker.log().count("not authorised") >= 3, "for more attempts")
            assert [record.levelname for record in caplog.records if record.name == mqtt.__name__] == ["ERROR"]
            passwords = tmp_path / "passwords"
            command = [require("mosquitto_passwd"), "-b", passwords, "station", "new"]
            await asyncio.to_thread(subprocess.run, command, check=True)
            broker._process.send_signal(signal.SIGHUP)
            await until(lambda: one.state == PUBLISHING)
            assert one.detail == ""
    assert "new" not in caplog.text.split()


async def test_without_any_broker_nothing_waits_and_nothing_piles_up(broker: Broker) -> None:
    broker.kill()
    one = publisher(broker)
    async with running(one, WAITING):
        for number in range(10 * MOST_WAITING):
            one.publish(ALICE, b"%d" % number)
        assert len(one._waiting) == 0
        assert "refused" in one.detail


async def test_behind_a_broker_that_hangs_the_oldest_go_and_what_is_so_comes_last(broker: Broker) -> None:
    present = {ALICE: b"0", BOB: b"first"}
    one = publisher(broker, present)
    async with listening(broker) as heard, running(one):
        await until(lambda: len(heard) == 2)
        broker.freeze()
        one.publish(BOB, b"second")
        present[BOB] = b"second"
        await until(lambda: not one._waiting, "for it to be under way")
        for number in range(1, 3 * MOST_WAITING + 1):
            one.publish(ALICE, b"%d" % number)
            present[ALICE] = b"%d" % number
        assert len(one._waiting) == MOST_WAITING
        broker.thaw()
        await until(lambda: heard.count((f"clinic/{BOB}", b"second", False)) == 2)
    numbers = [int(payload) for topic, payload, _ in heard if topic == f"clinic/{ALICE}"]
    assert numbers == [0, *range(2 * MOST_WAITING + 1, 3 * MOST_WAITING + 1), 3 * MOST_WAITING]


async def test_a_broker_that_takes_nothing_is_left_and_told_again(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt, "TAKEN_WITHIN", 0.2)
    present = {ALICE: b"1"}
    one = publisher(broker, present)
    async with running(one):
        broker.freeze()
        one.publish(ALICE, b"2")
        await until(lambda: one.state == WAITING)
        present[ALICE] = b"3"
        broker.thaw()
        await until(lambda: one.state == PUBLISHING)
        async with listening(broker) as heard:
            await until(lambda: heard)
        assert heard == [(f"clinic/{ALICE}", b"3", True)]


async def test_what_was_given_before_the_end_is_sent_and_the_link_closed_in_order(broker: Broker) -> None:
    one = publisher(broker, {ALICE: b"0"})
    async with running(one):
        for number in range(1, 51):
            one.publish(ALICE, b"%d" % number)
    await until(lambda: f"Client {IDENTIFIER} disconnected." in broker.log(), "for the end of the link")
    async with listening(broker) as heard:
        await until(lambda: heard)
    assert heard == [(f"clinic/{ALICE}", b"50", True)]
    # What comes after it is nobody's any more.
    one.publish(ALICE, b"51")
    assert len(one._waiting) == 0


async def test_it_ends_though_the_broker_hangs(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "LAST_WORDS", 0.1)
    one = publisher(broker)
    async with running(one):
        broker.freeze()
        # More than the buffers of the connection take.
        one.publish(ALICE, bytes(50_000_000))
        await until(lambda: not one._waiting)


async def test_it_ends_while_a_broker_leaves_it_without_an_answer() -> None:
    asked, left = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            await reader.read(1)
            asked.set()
            await reader.read()
            left.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    task = asyncio.ensure_future(Publisher(f"mqtt://127.0.0.1:{port}", MqttSettings(), IDENTIFIER, dict).run())
    async with asyncio.timeout(PATIENCE):
        await asked.wait()
        await ended(task)
        await left.wait()
    server.close()


async def test_an_error_in_what_is_so_does_not_end_it(broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    broken = True

    def present() -> Mapping[str, bytes]:
        return {ALICE: b"1", **({"no/+/topic": b""} if broken else {})}

    one = Publisher(f"mqtt://127.0.0.1:{broker.port}/", MqttSettings(), IDENTIFIER, present)
    async with running(one, WAITING):
        assert "unexpected error: ValueError" in one.detail
        broken = False
        await until(lambda: one.state == PUBLISHING)
    assert sum("ValueError" in record.getMessage() for record in caplog.records) == 1


async def test_over_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    with Broker(tmp_path / "broker", certificate=authority.issue("broker", "IP:127.0.0.1")) as broker:
        one = publisher(broker, {ALICE: b"1"}, scheme="mqtts", settings=MqttSettings(ca_file=authority.certificate))
        async with running(one), listening(broker, authority) as heard:
            await until(lambda: heard)
            one.publish(ALICE, b"2")
            await until(lambda: len(heard) == 2)
    assert heard == [(f"clinic/{ALICE}", b"1", True), (f"clinic/{ALICE}", b"2", False)]


async def test_a_certificate_that_is_not_there_needs_a_person(tmp_path: Path, broker: Broker) -> None:
    one = publisher(broker, scheme="mqtts", settings=MqttSettings(ca_file=tmp_path / "none.pem"))
    async with running(one, STOPPED):
        assert "certificate file" in one.detail
